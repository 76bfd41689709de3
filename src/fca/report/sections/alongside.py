"""A table of the paper: its numbers as cited constants, alongside (never mixed with) those that were measured here."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from fca.config.comparisons import Comparison
from fca.report.collect import VAE_BOUND, DatasetResult
from fca.report.format import signed
from fca.report.metrics import FVD_SEER, KVD_SEER, Cell, find, found_cell

COLUMNS = (FVD_SEER, KVD_SEER)
"""FVD and KVD as Seer's code computes them, which the paper used; initial frames replaced by the ground truth."""


@dataclass(frozen=True)
class CitedRow:
    """For each column of each dataset the published value as text and the measured one; None if there is none."""

    label: str
    values: Sequence[tuple[str | None, Cell | None]]


@dataclass(frozen=True)
class Alongside:
    """The values of the template."""

    title: str
    note: str
    datasets: Sequence[str]
    columns: Sequence[tuple[str, str]]
    """Titles of the columns of all datasets, with the protocol names that were measured."""
    rows: Sequence[CitedRow]
    baselines: Sequence[CitedRow]
    """Rows that the paper doesn't have."""
    cited: bool
    """Whether the paper gives numbers."""


def alongside(comparison: Comparison, datasets: Sequence[DatasetResult]) -> Alongside:
    """Published and measured values of every row, dataset by dataset."""
    rows: list[CitedRow] = []
    baselines: list[CitedRow] = []
    for row in comparison.rows:
        values: list[tuple[str | None, Cell | None]] = []
        for dataset in datasets:
            published = row.published.get(dataset.settings.format)
            cited = [None, None] if published is None else [signed(value) for value in published]
            result = dataset.variant(row.variant) if row.variant else None
            measured = [found_cell(result.scores if result else None, metric) for metric in COLUMNS]
            values += zip(cited, measured, strict=True)
        (baselines if row.baseline else rows).append(CitedRow(row.label, values))

    if any(dataset.vae_bound for dataset in datasets):
        bounds = [found_cell(dataset.vae_bound, metric) for dataset in datasets for metric in COLUMNS]
        baselines.append(CitedRow(VAE_BOUND, [(None, value) for value in bounds]))
    names = [dataset.name for dataset in datasets]
    columns = []
    for dataset, metric in product(datasets, COLUMNS):
        results = [result for name in comparison.variants if (result := dataset.variant(name))]
        found = [score.name for result in results if (score := find(result.scores, metric))]
        columns.append((metric.title, " / ".join(dict.fromkeys(found))))
    has_numbers = any(row.published for row in comparison.rows)
    return Alongside(comparison.title, comparison.note, names, columns, rows, baselines, has_numbers)
