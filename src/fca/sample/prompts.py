"""Captions as inputs of a prediction. A clip's own, its opposite and edited captions take the same path."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from fca.artifacts.shards import Shard
from fca.config import Config
from fca.encode.captions import TextNetworks, caption_tables
from fca.model import Prompt
from fca.pretrained.load import device


def prompts_of(tables: Shard | Mapping[str, np.ndarray]) -> tuple[Prompt, Prompt]:
    """The prompt of each caption, and the empty one, on the device.

    `tables`: a latents shard, or what `caption_tables` returns for other captions.
    """
    table = Prompt(
        torch.from_numpy(tables["prompt_embeds"][:]).float().to(device()),
        torch.from_numpy(tables["text_embeds"][:]).float().to(device()),
        torch.from_numpy(tables["text_mask"][:]).to(device()),
    )
    return table.rows(tables["prompt"][:].tolist()), table.rows([0])


def encoded_prompts(config: Config, variant: str, captions: Sequence[str]) -> tuple[Prompt, Prompt]:
    """`prompts_of` captions that no shard holds, encoded as `fca encode` does; the networks are freed afterwards."""
    return prompts_of(caption_tables(TextNetworks.load(config.base_of(variant), config.encode.precision), captions))
