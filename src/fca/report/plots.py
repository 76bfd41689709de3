"""Curves as CSV files with a column for each variant, for `dvc plots` and spreadsheets."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from fca.artifacts.atomic import write_aside
from fca.report.collect import DatasetResult

Columns = Mapping[str, Mapping[int, float]]


def write_plots(datasets: Sequence[DatasetResult], folder: Path) -> None:
    """Write DATASET-loss.csv (by optimizer step) and DATASET-psnr.csv (dB by frame of the clip, from 1)."""
    with write_aside(folder) as aside:
        aside.mkdir()
        for dataset in datasets:
            scored = {result.variant.name: result.scores for result in dataset.variants if result.scores}
            first = dataset.settings.initial_frames + 1
            logs = {result.variant.name: result.log for result in dataset.variants if result.log}
            losses = {name: {int(tick["step"]): float(tick["loss"]) for tick in log} for name, log in logs.items()}
            psnr = {
                name: {frame: value for frame, value in enumerate(scores.psnr_per_frame, first) if value is not None}
                for name, scores in scored.items()
            }
            _write(aside / f"{dataset.name}-loss.csv", "step", losses)
            _write(aside / f"{dataset.name}-psnr.csv", "frame", psnr)


def _write(path: Path, key: str, columns: Columns) -> None:
    """One row for each step or frame of any column; the others are empty there."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow([key, *columns])
        for x in sorted({x for values in columns.values() for x in values}):
            rows.writerow([x, *(values.get(x, "") for values in columns.values())])
