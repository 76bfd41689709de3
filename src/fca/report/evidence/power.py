"""What the experiment could have seen, and how large one at the paper's scale must be: in words and tables."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from fca.config.comparisons import COMPARISONS, SSV2
from fca.report.evidence.answers import Pair, Row
from fca.report.evidence.words import NAMES
from fca.report.format import join, percent, signed, significant
from fca.report.metrics import FVD, Metric
from fca.score.differences import holm
from fca.score.interval import Part, p_value
from fca.score.power import Spread, smallest_difference, trainings_needed

CLIPS = (54, 512, 2048)
TRAININGS = (2, 3, 5, 10)
PAPER_CLIPS = 2048
FLAT = 0.05
"""A smaller fall of FVD in the last half of the training isn't called one"""


def relative_spread(pairs: Sequence[Pair]) -> Spread | None:
    """The spread of differences in FVD over the better row's, pooled over all pairs of rows with their own training."""
    found = []
    for pair in pairs:
        own = pair.a.own_training and pair.b.own_training and ":" not in pair.a.key + pair.b.key
        if pair.metric == FVD and pair.trainings > 1 and own:
            least = min(np.mean(pair.a.end(FVD)), np.mean(pair.b.end(FVD)))
            if least > 0:
                found.append((pair.spread.between / least, pair.spread.within / least))
    if not found:
        return None
    between, within = np.sqrt(np.square(found).mean(axis=0))
    return Spread(float(between), float(within))


def pooled_variance(rows: Iterable[Row], metric: Metric) -> Part | None:
    """The variance of a score between trainings, pooled over all trained rows of the experiment's scale.

    None if no row has two trainings.
    """
    ends = [row.end(metric) for row in rows if row.own_training and ":" not in row.key]
    freedom = sum(len(own) - 1 for own in ends if len(own) > 1)
    squares = sum(float(np.var(own, ddof=1)) * (len(own) - 1) for own in ends if len(own) > 1)
    return (squares / freedom, freedom) if freedom else None


def told_if_pooled(pairs: Sequence[Pair], rows: Iterable[Row], confidence: float) -> list[Pair]:
    """The pairs that are told from chance if all rows vary alike between trainings.

    The difference of two rows then has the sum of the variances of its trained rows, with the degrees of freedom of all
    of them. Pairs of another scale, and those of one model sampled in two ways, are left out.
    """
    found: list[Pair] = []
    families: dict[tuple[bool, Metric], list[Pair]] = {}
    for pair in pairs:
        families.setdefault((bool(pair.question.claim), pair.metric), []).append(pair)
    for (_, metric), family in families.items():
        variance = pooled_variance(rows, metric)
        if variance is None:
            continue
        between, freedom = variance
        own, ps = [], []
        for pair in family:
            trained = [row for row in (pair.a, pair.b) if row.trains]
            if pair.trainings < 2 or not all(row.own_training and ":" not in row.key for row in trained):
                continue
            clips = pair.drawn[0][0].clips
            parts = [(between * len(trained) / pair.trainings, freedom), (pair.spread.within**2 / clips, clips - 1)]
            own.append(pair)
            ps.append(p_value(pair.found.value, parts))
        found += [pair for pair, p in zip(own, holm(ps), strict=True) if p < 1 - confidence]
    return found


def power_section(pairs: Sequence[Pair], rows: Mapping[str, Row], confidence: float) -> list[str]:
    """The lines of the section."""
    claims = {(pair.a.key, pair.b.key) for pair in pairs if pair.question.claim}
    spread, count = relative_spread(pairs), max(1, len(claims))
    if spread is None:
        return ["This needs at least one pair of rows with two trainings each, which are not recorded yet."]
    lines = [
        f"Between trainings, the difference of two rows in FVD has a standard deviation of {percent(spread.between)} of"
        " the better row's FVD (pooled over all pairs of rows that are trained themselves, at this number of steps);"
        f" between single clips, of {percent(spread.within)}. The table has the smallest true difference, as a share of"
        f" the better FVD, that is told from chance in four of five experiments, with {count} pairs corrected together."
        " With three trainings what limits it is the method, which estimates each pair's spread from its own trainings."
        " It assumes that"
        " these shares stay the same with more clips and trainings; at the paper's scale they may not.",
        "",
        "| trainings of each row | " + " | ".join(f"{clips:,} clips" for clips in CLIPS) + " |",
        "|---|" + "---|" * len(CLIPS),
    ]
    for trainings in TRAININGS:
        sizes = [percent(smallest_difference(spread, clips, trainings, count, confidence)) for clips in CLIPS]
        lines.append(f"| {trainings} | {' | '.join(sizes)} |")
    return [*lines, "", *_if_pooled(pairs, rows, spread, count, confidence), "", *_paper(spread, count, confidence)]


