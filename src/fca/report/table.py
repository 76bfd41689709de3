"""The scores as a table and as one sentence per dataset, computed from the numbers and from nothing else."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fca.report.collect import DatasetResult, VariantResult
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
    """Whether the column is for scores whose names end in `_raw`: nothing true was put into the predictions."""
    unit: str
    higher_is_better: bool
    write: Callable[[float], str]
    meaning: str


METRICS = (
    Metric("fvd", "FVD", False, "", False, significant,
           "Fréchet distance between the feature network's responses to predicted and true clips; the "
           "given frames of a prediction are replaced by the true ones first, as in Seer."),
    Metric("fvd", "FVD, raw", True, "", False, significant,
           "The same of the predictions as the model made them, its own rendering of the given frames included."),
    Metric("kvd", "KVD", False, "", False, significant,
           "Kernel distance (unbiased MMD², polynomial kernel of degree 3) between the same features. It is unbiased, "
           "so it can be slightly negative where there is no difference."),
    Metric("kvd_seer", "KVD, Seer order", False, "", False, significant,
           "The same distance after each set of features has lost its own mean, as Seer's code computes it. It can't "
           "see a shift of the mean; it is here for comparison with published values only."),
    Metric("psnr", "PSNR", False, "dB", True, lambda value: signed(f"{value:.2f}"),
           "Peak signal-to-noise ratio of the predicted frames against the true ones."),
    Metric("ssim", "SSIM", False, "", True, lambda value: signed(f"{value:.3f}"),
           "Structural similarity of the predicted frames to the true ones."),
    Metric("motion_accuracy", "Motion found", False, "", True, percent,
           "Share of predictions in which the feature network's classifier finds the motion that the caption asks for."),
    Metric("opposite_motion_accuracy", "Opposite found", False, "", True, percent,
           "The same from the same first frames with the opposite caption: is it the text that is obeyed?"),
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One value as it is printed."""

    text: str
    interval: str
    exact: str
    """Full protocol name and all digits, for the tooltip."""
    best: bool


@dataclass(frozen=True)
class Row:
    """One variant's values, in the order of `METRICS`; None: not measured."""

    variant: str
    style: int
    cells: Sequence[Cell | None]
    missing: str
    """Why the whole row is empty, or nothing."""


@dataclass(frozen=True)
class Group:
    """One dataset's rows."""

    dataset: str
    network: str
    network_sha256: str
    counts: str
    names: Sequence[str]
    """The protocol name of each column."""
    rows: Sequence[Row]
    warnings: Sequence[str]
    reference: str
    """How good the scores can get with so few clips and this network, in a sentence."""
    every: Sequence[tuple[str, Score]]
    """Every score of every variant, also those that have no column."""
    protocols: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    """Protocol settings, listed once for the variants that share them."""


def find(scores: ScoreFile, metric: Metric) -> Score | None:
    """The first score that belongs to a column; a longer stem that fits better takes it away."""
    for name, score in scores.scores.items():
        fitting = [other.stem for other in METRICS if name == other.stem or name.startswith(other.stem + "_")]
        belongs = bool(fitting) and max(fitting, key=len) == metric.stem and name.endswith("_raw") == metric.raw
        if belongs and math.isfinite(score.value):
            return score
    return None


def group(dataset: DatasetResult) -> Group:
    """A dataset's part of the table."""
    scored = [(result, result.scores) for result in dataset.variants if result.scores]
    networks = {(scores.network, scores.network_sha256) for _, scores in scored}
    columns = [_column(scored, metric, comparable=len(networks) == 1) for metric in METRICS]
    rows = []
    for number, result in enumerate(dataset.variants):
        name = result.variant.name
        missing = "" if result.scores else f"not scored yet: run `fca score` for {dataset.name} {name}"
        rows.append(Row(result.variant.title, number, [cells.get(name) for _, _, cells in columns], missing))
    warnings = [warning for _, warning, _ in columns if warning]
    if len(networks) > 1:
        warnings.insert(0, "Variants were measured with different feature networks; they are not compared.")
    network, sha256 = min(networks) if networks else ("none", "")
    counts = sorted({scores.count for _, scores in scored})
    return Group(
        dataset=dataset.name,
        network=network if len(networks) <= 1 else ", ".join(sorted(name for name, _ in networks)),
        network_sha256=sha256 if len(networks) == 1 else "",
        counts=" or ".join(f"{count:,}" for count in counts),
        names=[name for name, _, _ in columns],
        rows=rows,
        warnings=warnings,
        reference=_reference(scored[0][1]) if scored else "",
        every=[(result.variant.title, score) for result, scores in scored for score in scores.scores.values()],
        protocols=_protocols(scored),
    )


