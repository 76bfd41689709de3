"""How sure a score is: intervals over resampled clips, and Wilson's for a share."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Interval:
    """A score and the interval around it at the configured confidence."""

    value: float
    low: float
    high: float


def resampling_counts(clips: int, resamplings: int, seed: int) -> NDArray[np.int64]:
    """(resamplings, clips): how often each clip is drawn when `clips` of them are drawn with replacement.

    All scores of a file use the same counts, and a prediction always travels with its truth.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(clips, np.full(clips, 1 / clips), size=resamplings)


def bootstrap_interval(
    value: float, resampled: NDArray[np.float64], confidence: float, least: float = -np.inf
) -> Interval:
    """The percentiles of the resampled scores, moved so that their mean is at `value`; never below `least`.

    Moving matters for FVD only: a resampling holds fewer different clips than the set, so its FVD is biased
    further upwards, and the plain percentiles may not even contain the value. The interval shows the spread
    from the choice of clips, not the small-sample bias of the value itself.
    """
    low, high = np.quantile(resampled - resampled.mean(), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, max(value + float(low), least), value + float(high))


def mean_interval(values: NDArray[np.float64], counts: NDArray[np.int64], confidence: float) -> Interval:
    """The mean of one score per clip (n,), with the interval from `counts` (r, n)."""
    return bootstrap_interval(float(values.mean()), counts @ values / len(values), confidence)


def wilson_interval(successes: int, trials: int, confidence: float) -> Interval:
    """The share of successes with Wilson's score interval (1927), which stays sensible at 0 and at 1."""
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"{successes} successes in {trials} trials")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return Interval(share, max(float(centre - half), 0.0), min(float(centre + half), 1.0))
