"""Score a variant's predictions of a dataset: a JSON file of numbers with their intervals and protocol."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from fca.artifacts.atomic import write_text
from fca.artifacts.fingerprint import made_by
from fca.artifacts.finite import finite
from fca.config import Config, Layout
from fca.score import motion
from fca.score.feature_cache import FeatureCache
from fca.score.features import FeatureNetwork, load_network
from fca.score.frechet import Features, frechet_distance, seer_frechet_distance
from fca.score.interval import (
    Interval,
    bootstrap_interval,
    mean_interval,
    random_halves,
    resampling_counts,
    small_sample_bias,
)
from fca.score.kernel import centred, kernel_distance, resampled_kernel_distances
from fca.score.pairs import Pairs, with_initial_frames
from fca.score.pixels import flaw, psnr, ssim
from fca.score.protocol import check, protocol, protocol_sha256, score_name


def score(config: Config, dataset: str, variant: str) -> Path:
    """Compare the samples of `variant` with the validation clips of `dataset`; return the score file's path.

    The same shards, configuration and feature network give the same bytes.

    Raises:
        FcaError: shards are missing or don't belong together, the feature network is not the expected one, or a
            feature or score is not finite.
    """
    layout = Layout(config)
    kinds = layout.sample_kinds(dataset, variant)
    pairs = Pairs(config, dataset, variant, "validation")
    opposite = Pairs(config, dataset, variant, "opposite") if "opposite" in kinds else None
    network = load_network(config.features.network, config.features.sha256)
    check(config, network)
    scores_motion = motion.knows_motions(network.classes, config.datasets[dataset].source)

    def cache(name: str, of: Pairs, parents: dict[str, str]) -> FeatureCache:
        return FeatureCache(layout.feature_cache(dataset, name), network, of.ids, parents, of.initial_frames)

    # Measure every pair once; predictions from opposite captions only show their motion.
    stem = f"{variant}-validation"
    measured = measure(
        pairs,
        cache("truth", pairs, pairs.truth_parents),
        cache(f"{stem}-initial_from_truth", pairs, pairs.parents),
        cache(f"{stem}-raw", pairs, pairs.parents),
        config.score.batch_size,
        scores_motion,
    )
    flipped: list[dict[str, Any]] = []
    if opposite and scores_motion:
        features = cache(f"{variant}-opposite-initial_from_truth", opposite, opposite.parents)
        flipped = find_motions(opposite, features, config.score.batch_size)

    counts = resampling_counts(len(pairs), config.score.bootstrap, config.seed)
    stated = protocol(config, dataset, network, len(pairs))
    results = {
        "dataset": dataset,
        "variant": variant,
        "count": len(pairs),
        "protocol": stated,
        "protocol_sha256": protocol_sha256(stated),
        "feature_network": {"name": network.name, "sha256": network.sha256},
        "scores": {
            **common_scores(measured, network.name, config, dataset, counts),
            "motion_accuracy": obeyed(measured.clips, config.score.confidence),
            "opposite_motion_accuracy": obeyed(flipped, config.score.confidence),
        },
        "reference": reference(measured, network, config, dataset),
        "psnr_per_frame": measured.psnr.mean(0),
        "ssim_per_frame": measured.ssim.mean(0),
        "clips": measured.clips,
        "opposite": flipped,
        "quarantine": [asdict(row) for row in pairs.quarantine],
        "parents": pairs.parents | (opposite.parents if opposite else {}),
        "made_by": made_by(config, "score", dataset, variant),
    }
    return write_json(layout.scores(dataset, variant), rounded(results))


def write_json(path: Path, values: dict[str, Any]) -> Path:
    """Write a file of scores, complete or not at all; return its path.

    Raises:
        FcaError: a number isn't finite; it is named.
    """
    named = dict(_numbers(values))
    finite(np.array([*named.values()]), f"scores for {path}", [*named])
    return write_text(path, json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every float in nested values with its dotted name; an item of a list is named by its id or position."""
    if isinstance(value, float):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            own = item.get("id", position) if isinstance(item, dict) else position
            yield from _numbers(item, f"{name}.{own}")


@dataclass
class Measured:
    """The results of one pass over n clips with p predicted frames; motions are empty if they can't be scored."""

    truth: Features
    """(n, d)"""
    prediction: Features
    """(n, d), the initial frames replaced by the ground truth."""
    raw: Features
    """(n, d), as the model made them."""
    psnr: NDArray[np.float64]
    """(n, p)"""
    ssim: NDArray[np.float64]
    """(n, p)"""
    clips: list[dict[str, Any]] = field(default_factory=list)
    truth_motions: list[str] = field(default_factory=list)


