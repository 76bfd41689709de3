"""A comparison of the paper beside what was measured here."""

from collections.abc import Sequence
from dataclasses import dataclass

from fca.comparisons import Comparison
from fca.report.collect import DatasetResult
from fca.report.metrics import METRICS, find, signed, significant


@dataclass(frozen=True)
class BesideRow:
    """The paper's words, and for each dataset the published and the measured FVD and KVD as text, or a dash."""

    label: str
    values: Sequence[tuple[str, str, str, str]]
    ours: bool


@dataclass(frozen=True)
class Beside:
    """What the template shows."""

    title: str
    note: str
    datasets: Sequence[str]
    rows: Sequence[BesideRow]
    cited: bool
    """Whether the paper gives numbers."""


def beside(comparison: Comparison, datasets: Sequence[DatasetResult]) -> Beside:
    """Published and measured values of every row, dataset by dataset."""
    rows = []
    for row in comparison.rows:
        values = []
        for dataset in datasets:
            published = row.published.get(dataset.settings.format)
            cited = ("–", "–") if published is None else (signed(f"{published[0]:g}"), signed(f"{published[1]:g}"))
            values.append((*cited, *_measured(dataset, row.variant)))
        rows.append(BesideRow(row.label, values, row.variant is not None))
    return Beside(
        comparison.title,
        comparison.note,
        [dataset.name for dataset in datasets],
        rows,
        any(row.published for row in comparison.rows),
    )


def _measured(dataset: DatasetResult, variant: str | None) -> tuple[str, str]:
    """FVD and KVD of a variant as the paper has them: given frames replaced by the truth, KVD in Seer's order."""
    result = None if variant is None else dataset.variant(variant)
    if result is None or result.scores is None:
        return "–", "–"
    found = [find(result.scores, metric) for metric in METRICS if metric.stem in ("fvd", "kvd_seer") and not metric.raw]
    fvd, kvd = ("–" if score is None else significant(score.value) for score in found)
    return fvd, kvd
