"""The floor below the scores: what the VAE alone makes of the validation clips (`fca score-floor`)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fca.config import Config, Layout
from fca.errors import FcaError, remake
from fca.report.collect import DatasetResult
from fca.report.figures import Chart, Curve, line_chart
from fca.report.metrics import significant

SHOWN = ("psnr", "fvd", "fvd_raw")
"""Columns: PSNR of the frames that a model predicts; FVD with the given frames replaced by the truth, and without."""


@dataclass(frozen=True)
class Cell:
    """A value as it is shown, with its interval and its full name."""

    text: str
    interval: str
    name: str


@dataclass(frozen=True)
class Row:
    """A round trip, or the variant that the report is about."""

    title: str
    cells: list[Cell | None]
    first: str
    """PSNR of the first frame, dB."""


@dataclass(frozen=True)
class Floor:
    """One dataset's part of the section; without rows where the floor was not measured yet."""

    dataset: str
    count: int
    rows: list[Row]
    chart: Chart | None


def floors(config: Config, datasets: list[DatasetResult]) -> list[Floor]:
    """The floor of each dataset, from the files that `fca score-floor` wrote; `FcaError` for a damaged one."""
    return [_floor(Layout(config).vae_roundtrip(dataset.name), dataset, config.clip.frames) for dataset in datasets]


def _floor(path: Path, dataset: DatasetResult, frames: int) -> Floor:
    if not path.exists():
        return Floor(dataset.name, 0, [], None)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        trips: Mapping[str, Mapping[str, Any]] = dict(sorted(values["round_trips"].items()))
        rows = [
            _row(f"VAE, {length} frames", trip["scores"], trip["psnr_per_frame"][0]) for length, trip in trips.items()
        ]
        curves = [
            Curve(f"VAE, {length} frames", style, list(enumerate(map(float, trip["psnr_per_frame"]), 1)))
            for style, (length, trip) in enumerate(trips.items())
        ]
        count = int(values["count"])
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise FcaError(
            f"{path} is not a score file of the VAE ({type(error).__name__}: {error})",
            "the JSON object that `fca score-floor` writes",
            f"remove {path}, then {remake(path)}",
        ) from error
    lead = dataset.lead
    if lead is not None and lead.scores is not None:
        shown = lead.scores.psnr_per_frame
        points = [(frames - len(shown) + number, value) for number, value in enumerate(shown, 1) if value is not None]
        curves.append(Curve(lead.variant.title, len(curves), points))
    shade = (0.5, dataset.settings.initial_frames + 0.5)
    title = "PSNR of each frame, dB"
    return Floor(dataset.name, count, rows, line_chart(f"{dataset.name}-floor", title, "frame", "PSNR", curves, shade))


def _row(title: str, scores: Mapping[str, Mapping[str, float]], first: float) -> Row:
    cells = [_cell(_named(scores, shown), scores) for shown in SHOWN]
    return Row(title, cells, f"{float(first):.1f}")


def _named(scores: Mapping[str, Any], shown: str) -> str | None:
    """The full name of a score: `fvd_raw` is `fvd_<network>_<clips>x<frames>f_raw`."""
    metric, raw = shown.removesuffix("_raw"), shown.endswith("_raw")
    found = (name for name in scores if name.split("_")[0] == metric and name.endswith("_raw") == raw)
    return next(found, None)


def _cell(name: str | None, scores: Mapping[str, Mapping[str, float]]) -> Cell | None:
    if name is None:
        return None
    value = scores[name]
    low, high = significant(value["low"]), significant(value["high"])
    return Cell(significant(value["value"]), f"{low} to {high}", name)
