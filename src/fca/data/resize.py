"""Spatial resizing of a frame: bilinear, with a wider filter where it shrinks, as decord (swscale) and torch
do it.

CogVideoX's text-to-video fine-tuning script stretches with decord's `VideoReader(width=, height=)`;
enlarging, its filter is the plain two-tap bilinear one, shrinking, the triangle is as wide as the scale says.
That is `torch.nn.functional.interpolate(mode="bilinear", antialias=True)`, computed here without importing
torch.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class Taps:
    """Along one axis: output i = sum over k of weight[i, k] * input[index[i, k]]; both (outputs, taps)."""

    index: np.ndarray
    weight: np.ndarray


@lru_cache(maxsize=256)
def taps(source: int, target: int, first: int, count: int) -> Taps:
    """The triangle filter that resizes `source` pixels to `target`, for the outputs first ... first + count -
    1.

    Weights are float32 and sum to 1; taps that would lie outside the picture don't count.
    """
    scale = source / target
    support = max(1.0, scale)
    centres = scale * (np.arange(first, first + count) + 0.5)
    low = np.maximum(np.floor(centres - support + 0.5).astype(np.int64), 0)
    high = np.minimum(np.floor(centres + support + 0.5).astype(np.int64), source)
    index = low[:, None] + np.arange(int((high - low).max()))[None]
    weight = np.maximum(0.0, 1.0 - np.abs((index + 0.5 - centres[:, None]) / support))
    weight[index >= high[:, None]] = 0.0
    weight /= weight.sum(axis=1, keepdims=True)
    return Taps(np.minimum(index, source - 1), weight.astype(np.float32))


def resize(frame: np.ndarray, width: int, height: int, mode: str) -> np.ndarray:
    """Resize a (H, W, 3) float32 frame to (height, width, 3) float32, same value range.

    mode "stretch": both axes on their own, proportions change. mode "crop": the smallest size of the same
    proportions that covers the target, then its centre (CogVideoX's `resize_for_rectangle_crop`, but
    bilinear).
    """
    source_height, source_width = frame.shape[:2]
    full_height, full_width = (
        _covering(source_width, source_height, width, height) if mode == "crop" else (height, width)
    )
    top, left = (full_height - height) // 2, (full_width - width) // 2
    frame = _apply(frame, taps(source_height, full_height, top, height), axis=0)
    return _apply(frame, taps(source_width, full_width, left, width), axis=1)


def _covering(source_width: int, source_height: int, width: int, height: int) -> tuple[int, int]:
    """(height, width) of the picture scaled to cover width x height, fractions of a pixel cut off."""
    if source_width * height > source_height * width:
        return height, source_width * height // source_height
    return source_height * width // source_width, width


def _apply(frame: np.ndarray, filter: Taps, axis: int) -> np.ndarray:
    """Filter one axis of a (H, W, 3) float32 frame."""
    result = None
    for index, weight in zip(filter.index.T, filter.weight.T, strict=True):
        part = np.take(frame, index, axis=axis)
        part *= weight[:, None, None] if axis == 0 else weight[None, :, None]
        result = part if result is None else np.add(result, part, out=result)
    assert result is not None
    return result
