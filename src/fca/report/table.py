"""The scores as a table: rows for each dataset and variant, a column for each metric."""

from collections.abc import Sequence
from dataclasses import dataclass

from fca.report.collect import FLOOR, DatasetResult, VariantResult
from fca.report.metrics import METRICS, Metric, find, join, percent, signed, significant
from fca.report.score_file import Score, ScoreFile


@dataclass(frozen=True)
class Cell:
    """One value as it is printed."""

    text: str
    interval: str
    exact: str
    """Full protocol name and all digits, for the tooltip."""
    best: bool
    bias: str = ""


@dataclass(frozen=True)
class Row:
    """One variant's values, in the order of `METRICS`; None: not measured."""

    variant: str
    style: int | None
    """Its colour on the page; None: it has no curves and no clips."""
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


def group(dataset: DatasetResult) -> Group:
    """A dataset's part of the table."""
    scored = [(result, result.scores) for result in dataset.variants if result.scores]
    networks = {(scores.network, scores.network_sha256) for _, scores in scored}
    protocols = _protocols(scored)
    comparable = len(networks) == 1 and len(protocols) <= 1 and not dataset.outdated
    columns = [_column(scored, metric, comparable) for metric in METRICS]
    rows = []
    for number, result in enumerate(dataset.variants):
        name = result.variant.name
        missing = "" if result.scores else f"not scored yet: run `fca score` for {dataset.name} {name}"
        rows.append(Row(result.variant.title, number, [cells.get(name) for _, _, cells in columns], missing))
    if dataset.floor:
        found = [(metric, find(dataset.floor, metric)) for metric in METRICS]
        rows.append(Row(FLOOR, None, [cell(score, metric) if score else None for metric, score in found], ""))
    warnings = dataset.outdated + [warning for _, warning, _ in columns if warning]
    if len(networks) > 1:
        warnings.insert(0, "Variants were measured with different feature networks; they are not compared.")
    elif len(protocols) > 1:
        warnings.insert(0, "Variants were scored by different protocols, listed below; they are not compared.")
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
        every=[(result.variant.title, score) for result, found in scored for score in found.scores.values()],
        protocols=protocols,
    )


def _reference(scores: ScoreFile) -> str:
    """What the truth gets when it is scored in the prediction's place."""
    parts = []
    halves = scores.reference.get("fvd_truth_halves") or {}
    if halves.get("value") is not None:
        parts.append(
            f"the FVD between random halves of the truth is {significant(float(halves['value']))}"
            f" ({halves.get('name', 'fvd')}; fewer clips bias FVD upwards, so the halves are far apart)"
        )
    found = scores.reference.get("motion_accuracy_of_truth") or {}
    if found.get("value") is not None:
        share = percent(float(found["value"]))
        parts.append(f"in {share} of the true clips the motion of the caption is found")
    return f"For scale: {join(parts)}." if parts else ""


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
    cells = {name: cell(score, metric, score.value == best) for name, score in found.items()}
    return " / ".join(names), warning, cells


def cell(score: Score, metric: Metric, best: bool = False) -> Cell:
    """A score as it is printed."""
    unit = f" {metric.unit}" if metric.unit else ""
    interval, exact = "", f"{score.name} = {score.value:.6g}{unit}"
    if score.interval:
        low, high = score.interval
        interval = f"{metric.write(low)} to {metric.write(high)}"
        exact += f", interval {low:.6g} to {high:.6g}"
    bias = ""
    if score.bias is not None:
        bias = f"bias {'+' if score.bias > 0 else ''}{metric.write(score.bias)}"
        exact += f", bias {score.bias:.6g}"
    return Cell(metric.write(score.value), interval, signed(exact), best, bias)


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
