"""Which of a video's frames make the n frames of a clip, and in which blend: Seer's temporal cast.

Source: SeerVideoLDM, `cast_num_frames`: `F.interpolate(mode="trilinear", align_corners=False)` over time for clips
longer than n, zeros (mid-grey) appended to shorter ones. It is a two-tap blend at known positions, so at most 2n source
frames are ever decoded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fca.video.resize import resize

Sampling = Literal["time", "index"]

GREY = 127  # Seer appends zeros in [-1, 1], which is 127.5; of the two neighbours, the one the pocket base knows


def cast_positions(length: int, frames: int) -> list[float]:
    """Positions in the source, in frames, of the min(length, frames) outputs that come from it.

    Output i of a longer clip is at `max(0, (i + 0.5) * length / frames - 0.5)`; a clip that is not longer is copied.
    """
    if length < 1 or frames < 1:
        raise ValueError(f"a clip needs at least one source and one output frame, not {length} and {frames}")
    if length <= frames:
        return [float(index) for index in range(length)]
    return [max(0.0, (index + 0.5) * length / frames - 0.5) for index in range(frames)]


@dataclass(frozen=True)
class CastPlan:
    """Output i = (1 - weight[i]) * source[low[i]] + weight[i] * source[high[i]]; `grey` mid-grey frames follow."""

    low: tuple[int, ...]
    high: tuple[int, ...]
    weight: tuple[float, ...]
    grey: int

    @property
    def needed(self) -> list[int]:
        """The source frames that are blended."""
        return sorted({*self.low, *self.high})


def cast_plan(length: int, frames: int, shown: Sequence[float] | None = None) -> CastPlan:
    """The blend that casts `length` source frames to `frames`, equal to Seer's to float32 rounding.

    `shown`: the frames' times in mean intervals from the first, if they aren't evenly spaced; the outputs are.
    """
    positions = cast_positions(length, frames)
    if shown is not None:
        positions = np.interp(positions, shown, range(length)).tolist()
    low = tuple(int(position) for position in positions)
    return CastPlan(
        low=low,
        high=tuple(min(index + 1, length - 1) for index in low),
        weight=tuple(position - index for position, index in zip(positions, low, strict=True)),
        grey=frames - len(positions),
    )


def cast(source: Mapping[int, np.ndarray], plan: CastPlan, width: int, height: int, mode: str) -> np.ndarray:
    """Blend source frames (number -> (H, W, 3) uint8) by the plan, then resize: (frames, height, width, 3) uint8.

    Both are linear and computed in float32; the one rounding, half up, is at the end.
    """
    clip = np.full((len(plan.low) + plan.grey, height, width, 3), GREY, dtype=np.uint8)
    for output, (low, high, weight) in enumerate(zip(plan.low, plan.high, plan.weight, strict=True)):
        frame = source[low].astype(np.float32)
        if weight:
            frame *= np.float32(1.0 - weight)
            frame += np.float32(weight) * source[high]
        resize(frame, width, height, mode, clip[output])
    return clip
