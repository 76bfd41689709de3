"""Kernel distance between two sets of features: KVD, a squared MMD (Binkowski et al. 2018).

The kernel is (x.y / d + 1)^3, the estimate unbiased (it may fall below 0) and over the whole set, as Seer
computes it (`utils/fvd.py`, scikit-learn's defaults) with one exception: Seer's covariance centres the features in
place, and its KVD runs after its FVD, so the value that it prints is invariant to a shift of the mean. `centred` gives
that input; the score file reports both under different names.
"""

import numpy as np
from numpy.typing import NDArray

from fca.score.frechet import Features, check_sets

Values = NDArray[np.float64]
BLOCK = 1024
"""Rows of a kernel matrix held at once: the whole matrix of 24,777 clips would take 5 GB."""


def centred(features: Features) -> Features:
    """The features (n, d) minus their mean: the input of Seer's KVD after its FVD."""
    return features - features.mean(0)


def kernel_distance(first: Features, second: Features) -> float:
    """Unbiased squared MMD of two sets (n, d) and (m, d), n and m at least 2."""
    check_sets(first, second)
    once, also = np.ones((1, len(first))), np.ones((1, len(second)))
    return float(_distances(first, second, once, also)[0])


def resampled_kernel_distances(first: Features, second: Features, counts: NDArray[np.int64]) -> Values:
    """The distance (r,) of resampled pairs: row r of `counts` (r, n) holds how often each pair was drawn.

    Within a set only pairs of different clips count, so a clip drawn twice is never compared with itself.
    """
    weights = counts.astype(np.float64)
    return _distances(first, second, weights, weights)


def _distances(first: Features, second: Features, first_weights: Values, second_weights: Values) -> Values:
    """Squared MMD under each row of the weights (r, n) and (r, m)."""
    within = _mean_kernel(first, first, first_weights, first_weights, distinct=True)
    within += _mean_kernel(second, second, second_weights, second_weights, distinct=True)
    return within - 2 * _mean_kernel(first, second, first_weights, second_weights, distinct=False)


def _mean_kernel(
    left: Features, right: Features, left_weights: Values, right_weights: Values, distinct: bool
) -> Values:
    """Weighted mean of the kernel over all pairs (r,); `distinct` omits pairs of a clip with itself."""
    total = np.zeros(len(left_weights))
    for start in range(0, len(left), BLOCK):
        rows = slice(start, start + BLOCK)
        kernel = (left[rows] @ right.T / left.shape[1] + 1) ** 3  # (block, m)
        if distinct:
            diagonal = np.arange(len(kernel))
            kernel[diagonal, start + diagonal] = 0
        total += (left_weights[:, rows] * (right_weights @ kernel.T)).sum(1)
    pairs = left_weights.sum(1) * right_weights.sum(1)
    return total / (pairs - (left_weights * right_weights).sum(1) if distinct else pairs)
