"""The differences between the variants of a comparison, in pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

from fca.artifacts.check import changed_parents
from fca.config import Layout
from fca.report.collect import DatasetResult
from fca.report.format import percent, signed, significant
from fca.report.metrics import FVD, KVD, METRICS, PSNR, SSIM, TASK, Metric
from fca.report.score_file import read_result

SHOWN = (FVD, KVD, PSNR, SSIM, TASK)


@dataclass(frozen=True)
class Pair:
    """Two variants and how much higher a score of the first is."""

    metric: str
    a: str
    b: str
    difference: str
    interval: str
    chance: str
    """p, corrected for the number of pairs"""
    confidence: str
    """That `a` is better"""
    verdict: str
    told: bool


@dataclass(frozen=True)
class Differences:
    """The pairs of a dataset."""

    dataset: str
    trainings: int
    """Of each trained variant"""
    confidence: str
    pairs: Sequence[Pair]
    outdated: str


def differences(layout: Layout, dataset: DatasetResult, comparison: str) -> Differences | None:
    """What `fca compare-variants` found; None if it has not run.

    Raises:
        FcaError: its file is damaged.
    """
    titles = {result.variant.name: result.variant.title for result in dataset.variants}

    def parse(values: dict) -> Differences:
        pairs = [
            _pair(metric, row, titles)
            for metric in SHOWN
            for name, rows in values["scores"].items()
            if _is_of(metric, name)
            for row in rows
        ]
        why = changed_parents(layout, values["parents"])
        return Differences(
            dataset.name, max(values["trainings"].values()), percent(values["confidence"]), pairs, why or ""
        )

    path = layout.differences(dataset.name, comparison)
    return read_result(path, "a file of differences", "fca compare-variants", parse)


def _is_of(metric: Metric, name: str) -> bool:
    fitting = [other.stem for other in METRICS if name == other.stem or name.startswith(other.stem + "_")]
    return bool(fitting) and max(fitting, key=len) == metric.stem


def _pair(metric: Metric, row: dict, titles: dict[str, str]) -> Pair:
    def written(value: float) -> str:
        return f"{'+' if value > 0 else ''}{metric.write(value)}"

    a, b, told = titles.get(row["a"], row["a"]), titles.get(row["b"], row["b"]), row["verdict"].endswith("is better")
    better = titles.get(row["verdict"].removesuffix(" is better"), "")
    return Pair(
        metric=metric.title,
        a=a,
        b=b,
        difference=written(float(row["value"])),
        interval=f"{written(float(row['low']))} to {written(float(row['high']))}",
        chance=signed(significant(float(row["p_corrected"]))),
        confidence=percent(float(row["a_is_better"])),
        verdict=f"{better} is better" if told else row["verdict"],
        told=told,
    )
