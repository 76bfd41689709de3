"""The results of a dataset in sentences, made from the numbers alone."""

from collections.abc import Sequence

from fca.report.collect import DatasetResult, VariantResult
from fca.report.format import join, percent
from fca.report.metrics import FVD, OPPOSITE_TASK, TASK, find
from fca.report.score_file import Score, ScoreFile


def sentence(dataset: DatasetResult) -> str:
    """The results of one dataset in one or two sentences."""
    lead = dataset.lead
    if lead is None or lead.scores is None:
        return f"On {dataset.name} nothing has been scored yet."
    if dataset.outdated:
        return f"On {dataset.name} nothing can be said: {dataset.outdated[0]}"
    title, value = lead.variant.title, find(lead.scores, FVD)
    if value is None:
        return f"On {dataset.name} {title} has no FVD yet."

    # Only scores of the same protocol and network are compared.
    others = [
        (result, score)
        for result in dataset.variants
        if result.scores and result is not lead and (score := find(result.scores, FVD))
        if score.name == value.name and result.scores.network_sha256 == lead.scores.network_sha256
    ]
    parts = [f"{FVD.write(score.value)} for {_called(result)}" for result, score in others]
    text = f"On {dataset.name} {title} reaches FVD {FVD.write(value.value)}"
    text += f" against {join(parts)} (lower is better)" if parts else "; there is nothing to compare it with"
    return text + "." + _verdict(value, others) + _obeyed(lead.scores)


def _verdict(value: Score, others: Sequence[tuple[VariantResult, Score]]) -> str:
    """The verdict of the intervals."""
    unsure = [_called(result) for result, score in others if value.overlaps(score)]
    ahead = [_called(result) for result, score in others if not value.overlaps(score) and value.value < score.value]
    behind = [_called(result) for result, score in others if not value.overlaps(score) and value.value >= score.value]
    if others and len(ahead) == len(others):
        return " The intervals do not overlap." if value.interval else ""
    verdicts = [f"better than {join(ahead)}"] if ahead else []
    verdicts += [f"worse than {join(behind)}"] if behind else []
    verdicts += [f"not distinguishable from {join(unsure)} (the intervals overlap)"] if unsure else []
    return f" It is {join(verdicts)}." if verdicts else ""


def _called(result: VariantResult) -> str:
    """A variant's name inside a sentence."""
    if result.variant.prediction == "repeat":
        return "the copy-last-frame baseline"
    return "the unadapted base" if result.variant.name == "base" else result.variant.title


def _obeyed(scores: ScoreFile) -> str:
    asked, opposite = find(scores, TASK), find(scores, OPPOSITE_TASK)
    if asked is None:
        return ""
    text = f" The requested task is found in {percent(asked.value)} of its predictions"
    if opposite is not None:
        text += f", the opposite one in {percent(opposite.value)} when the caption asks for that"
    return text + "."
