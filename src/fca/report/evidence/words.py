"""How the page writes rows, scores and differences."""

import html
import textwrap
from collections.abc import Iterable

from fca.report.evidence.answers import Pair, Row
from fca.report.format import percent, signed, significant
from fca.report.metrics import EFFECTOR, TASK, Metric

NAMES = {TASK: "the task found", EFFECTOR: "the hand's position"}
"""Scores whose titles are those of columns"""


def title(row: Row) -> str:
    """A row's title as plain text of a table's cell."""
    return html.escape(row.title, quote=False).replace("|", "\\|")


def sentence(pair: Pair) -> str:
    """Which row is better by how much, or that this can't be told."""
    better, worse = (pair.a, pair.b) if pair.a_is_better else (pair.b, pair.a)
    if pair.told:
        sizes = sorted((abs(pair.found.low), abs(pair.found.high)))
        text = (
            f"{title(better)} is better than {title(worse)} by {size(pair.metric, abs(pair.found.value))}"
            f" ({amount(pair.metric, sizes[0])} to {amount(pair.metric, sizes[1])}) in"
            f" {NAMES.get(pair.metric, pair.metric.title)}."
        )
    else:
        text = f"{title(pair.a)} and {title(pair.b)} can't be told apart."
    return text if pair.trainings > 1 else f"{text} With one training of each, other seeds may change this."


def unit(metric: Metric) -> str:
    """The unit of a difference: shares differ by percentage points."""
    return "points" if metric.write is percent else metric.unit


def amount(metric: Metric, value: float) -> str:
    """A difference without its unit, which isn't negative."""
    return f"{100 * value:.0f}" if metric.write is percent else metric.write(value)


def size(metric: Metric, value: float) -> str:
    """A difference with its unit."""
    return f"{amount(metric, value)} {unit(metric)}".rstrip()


def with_sign(metric: Metric, value: float) -> str:
    """A difference with its sign."""
    return f"{'+' if value > 0 else signed('-') if value < 0 else ''}{amount(metric, abs(value))}"


def named(metric: Metric, of: str) -> str:
    """A metric's title with a unit."""
    return f"{metric.title} ({of})" if of else metric.title


def chance(p: float) -> str:
    """A p value with the digits that decide whether it is below 0.05."""
    if p < 0.001:
        return "below 0.001"
    text = significant(p)
    return text if float(text) != 0.05 else f"{p:.5f}"


def confident(share: float) -> str:
    """A share that is never quite 0 or 1."""
    return "> 99 %" if share > 0.99 else "< 1 %" if share < 0.01 else percent(share)


def filled(text: str) -> str:
    """A paragraph in lines."""
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def wrapped(lines: Iterable[str]) -> str:
    """Paragraphs in lines, and tables as they are."""
    return "\n".join(line if line.startswith("|") else filled(line) for line in lines)
