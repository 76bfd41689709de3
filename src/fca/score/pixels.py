"""PSNR and SSIM of predicted frames against the ground truth, frame by frame.

Videos are uint8 (F, H, W, 3). Both scores use that range, in float64, with equal weights for the three channels.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

PEAK = 255.0
MOST_PSNR = 100.0
"""The PSNR of equal frames instead of infinity, in dB; one wrong level in a 96x64 frame gives 91."""

ALIKE = 4
"""Levels of 255 within which the pixels of a decoded picture of one colour differ."""

WINDOW, SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03  # Wang et al. 2004, section III.C

Frames = NDArray[np.uint8]


def psnr(prediction: Frames, truth: Frames) -> NDArray[np.float64]:
    """Peak signal-to-noise ratio in dB of every frame: (F, H, W, 3) twice -> (F,), at most MOST_PSNR."""
    _check(prediction, truth)
    errors = [np.mean((one.astype(np.float64) - other) ** 2) for one, other in zip(prediction, truth, strict=True)]
    least = PEAK**2 / 10 ** (MOST_PSNR / 10)
    return 10 * np.log10(PEAK**2 / np.maximum(errors, least))


def ssim(prediction: Frames, truth: Frames) -> NDArray[np.float64]:
    """Structural similarity of every frame, the mean over channels and positions: (F, H, W, 3) twice -> (F,).

    Gaussian windows have 11x11 pixels and sigma 1.5 and lie entirely inside the frame, so H and W must be at least 11.
    Means, variances and covariances are biased estimates within the window.
    """
    _check(prediction, truth)
    if min(truth.shape[1:3]) < WINDOW:
        raise ValueError(f"frames of {truth.shape[1:3]} are smaller than the window of {WINDOW} pixels")
    return np.array([_frame_ssim(one, other) for one, other in zip(prediction, truth, strict=True)])


def flaw(prediction: Frames, truth: Frames) -> Literal["blank", "frozen"] | None:
    """What a working model doesn't predict: frames of one colour (black, say), or a picture that stands still.

    Videos are (F, H, W, 3). Differences of up to `ALIKE` levels don't count, nor does what the ground truth has, too.
    """
    found = [
        (np.ptp(video, axis=(1, 2)).max() <= ALIKE, np.ptp(video, axis=0).max() <= ALIKE)
        for video in (prediction, truth)
    ]
    (blank, frozen), (blank_truth, frozen_truth) = found
    if blank and not blank_truth:
        return "blank"
    return "frozen" if frozen and not frozen_truth else None


def _frame_ssim(prediction: Frames, truth: Frames) -> float:
    """SSIM of one frame (H, W, 3)."""
    one, other = prediction.astype(np.float64), truth.astype(np.float64)
    moments = np.stack([one, other, one * one, other * other, one * other])  # (5, H, W, 3)
    mean, mean_other, square, square_other, product = _window_means(moments)
    variance, variance_other = square - mean**2, square_other - mean_other**2
    covariance = product - mean * mean_other
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    luminance = (2 * mean * mean_other + c1) / (mean**2 + mean_other**2 + c1)
    structure = (2 * covariance + c2) / (variance + variance_other + c2)
    return float((luminance * structure).mean())


def gaussian_taps() -> NDArray[np.float64]:
    """The WINDOW weights of the window along one axis, summing to 1."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    taps = np.exp(-(offsets**2) / (2 * SIGMA**2))
    return taps / taps.sum()


def _window_means(planes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., H, W, C) -> (..., H - 10, W - 10, C): gaussian means, one axis at a time."""
    height, width = planes.shape[-3] - WINDOW + 1, planes.shape[-2] - WINDOW + 1
    taps = gaussian_taps()
    planes = sum(tap * planes[..., row : row + height, :, :] for row, tap in enumerate(taps))
    return sum(tap * planes[..., column : column + width, :] for column, tap in enumerate(taps))


def _check(prediction: Frames, truth: Frames) -> None:
    if prediction.shape != truth.shape or truth.ndim != 4 or truth.shape[3] != 3:
        raise ValueError(f"two equal shapes (F, H, W, 3) are needed, not {prediction.shape}, {truth.shape}")
    if prediction.dtype != np.uint8 or truth.dtype != np.uint8:
        raise ValueError(f"pixels must be uint8, not {prediction.dtype} and {truth.dtype}")
