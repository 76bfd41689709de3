"""Scores of resampled clips: what intervals and comparisons are made of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fca.score.frechet import Features, frechet_distance, seer_frechet_distance
from fca.score.interval import small_sample_bias
from fca.score.kernel import centred, kernel_distance, resampled_kernel_distances
from fca.score.protocol import Setup


@dataclass(frozen=True)
class Draws:
    """A score, and its values for resampled clips."""

    value: float
    clips: int
    """Number of clips"""
    resampled: NDArray[np.float64]
    """(resamplings,); fewer if a single clip has no such score"""
    least: float = -np.inf
    """The score's own limit"""
    bias: float | None = None


def draws_of_mean(values: NDArray[np.float64], counts: NDArray[np.int64]) -> Draws:
    """The mean of one score per clip (n,); `counts`: (r, n), how often each clip is drawn."""
    return Draws(float(values.mean()), len(values), counts @ values / len(values))


def distances(
    truth: Features, prediction: Features, raw: Features, setup: Setup, counts: NDArray[np.int64]
) -> dict[str, Draws]:
    """FVD and KVD by definition and as Seer computes them, by name; none for a single clip.

    Args:
        prediction: (n, d), the initial frames replaced by the ground truth.
        raw: (n, d), as the model made them.
        counts: (r, n), how often each clip is drawn.
    """
    if len(truth) < 2:
        return {}
    several = (counts > 0).sum(1) > 1  # a clip drawn alone has no other to compare with

    def kvd(one: Features, other: Features) -> Draws:
        return Draws(kernel_distance(one, other), len(one), resampled_kernel_distances(one, other, counts[several]))

    scores: dict[str, Draws] = {}
    sets = ((prediction, False), (raw, True)) if setup.initial_frames else ((raw, True),)
    for features, is_raw in sets:
        drawn = (np.repeat(np.arange(len(truth)), times) for times in counts)
        resampled = np.array([frechet_distance(truth[rows], features[rows]) for rows in drawn])
        bias = small_sample_bias(frechet_distance, truth, features, setup.seed)
        value, seer = frechet_distance(truth, features), seer_frechet_distance(truth, features)
        found = {
            "fvd": Draws(value, len(truth), resampled, 0.0, bias),
            # Seer's differs by rounding alone, so it gets the draws and bias of the definition at its own value.
            "fvd_seer": Draws(seer, len(truth), resampled, seer - value, bias),
            "kvd": kvd(truth, features),
            "kvd_seer": kvd(centred(truth), centred(features)),
        }
        scores |= {setup.name(key, len(truth), is_raw): one for key, one in found.items()}
    return scores
