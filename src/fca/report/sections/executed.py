"""Executed paths: how often the simulator does the task along the path of a prediction (`make executed`)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fca.config import Config, Layout
from fca.report.format import percent
from fca.report.metrics import Cell
from fca.report.score_file import read_result
from fca.score.interval import wilson_interval


@dataclass(frozen=True)
class Executed:
    """The shares of one dataset: rows of title, share done, and `done of executed`."""

    dataset: str
    rows: list[tuple[str, Cell, str]]


def executed(config: Config) -> list[Executed]:
    """The datasets whose predictions' paths were executed; the ground truth's come last.

    Raises:
        FcaError: a file is damaged.
    """
    found = ((name, _read(Layout(config).executed(name))) for name in config.datasets)
    return [Executed(name, _rows(config, done)) for name, done in found if done]


def _read(path: Path) -> dict[str, list[bool]] | None:
    """Variant, or a path of the ground truth -> whether the task of each clip was done."""

    def parse(values: dict[str, Any]) -> dict[str, list[bool]]:
        return {str(name): [bool(row["done"]) for row in rows] for name, rows in values["variants"].items() if rows}

    return read_result(path, "a file of executed paths", "make executed", parse)


def _rows(config: Config, done: dict[str, list[bool]]) -> list[tuple[str, Cell, str]]:
    """The configuration's variants in its order, then the ground truth."""
    titles = {name: variant.title for name, variant in config.variants.items() if name in done}
    others = [name for name in done if name not in config.every_replicate]
    rows = []
    for name, title in [*titles.items(), *((name, name.capitalize()) for name in others)]:
        share = wilson_interval(sum(done[name]), len(done[name]), config.score.confidence)
        cell = Cell(percent(share.value), f"{percent(share.low)} to {percent(share.high)}", f"{share.value:.6g}")
        rows.append((title, cell, f"{sum(done[name])} of {len(done[name])}"))
    return rows
