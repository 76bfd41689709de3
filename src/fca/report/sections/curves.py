"""The curves of one dataset: loss and learning rate over training, PSNR and SSIM over a clip."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fca.report.chart import Chart, Curve, line_chart, smooth
from fca.report.collect import DatasetResult


def curves(dataset: DatasetResult, frames: int) -> list[Chart]:
    """The charts that have values; `frames` is the length of a clip."""
    charts = [
        _training(dataset, "loss", "Training loss", "loss", smoothed=True),
        _training(dataset, "learning_rate", "Learning rate", "learning rate", smoothed=False),
        _per_frame(dataset, "psnr_per_frame", "PSNR of each frame, dB", "PSNR", frames),
        _per_frame(dataset, "ssim_per_frame", "SSIM of each frame", "SSIM", frames),
    ]
    return [chart for chart in charts if chart]


def _training(dataset: DatasetResult, key: str, title: str, y_label: str, smoothed: bool) -> Chart | None:
    drawn = []
    for style, result in enumerate(dataset.variants):
        points = _ticks(result.log, key)
        if not points:
            continue
        if smoothed and len(points) >= 8:
            drawn += [
                Curve(f"{result.variant.title}, every tick", style, points, faint=True),
                Curve(f"{result.variant.title}, moving average", style, smooth(points)),
            ]
        else:
            drawn.append(Curve(result.variant.title, style, points))
    return line_chart(f"{dataset.name}-{key}", title, "step", y_label, drawn, from_zero=not smoothed)


def _ticks(log: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    """(step, value) of the ticks that have one; a value that is not a number becomes a gap."""
    return [
        (float(tick["step"]), float(tick[key]) if math.isfinite(float(tick[key])) else math.nan)
        for tick in log
        if tick.get("step") is not None and tick.get(key) is not None
    ]


def frame_curve(label: str, style: int, values: Sequence[float | None], frames: int) -> Curve:
    """Values by frame number from 1; a list shorter than a clip ends with its last frame."""
    first = frames - len(values) + 1
    return Curve(label, style, [(first + i, math.nan if value is None else value) for i, value in enumerate(values)])


def _per_frame(dataset: DatasetResult, key: str, title: str, y_label: str, frames: int) -> Chart | None:
    drawn = []
    for style, result in enumerate(dataset.variants):
        values = getattr(result.scores, key) if result.scores else []
        if any(value is not None for value in values):
            drawn.append(frame_curve(result.variant.title, style, values, frames))
    shade = (0.5, dataset.settings.initial_frames + 0.5)
    return line_chart(f"{dataset.name}-{key.split('_')[0]}-frames", title, "frame", y_label, drawn, shade)
