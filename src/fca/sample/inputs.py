"""What a call of `FCAPipeline` is given, for one video or a batch, and what it returns."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from diffusers.utils import BaseOutput
from PIL import Image
from torch import Tensor

from fca.errors import FcaError
from fca.pretrained.exported import Prediction
from fca.sample.media import check_prompt
from fca.sample.picture import fitted, rgb

OUTPUTS = ("pil", "np", "pt", "latent")

Picture: TypeAlias = Image.Image | np.ndarray
"""A Pillow picture, or an array (H, W, 3) uint8."""
Start: TypeAlias = Picture | Sequence[Picture]
"""The initial frames of one video, in order."""


@dataclass
class FCAPipelineOutput(BaseOutput):
    """`frames`: B videos, as `output_type` says: lists of Pillow pictures (`pil`), an array (B, F, H, W, 3) float32 in
    [0, 1] (`np`), a tensor (B, F, 3, H, W) likewise (`pt`), or scaled latents (B, f, C, h, w) (`latent`)."""

    frames: Any


def initial_pixels(image: Start | Sequence[Start], count: int | None, prediction: Prediction) -> Tensor:
    """The initial frames of each video, resized: (B, k, H, W, 3) uint8.

    Args:
        image: one video's; or, if `count` says how many videos there are, a list of as many, or one's for all.

    Raises:
        FcaError: something is no picture, or there are too few or too many.
    """
    if isinstance(image, str | Path) or not isinstance(image, Image.Image | Sequence | np.ndarray):
        raise FcaError(f"image is a {type(image).__name__}", "a picture, or a list: image=load_image('start.png')")
    one = count is None or isinstance(image, Image.Image) or (isinstance(image, np.ndarray) and image.ndim == 3)
    starts: list[Any] = [image] if one else list(image)  # type: ignore[arg-type]
    if len(starts) == 1:
        starts *= count or 1
    if count is not None and len(starts) != count:
        raise FcaError(
            f"{len(starts)} pictures and {count} prompts", "a picture, or a list of pictures, for each prompt"
        )
    videos = [_frames_of(start, prediction) for start in starts]
    if len({len(video) for video in videos}) > 1:
        raise FcaError("the videos start with different numbers of frames", "one batch for each number")
    return torch.from_numpy(np.stack(videos))


def _frames_of(start: Any, prediction: Prediction) -> np.ndarray:
    """The initial frames of one video (k, H, W, 3) uint8."""
    if isinstance(start, Image.Image) or (isinstance(start, np.ndarray) and start.ndim < 4):
        start = [start]
    if isinstance(start, str | Path) or not isinstance(start, Sequence | np.ndarray):
        raise FcaError(f"a video's start is a {type(start).__name__}", "a picture, or a list of pictures")
    prediction.check_count(len(start))
    size = (prediction.width, prediction.height, prediction.resize)
    return np.stack([fitted(rgb(frame), *size) for frame in start])


def captions_of(prompt: str | Sequence[str], count: int) -> list[str]:
    """A caption for each of `count` videos.

    Raises:
        FcaError: there are more or fewer, or one can't be a caption.
    """
    captions = [prompt] * count if isinstance(prompt, str) else list(prompt)
    if len(captions) != count:
        raise FcaError(f"{len(captions)} prompts for {count} videos", "one for all, or one for each")
    for caption in captions:
        check_prompt(caption)
    return captions


def batch_of(prompt: str | Sequence[str] | None, prompt_embeds: Tensor | None) -> int | None:
    """How many videos a call asks for by prompts or embeddings, or None if it is a single one."""
    if prompt is None:
        return None if prompt_embeds is None or len(prompt_embeds) == 1 else len(prompt_embeds)
    if isinstance(prompt, str):
        return None
    if not isinstance(prompt, Sequence) or not prompt:
        raise FcaError(f"the prompt is {prompt!r}", "a sentence, or a list of sentences")
    return len(prompt)


def check_call(output_type: str, tensor_inputs: Sequence[str], each: int, generator: Any, prompts: int) -> None:
    """Refuse settings of a call that can't be: `each` videos of so many prompts, a list of generators for others.

    Raises:
        FcaError: one isn't among the values allowed.
    """
    if output_type not in OUTPUTS:
        raise FcaError(f"output_type is {output_type!r}", f"one of {', '.join(OUTPUTS)}")
    if unknown := sorted(set(tensor_inputs) - {"latents"}):
        raise FcaError(f"a callback can't be given {unknown[0]}", "latents")
    if not isinstance(each, int) or each < 1:
        raise FcaError(f"{each!r} videos per prompt", "a whole number from 1")
    if isinstance(generator, list | tuple) and len(generator) != prompts * each:
        raise FcaError(
            f"{len(generator)} generators for {prompts * each} videos", "one for all, or a list of one for each"
        )


def warn_of_cut(caption: str, name: str, tokenizer: Any, limit: int) -> None:
    """Warn if a caption has more tokens than are read, and show the part that is."""
    count = len(tokenizer(caption, verbose=False).input_ids)
    if count > limit:
        read = tokenizer(caption, truncation=True, max_length=limit).input_ids
        part = tokenizer.decode(read, skip_special_tokens=True)
        warnings.warn(f"the prompt is cut off: {name} reads {limit} of its {count} tokens, {part!r}", stacklevel=4)
