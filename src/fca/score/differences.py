"""Differences between the variants of a comparison, in pairs: the same clips and noise, replicate by replicate."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fca.artifacts.fingerprint import made_by
from fca.config import Config, Layout
from fca.config.comparisons import COMPARISONS, comparison_config
from fca.errors import FcaError
from fca.score.draws import Draws
from fca.score.features import load_network
from fca.score.interval import Values, bootstrap_interval, p_value, parts_of, replicates_interval
from fca.score.replicates import draws_of_trainings
from fca.score.score import rounded, write_json

HIGHER = ("psnr", "ssim", "task_accuracy", "opposite_task_accuracy", "objects_kept")
"""Scores of which more is better"""


@dataclass(frozen=True)
class Difference:
    """How much higher a score of `a` is than that of `b`."""

    a: str
    b: str
    value: float
    low: float
    high: float
    p: float
    """Two-sided: how often chance alone makes a difference as large"""
    p_corrected: float
    """The same, corrected for the number of pairs (Holm 1979)"""
    a_is_better: float
    """Confidence, one-sided and not corrected, that `a` is better: 1 - p/2, or p/2 if it looks worse"""
    verdict: str


def compare_variants(config: Config, dataset: str, name: str) -> Path:
    """Write the differences between every two variants of a comparison (`table3`) on a dataset; return the file.

    Raises:
        FcaError: the comparison isn't configured for the dataset, or a variant isn't scored.
    """
    shown = comparison_config(config, name)
    if dataset not in shown.datasets:
        raise FcaError(f"{name} isn't made on {dataset}", f"one of {', '.join(shown.datasets)}")

    network = load_network(config.features.network, config.features.sha256)
    drawn: dict[str, list[dict[str, Draws | None]]] = {}
    parents: dict[str, str] = {}
    for variant in tqdm(shown.variants, desc=f"{name} {dataset}: compare", unit="variant"):
        drawn[variant], own = draws_of_trainings(config, dataset, variant, network)
        parents |= own

    scores = [score for score in next(iter(drawn.values()))[0] if not score.endswith("_raw")]
    confidence = config.score.confidence
    values = {
        "comparison": name,
        "title": COMPARISONS[name].title,
        "dataset": dataset,
        "trainings": {variant: len(own) for variant, own in drawn.items()},
        "confidence": confidence,
        "scores": {
            score: [asdict(one) for one in differences({name: [each[score] for each in own] for name, own in
                                                        drawn.items()}, confidence, score in HIGHER)]
            for score in scores
        },
        "parents": parents,
        "made_by": made_by(config, "score", dataset),
    }  # fmt: skip
    return write_json(Layout(config).differences(dataset, name), rounded(values))


def differences(
    drawn: Mapping[str, Sequence[Draws | None]],
    confidence: float,
    higher_is_better: bool,
    asked: Sequence[tuple[str, str]] | None = None,
) -> list[Difference]:
    """The differences of one score between every two variants that have it, corrected for their number.

    Args:
        drawn: variant -> its score in each training, with the same resampled clips for all.
        asked: these pairs alone.
    """
    known = {name: [one for one in own if one is not None] for name, own in drawn.items()}
    pairs = list(combinations([name for name, own in known.items() if own], 2))
    if asked is not None:
        pairs = [(a, b) for a, b in asked if known.get(a) and known.get(b)]
    found = [difference_of(known[a], known[b], confidence) for a, b in pairs]
    corrected = holm([p for *_, p in found])
    result = []
    for (a, b), (value, low, high, p), p_corrected in zip(pairs, found, corrected, strict=True):
        likely = 1 - p / 2 if (value > 0) == higher_is_better else p / 2
        better = a if (value > 0) == higher_is_better else b
        told = value != 0 and p_corrected < 1 - confidence
        verdict = f"{better} is better" if told else "no difference can be told"
        result.append(Difference(a, b, value, low, high, p, p_corrected, 0.5 if value == 0 else likely, verdict))
    return result


def difference_of(a: Sequence[Draws], b: Sequence[Draws], confidence: float) -> tuple[float, float, float, float]:
    """Value, both ends of the interval, and p of the score of `a` minus that of `b`.

    With several trainings of both, training k of one is paired with training k of the other. What isn't trained is
    compared with each training of the other. With one training of each, only the choice of clips counts.
    """
    trainings = max(len(a), len(b))
    if min(len(a), len(b)) not in (1, trainings):
        raise FcaError(f"variants have {len(a)} and {len(b)} trainings", "the same number, or one")
    size = min(len(one.resampled) for one in (*a, *b))
    values = np.array([one.value for one in a]) - np.array([one.value for one in b])
    resampled = np.array([one.resampled[:size] for one in a]) - np.array([one.resampled[:size] for one in b])
    if trainings == 1:
        found = bootstrap_interval(float(values[0]), resampled[0], confidence)
        return found.value, found.low, found.high, _p_of_draws(float(values[0]), resampled[0])
    clips = a[0].clips
    together = replicates_interval(values, resampled, clips, confidence)
    return together.value, together.low, together.high, p_value(together.value, parts_of(values, resampled, clips))


def _p_of_draws(value: float, resampled: Values) -> float:
    """Two-sided p of a difference from resampled clips, never zero."""
    shifted = resampled - resampled.mean()
    return (1 + int((np.abs(shifted) >= abs(value)).sum())) / (1 + len(shifted))


def holm(ps: Sequence[float]) -> list[float]:
    """p values corrected for their number: Holm's step-down (1979), so that all verdicts hold together."""
    order, corrected, largest = sorted(range(len(ps)), key=lambda n: ps[n]), [1.0] * len(ps), 0.0
    for place, number in enumerate(order):
        largest = max(largest, min(1.0, (len(ps) - place) * ps[number]))
        corrected[number] = largest
    return corrected
