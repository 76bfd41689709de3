"""Captions through both frozen text networks: one function, so that every step reads the same numbers."""

from collections.abc import Sequence

import numpy as np
import torch

from fca.encode.networks import Encoders
from fca.errors import FcaError

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
        "prompt_embeds": half("prompt_embeds", prompt_embeds),
        "text_embeds": half("text_embeds", text_embeds),
        "text_mask": text_mask.numpy(),
    }


def half(name: str, value: torch.Tensor) -> np.ndarray:
    """The numbers as float16.

    Raises:
        FcaError: one is not finite there; it would spoil a training.
    """
    with np.errstate(over="ignore"):
        numbers = value.numpy().astype(np.float16)
    if not np.isfinite(numbers).all():
        raise FcaError(
            f"{name} has values that float16 can't hold (largest {value.abs().max().item():.3g})",
            "finite values below 65504",
            "set encode.precision to bf16 or fp32: a network overflows in fp16",
        )
    return numbers
