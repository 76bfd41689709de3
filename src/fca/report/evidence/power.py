"""What the experiment could have seen, and how large one at the paper's scale must be: in words and tables."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from fca.config.comparisons import COMPARISONS, SSV2
from fca.report.evidence.answers import Pair, Row
from fca.report.format import percent, signed
from fca.report.metrics import FVD
from fca.score.power import Spread, smallest_difference, trainings_needed

CLIPS = (54, 512, 2048)
TRAININGS = (2, 3, 5, 10)
PAPER_CLIPS = 2048


def relative_spread(pairs: Sequence[Pair]) -> Spread | None:
    """The spread of differences in FVD over the smaller FVD of both rows, pooled over all pairs of trained rows."""
    found = []
    for pair in pairs:
        if pair.metric != FVD or pair.trainings < 2 or not (pair.a.trains and pair.b.trains):
            continue
        least = min(*pair.a.end(FVD), *pair.b.end(FVD))
        if least > 0:
            found.append((pair.spread.between / least, pair.spread.within / least))
    if not found:
        return None
    between, within = np.sqrt(np.square(found).mean(axis=0))
    return Spread(float(between), float(within))


def power_section(pairs: Sequence[Pair], confidence: float) -> list[str]:
    """The lines of the section."""
    claims = {(pair.a.key, pair.b.key) for pair in pairs if pair.question.claim}
    spread, count = relative_spread(pairs), max(1, len(claims))
    if spread is None:
        return ["This needs at least one pair of rows with two trainings each, which are not recorded yet."]
    lines = [
        f"Between trainings, the difference of two rows in FVD has a standard deviation of {percent(spread.between)} of"
        f" the better row's FVD (pooled over all pairs of trained rows); between single clips, of"
        f" {percent(spread.within)}. The table has the smallest true difference, as a share of the better FVD, that is"
        f" told from chance in four of five experiments, with {count} pairs corrected together. It assumes that these"
        " shares stay the same with more clips and trainings; at the paper's scale they may not.",
        "",
        "| trainings of each row | " + " | ".join(f"{clips:,} clips" for clips in CLIPS) + " |",
        "|---|" + "---|" * len(CLIPS),
    ]
    for trainings in TRAININGS:
        sizes = [percent(smallest_difference(spread, clips, trainings, count, confidence)) for clips in CLIPS]
        lines.append(f"| {trainings} | {' | '.join(sizes)} |")
    return [*lines, "", *_paper(spread, count, confidence)]


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


def flatness(rows: Mapping[str, Row]) -> str:
    """How much FVD still changed between the last two lengths."""
    changes = []
    for row in rows.values():
        curve = row.curve(FVD)
        if len(curve) > 1:
            (_, before), (_, last) = list(curve.items())[-2:]
            changes.append((np.mean(last) - np.mean(before)) / np.mean(before))
    if not changes:
        return "No row has models of several lengths yet, so nothing is known of how many steps are enough."
    typical = float(np.median(changes))
    word = "is still falling: longer trainings may change the answers" if typical < -0.05 else "is about flat"
    return (
        signed(
            f"From the second to last length to the end, FVD of a row changed by {100 * typical:+.0f} % (median of"
            f" {len(changes)} rows; {100 * min(changes):+.0f} to {100 * max(changes):+.0f} %): it {word}."
        )
        if math.isfinite(typical)
        else ""
    )
