"""Captions through both frozen text networks: one function, so that every step reads the same numbers."""

from collections.abc import Sequence

import numpy as np
import torch

from fca.artifacts.finite import finite
from fca.encode.networks import Encoders

NO_CAPTION = ""  # row 0 of the tables: the unconditional branch of classifier-free guidance


def caption_tables(encoders: Encoders, captions: Sequence[str]) -> dict[str, np.ndarray]:
    """The columns of a latents shard that hold its captions.

    `prompt` (n,) int32 is each caption's row in the tables of distinct captions: `prompt_embeds` (T5) and `text_embeds`
    (BLIP-2), float16, and `text_mask`, bool.

    Raises:
        FcaError: a value isn't finite in float16.
    """
    distinct = [NO_CAPTION, *sorted(set(captions) - {NO_CAPTION})]
    row_of = {caption: row for row, caption in enumerate(distinct)}

    prompt_embeds, text_embeds, text_mask = encoders.captions(distinct)
    return {
        "prompt": np.array([row_of[caption] for caption in captions], dtype=np.int32),
        "prompt_embeds": half("prompt_embeds", prompt_embeds, distinct),
        "text_embeds": half("text_embeds", text_embeds, distinct),
        "text_mask": text_mask.numpy(),
    }


def half(name: str, value: torch.Tensor, names: Sequence[str] = ()) -> np.ndarray:
    """The numbers as float16, in which a shard stores them; `names` of the rows.

    Raises:
        FcaError: one is not finite there; it would spoil a training.
    """
    return finite(value.half(), f"{name} in float16, which holds numbers below 65504", names).numpy()
