"""A table of the paper: its numbers as cited constants, and beside them, never among them, what was measured here."""

from collections.abc import Sequence
from dataclasses import dataclass

from fca.config.comparisons import Comparison
from fca.report.collect import FLOOR, DatasetResult
from fca.report.metrics import METRICS, find, signed
from fca.report.score_file import ScoreFile
from fca.report.table import Cell, cell

COLUMNS = [metric for metric in METRICS if metric.stem in ("fvd", "kvd_seer") and not metric.raw]
"""FVD and KVD as the paper has them: given frames replaced by the truth, KVD in Seer's order."""


@dataclass(frozen=True)
class Column:
    """A score of a dataset: its title and the protocol names that were measured."""

    title: str
    protocol: str


@dataclass(frozen=True)
class BesideRow:
    """For each column of each dataset the published value as text, and the measured one; None where there is none."""

    label: str
    values: Sequence[tuple[str | None, Cell | None]]


@dataclass(frozen=True)
class Beside:
    """What the template shows."""

    title: str
    note: str
    datasets: Sequence[str]
    columns: Sequence[Column]
    """Of all datasets, in order."""
    rows: Sequence[BesideRow]
    baselines: Sequence[BesideRow]
    """Rows that the paper doesn't have."""
    cited: bool
    """Whether the paper gives numbers."""


def beside(comparison: Comparison, datasets: Sequence[DatasetResult]) -> Beside:
    """Published and measured values of every row, dataset by dataset."""
    rows: list[BesideRow] = []
    baselines: list[BesideRow] = []
    for row in comparison.rows:
        values: list[tuple[str | None, Cell | None]] = []
        for dataset in datasets:
            published = row.published.get(dataset.settings.format)
            cited = [None, None] if published is None else [signed(value) for value in published]
            result = dataset.variant(row.variant) if row.variant else None
            values += zip(cited, _measured(result.scores if result else None), strict=True)
        (baselines if row.baseline else rows).append(BesideRow(row.label, values))
    if any(dataset.floor for dataset in datasets):
        floors = [value for dataset in datasets for value in _measured(dataset.floor)]
        baselines.append(BesideRow(FLOOR, [(None, value) for value in floors]))
    return Beside(
        comparison.title,
        comparison.note,
        [dataset.name for dataset in datasets],
        [column for dataset in datasets for column in _columns(comparison, dataset)],
        rows,
        baselines,
        any(row.published for row in comparison.rows),
    )


def _measured(scores: ScoreFile | None) -> list[Cell | None]:
    found = [(metric, find(scores, metric) if scores else None) for metric in COLUMNS]
    return [cell(score, metric) if score else None for metric, score in found]


def _columns(comparison: Comparison, dataset: DatasetResult) -> list[Column]:
    results = [result for name in comparison.variants if (result := dataset.variant(name)) and result.scores]
    columns = []
    for metric in COLUMNS:
        found = [score.name for result in results if result.scores and (score := find(result.scores, metric))]
        columns.append(Column(metric.title, " / ".join(dict.fromkeys(found))))
    return columns
