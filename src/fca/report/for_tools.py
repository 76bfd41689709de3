"""What the report leaves for other tools, next to the page: `metrics.json`, `metrics/` and `plots/`.

`dvc metrics show` prints a row for each file in `metrics`, `dvc plots show` draws the columns in `plots`.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from fca.artifacts.atomic import write_aside, write_text
from fca.report import metrics
from fca.report.collect import DatasetResult
from fca.report.score_file import ScoreFile
from fca.score.protocol import protocol_sha256

COLUMNS = {
    "fvd": metrics.FVD,
    "fvd_raw": metrics.FVD_RAW,
    "kvd": metrics.KVD,
    "psnr": metrics.PSNR,
    "ssim": metrics.SSIM,
    "task": metrics.TASK,
    "opposite": metrics.OPPOSITE_TASK,
    "hand_cm": metrics.EFFECTOR,
    "object_cm": metrics.OBJECT,
    "kept": metrics.KEPT,
}
"""Short names of the metrics, so that a row fits a terminal."""


def write_for_tools(datasets: Sequence[DatasetResult], path: Path) -> None:
    """Write `path`, metrics.json with every value under its protocol's name, and `metrics/` and `plots/` next to it."""
    write_text(path, json.dumps(all_values(datasets), indent=1, sort_keys=True) + "\n")
    with write_aside(path.with_suffix("")) as aside:
        for dataset in datasets:
            for result in dataset.variants:
                if result.scores:
                    row = json.dumps(short_values(result.scores), indent=1) + "\n"
                    write_text(aside / dataset.name / f"{result.variant.name}.json", row)
        aside.mkdir(exist_ok=True)
    write_plots(datasets, path.with_name("plots"))


def short_values(scores: ScoreFile) -> dict[str, float | int | str]:
    """A variant's values with four digits under short names, the number of clips, and the start of its protocol's hash.

    With several trainings they are means, with their number and FVD's standard deviation between them. Rows are
    comparable if clips and protocol are equal; `metrics.json` has the names that say why.
    """
    found = {name: metrics.find(scores, metric) for name, metric in COLUMNS.items()}
    values = {name: float(f"{score.value:.4g}") for name, score in found.items() if score}
    several: dict[str, float | int] = {}
    if scores.replicates:
        several["trainings"] = len(scores.replicates)
        if (fvd := found["fvd"]) is not None and fvd.spread is not None:
            several["fvd_sd"] = float(f"{fvd.spread:.4g}")
    return {"clips": scores.count, **several, **values, "protocol": protocol_sha256(scores.protocol)[:8]}


def all_values(datasets: Sequence[DatasetResult]) -> dict[str, dict[str, dict[str, float]]]:
    """Every value by dataset, variant and full protocol name, for `dvc metrics` and scripts."""
    return {
        dataset.name: {
            result.variant.name: {name: score.value for name, score in sorted(result.scores.scores.items())}
            for result in dataset.variants
            if result.scores
        }
        for dataset in datasets
    }


def write_plots(datasets: Sequence[DatasetResult], folder: Path) -> None:
    """Write DATASET-loss.csv (by optimizer step) and DATASET-psnr.csv (dB by frame of the clip, from 1).

    They have a column for each variant, for `dvc plots` and spreadsheets.
    """
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
            _write_columns(aside / f"{dataset.name}-loss.csv", "step", losses)
            _write_columns(aside / f"{dataset.name}-psnr.csv", "frame", psnr)


def _write_columns(path: Path, key: str, columns: Mapping[str, Mapping[int, float]]) -> None:
    """One row for each step or frame of any column; the others are empty there."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow([key, *columns])
        for x in sorted({x for values in columns.values() for x in values}):
            rows.writerow([x, *(values.get(x, "") for values in columns.values())])
