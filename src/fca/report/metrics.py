"""Which numbers the report shows, what they mean, and how they are written."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fca.report.score_file import Score, ScoreFile

MINUS = "\N{MINUS SIGN}"


def signed(text: str) -> str:
    """A number's text with a real minus sign."""
    return text.replace("-", MINUS)


def significant(value: float) -> str:
    """Three significant digits, never in powers of ten for ordinary sizes: 1234, 12.3, 0.00123."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return signed(f"{value:.{digits}f}" if digits <= 6 else f"{value:.2e}")


def percent(value: float) -> str:
    return signed(f"{100 * value:.0f}\N{NARROW NO-BREAK SPACE}%")


@dataclass(frozen=True)
class Metric:
    """One column: which scores it shows and how they are read."""

    stem: str
    """A score belongs here when its name is this, or begins with this and an underscore."""
    title: str
    raw: bool
    """Whether the column is for names that end in `_raw`: nothing true was put into the predictions."""
    unit: str
    higher_is_better: bool
    write: Callable[[float], str]
    meaning: str


METRICS = (
    Metric("fvd", "FVD", False, "", False, significant,
           "Fréchet distance between the feature network's responses to predicted and true clips; the "
           "given frames of a prediction are replaced by the true ones first, as in Seer."),
    Metric("fvd", "FVD, raw", True, "", False, significant,
           "The same of the predictions as the model made them, its own rendering of the given frames "
           "included."),
    Metric("kvd", "KVD", False, "", False, significant,
           "Kernel distance (unbiased MMD², polynomial kernel of degree 3) between the same features. Being "
           "unbiased, it can be slightly negative where there is no difference."),
    Metric("kvd_seer", "KVD, Seer order", False, "", False, significant,
           "The same distance after each set of features has lost its own mean, as Seer's code computes it. "
           "It can't see a shift of the mean; it is here for comparison with published values only."),
    Metric("psnr", "PSNR", False, "dB", True, lambda value: signed(f"{value:.2f}"),
           "Peak signal-to-noise ratio of the predicted frames against the true ones."),
    Metric("ssim", "SSIM", False, "", True, lambda value: signed(f"{value:.3f}"),
           "Structural similarity of the predicted frames to the true ones."),
    Metric("motion_accuracy", "Motion found", False, "", True, percent,
           "Share of predictions in which the feature network's classifier finds the motion that the caption "
           "asks for."),
    Metric("opposite_motion_accuracy", "Opposite found", False, "", True, percent,
           "The same from the same first frames with the opposite caption: is it the text that is obeyed?"),
)  # fmt: skip


def find(scores: ScoreFile, metric: Metric) -> Score | None:
    """The first score that belongs to a column; a longer stem that fits better takes it away."""
    for name, score in scores.scores.items():
        fitting = [other.stem for other in METRICS if name == other.stem or name.startswith(other.stem + "_")]
        if not fitting or max(fitting, key=len) != metric.stem or name.endswith("_raw") != metric.raw:
            continue
        if math.isfinite(score.value):
            return score
    return None


def join(parts: Sequence[str]) -> str:
    """A list in words."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
