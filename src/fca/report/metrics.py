"""The metrics of the report. To add one, compute its score in `fca.score.score` and add a `Metric` to `METRICS` here.

The columns of the table, their explanations and the comparison of two runs follow from `METRICS`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from fca.report.format import percent, signed, significant
from fca.report.score_file import Score, ScoreFile


@dataclass(frozen=True)
class Metric:
    """One column: the scores that it shows and how they are written."""

    stem: str
    """A score belongs to the metric if its name is this or begins with this and an underscore."""
    title: str
    raw: bool
    """Whether the column is for names that end in `_raw`: no ground-truth frame was put into the predictions."""
    unit: str
    higher_is_better: bool
    write: Callable[[float], str]
    meaning: str


FVD = Metric(
    "fvd", "FVD", False, "", False, significant,
    "Fréchet distance between the feature network's outputs for predicted and ground-truth clips; the initial frames "
    "of a prediction are first replaced by the ground truth, as in Seer.",
)  # fmt: skip
FVD_RAW = Metric(
    "fvd", "FVD, raw", True, "", False, significant,
    "FVD of the predictions as the model made them, including its own rendering of the initial frames.",
)  # fmt: skip
FVD_SEER = Metric(
    "fvd_seer", "FVD, Seer precision", False, "", False, significant,
    "FVD in float32 with matrix roots by SVD, as Seer's code computes it. Its rounding errors are percents of small "
    "distances. It is shown only for comparison with published values.",
)  # fmt: skip
KVD = Metric(
    "kvd", "KVD", False, "", False, significant,
    "Kernel distance (unbiased MMD², polynomial kernel of degree 3) between the same features. Being unbiased, it "
    "can be slightly negative if there is no difference.",
)  # fmt: skip
KVD_SEER = Metric(
    "kvd_seer", "KVD, Seer order", False, "", False, significant,
    "KVD after each set of features was centred on its own mean, as Seer's code computes it. It can't see a shift of "
    "the mean and is shown only for comparison with published values.",
)  # fmt: skip
PSNR = Metric(
    "psnr", "PSNR", False, "dB", True, lambda value: signed(f"{value:.2f}"),
    "Peak signal-to-noise ratio of the predicted frames against the ground truth.",
)  # fmt: skip
SSIM = Metric(
    "ssim", "SSIM", False, "", True, lambda value: signed(f"{value:.3f}"),
    "Structural similarity of the predicted frames to the ground truth.",
)  # fmt: skip
TASK = Metric(
    "task_accuracy", "Task found", False, "", True, percent,
    "Share of predictions in which the feature network's classifier finds the task that the caption asks for.",
)  # fmt: skip
OPPOSITE_TASK = Metric(
    "opposite_task_accuracy", "Opposite found", False, "", True, percent,
    "The same share for the same initial frames with the opposite caption, which tells whether the text is followed.",
)  # fmt: skip
EFFECTOR = Metric(
    "effector_end_error", "Hand, off by", False, "cm", False, lambda value: f"{value:.1f}",
    "How far hand or gripper is at the end of a prediction from where the simulator had it. A small network reads it "
    "from the frames; its own error is below the scores.",
)  # fmt: skip
OBJECT = Metric(
    "object_end_error", "Object, off by", False, "cm", False, lambda value: f"{value:.1f}",
    "The same for the object of the caption. A model that moves the hand and not the object has a small error there "
    "and a large one here.",
)  # fmt: skip
KEPT = Metric(
    "objects_kept", "Objects kept", False, "", True, percent,
    "Share of predictions in which the coloured things of the first frame keep number, colour and size, of the clips "
    "whose ground truth keeps them.",
)  # fmt: skip
METRICS = (FVD, FVD_RAW, FVD_SEER, KVD, KVD_SEER, PSNR, SSIM, TASK, OPPOSITE_TASK, EFFECTOR, OBJECT, KEPT)
"""The columns of the report, from left to right."""


@dataclass(frozen=True)
class Cell:
    """A value as it is printed."""

    text: str
    interval: str
    exact: str
    """The tooltip: full protocol name and all digits."""
    best: bool = False
    bias: str = ""
    spread: str = ""
    """Standard deviation between trainings"""


def find(scores: ScoreFile | None, metric: Metric) -> Score | None:
    """The first finite score of a metric; a score belongs to the metric with the longest stem that fits its name."""
    for name, score in scores.scores.items() if scores else ():
        fitting = [other.stem for other in METRICS if name == other.stem or name.startswith(other.stem + "_")]
        belongs = fitting and max(fitting, key=len) == metric.stem and name.endswith("_raw") == metric.raw
        if belongs and math.isfinite(score.value):
            return score
    return None


def cell(score: Score, metric: Metric, best: bool = False) -> Cell:
    """A score as it is printed."""
    unit = f" {metric.unit}" if metric.unit else ""
    interval, bias, exact = "", "", f"{score.name} = {score.value:.6g}{unit}"
    if score.interval:
        low, high = score.interval
        interval = f"{metric.write(low)} to {metric.write(high)}"
        exact += f", interval {low:.6g} to {high:.6g}"

    if score.bias is not None:
        bias = f"bias {'+' if score.bias > 0 else ''}{metric.write(score.bias)}"
        exact += f", bias {score.bias:.6g}"
    spread = ""
    if score.spread is not None:
        spread = f"sd {metric.write(score.spread)}"
        exact += f", standard deviation between trainings {score.spread:.6g}"
    return Cell(metric.write(score.value), interval, signed(exact), best, bias, spread)


def found_cell(scores: ScoreFile | None, metric: Metric) -> Cell | None:
    """The printed score of a metric; None if it was not measured."""
    score = find(scores, metric)
    return cell(score, metric) if score else None
