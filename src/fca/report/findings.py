"""What the numbers of a dataset say, in sentences made from the numbers and from nothing else."""

from collections.abc import Sequence

from fca.report.collect import DatasetResult, VariantResult
from fca.report.metrics import METRICS, find, join, percent
from fca.report.score_file import Score, ScoreFile


def sentence(dataset: DatasetResult) -> str:
    """What the numbers of one dataset say, in one or two sentences."""
    lead = dataset.lead
    if lead is None or lead.scores is None:
        return f"On {dataset.name} nothing has been scored yet."
    if dataset.outdated:
        return f"On {dataset.name} nothing can be said: {dataset.outdated[0]}"
    metric = METRICS[0]
    value = find(lead.scores, metric)
    title = lead.variant.title
    if value is None:
        return f"On {dataset.name} {title} has no FVD yet."
    others = [
        (result, score)
        for result in dataset.variants
        if result.scores and result is not lead and (score := find(result.scores, metric))
        if score.name == value.name and result.scores.network_sha256 == lead.scores.network_sha256
    ]
    parts = [f"{metric.write(score.value)} for {_called(result)}" for result, score in others]
    text = f"On {dataset.name} {title} reaches FVD {metric.write(value.value)}"
    text += f" against {join(parts)} (lower is better)" if parts else "; there is nothing to compare it with"
    return text + "." + _verdict(value, others) + _obeyed(lead.scores)


def _verdict(value: Score, others: Sequence[tuple[VariantResult, Score]]) -> str:
    """How sure the comparison is: what the intervals say."""
    ahead: list[str] = []
    unsure: list[str] = []
    behind: list[str] = []
    for result, score in others:
        where = unsure if overlap(value, score) else ahead if value.value < score.value else behind
        where.append(_called(result))
    if others and len(ahead) == len(others):
        return " The intervals do not overlap." if value.interval else ""
    verdicts = [f"better than {join(ahead)}"] if ahead else []
    verdicts += [f"worse than {join(behind)}"] if behind else []
    verdicts += [f"not told apart from {join(unsure)} (the intervals overlap)"] if unsure else []
    return f" It is {join(verdicts)}." if verdicts else ""


def overlap(one: Score, other: Score) -> bool:
    """Whether two intervals overlap; without intervals, whether the values are equal."""
    low, high = one.interval or (one.value, one.value)
    other_low, other_high = other.interval or (other.value, other.value)
    return low <= other_high and other_low <= high


def _called(result: VariantResult) -> str:
    """A variant's name inside a sentence."""
    if result.variant.prediction == "repeat":
        return "repeating the last given frame"
    return "the unadapted base" if result.variant.name == "base" else result.variant.title


def _obeyed(scores: ScoreFile) -> str:
    asked, opposite = (find(scores, metric) for metric in METRICS[-2:])
    if asked is None:
        return ""
    text = f" The asked motion is found in {percent(asked.value)} of its predictions"
    if opposite is not None:
        text += f", the opposite one in {percent(opposite.value)} when the caption asks for that"
    return text + "."
