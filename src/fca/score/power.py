"""The smallest difference that an experiment would have seen, from the spread between its trainings and clips."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt

import numpy as np
from scipy.special import stdtrit

from fca.score.draws import Draws

SIMULATED = 20_000
"""Experiments behind each number; at 20,000 a power of 80 % is exact to half a percent."""
POWER = 0.8


@dataclass(frozen=True)
class Spread:
    """How much the difference of two rows varies by chance."""

    between: float
    """Standard deviation between trainings"""
    within: float
    """Standard deviation of the difference of a single clip; of one training that saw infinitely many clips: 0"""


def spread_of(a: Sequence[Draws], b: Sequence[Draws]) -> Spread:
    """The spread of the difference of two rows, paired clip by clip and training by training.

    With one training of each nothing is known about trainings, and `between` is NaN. Draws that all count the same
    clips have the standard error of the mean over `clips`; a single clip's spread is sqrt(clips) times that.
    """
    size = min(len(one.resampled) for one in (*a, *b))
    values = np.array([one.value for one in a]) - np.array([one.value for one in b])
    resampled = np.array([one.resampled[:size] for one in a]) - np.array([one.resampled[:size] for one in b])
    between = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return Spread(between, float(resampled.mean(0).std(ddof=1)) * sqrt(a[0].clips))


def smallest_difference(
    spread: Spread,
    clips: int,
    trainings: int,
    pairs: int = 1,
    confidence: float = 0.95,
    power: float = POWER,
    freedom: int | None = None,
) -> float:
    """The true difference that is told from chance with probability `power`.

    It is told if its interval (`fca.score.interval.replicates_interval`) at the level corrected for `pairs` (the
    first step of Holm's) excludes zero. Chance also acts on the interval's length, since both spreads are estimated
    from the experiment itself: with few trainings that matters more than the spread.

    Args:
        clips: two or more. trainings: of each row, two or more.
        freedom: degrees of freedom of the spread between trainings, if it is estimated from more rows than the two.
    """
    free = trainings - 1 if freedom is None else freedom
    value, trained, shown = _chances(clips - 1, free)
    level = 1 - (1 - confidence) / pairs
    parts = [(spread.between**2 / trainings, trained, free), (spread.within**2 / clips, shown, clips - 1)]
    error = value * sqrt(sum(part for part, _, _ in parts))
    half = np.sqrt(sum(part * chance * stdtrit(own, (1 + level) / 2) ** 2 for part, chance, own in parts))
    return float(np.quantile(half - error, power))


def trainings_needed(
    spread: Spread, clips: int, difference: float, pairs: int = 1, confidence: float = 0.95, most: int = 64
) -> int | None:
    """The least number of trainings of each row with which a difference would be told; None: more than `most`."""
    sizes = range(2, most + 1)
    return next((n for n in sizes if smallest_difference(spread, clips, n, pairs, confidence) <= difference), None)


@cache
def _chances(*freedoms: int) -> tuple[np.ndarray, ...]:
    """Of each simulated experiment: its error in standard errors, and both variances over their true values.

    `freedoms` are the degrees of freedom of the clips' part and of the trainings'.
    """
    rng = np.random.default_rng(freedoms)
    shown, trained = (rng.chisquare(free, SIMULATED) / free for free in freedoms)
    return rng.normal(size=SIMULATED), trained, shown
