"""Seer's temporal cast: which source frames, in which blend, make the n frames of a clip.

Source: SeerVideoLDM, `cast_num_frames`: `F.interpolate(mode="trilinear", align_corners=False)` over time for
clips longer than n, zeros (mid-grey) appended for shorter ones. A two-tap blend at known positions, so at
most 2n source frames are ever decoded.
"""

from dataclasses import dataclass


def cast_positions(length: int, frames: int) -> list[float]:
    """Positions in the source, in frames, of the outputs that come from it: min(length, frames) numbers.

    Output i of a longer clip sits at `max(0, (i + 0.5) * length / frames - 0.5)`; a clip that is not longer
    is copied.
    """
    if length < 1 or frames < 1:
        raise ValueError(f"a clip needs at least one source and one output frame, not {length} and {frames}")
    if length <= frames:
        return [float(index) for index in range(length)]
    return [max(0.0, (index + 0.5) * length / frames - 0.5) for index in range(frames)]


@dataclass(frozen=True)
class CastPlan:
    """Output i = (1 - weight[i]) * source[low[i]] + weight[i] * source[high[i]]; `grey` mid-grey frames
    follow.
    """

    low: tuple[int, ...]
    high: tuple[int, ...]
    weight: tuple[float, ...]
    grey: int


def cast_plan(length: int, frames: int) -> CastPlan:
    """The blend that casts `length` source frames to `frames`, equal to Seer's to float32 rounding."""
    positions = cast_positions(length, frames)
    low = tuple(int(position) for position in positions)
    return CastPlan(
        low=low,
        high=tuple(min(index + 1, length - 1) for index in low),
        weight=tuple(position - index for position, index in zip(positions, low, strict=True)),
        grey=frames - len(positions),
    )
