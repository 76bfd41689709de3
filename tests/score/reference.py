"""Scores by their formulas, one frame, pair or matrix at a time, in float64."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Sets = NDArray[np.float64]


def direct_psnr(one: np.ndarray, other: np.ndarray) -> float:
    """PSNR in dB of a frame (H, W, 3) uint8."""
    return float(20 * np.log10(255 / np.sqrt(np.mean((one.astype(float) - other.astype(float)) ** 2))))


def direct_ssim(one: np.ndarray, other: np.ndarray) -> float:
    """SSIM of a frame (H, W, 3) uint8 from every whole 11x11 window, as in equation 13 of Wang et al. 2004."""
    weights = np.array([[np.exp(-(x**2 + y**2) / (2 * 1.5**2)) for x in range(-5, 6)] for y in range(-5, 6)])
    weights /= weights.sum()
    x, y = (sliding_window_view(frame.astype(float), (11, 11), axis=(0, 1)) for frame in (one, other))

    def mean(values: np.ndarray) -> np.ndarray:
        return (weights * values).sum((-2, -1))

    mx, my = mean(x), mean(y)
    dx, dy = x - mx[..., None, None], y - my[..., None, None]
    vx, vy, cov = mean(dx**2), mean(dy**2), mean(dx * dy)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(np.mean((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))))


def direct_kernel_distance(first: Sets, second: Sets, rows: np.ndarray | None = None) -> float:
    """The unbiased squared MMD of the kernel (x.y / d + 1)^3, one pair after the other.

    `rows`: the clips of a resampling; a clip is never compared with itself, however often it was drawn.
    """

    def k(x: np.ndarray, y: np.ndarray) -> float:
        return (float(x @ y) / len(x) + 1) ** 3

    def within(clips: Sets, chosen: np.ndarray) -> float:
        return float(np.mean([k(clips[i], clips[j]) for i in chosen for j in chosen if i != j]))

    mine, theirs = (np.arange(len(clips)) if rows is None else rows for clips in (first, second))
    across = float(np.mean([k(first[i], second[j]) for i in mine for j in theirs]))
    return within(first, mine) + within(second, theirs) - 2 * across


def matrix_root_distance(first: Sets, second: Sets) -> float:
    """|m1 - m2|^2 + tr (S1 + S2 - 2 (S1^(1/2) S2 S1^(1/2))^(1/2)) with unbiased covariances, by eigenvectors."""
    one, other = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    values, vectors = np.linalg.eigh(one)
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    overlap = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(min=0)).sum()
    return float(((first.mean(0) - second.mean(0)) ** 2).sum() + np.trace(one) + np.trace(other) - 2 * overlap)
