"""Objects kept: whether the coloured things of the first frame are still there in the predicted frames.

It needs no network and no known positions, so it can be measured for any video with coloured things. The definition:

- Frames are first averaged over squares of pixels, so that they have about 64 rows.
- A pixel is coloured if its largest and smallest channel differ by CHROMA levels or more.
- The first frame's colours are the hues of its coloured pixels, the most frequent first, TOLERANCE to either side. Each
  must have a region of SMALLEST of the frame, and LARGEST of it at most in all: more is a table or a wall.
- A later frame keeps a colour if its pixels of that hue are AREA times those of the first frame, and if they are more
  than DOUBLED times, then in no more regions than in the first frame. Gaps of 4 pixels (a finger, a label) don't
  separate regions, and a region counts from a third of SMALLEST on, because hands hide parts of things.
- A clip keeps its things if FRAMES of its predicted frames and the last one keep every colour.

Things that vanish, change colour, melt or double aren't kept. Nor are those that end behind a hand or outside the
picture, also in the ground truth. So only clips whose ground truth keeps its things count, and there is a score only if
these are SHARE of all: the camera of a kitchen's clips moves, and most lose something.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fca.score.interval import Interval, wilson_interval

CHROMA = 100
"""Levels of 255; below: wood, skin and shadows"""
TOLERANCE = 15.0
"""Degrees of hue on either side"""
SMALLEST, LARGEST = 0.0035, 0.15
"""Share of the frame; 22 and 922 pixels of 96x64"""
AREA = (0.25, 2.5)
"""Of the area in the first frame: a hand hides a part, and what comes closer grows"""
DOUBLED = 1.1
"""Times the area in the first frame, above which more regions are more things, not parts"""
FRAMES = 0.5
"""Share of the predicted frames that must keep every colour"""
SHARE = 0.5
"""Share of clips that must have coloured things which the ground truth keeps"""
ROWS = 64
AROUND = np.ones((3, 3), bool)
GAP = 2
"""Half of the gap in pixels that doesn't separate regions"""

Frames = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Colour:
    """A hue of the first frame, how many regions it has, and their pixels."""

    hue: float
    regions: int
    area: int


def keeps_objects(frames: Frames, first: Frames) -> bool | None:
    """Whether predicted frames (F, H, W, 3) keep what is coloured in the first frame (H, W, 3); None: nothing is."""
    colours = colours_of(small(first))
    if not colours:
        return None
    kept = [_keeps(small(frame), colours) for frame in frames]
    return kept[-1] and bool(np.mean(kept) >= FRAMES)


def small(frame: Frames) -> Frames:
    """A frame (H, W, 3) averaged over squares of H // ROWS pixels; what is left over at the right and below is cut."""
    size = max(1, frame.shape[0] // ROWS)
    if size == 1:
        return frame
    height, width = (length // size for length in frame.shape[:2])
    squares = frame[: height * size, : width * size].reshape(height, size, width, size, 3)
    return squares.mean(axis=(1, 3)).round().astype(np.uint8)


def colours_of(first: Frames) -> list[Colour]:
    """The colours of a frame's things, the one with most pixels first."""
    hues, chroma = hue_and_chroma(first)
    size, left = first.shape[0] * first.shape[1], chroma >= CHROMA
    found = []
    while left.sum() >= SMALLEST * size:
        counts, edges = np.histogram(hues[left], bins=72, range=(0, 360))
        around = sum(np.roll(counts, shift) for shift in range(-2, 3))
        hue = float(edges[int(np.argmax(around))]) + 2.5
        near = left & (distance(hues, hue) <= TOLERANCE)
        if not near.any():
            break
        areas = _areas(near)
        if areas.max() >= SMALLEST * size and near.sum() <= LARGEST * size:
            found.append(Colour(hue, int((areas >= SMALLEST * size / 3).sum()), int(near.sum())))
        left &= distance(hues, hue) > TOLERANCE + 5
    return found


def _keeps(frame: Frames, colours: list[Colour]) -> bool:
    """Whether a frame has every colour's regions and about its area."""
    hues, chroma = hue_and_chroma(frame)
    least = SMALLEST * frame.shape[0] * frame.shape[1] / 3
    for colour in colours:
        near = (chroma >= CHROMA) & (distance(hues, colour.hue) <= TOLERANCE)
        low, high = AREA
        if not low * colour.area <= near.sum() <= high * colour.area:
            return False
        if near.sum() > DOUBLED * colour.area and (_areas(near) >= least).sum() > colour.regions:
            return False
    return True


def _areas(mask: Mask) -> NDArray[np.int64]:
    """Pixels of each region of a mask (H, W), small gaps closed."""
    padded = np.pad(mask, GAP + 1)
    labels, count = ndimage.label(ndimage.binary_closing(padded, AROUND, GAP), AROUND)
    return np.bincount(labels[padded], minlength=count + 1)[1:]


def hue_and_chroma(frame: Frames) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Hue (H, W) in degrees and chroma (H, W) in levels of a frame (H, W, 3)."""
    red, green, blue = np.moveaxis(frame.astype(np.float32), -1, 0)
    most = frame.max(axis=-1).astype(np.float32)
    chroma = most - frame.min(axis=-1)
    scale = np.maximum(chroma, 1)
    sextant = np.where(
        most == red,
        ((green - blue) / scale) % 6,
        np.where(most == green, (blue - red) / scale + 2, (red - green) / scale + 4),
    )
    return 60 * sextant, chroma


def distance(hues: NDArray[np.float32], hue: float) -> NDArray[np.float32]:
    """Degrees between hues."""
    return np.abs((hues - hue + 180) % 360 - 180)


def objects_kept(
    kept: Sequence[bool | None], kept_by_truth: Sequence[bool | None], confidence: float
) -> Interval | None:
    """The share of clips that keep their things, of those whose ground truth does; None if these are too few."""
    counted = [bool(one) for one, of_truth in zip(kept, kept_by_truth, strict=True) if of_truth]
    if not counted or len(counted) < SHARE * len(kept):
        return None
    return wilson_interval(sum(counted), len(counted), confidence)
