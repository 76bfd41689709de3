"""PSNR and SSIM of predicted frames against the ground truth, frame by frame.

Videos are uint8 (F, H, W, 3). Both scores use that range, in float64, with equal weights for the three channels. A GPU
computes SSIM if there is one, otherwise all cores, frame by frame.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

PEAK = 255.0
MOST_PSNR = 100.0
"""The PSNR of equal frames instead of infinity, in dB; one wrong level in a 96x64 frame gives 91."""

ALIKE = 4
"""Levels of 255 within which the pixels of a decoded picture of one colour differ."""

WINDOW, SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03  # Wang et al. 2004, section III.C

STRIP = {"cpu": 24, "cuda": 2048}  # rows of a frame at once: on a CPU, as many as its cache holds
BLOCK = 48  # columns of one product with the matrix of the window

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
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pairs = (torch.from_numpy(np.stack(pair)).to(device) for pair in zip(prediction, truth, strict=True))
    # One thread a frame: torch's own would wait for each other after every operation on a strip.
    count = torch.get_num_threads() if device.type == "cpu" else 1
    with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as threads:
        return np.array([*threads.map(_frame_ssim, pairs)])


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


def _frame_ssim(pair: Tensor) -> float:
    """SSIM of two frames (2, H, W, 3) uint8, one strip of rows after the other."""
    rows, columns = (size - WINDOW + 1 for size in pair.shape[1:3])
    planes = F.pad(pair.permute(0, 3, 1, 2), (0, -columns % BLOCK))  # (2, 3, H, whole blocks), zeros at the right
    strip = STRIP[pair.device.type]
    total = sum(
        _ssim_values(planes[:, :, top : top + strip + WINDOW - 1].double())[..., :columns].sum()
        for top in range(0, rows, strip)
    )
    return float(total) / (3 * rows * columns)


def _ssim_values(planes: Tensor) -> Tensor:
    """SSIM at every position of the window: (2, 3, h, w) float64 -> (3, h - 10, w - 10)."""
    one, other = planes
    moments = torch.stack([one, other, torch.addcmul(one * one, other, other), one * other])
    mean, mean_other, squares, product = _window_means(moments)

    # Variances are needed as their sum alone.
    means, mean_squares = mean * mean_other, torch.addcmul(mean * mean, mean_other, mean_other)
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    luminance = (2 * means + c1) / (mean_squares + c1)
    return luminance * (2 * (product - means) + c2) / (squares - mean_squares + c2)


def gaussian_taps() -> NDArray[np.float64]:
    """The WINDOW weights of the window along one axis, summing to 1."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    taps = np.exp(-(offsets**2) / (2 * SIGMA**2))
    return taps / taps.sum()


def _window_means(planes: Tensor) -> Tensor:
    """(..., h, w) -> (..., h - 10, w - 10): gaussian means; w - 10 is a multiple of BLOCK.

    Products with a matrix of shifted windows use a processor better than eleven sums of shifted planes.
    """
    planes = _windows(planes.shape[-2] - WINDOW + 1).to(planes.device) @ planes
    blocks = planes.unfold(-1, BLOCK + WINDOW - 1, BLOCK)  # (..., h - 10, blocks, BLOCK + 10)
    means = blocks.reshape(-1, BLOCK + WINDOW - 1) @ _windows(BLOCK).T.to(planes.device)
    return means.view(*planes.shape[:-1], -1)


def _windows(count: int) -> Tensor:
    """(count, count + 10): row k has the weights of the window at k."""
    matrix = torch.zeros(count, count + WINDOW - 1, dtype=torch.float64)
    for row in range(count):
        matrix[row, row : row + WINDOW] = torch.from_numpy(gaussian_taps())
    return matrix


def _check(prediction: Frames, truth: Frames) -> None:
    if prediction.shape != truth.shape or truth.ndim != 4 or truth.shape[3] != 3:
        raise ValueError(f"two equal shapes (F, H, W, 3) are needed, not {prediction.shape}, {truth.shape}")
    if prediction.dtype != np.uint8 or truth.dtype != np.uint8:
        raise ValueError(f"pixels must be uint8, not {prediction.dtype} and {truth.dtype}")
