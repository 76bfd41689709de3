"""Fréchet distance between two sets of features: FVD with the features of I3D (Unterthiner et al. 2018).

The paper measures it with VideoGPT's code (appendix B.2), as Seer does: unbiased covariances of the whole sets. That
code works in float32 and takes matrix roots by SVD, whose errors are percents of small distances. The score file has
both under different names: the definition in float64, and `seer_frechet_distance` to compare with published values.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Features = NDArray[np.float64]


def frechet_distance(first: Features, second: Features) -> float:
    """|m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2) of two sets (n, d) and (m, d), n and m at least 2.

    The distance is symmetric. With few clips it is biased upwards: two sets of 16 clips from the same distribution are
    far apart, so only equal counts are comparable.
    """
    check_sets(first, second)
    first, second = first.astype(np.float64), second.astype(np.float64)
    shift = first.mean(0) - second.mean(0)
    root, other = covariance_factor(first), covariance_factor(second)
    overlap = np.linalg.svd(root @ other.T, compute_uv=False).sum()
    distance = shift @ shift + (root**2).sum() + (other**2).sum() - 2 * overlap
    return max(float(distance), 0.0)  # rounding may leave -1e-12 for equal sets


def seer_frechet_distance(first: Features, second: Features) -> float:
    """The same distance as Seer's `utils/fvd.py` and VideoGPT's `fvd.py` compute it: the same operations in float32.

    Both take the root of a covariance by SVD and keep singular values below 1e-10 as they are. Small singular values of
    a float32 matrix are noise, and so is their share of the distance; its sign depends on the library of the SVD.
    """
    check_sets(first, second)
    mean, covariance = _float32_moments(first)
    other_mean, other_covariance = _float32_moments(second)
    root = _float32_root(covariance)
    overlap = _float32_root(root @ (other_covariance @ root)).trace()
    return float((covariance + other_covariance).trace() - 2 * overlap + (mean - other_mean).square().sum())


def _float32_moments(features: Features) -> tuple[Tensor, Tensor]:
    """Mean (d,) and unbiased covariance (d, d) of the rows (n, d), in float32."""
    rows = torch.from_numpy(features).float()
    mean = rows.mean(0)
    centred = (rows - mean).T
    return mean, 1 / (len(rows) - 1) * (centred @ centred.T)


def _float32_root(matrix: Tensor) -> Tensor:
    """Root of a symmetric matrix (d, d) by SVD."""
    left, values, right = torch.linalg.svd(matrix)
    return left @ torch.where(values < 1e-10, values, values.sqrt()).diag() @ right


def check_sets(first: Features, second: Features) -> None:
    """Refuse two sets of features that can't be compared."""
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"two sets of features (n, d) are needed, not {first.shape} and {second.shape}")
    if min(len(first), len(second)) < 2:
        raise ValueError("a distance needs at least two clips in each set")


def covariance_factor(features: Features) -> Features:
    """(n, d) -> R (min(n, d), d) with R'R = the unbiased covariance of the rows.

    With S1 = R'R and S2 = T'T, the eigenvalues of S1 S2 are the squared singular values of R T', so the trace
    of the root of S1 S2 is the nuclear norm of R T'. This avoids the root of a nearly singular matrix. For n <= d, R
    contains the centred features themselves and R T' is their cross-Gram matrix (n, m); otherwise a QR decomposition
    makes R small.
    """
    centred = (features - features.mean(0)) / np.sqrt(len(features) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r")) if len(features) > features.shape[1] else centred
