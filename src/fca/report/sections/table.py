"""The scores as a table: a row for each dataset and variant, a column for each metric."""

from collections.abc import Sequence
from dataclasses import dataclass

from fca.report.collect import VAE_BOUND, DatasetResult, VariantResult
from fca.report.format import counts, join, percent, shared_protocols, significant
from fca.report.metrics import METRICS, Cell, Metric, cell, find, found_cell
from fca.report.score_file import Score, ScoreFile

FLAWS = {
    "blank": "are black or of one colour, unlike the ground truth",
    "frozen": "stand still, unlike the ground truth",
}
SHOWN = 8  # clips in a warning


@dataclass(frozen=True)
class VariantRow:
    """One variant's values in the order of `METRICS`; None if not measured."""

    variant: str
    style: int | None
    """Its colour on the page; None if it has no curves and no clips."""
    cells: Sequence[Cell | None]
    missing: str
    """Why the whole row is empty, if it is."""


@dataclass(frozen=True)
class DatasetTable:
    """One dataset's rows."""

    dataset: str
    network: str
    network_sha256: str
    counts: str
    names: Sequence[str]
    """The protocol name of each column."""
    rows: Sequence[VariantRow]
    warnings: Sequence[str]
    reference: str
    """The best possible scores with so few clips and this network, in a sentence."""
    every: Sequence[tuple[str, Score]]
    """Every score of every variant, including those without a column."""
    protocols: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    """Titles of variants and the protocol settings that they share."""


def dataset_table(dataset: DatasetResult) -> DatasetTable:
    """A dataset's part of the table."""
    scored = [(result, result.scores) for result in dataset.variants if result.scores]
    networks = {(scores.network, scores.network_sha256) for _, scores in scored}
    protocols = shared_protocols((result.variant.title, scores.protocol) for result, scores in scored)
    comparable = len(networks) == 1 and len(protocols) <= 1 and not dataset.outdated
    columns = [_column(scored, metric, comparable) for metric in METRICS]
    rows = []
    for number, result in enumerate(dataset.variants):
        name = result.variant.name
        missing = "" if result.scores else f"not scored yet: run `fca score` for {dataset.name} {name}"
        trainings = len(result.scores.replicates) if result.scores else 0
        title = f"{result.variant.title}, {trainings} trainings" if trainings else result.variant.title
        rows.append(VariantRow(title, number, [cells.get(name) for _, _, cells in columns], missing))
    if dataset.vae_bound:
        rows.append(VariantRow(VAE_BOUND, None, [found_cell(dataset.vae_bound, metric) for metric in METRICS], ""))

    warnings = dataset.outdated + [warning for _, warning, _ in columns if warning] + _flaws(scored)
    if len(networks) > 1:
        warnings.insert(0, "Variants were measured with different feature networks and are not compared.")
    elif len(protocols) > 1:
        warnings.insert(0, "Variants were scored by different protocols, listed below, and are not compared.")

    network, sha256 = min(networks) if networks else ("none", "")
    return DatasetTable(
        dataset=dataset.name,
        network=network if len(networks) <= 1 else ", ".join(sorted(name for name, _ in networks)),
        network_sha256=sha256 if len(networks) == 1 else "",
        counts=counts({scores.count for _, scores in scored}),
        names=[name for name, _, _ in columns],
        rows=rows,
        warnings=warnings,
        reference=_reference(scored[0][1]) if scored else "",
        every=[(result.variant.title, score) for result, found in scored for score in found.scores.values()],
        protocols=protocols,
    )


def _flaws(scored: Sequence[tuple[VariantResult, ScoreFile]]) -> list[str]:
    """Predictions of models that are black or stand still, in sentences; the copy-last-frame baseline always does."""
    found = []
    for result, scores in scored:
        for flaw, words in FLAWS.items():
            ids = [clip.id for clip in scores.clips.values() if clip.flaw == flaw]
            if ids and result.variant.prediction == "model":
                shown = ", ".join(ids[:SHOWN]) + (", ..." if len(ids) > SHOWN else "")
                found.append(f"{len(ids)} of {scores.count} predictions of {result.variant.title} {words}: {shown}.")
    return found


def _reference(scores: ScoreFile) -> str:
    """The scores of the ground truth in place of a prediction."""
    parts = []
    halves = scores.reference.get("fvd_truth_halves") or {}
    if halves.get("value") is not None:
        parts.append(
            f"the FVD between random halves of the ground truth is {significant(float(halves['value']))}"
            f" ({halves.get('name', 'fvd')}; fewer clips bias FVD upwards, so the halves are far apart)"
        )
    found = scores.reference.get("task_accuracy_of_truth") or {}
    if found.get("value") is not None:
        share = percent(float(found["value"]))
        parts.append(f"the task of the caption is found in {share} of the ground-truth clips")
    own = scores.reference.get("achieved") or {}
    errors = [own[name]["value"] for name in ("effector_end_error", "object_end_error") if own.get(name)]
    if errors:
        read = join([f"{error:.1f} cm" for error in errors])
        parts.append(f"in the ground truth's own last frames hand and object are read with an error of {read}")
    return f"For scale: {join(parts)}." if parts else ""


def _column(
    scored: Sequence[tuple[VariantResult, ScoreFile]], metric: Metric, comparable: bool
) -> tuple[str, str, dict[str, Cell]]:
    """The protocol name of one column, a warning or an empty text, and the cells by variant."""
    found = {result.variant.name: score for result, scores in scored if (score := find(scores, metric))}
    names = list(dict.fromkeys(score.name for score in found.values()))
    best, warning = None, ""
    if len(names) > 1:
        warning = f"{metric.title} was measured by different protocols ({', '.join(names)}) and is not compared."
    elif comparable and len(values := {score.value for score in found.values()}) > 1:
        best = max(values) if metric.higher_is_better else min(values)
    cells = {name: cell(score, metric, score.value == best) for name, score in found.items()}
    return " / ".join(names), warning, cells