def _if_pooled(
    pairs: Sequence[Pair], rows: Mapping[str, Row], spread: Spread, count: int, confidence: float
) -> list[str]:
    """What the answers would be if the spread between trainings were estimated from all rows together."""
    variance = pooled_variance(rows.values(), FVD)
    trainings = max(pair.trainings for pair in pairs)
    clips = max(pair.drawn[0][0].clips for pair in pairs)
    if variance is None or trainings < 2:
        return []
    between, freedom = variance
    seen = smallest_difference(spread, clips, trainings, count, confidence, freedom=freedom)
    told = told_if_pooled(pairs, list(rows.values()), confidence)
    of_claims = [pair for pair in told if pair.question.claim and not pair.told]
    of_others = [pair for pair in told if not pair.question.claim and not pair.told]
    return [
        f"**If all rows vary alike.** The answers above let every pair have a spread of its own, known from {trainings}"
        " trainings. If instead one spread holds for all rows (FVD: a standard deviation of"
        f" {significant(between**0.5)} between trainings, {freedom} degrees of freedom), a difference of"
        f" {percent(seen)} would be seen in four of five experiments. This was computed after the answers were"
        " known and decides none of them. It would also tell these pairs apart. Of the paper's claims:"
        f" {_listed(of_claims)}. Of the others: {_listed(of_others)}."
    ]


def _listed(pairs: Sequence[Pair]) -> str:
    """Which row of each pair is better, by score."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        better, worse = (pair.a, pair.b) if pair.a_is_better else (pair.b, pair.a)
        found.setdefault(NAMES.get(pair.metric, pair.metric.title), []).append(f"`{better.key}` before `{worse.key}`")
    return "; ".join(f"by {name} {join(own)}" for name, own in found.items()) or "none"


def _paper(spread: Spread, count: int, confidence: float) -> list[str]:
    """How many trainings the paper's own differences need."""
    lines = [
        "The paper's Tables 3 and 4 have one training of each row and 2,048 clips. If the shares above hold there,"
        " their differences need so many trainings of each row; `fca plan -c config/paper.yaml --ablations` says what"
        " one costs:",
        "",
        "| rows | FVD | difference | trainings needed |",
        "|---|---|---|---|",
    ]
    for table in ("table3", "table4"):
        rows = [row for row in COMPARISONS[table].rows if row.published]
        for first, second in pairwise(rows):
            one, other = (float(row.published[SSV2][0]) for row in (first, second))
            share = abs(one - other) / min(one, other)
            needed = trainings_needed(spread, PAPER_CLIPS, share, count, confidence)
            lines.append(
                f"| {first.label}; {second.label} | {one:g}; {other:g} | {percent(share)} |"
                f" {needed or 'more than 64'} |"
            )
    return lines


def last_change(row: Row) -> float | None:
    """How much FVD changed between the last two lengths, as a share; None for one length."""
    curve = list(row.curve(FVD).values())
    return float(np.mean(curve[-1]) / np.mean(curve[-2]) - 1) if len(curve) > 1 else None


def flatness(rows: Mapping[str, Row]) -> str:
    """How much FVD still changed between the last two lengths."""
    trained = [row for row in rows.values() if row.own_training]
    changes = {row.key: change for row in trained if (change := last_change(row)) is not None}
    if not changes:
        return "No row has models of several lengths yet, so nothing is known of how many steps are enough."
    falling = [f"`{key}`" for key, change in changes.items() if change < -FLAT]
    flat = [f"`{key}`" for key in changes if f"`{key}`" not in falling]
    least, middle, most = (100 * float(of(list(changes.values()))) for of in (min, np.median, max))
    text = (
        f"From the second to last length to the end, FVD of a row changed by {middle:+.0f} % (median of {len(changes)}"
        f" rows; {least:+.0f} to {most:+.0f} %)."
    )
    if falling:
        text += f" It is still falling by more than {100 * FLAT:.0f} % for {join(falling)}"
        text += f", and about flat for {join(flat)}: longer trainings may change the order." if flat else "."
    return signed(text)