def _reference(scores: ScoreFile) -> str:
    """What the truth gets when it is scored in the prediction's place."""
    parts = []
    halves = scores.reference.get("fvd_truth_halves") or {}
    if halves.get("value") is not None:
        parts.append(
            f"the FVD between random halves of the truth is {significant(float(halves['value']))}"
            f" ({halves.get('name', 'fvd')}; FVD of few clips is biased upwards, so no prediction can be expected far below)"
        )
    found = scores.reference.get("motion_accuracy_of_truth") or {}
    if found.get("value") is not None:
        parts.append(f"in {percent(float(found['value']))} of the true clips the motion of the caption is found")
    return f"For scale: {_join(parts)}." if parts else ""


def _column(
    scored: Sequence[tuple[VariantResult, ScoreFile]], metric: Metric, comparable: bool
) -> tuple[str, str, dict[str, Cell]]:
    """The protocol name, a warning or nothing, and the cells by variant of one column."""
    found = {result.variant.name: score for result, scores in scored if (score := find(scores, metric))}
    names = list(dict.fromkeys(score.name for score in found.values()))
    best = None
    differ = len({score.value for score in found.values()}) > 1
    if len(names) == 1 and differ and comparable:
        pick = max if metric.higher_is_better else min
        best = pick(score.value for score in found.values())
    warning = ""
    if len(names) > 1:
        warning = f"{metric.title} was measured by different protocols ({', '.join(names)}); not compared."
    cells = {name: _cell(score, metric, score.value == best) for name, score in found.items()}
    return " / ".join(names), warning, cells


def _cell(score: Score, metric: Metric, best: bool) -> Cell:
    unit = f" {metric.unit}" if metric.unit else ""
    interval, exact = "", f"{score.name} = {score.value:.6g}{unit}"
    if score.interval:
        low, high = score.interval
        interval = f"{metric.write(low)} to {metric.write(high)}"
        exact += f", interval {low:.6g} to {high:.6g}"
    return Cell(metric.write(score.value), interval, signed(exact), best)


def _protocols(scored: Sequence[tuple[VariantResult, ScoreFile]]) -> list[tuple[str, list[tuple[str, str]]]]:
    shared: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for result, scores in scored:
        items = tuple((str(key), _plain(value)) for key, value in scores.protocol.items())
        shared.setdefault(items, []).append(result.variant.title)
    return [(", ".join(titles), list(items)) for items, titles in shared.items() if items]


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_plain(entry)}" for key, entry in value.items())
    return ", ".join(map(_plain, value)) if isinstance(value, list) else str(value)


def sentence(dataset: DatasetResult) -> str:
    """What the numbers of one dataset say, in one or two sentences."""
    lead = dataset.lead
    if lead is None or lead.scores is None:
        return f"On {dataset.name} nothing has been scored yet."
    metric = METRICS[0]
    value = find(lead.scores, metric)
    title = lead.variant.title
    if value is None:
        return f"On {dataset.name} {title} has no FVD yet."
    others = [
        (result, score)
        for result in dataset.variants
        if result.scores and result is not lead and (score := find(result.scores, metric))
        if score.name == value.name and result.scores.network_sha256 == lead.scores.network_sha256
    ]
    parts = [f"{metric.write(score.value)} for {_called(result)}" for result, score in others]
    text = f"On {dataset.name} {title} reaches FVD {metric.write(value.value)}"
    text += f" against {_join(parts)} (lower is better)" if parts else "; there is nothing to compare it with yet"
    return text + "." + _verdict(value, others) + _obeyed(lead.scores)


def _verdict(value: Score, others: Sequence[tuple[VariantResult, Score]]) -> str:
    """How sure the comparison is: what the intervals say."""
    ahead, unsure, behind = [], [], []
    for result, score in others:
        where = unsure if overlap(value, score) else ahead if value.value < score.value else behind
        where.append(_called(result))
    if others and len(ahead) == len(others):
        return " The intervals do not overlap." if value.interval else ""
    verdicts = [f"better than {_join(ahead)}"] if ahead else []
    verdicts += [f"worse than {_join(behind)}"] if behind else []
    verdicts += [f"not told apart from {_join(unsure)} (the intervals overlap)"] if unsure else []
    return f" It is {_join(verdicts)}." if verdicts else ""


def overlap(one: Score, other: Score) -> bool:
    """Whether two intervals overlap; without intervals, whether the values are equal."""
    low, high = one.interval or (one.value, one.value)
    other_low, other_high = other.interval or (other.value, other.value)
    return low <= other_high and other_low <= high


def _called(result: VariantResult) -> str:
    """A variant's name inside a sentence."""
    if result.variant.prediction == "repeat":
        return "repeating the last given frame"
    return "the unadapted base" if result.variant.name == "base" else result.variant.title


def _obeyed(scores: ScoreFile) -> str:
    asked, opposite = (find(scores, metric) for metric in METRICS[-2:])
    if asked is None:
        return ""
    text = f" The asked motion is found in {percent(asked.value)} of its predictions"
    return text + (f", the opposite one in {percent(opposite.value)} when the caption asks for that." if opposite else ".")


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
