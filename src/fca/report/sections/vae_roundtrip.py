"""The VAE reconstruction bound: the scores of the validation clips, encoded and decoded (`fca score-vae-roundtrip`)."""

from dataclasses import dataclass

from fca.report.chart import Chart, line_chart
from fca.report.collect import DatasetResult
from fca.report.format import DASH, significant
from fca.report.metrics import FVD, FVD_RAW, PSNR, Cell, Metric, find
from fca.report.score_file import ScoreFile
from fca.report.sections.curves import frame_curve

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
    lengths = [(title, scores.psnr_per_frame) for title, scores in trips.items()]
    curves = [frame_curve(title, style, values, len(values)) for style, (title, values) in enumerate(lengths)]

    # The variant that the report is about, for comparison.
    if dataset.lead and dataset.lead.scores:
        shown = dataset.lead.scores.psnr_per_frame
        curves.append(frame_curve(dataset.lead.variant.title, len(curves), shown, frames))
    shade = (0.5, dataset.settings.initial_frames + 0.5)
    chart = line_chart(f"{dataset.name}-vae", "PSNR of each frame, dB", "frame", "PSNR", curves, shade)
    rows = []
    for title, scores in trips.items():
        first = scores.psnr_per_frame[0]
        text = DASH if first is None else f"{first:.1f}"
        rows.append(RoundTripRow(title, [_cell(scores, metric) for metric in COLUMNS], text))
    return RoundTrip(dataset.name, next(iter(trips.values())).count, rows, chart)


def _cell(scores: ScoreFile, metric: Metric) -> Cell | None:
    score = find(scores, metric)
    if score is None:
        return None
    interval = " to ".join(map(significant, score.interval or ()))
    return Cell(significant(score.value), interval, score.name)
