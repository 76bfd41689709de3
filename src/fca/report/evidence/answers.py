"""Rows of records, and their comparison: every pair of every question, corrected for the number of pairs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fca.artifacts.evidence import Evidence
from fca.config.names import RunName
from fca.config.questions import QUESTIONS, Question
from fca.report.metrics import EFFECTOR, FVD, FVD_RAW, METRICS, PSNR, TASK, Metric
from fca.score.differences import Difference, differences
from fca.score.draws import Draws
from fca.score.power import Spread, smallest_difference, spread_of

SHOWN = (FVD, PSNR, TASK, EFFECTOR)
"""Scores of rows and pairs; the first decides an answer."""
ACROSS = (FVD_RAW, TASK)
"""Those of rows of different scales, whose predictions begin at another frame."""


@dataclass(frozen=True)
class Row:
    """All trainings of a variant."""

    key: str
    """The variant, or `SCALE:VARIANT` of another scale than the experiment's."""
    records: Mapping[int, Evidence]
    """By the number of the training."""

    @cached_property
    def first(self) -> Evidence:
        return self.records[min(self.records)]

    @property
    def title(self) -> str:
        """The variant's, and the scale if it is another one."""
        return f"{self.first.title} ({self.first.scale})" if ":" in self.key else self.first.title

    @property
    def trains(self) -> bool:
        return self.first.trained is not None

    def end(self, metric: Metric) -> list[float]:
        """A metric after the last step, of each training that has it."""
        name = score_name(self.first.draws, metric)
        return [record.draws[name]["value"] for record in self.records.values() if name and name in record.draws]

    def curve(self, metric: Metric) -> dict[int, list[float]]:
        """Optimizer steps -> the metric of each training after them."""
        found: dict[int, list[float]] = {}
        for record in self.records.values():
            for steps, scores in record.lengths.items():
                if name := score_name(scores, metric):
                    found.setdefault(int(steps), []).append(scores[name])
        return dict(sorted(found.items()))


@dataclass(frozen=True)
class Pair:
    """Two rows compared by one metric."""

    question: Question
    metric: Metric
    a: Row
    b: Row
    trainings: int
    found: Difference
    spread: Spread
    smallest: float | None
    """The difference that would have been seen with a power of 80 %; None: one training says nothing about it."""

    @property
    def told(self) -> bool:
        return self.found.verdict.endswith("is better")

    @property
    def a_is_better(self) -> bool:
        return (self.found.value > 0) == self.metric.higher_is_better


def rows_of(records: Iterable[Evidence], experiment: str) -> dict[str, Row]:
    """The rows of the experiment and those of other scales, by key."""
    found: dict[str, dict[int, Evidence]] = {}
    for record in records:
        key = record.row if record.scale == experiment else f"{record.scale}:{record.row}"
        found.setdefault(key, {})[RunName.of(record.name).replicate] = record
    return {key: Row(key, dict(sorted(own.items()))) for key, own in found.items()}


def score_name(scores: Iterable[str], metric: Metric) -> str | None:
    """The full name of a metric's score among `scores`."""
    for name in scores:
        fitting = [other.stem for other in METRICS if name == other.stem or name.startswith(other.stem + "_")]
        if fitting and max(fitting, key=len) == metric.stem and name.endswith("_raw") == metric.raw:
            return name
    return None


def compared(rows: Mapping[str, Row], confidence: float) -> list[Pair]:
    """Every pair whose two rows are recorded. What the paper claims is corrected together, and so is the rest."""
    found: list[Pair] = []
    for claimed in (True, False):
        asked = [question for question in QUESTIONS if question.paired and bool(question.claim) == claimed]
        for metric in (*SHOWN, FVD_RAW):
            found += _family(asked, rows, metric, confidence)
    order = {question.name: number for number, question in enumerate(QUESTIONS)}
    return sorted(found, key=lambda pair: (order[pair.question.name], METRICS.index(pair.metric)))


def _family(asked: Sequence[Question], rows: Mapping[str, Row], metric: Metric, confidence: float) -> list[Pair]:
    """The pairs of some questions, compared by one metric and corrected for their number."""
    drawn: dict[str, list[Draws]] = {}
    members: list[tuple[Question, Row, Row, str, str]] = []
    for question in asked:
        for a, b in question.pairs:
            if a in rows and b in rows and (metric in ACROSS if rows[a].first.scale != rows[b].first.scale
                                            else metric in SHOWN):  # fmt: skip
                names = f"{a} of {a}|{b}", f"{b} of {a}|{b}"
                both = _draws(rows[a], rows[b], metric)
                if all(both):
                    drawn |= zip(names, both, strict=True)
                    members.append((question, rows[a], rows[b], *names))
    pairs = [(first, second) for *_, first, second in members]
    results = differences(drawn, confidence, metric.higher_is_better, pairs)

    found = []
    for (question, mine, theirs, first, second), result in zip(members, results, strict=True):
        one, other = drawn[first], drawn[second]
        trainings = max(len(one), len(other))
        spread = spread_of(one, other)
        known = trainings > 1
        smallest = smallest_difference(spread, one[0].clips, trainings, len(pairs), confidence) if known else None
        found.append(Pair(question, metric, mine, theirs, trainings, result, spread, smallest))
    return found


def _draws(a: Row, b: Row, metric: Metric) -> tuple[list[Draws], list[Draws]]:
    """A metric of both rows: of the trainings that both have, or of all if a row isn't trained."""
    numbers = [row.records.keys() if row.trains else None for row in (a, b)]
    shared = set.intersection(*(set(own) for own in numbers if own is not None)) if any(numbers) else {1}
    found = []
    for row, own in zip((a, b), numbers, strict=True):
        name = score_name(row.first.draws, metric)
        chosen = [row.records[number] for number in sorted(shared)] if own is not None else [row.first]
        found.append([_drawn(record.draws[name]) for record in chosen if name is not None and name in record.draws])
    same = {record.protocol_sha256 for row in (a, b) for record in row.records.values()}
    if a.first.scale == b.first.scale and len(same) > 1:
        return [], []  # other clips or another protocol: recorded at different times
    return found[0], found[1]


def _drawn(values: Mapping[str, object]) -> Draws:
    return Draws(float(values["value"]), int(values["clips"]), np.array(values["resampled"], dtype=np.float64))  # type: ignore
