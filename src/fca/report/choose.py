"""Which clips are shown: chosen by rank and not manually, so that failures are visible."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """One clip to show, and why."""

    id: str
    rank: int | None
    """1 is the best of `of`; None if there are no scores of single clips."""
    of: int
    label: str
    """best, median, worst, or empty."""


def choose(scores: Sequence[tuple[str, float | None]], limit: int) -> list[Choice]:
    """At most `limit` clips, evenly spaced in rank, including the best, the median and the worst.

    `scores` holds (id, PSNR) of every clip. Clips without a score are left out; equal scores keep their order. If
    fewer than three clips fit, the median is dropped first, then the worst. Without any scores the first clips are
    chosen.
    """
    if all(value is None for _, value in scores):
        return [Choice(clip_id, None, len(scores), "") for clip_id, _ in scores[:limit]]
    ranked = sorted(((clip_id, value) for clip_id, value in scores if value is not None), key=lambda item: -item[1])
    last = len(ranked) - 1
    middle = last // 2
    labels = {middle: "median", last: "worst", 0: "best"}
    return [
        Choice(ranked[position][0], position + 1, len(ranked), labels.get(position, ""))
        for position in spread(last, middle, limit)
    ]


def spread(last: int, middle: int, limit: int) -> list[int]:
    """At most `limit` positions in 0..last, evenly spaced, including 0, `middle` and `last` if they fit."""
    positions = evenly_spaced(last + 1, limit)
    if limit >= 3 and middle not in positions:
        nearest = min(range(1, limit - 1), key=lambda index: (abs(positions[index] - middle), index))
        positions[nearest] = middle
    return sorted(set(positions))


def evenly_spaced(total: int, count: int) -> list[int]:
    """At most `count` positions from the first to the last of `total`."""
    count = min(total, count)
    return sorted({round(step * (total - 1) / max(count - 1, 1)) for step in range(count)})
