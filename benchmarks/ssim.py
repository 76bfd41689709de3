"""SSIM: products with a banded matrix against sums of shifted planes. `python -m benchmarks.ssim`

The rival is the formula as numpy code usually writes it, and as this project had it before: float64, eleven shifted
planes an axis, on one thread. Both give the same numbers. Ours runs on a GPU if there is one, otherwise on all cores.
"""

import argparse
import json
import statistics
from pathlib import Path

import numpy as np
import torch

from benchmarks import measure
from fca.score.pixels import K1, K2, PEAK, WINDOW, gaussian_taps, ssim
from fca.video.workers import cores


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--frames", type=int, default=8, help="frames of 720x480 in a run")
    options.add_argument("--repetitions", type=int, default=5, help="timed runs of each; the median is reported")
    options.add_argument("--out", type=Path, help="write everything measured to this JSON file")
    options = options.parse_args()

    random = np.random.default_rng(0)
    truth = random.integers(0, 256, (options.frames, 480, 720, 3), dtype=np.uint8)
    prediction = np.clip(truth + random.normal(0, 20, truth.shape), 0, 255).astype(np.uint8)
    difference = float(np.abs(ssim(prediction, truth) - shifted_planes(prediction, truth)).max())
    assert difference < 1e-6, f"the two differ by {difference}"

    runs: dict[str, measure.Run] = {
        "ours": lambda: ssim(prediction, truth),
        "rival": lambda: shifted_planes(prediction, truth),
    }
    times = measure.alternating(runs, options.repetitions, 1, torch.device("cpu"))
    rates = {way: options.frames / statistics.median(times[way]) for way in runs}
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{cores()} cores"
    print(f"{device}: {rates['ours']:.1f} frames a second, shifted planes {rates['rival']:.1f}:", end=" ")
    print(f"x{rates['ours'] / rates['rival']:.1f}; largest difference {difference:.1g}")
    if options.out is not None:
        found = {"device": device, "frames_per_second": rates, "difference": difference}
        options.out.write_text(json.dumps(found, indent=1) + "\n")


def shifted_planes(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """SSIM of every frame, the mean over channels and positions: (F, H, W, 3) twice -> (F,)."""
    pairs = zip(prediction.astype(float), truth.astype(float), strict=True)
    return np.array([_of_frame(one, other) for one, other in pairs])


def _of_frame(one: np.ndarray, other: np.ndarray) -> float:
    moments = np.stack([one, other, one * one, other * other, one * other])  # (5, H, W, 3)
    mean, mean_other, square, square_other, product = _window_means(moments)
    variance, variance_other = square - mean**2, square_other - mean_other**2
    covariance = product - mean * mean_other
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    luminance = (2 * mean * mean_other + c1) / (mean**2 + mean_other**2 + c1)
    return float((luminance * (2 * covariance + c2) / (variance + variance_other + c2)).mean())


def _window_means(planes: np.ndarray) -> np.ndarray:
    height, width = planes.shape[-3] - WINDOW + 1, planes.shape[-2] - WINDOW + 1
    taps = gaussian_taps()
    planes = sum(tap * planes[..., row : row + height, :, :] for row, tap in enumerate(taps))
    return sum(tap * planes[..., column : column + width, :] for column, tap in enumerate(taps))


if __name__ == "__main__":
    main()