def measure(
    pairs: Pairs, truth: FeatureCache, prediction: FeatureCache, raw: FeatureCache, batch_size: int, scores_motion: bool
) -> Measured:
    """Measure every pair: features of ground truth and prediction, PSNR and SSIM of predicted frames, motion."""
    initial = pairs.initial_frames
    psnrs, ssims = [], []
    clips: list[dict[str, Any]] = []
    truth_motions: list[str] = []
    classes = truth.network.classes if scores_motion else None
    with tqdm(total=len(pairs), desc="score", unit="clip", disable=None) as bar:
        for batch in pairs.batches(batch_size):
            of_truth = truth.take(batch.truth, batch_size)
            scored = prediction.take(with_initial_frames(batch.prediction, batch.truth, initial), batch_size)
            raw.take(batch.prediction, batch_size)
            found: list[str | None] = [None] * len(batch.ids)
            if classes:
                found = [*motion.found_motions(scored.logits, classes)]
                truth_motions += motion.found_motions(of_truth.logits, classes)

            for row, name in enumerate(batch.ids):
                psnrs.append(psnr(batch.prediction[row, initial:], batch.truth[row, initial:]))
                ssims.append(ssim(batch.prediction[row, initial:], batch.truth[row, initial:]))
                clips.append(
                    {
                        "id": name,
                        "caption": batch.captions[row],
                        "psnr": psnrs[-1].mean(),
                        "ssim": ssims[-1].mean(),
                        "flaw": flaw(batch.prediction[row, initial:], batch.truth[row, initial:]),
                        "motion_asked": motion.asked_motion(batch.captions[row]) if scores_motion else None,
                        "motion_found": found[row],
                    }
                )
            bar.update(len(batch.ids))
    features = truth.save().features, prediction.save().features, raw.save().features
    return Measured(*features, np.stack(psnrs), np.stack(ssims), clips, truth_motions)


def find_motions(pairs: Pairs, cache: FeatureCache, batch_size: int) -> list[dict[str, Any]]:
    """Requested and found motion of every prediction, with initial frames from the ground truth."""
    rows = []
    for batch in pairs.batches(batch_size):
        frames = with_initial_frames(batch.prediction, batch.truth, pairs.initial_frames)
        found = motion.found_motions(cache.take(frames, batch_size).logits, cache.network.classes or ())
        for name, caption, motion_found in zip(batch.ids, batch.captions, found, strict=True):
            asked = motion.asked_motion(caption)
            rows.append({"id": name, "caption": caption, "motion_asked": asked, "motion_found": motion_found})
    cache.save()
    return rows


def common_scores(
    measured: Measured, network: str, config: Config, dataset: str, counts: NDArray[np.int64]
) -> dict[str, Interval]:
    """FVD and KVD by definition and as Seer computes them, of the predictions with ground-truth initial frames and as
    the model made them; PSNR and SSIM."""
    truth, confidence = measured.truth, config.score.confidence
    several = (counts > 0).sum(1) > 1  # a clip drawn alone has no other to compare with

    def kvd(truth: Features, prediction: Features) -> Interval:
        resampled = resampled_kernel_distances(truth, prediction, counts[several])
        return bootstrap_interval(kernel_distance(truth, prediction), resampled, confidence)

    predicted = config.clip.frames - config.datasets[dataset].initial_frames
    scores = {
        "psnr": mean_interval(measured.psnr[:, -predicted:].mean(1), counts, confidence),
        "ssim": mean_interval(measured.ssim[:, -predicted:].mean(1), counts, confidence),
    }
    for prediction, raw in ((measured.prediction, False), (measured.raw, True)):
        draws = (np.repeat(np.arange(len(truth)), times) for times in counts)
        resampled = np.array([frechet_distance(truth[rows], prediction[rows]) for rows in draws])
        fvd = bootstrap_interval(frechet_distance(truth, prediction), resampled, confidence, least=0.0)
        bias = small_sample_bias(frechet_distance, truth, prediction, config.seed)
        # Seer's differs by rounding alone, so it gets the interval and bias of the definition at its own value.
        seer = seer_frechet_distance(truth, prediction)
        found = {
            "fvd": replace(fvd, bias=bias),
            "fvd_seer": Interval(seer, seer + fvd.low - fvd.value, seer + fvd.high - fvd.value, bias),
            "kvd": kvd(truth, prediction),
            "kvd_seer": kvd(centred(truth), centred(prediction)),
        }
        scores |= {score_name(key, network, len(truth), config, dataset, raw): one for key, one in found.items()}
    return scores


def obeyed(rows: list[dict[str, Any]], confidence: float) -> Interval | None:
    """Motion accuracy of the rows; None if motion was not scored."""
    asked = [row["motion_asked"] for row in rows]
    if not rows or None in asked:
        return None
    return motion.motion_accuracy(asked, [row["motion_found"] for row in rows], confidence)


def reference(measured: Measured, network: FeatureNetwork, config: Config, dataset: str) -> dict[str, Any]:
    """The best possible scores with so few clips and this network: the ground truth scored against itself."""
    half = len(measured.truth) // 2
    halves = [
        frechet_distance(measured.truth[one], measured.truth[other])
        for one, other in random_halves(len(measured.truth), config.seed)
    ]
    accuracy = None
    if measured.truth_motions:
        asked = [row["motion_asked"] for row in measured.clips]
        accuracy = motion.motion_accuracy(asked, measured.truth_motions, config.score.confidence)
    return {
        "fvd_truth_halves": {
            "name": score_name("fvd", network.name, half, config, dataset),
            "value": float(np.mean(halves)) if halves else None,
            "halvings": len(halves),
        },
        "motion_accuracy_of_truth": accuracy,
    }


def rounded(value: Any) -> Any:
    """Plain JSON values with floats of six significant digits, more than the precision of any score."""
    if isinstance(value, Interval):
        return rounded({key: item for key, item in asdict(value).items() if item is not None})
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float | np.floating) else value
