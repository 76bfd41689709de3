"""The uncertainty of scores: bootstrap intervals over clips, and Wilson's interval for shares."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit


@dataclass(frozen=True)
class Interval:
    """A score and the interval around it at the configured confidence."""

    value: float
    low: float
    high: float
    bias: float | None = None
    """How far the value is expected above that of infinitely many clips; None for unbiased estimates."""
    spread: float | None = None
    """Standard deviation between trainings; None for one training."""


Values = NDArray[np.float64]
HALVINGS = 20
"""Number of random halvings behind every estimate of small-sample bias."""


def resampling_counts(clips: int, resamplings: int, seed: int) -> NDArray[np.int64]:
    """(resamplings, clips): how often each clip is drawn if `clips` of them are drawn with replacement.

    All scores of a file use the same counts, and a prediction is always drawn with its ground truth.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(clips, np.full(clips, 1 / clips), size=resamplings)


def bootstrap_interval(value: float, resampled: Values, confidence: float, least: float = -np.inf) -> Interval:
    """The percentiles of the resampled scores, shifted so that their mean is at `value`; never below `least`.

    The shift matters for FVD only: a resampling contains fewer different clips than the set, so its FVD is biased
    further upwards, and the plain percentiles may not even contain the value. The interval covers the variance from
    the choice of clips, not the small-sample bias of the value itself.
    """
    low, high = np.quantile(resampled - resampled.mean(), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, max(value + float(low), least), value + float(high))


def random_halves(clips: int, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """HALVINGS pairs of disjoint sets of clips // 2 positions; none if a half would contain a single clip."""
    rng, half = np.random.default_rng(seed), clips // 2
    orders = [rng.permutation(clips) for _ in range(HALVINGS)] if half >= 2 else []
    return [(order[:half], order[half : 2 * half]) for order in orders]


def small_sample_bias(
    distance: Callable[[Values, Values], float], truth: Values, prediction: Values, seed: int
) -> float | None:
    """The first-order bias of `distance` between n pairs (n, d): its mean over random halves minus the value.

    To first order, a distance of n clips is c/n above that of infinitely many clips (Chong & Forsyth 2020, for FID), so
    half as many clips add another c/n. With fewer clips than dimensions the bias is larger than this estimate. It is
    None for fewer than four clips.
    """
    halves = [half for both in random_halves(len(truth), seed) for half in both]
    if not halves:
        return None
    return float(np.mean([distance(truth[half], prediction[half]) for half in halves])) - distance(truth, prediction)


def mean_interval(values: Values, counts: NDArray[np.int64], confidence: float) -> Interval:
    """The mean of one score per clip (n,) with its interval from `counts` (r, n)."""
    return bootstrap_interval(float(values.mean()), counts @ values / len(values), confidence)


Part = tuple[float, int]
"""A part of a mean's variance, and the degrees of freedom of its estimate"""


def parts_of(values: Values, resampled: Values, clips: int) -> list[Part]:
    """The variance of the mean score of several trainings: the part of the trainings and that of the clips.

    The first is the variance between trainings over their number, the second that of the mean over resampled clips,
    which all trainings share. Clips that suit one training count in both, so the sum is slightly too large.

    Args:
        values: (trainings,), two or more.
        resampled: (trainings, resamplings), of the same clips for each training.
        clips: number of clips.
    """
    trainings = len(values)
    between, within = values.var(ddof=1) / trainings, resampled.mean(0).var(ddof=1)
    return [(float(between), trainings - 1), (float(within), max(clips - 1, 1))]


def half_width(parts: Sequence[Part], confidence: float) -> float:
    """Half of the interval of a mean whose variance has these parts.

    Each part counts with its own Student's quantile, as in Cochran's (1964) approximation: with few trainings, degrees
    of freedom estimated for the sum (Welch, Satterthwaite) make intervals that are too narrow if the trainings happen
    to agree.
    """
    return math.sqrt(sum(part * float(stdtrit(freedom, (1 + confidence) / 2)) ** 2 for part, freedom in parts))


def p_value(value: float, parts: Sequence[Part]) -> float:
    """Two-sided p of a mean: 1 - the confidence at which its interval just reaches zero."""
    if value == 0:
        return 1.0
    if not any(part for part, _ in parts):
        return 0.0  # no spread at all
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if half_width(parts, middle) >= abs(value) else (middle, high)
    return 1 - high


def replicates_interval(
    values: Values, resampled: Values, clips: int, confidence: float, least: float = -np.inf, most: float = np.inf
) -> Interval:
    """The mean of the scores of several trainings, with an interval for the choice of clips and trainings together.

    Both are drawn: the value would change with other clips and with other seeds (`parts_of`, which has the arguments,
    and `half_width`). The score's own limits are `least` and `most`.
    """
    half = half_width(parts_of(values, resampled, clips), confidence)
    value, spread = float(values.mean()), float(values.std(ddof=1))
    return Interval(value, max(value - half, least), min(value + half, most), spread=spread)


def wilson_interval(successes: int, trials: int, confidence: float) -> Interval:
    """The share of successes with Wilson's score interval (1927), which remains valid at 0 and at 1."""
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"{successes} successes in {trials} trials")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return Interval(share, max(float(centre - half), 0.0), min(float(centre + half), 1.0))
