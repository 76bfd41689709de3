"""The paper's claims in one table: its differences in FVD next to those found here."""

from collections.abc import Callable, Sequence

import numpy as np

from fca.config.comparisons import COMPARISONS, SSV2
from fca.config.questions import Question
from fca.report.evidence.answers import Pair
from fca.report.evidence.words import title
from fca.report.format import percent, signed
from fca.report.metrics import FVD

PUBLISHED = {
    row.variant: float(row.published[SSV2][0])
    for table in ("table3", "table4")
    for row in COMPARISONS[table].rows
    if row.variant and row.published
}
"""FVD of the paper's rows by variant (Tables 3 and 4)"""


EXCLUDED = "**excluded**"


def claims_table(pairs: Sequence[Pair], verdict: Callable[[Question, Sequence[Pair]], str]) -> list[str]:
    """A line for each pair of the claims' rows; none if no such pair is recorded."""
    claimed = [pair for pair in pairs if pair.question.claim and pair.metric == FVD]
    if not claimed:
        return []
    lines = ["| question | answer | first row | second row | second worse by, paper | here | the paper's size |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    last = None
    for pair in claimed:
        own = [one for one in pairs if one.question == pair.question]
        both = [pair.question.question, verdict(pair.question, own)] if pair.question != last else ["", ""]
        last = pair.question
        lines.append(f"| {' | '.join([*both, title(pair.a), title(pair.b), *_sizes(pair)])} |")
    return lines


def in_short(pairs: Sequence[Pair], verdict: Callable[[Question, Sequence[Pair]], str]) -> str:
    """The answers to the paper's claims in a sentence or two."""
    claimed = [pair for pair in pairs if pair.question.claim and pair.metric == FVD]
    questions = list(dict.fromkeys(pair.question for pair in claimed))
    told = [question for question in questions if any(pair.told for pair in claimed if pair.question == question)]
    text = f"**In short**: of {len(questions)} claims, {len(questions) - len(told)} can't be told from chance by FVD"
    for question in told:
        answer = verdict(question, [pair for pair in pairs if pair.question == question])
        text += f". {question.question} {answer.rstrip('.')}"
    excluded = dict.fromkeys(pair.question.question for pair in claimed if _sizes(pair)[2] == EXCLUDED)
    if excluded:
        text += f". A difference of the paper's size is excluded here for: {' '.join(excluded)}"
        return text
    return f"{text}."


def _sizes(pair: Pair) -> tuple[str, str, str]:
    """How much worse the second row is: in the paper, here, and whether that leaves room for the paper's difference."""
    least = float(np.mean([one.value for one in pair.drawn[0]]))
    value, low, high = (-end / least for end in (pair.found.value, pair.wide[1], pair.wide[0]))
    here = f"{_share(value)} ({_share(low)} to {_share(high)})"
    mine, theirs = PUBLISHED.get(pair.a.key), PUBLISHED.get(pair.b.key)
    if mine is None or theirs is None:
        return "–", here, "–"
    paper = (theirs - mine) / mine
    return _share(paper), here, "possible" if low <= paper <= high else EXCLUDED


def _share(value: float) -> str:
    return signed(f"{100 * value:+.0f} %") if round(100 * value) else percent(0)
