"""Rows of records, and their comparison: every pair of every question, corrected for the number of pairs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fca.artifacts.evidence import Evidence
from fca.config.names import RunName
from fca.config.questions import QUESTIONS, Question
from fca.report.metrics import EFFECTOR, FVD, FVD_RAW, METRICS, PSNR, TASK, Metric
from fca.score.differences import Difference, difference_of, differences
from fca.score.draws import Draws
from fca.score.power import Spread, spread_of

SHOWN = (FVD, PSNR, TASK, EFFECTOR)
"""Scores of pairs; the first decides an answer."""
ACROSS = (FVD_RAW, TASK)
"""Those of rows of different scales, whose predictions begin at another frame."""
FAMILIES = ((FVD, FVD_RAW), (PSNR,), (TASK,), (EFFECTOR,))
"""Scores whose pairs are corrected together"""


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
        """Whether its weights are trained, its own or those of another row."""
        return self.first.trained is not None

    @property
    def own_training(self) -> bool:
        """Whether it isn't another row's model, sampled in another way."""
        return self.first.seconds is not None

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
    drawn: tuple[Sequence[Draws], Sequence[Draws]]
    """The score of each training of both that is compared"""
    found: Difference
    wide: tuple[float, float]
    """The interval at the level corrected for all pairs of the family (Bonferroni), so that all of them hold"""

    @property
    def trainings(self) -> int:
        return max(map(len, self.drawn))

    @property
    def spread(self) -> Spread:
        return spread_of(*self.drawn)

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
        for family in FAMILIES:
            found += _family(asked, rows, family, confidence)
    order = {question.name: number for number, question in enumerate(QUESTIONS)}
    return sorted(found, key=lambda pair: (order[pair.question.name], METRICS.index(pair.metric)))


def _family(
    asked: Sequence[Question], rows: Mapping[str, Row], metrics: Sequence[Metric], confidence: float
) -> list[Pair]:
    """The pairs of some questions, compared by scores of one kind and corrected for their number."""
    drawn: dict[str, list[Draws]] = {}
    members: list[tuple[Question, Metric, Row, Row, str, str]] = []
    for question in asked:
        for a, b in question.pairs:
            for metric in metrics if a in rows and b in rows else ():
                across = rows[a].first.scale != rows[b].first.scale
                names = f"{a} of {a}|{b}", f"{b} of {a}|{b}"
                both = _draws(rows[a], rows[b], metric) if metric in (ACROSS if across else SHOWN) else ([], [])
                if all(both):
                    drawn |= zip(names, both, strict=True)
                    members.append((question, metric, rows[a], rows[b], *names))
    pairs = [(first, second) for *_, first, second in members]
    results = differences(drawn, confidence, metrics[0].higher_is_better, pairs)

    found = []
    for (question, metric, mine, theirs, first, second), result in zip(members, results, strict=True):
        both = drawn[first], drawn[second]
        _, low, high, _ = difference_of(*both, 1 - (1 - confidence) / len(pairs))
        found.append(Pair(question, metric, mine, theirs, both, result, (low, high)))
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
