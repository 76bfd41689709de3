"""The report's VBench section: a table for each dataset, beside the paper's Table 6, and what is missing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fca.artifacts.check import changed_parents
from fca.config import Config, Layout
from fca.config.comparisons import VBENCH_PUBLISHED
from fca.config.vbench import DIMENSIONS, GROUND_TRUTH, WEIGHTS, WeightFile
from fca.errors import FcaError, remake
from fca.vbench.weights import missing, python_of


@dataclass(frozen=True)
class Cell:
    """One mean as it is printed."""

    text: str
    interval: str
    exact: str


@dataclass(frozen=True)
class Row:
    """One variant, the truth, or a cited row; a cell is None where nothing was measured."""

    title: str
    cells: Sequence[Cell | None]
    cited: bool = False
    missing: str = ""


@dataclass(frozen=True)
class Table:
    """One dataset."""

    dataset: str
    clips: str
    rows: Sequence[Row]
    protocols: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    """Titles of rows, and the settings that they share."""


@dataclass(frozen=True)
class Section:
    """What the template shows."""

    titles: Sequence[str]
    tables: Sequence[Table]
    environment: str
    """How to get VBench's environment, where it is not there."""
    lacking: Sequence[WeightFile]
    """Files that would allow more dimensions."""
    folder: str
    """Where those files belong; nothing where no folder is configured."""
    command: str


def section(config: Config, config_file: str) -> Section | None:
    """What there is of VBench, or None where it is not configured; `FcaError` for a damaged result."""
    settings = config.score.vbench
    if settings is None:
        return None
    layout = Layout(config)
    tables = [table(config, layout, name) for name in config.datasets if settings.measures(name)]
    is_measured = any(row.cells and not row.cited for shown in tables for row in shown.rows)
    return Section(
        titles=list(DIMENSIONS.values()),
        tables=tables,
        environment="" if is_measured or python_of(settings).exists() else "make vbench-env",
        lacking=[file for file in WEIGHTS if settings.weights is None] or missing(settings),
        folder=settings.weights or "",
        command=f"snakemake --cores 2 vbench --configfile {config_file}",
    )


def table(config: Config, layout: Layout, dataset: str) -> Table:
    """One dataset's rows: the variants, the truth, and for SSv2 the cited ones."""
    rows, counts = [], set()
    shared: dict[tuple[tuple[str, str], ...], list[str]] = {}
    titles = {variant.name: variant.title for variant in config.variants.values()} | {GROUND_TRUTH: "The true clips"}
    for name, title in titles.items():
        found = read(layout.vbench(dataset, name))
        if found is None:
            rows.append(Row(title, [], missing=f"not measured: `fca vbench` has not run for {dataset} {name}"))
            continue
        if why := changed_parents(layout, found["parents"]):
            rows.append(Row(title, [], missing=f"measured on other files than there are now ({why}): run `fca vbench`"))
            continue
        rows.append(Row(title, [_cell(found["scores"].get(dimension)) for dimension in DIMENSIONS]))
        counts.add(found["count"])
        shared.setdefault(tuple((key, _plain(value)) for key, value in found["protocol"].items()), []).append(title)
    if config.datasets[dataset].format == "ssv2":
        cited = {
            name: [Cell(f"{values[dimension]:.4f}", "", "cited") for dimension in DIMENSIONS]
            for name, values in VBENCH_PUBLISHED.items()
        }
        rows += [Row(f"{name}, as the paper cites it", cells, cited=True) for name, cells in cited.items()]
    return Table(
        dataset=dataset,
        clips=" or ".join(f"{count:,}" for count in sorted(counts)),
        rows=rows,
        protocols=[(", ".join(names), list(items)) for items, names in shared.items()],
    )


def read(path: Path) -> dict[str, Any] | None:
    """A result of `fca vbench`, None where there is none; `FcaError` where it is damaged."""
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        for score in values["scores"].values():
            float(score["value"]), float(score["low"]), float(score["high"])
        int(values["count"]), dict(values["protocol"]), dict(values["parents"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FcaError(
            f"{path} is not a result of VBench ({type(error).__name__}: {error})",
            "the JSON object that `fca vbench` writes",
            f"remove {path}, then {remake(path)}",
        ) from error
    return values


def _cell(score: Mapping[str, float] | None) -> Cell | None:
    if score is None:
        return None
    value, low, high = score["value"], score["low"], score["high"]
    return Cell(f"{value:.4f}", f"{low:.4f} to {high:.4f}", f"{value:.8g}, interval {low:.8g} to {high:.8g}")


def _plain(value: object) -> str:
    return ", ".join(f"{key} {entry}" for key, entry in value.items()) if isinstance(value, dict) else str(value)
