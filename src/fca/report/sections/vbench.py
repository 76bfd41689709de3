"""The report's VBench section: a table for each dataset, with the paper's Table 6, and what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fca.artifacts.check import changed_parents
from fca.config import Config, Layout
from fca.config.comparisons import VBENCH_PUBLISHED
from fca.config.vbench import DIMENSIONS, GROUND_TRUTH, WEIGHTS, WeightFile
from fca.report.format import counts, shared_protocols
from fca.report.metrics import Cell
from fca.report.score_file import read_result
from fca.vbench.weights import is_finished, missing


@dataclass(frozen=True)
class VBenchRow:
    """One variant, the ground truth, or a cited row; a cell is None if nothing was measured."""

    title: str
    cells: Sequence[Cell | None]
    cited: bool = False
    missing: str = ""


@dataclass(frozen=True)
class VBenchTable:
    """One dataset."""

    dataset: str
    clips: str
    rows: Sequence[VBenchRow]
    protocols: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    """Titles of rows, and the settings that they share."""


@dataclass(frozen=True)
class VBenchSection:
    """The values of the template."""

    titles: Sequence[str]
    tables: Sequence[VBenchTable]
    environment: str
    """The command that builds VBench's environment, if that doesn't exist."""
    lacking: Sequence[WeightFile]
    """Files that would allow more dimensions."""
    folder: str
    """The folder of those files, if one is configured."""
    command: str


def vbench_section(config: Config, config_file: str) -> VBenchSection | None:
    """The results of VBench; None if it is not configured.

    Raises:
        FcaError: a result is damaged.
    """
    settings = config.score.vbench
    if settings is None:
        return None
    layout = Layout(config)
    tables = [table(config, layout, name) for name in config.datasets if settings.measures(name)]
    is_measured = any(row.cells and not row.cited for shown in tables for row in shown.rows)
    return VBenchSection(
        titles=list(DIMENSIONS.values()),
        tables=tables,
        environment="" if is_measured or is_finished(settings) else "make vbench-env",
        lacking=[file for file in WEIGHTS if settings.weights is None] or missing(settings),
        folder=settings.weights or "",
        command=f"snakemake --cores 2 vbench --configfile {config_file}",
    )


def table(config: Config, layout: Layout, dataset: str) -> VBenchTable:
    """One dataset's rows: the variants, the ground truth, and for SSv2 the cited ones."""
    rows: list[VBenchRow] = []
    measured: list[tuple[str, dict[str, Any]]] = []
    titles = {variant.name: variant.title for variant in config.variants.values()} | {GROUND_TRUTH: "Ground truth"}
    for name, title in titles.items():
        found = read_result(layout.vbench(dataset, name), "a result of VBench", "fca vbench", _checked)
        reason = f"not measured: `fca vbench` has not run for {dataset} {name}"
        if found and (why := changed_parents(layout, found["parents"])):
            found, reason = None, f"measured on files that have changed since ({why}): run `fca vbench`"
        if found is None:
            rows.append(VBenchRow(title, [], missing=reason))
            continue
        rows.append(VBenchRow(title, [_cell(found["scores"].get(dimension)) for dimension in DIMENSIONS]))
        measured.append((title, found))

    for name, values in VBENCH_PUBLISHED.get(config.datasets[dataset].format, {}).items():
        cells = [Cell(f"{values[dimension]:.4f}", "", "cited") for dimension in DIMENSIONS]
        rows.append(VBenchRow(f"{name}, as the paper cites it", cells, cited=True))
    return VBenchTable(
        dataset=dataset,
        clips=counts({found["count"] for _, found in measured}),
        rows=rows,
        protocols=shared_protocols((title, found["protocol"]) for title, found in measured),
    )


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    for score in values["scores"].values():
        float(score["value"]), float(score["low"]), float(score["high"])
    int(values["count"]), dict(values["protocol"]), dict(values["parents"])
    return values


def _cell(score: Mapping[str, float] | None) -> Cell | None:
    if score is None:
        return None
    value, low, high = score["value"], score["low"], score["high"]
    return Cell(f"{value:.4f}", f"{low:.4f} to {high:.4f}", f"{value:.8g}, interval {low:.8g} to {high:.8g}")
