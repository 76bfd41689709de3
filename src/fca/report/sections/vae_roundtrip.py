"""The VAE reconstruction bound: the scores of the validation clips, encoded and decoded (`fca score-vae-roundtrip`)."""

from dataclasses import dataclass

from fca.report.chart import Chart, Curve, line_chart
from fca.report.collect import DatasetResult
from fca.report.format import significant
from fca.report.metrics import FVD, FVD_RAW, PSNR, Cell, Metric, find
from fca.report.score_file import ScoreFile

COLUMNS = (PSNR, FVD, FVD_RAW)
"""PSNR of the frames that a model predicts; FVD with the initial frames replaced by the ground truth, and without."""


@dataclass(frozen=True)
class RoundTripRow:
    """The scores of one clip length."""

    title: str
    cells: list[Cell | None]
    first: str
    """PSNR of the first frame, dB."""


@dataclass(frozen=True)
class RoundTrip:
    """The section's part about one dataset; it has no rows if the bound was not measured yet."""

    dataset: str
    count: int
    rows: list[RoundTripRow]
    chart: Chart | None


def vae_roundtrip(dataset: DatasetResult, frames: int) -> RoundTrip:
    """What `fca score-vae-roundtrip` measured on one dataset; `frames` is the length of a clip."""
    trips = {f"VAE, {length} frames": scores for length, scores in dataset.round_trips.items()}
    if not trips:
        return RoundTrip(dataset.name, 0, [], None)
    curves = [
        Curve(title, style, [(number, _known(value)) for number, value in enumerate(scores.psnr_per_frame, 1)])
        for style, (title, scores) in enumerate(trips.items())
    ]

    # The variant that the report is about, for comparison.
    lead = dataset.lead
    if lead is not None and lead.scores is not None:
        shown = lead.scores.psnr_per_frame
        points = [(frames - len(shown) + number, value) for number, value in enumerate(shown, 1) if value is not None]
        curves.append(Curve(lead.variant.title, len(curves), points))
    shade = (0.5, dataset.settings.initial_frames + 0.5)
    return RoundTrip(
        dataset.name,
        next(iter(trips.values())).count,
        [_row(title, scores) for title, scores in trips.items()],
        line_chart(f"{dataset.name}-vae", "PSNR of each frame, dB", "frame", "PSNR", curves, shade),
    )


def _known(value: float | None) -> float:
    return float("nan") if value is None else value


def _row(title: str, scores: ScoreFile) -> RoundTripRow:
    return RoundTripRow(title, [_cell(scores, metric) for metric in COLUMNS], f"{_known(scores.psnr_per_frame[0]):.1f}")


def _cell(scores: ScoreFile, metric: Metric) -> Cell | None:
    score = find(scores, metric)
    if score is None:
        return None
    interval = " to ".join(map(significant, score.interval or ()))
    return Cell(significant(score.value), interval, score.name)
