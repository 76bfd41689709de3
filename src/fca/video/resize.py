"""Spatial resizing of a frame: bilinear with antialiasing, as decord (swscale) and torch do it.

CogVideoX's text-to-video fine-tuning script stretches with decord's `VideoReader(width=, height=)`. To enlarge, its
filter is the plain two-tap bilinear one; to shrink, the triangle is as wide as the scale. That is
`torch.nn.functional.interpolate(mode="bilinear", antialias=True)`, computed here without importing torch. Products and
sums are numpy's, one by one, so every machine gets the same bits.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

BLOCK = 16  # rows at a time stay in the processor's cache: ten times as fast as a whole frame


@dataclass(frozen=True)
class Taps:
    """Along one axis: output i = sum over k of weight[k, i] * input[index[k, i]]; both (taps, outputs)."""

    index: np.ndarray
    weight: np.ndarray


@lru_cache(maxsize=256)
def taps(source: int, target: int, first: int, count: int) -> Taps:
    """The triangle filter that resizes `source` pixels to `target`, for `count` outputs from `first` on.

    Weights are float32 and sum to 1; taps outside the picture don't count.
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
    used = weight.any(axis=0)
    index, weight = np.minimum(index, source - 1)[:, used], weight[:, used].astype(np.float32)
    return Taps(np.ascontiguousarray(index.T), np.ascontiguousarray(weight.T))


@lru_cache(maxsize=256)
def _interleaved(source: int, target: int, first: int, count: int) -> Taps:
    """`taps` for rows of RGB pixels as rows of numbers."""
    filter = taps(source, target, first, count)
    index = 3 * filter.index[:, :, None] + np.arange(3)
    return Taps(index.reshape(len(index), -1), np.repeat(filter.weight, 3, axis=1))


def resize(frame: np.ndarray, width: int, height: int, mode: str, out: np.ndarray | None = None) -> np.ndarray:
    """Resize a (H, W, 3) float32 frame to (height, width, 3) float32, same value range.

    mode "stretch": each axis independently, proportions change. mode "crop": the smallest size of the same proportions
    that covers the target, then its centre (CogVideoX's `resize_for_rectangle_crop`, but bilinear). `out`: contiguous
    (height, width, 3) uint8, into which values within 0 ... 255 are rounded half up.
    """
    source_height, source_width = frame.shape[:2]
    full_height, full_width = height, width
    if mode == "crop":  # fractions of a pixel are cut off
        full_height = max(height, source_height * width // source_width)
        full_width = max(width, source_width * height // source_height)
    top, left = (full_height - height) // 2, (full_width - width) // 2
    rows = taps(source_height, full_height, top, height)
    columns = _interleaved(source_width, full_width, left, width)
    result = np.empty((height, width, 3), np.float32) if out is None else out
    lines, source = result.reshape(height, -1), np.ascontiguousarray(frame).reshape(source_height, -1)
    widen_first = full_height > source_height  # while there are fewer rows
    if widen_first:
        source = _blend(source, columns, 1)
    for start in range(0, height, BLOCK):
        block = _blend(source, rows, 0, slice(start, start + BLOCK))
        if not widen_first:
            block = _blend(block, columns, 1)
        if out is not None:
            block += np.float32(0.5)
        lines[start : start + BLOCK] = block
    return result


def _blend(lines: np.ndarray, filter: Taps, axis: int, outputs: slice = slice(None)) -> np.ndarray:
    """Filter one axis of (H, numbers of a row) float32; `outputs` selects results."""
    result: np.ndarray | None = None
    for index, weight in zip(filter.index[:, outputs], filter.weight[:, outputs], strict=True):
        part = lines[index] if axis == 0 else lines[:, index]
        part *= weight[:, None] if axis == 0 else weight
        result = part if result is None else np.add(result, part, out=result)
    assert result is not None
    return result
