"""Score a variant's predictions of a dataset: a JSON file of numbers with their intervals and protocol."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from fca.artifacts.atomic import write_text
from fca.artifacts.fingerprint import made_by
from fca.artifacts.finite import finite
from fca.artifacts.measured import measured as measuring
from fca.config import Config, Layout
from fca.score.achieved import achieved
from fca.score.draws import distances, draws_of_mean
from fca.score.feature_cache import FeatureCache
from fca.score.features import FeatureNetwork, load_network
from fca.score.frechet import Features, frechet_distance
from fca.score.interval import Interval, bootstrap_interval, random_halves, resampling_counts
from fca.score.pairs import Pairs, with_initial_frames
from fca.score.pixels import flaw, psnr, ssim
from fca.score.protocol import Setup, check, protocol, protocol_sha256
from fca.score.task import Tasks, known_tasks, task_accuracy


def score(config: Config, dataset: str, variant: str) -> Path:
    """Compare the samples of `variant` with the validation clips of `dataset`; return the score file's path.

    The same shards, configuration and feature network give the same bytes.

    Raises:
        FcaError: shards are missing or don't belong together, the feature network is not the expected one, or a
            feature or score is not finite.
    """
    layout = Layout(config)
    kinds, shards = layout.sample_kinds(dataset, variant), layout.shards(dataset, "validation")
    pairs = Pairs(config, dataset, variant, "validation")
    opposite = Pairs(config, dataset, variant, "opposite", shards) if "opposite" in kinds else None
    network = load_network(config.features.network, config.features.sha256)
    check(config.clip.frames, network)
    tasks = known_tasks(network.classes, config.datasets[dataset])

    # Measure every pair once, and keep the features of a finished shard; predictions from opposite captions only show
    # their task.
    parts: list[Measured] = []
    flipped: list[dict[str, Any]] = []
    bar = tqdm(total=len(pairs), desc="score", unit="clip")
    with bar, measuring(config, "score", dataset, variant) as work:
        for shard in shards:
            parts.append(measure(config, dataset, variant, shard, network, tasks, bar))
            work.clips += len(parts[-1].psnr) - parts[-1].cached
    measured = joined(parts)
    if opposite and tasks:
        for shard in shards:
            own = Pairs(config, dataset, variant, "opposite", [shard])
            cache = _cache(layout, dataset, f"{variant}-opposite-{TRUTH_FIRST}", shard, own, network)
            flipped += find_tasks(own, cache, tasks, config.score.batch_size)

    setup = Setup.of(config, dataset, network)
    reached = achieved(config, dataset, variant)
    stated = protocol(config, dataset, network, len(pairs)) | reached.stated
    results = {
        "dataset": dataset,
        "variant": variant,
        "count": len(pairs),
        "protocol": stated,
        "protocol_sha256": protocol_sha256(stated),
        "feature_network": {"name": network.name, "sha256": network.sha256},
        "scores": {
            **common_scores(measured, setup),
            "task_accuracy": obeyed(measured.clips, config.score.confidence),
            "opposite_task_accuracy": obeyed(flipped, config.score.confidence),
            **reached.scores,
        },
        "reference": reference(measured, setup) | {"achieved": reached.of_truth},
        "psnr_per_frame": measured.psnr.mean(0),
        "ssim_per_frame": measured.ssim.mean(0),
        "clips": [clip | own for clip, own in zip(measured.clips, reached.clips, strict=True)],
        "by_task": reached.by_task,
        "paths": reached.paths,
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
    """What n clips with p predicted frames were measured to be; tasks are empty if they can't be scored."""

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
    truth_tasks: list[str] = field(default_factory=list)
    cached: int = 0
    """Clips whose predictions' features were found in a cache."""


def joined(parts: Sequence[Measured]) -> Measured:
    """The results of several shards as those of one."""
    names = ("truth", "prediction", "raw", "psnr", "ssim")
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    clips = [clip for part in parts for clip in part.clips]
    return Measured(**columns, clips=clips, truth_tasks=[found for part in parts for found in part.truth_tasks])


TRUTH_FIRST = "initial_from_truth"
"""Features of predictions whose initial frames were replaced by the ground truth."""


def _cache(layout: Layout, dataset: str, name: str, shard: int, pairs: Pairs, network: FeatureNetwork) -> FeatureCache:
    parents = pairs.truth_parents if name == "truth" else pairs.parents
    path = layout.feature_cache(dataset, name, shard)
    return FeatureCache(path, network, pairs.ids, parents, pairs.initial_frames)


def measure(
    config: Config, dataset: str, variant: str, shard: int, network: FeatureNetwork, tasks: Tasks | None, bar: tqdm
) -> Measured:
    """Measure the pairs of a shard: features of ground truth and predictions, PSNR, SSIM and task of predictions."""
    pairs = Pairs(config, dataset, variant, "validation", [shard])
    initial, batch_size = pairs.initial_frames, config.score.batch_size
    names = "truth", f"{variant}-validation-{TRUTH_FIRST}", f"{variant}-validation-raw"
    truth, prediction, raw = (_cache(Layout(config), dataset, name, shard, pairs, network) for name in names)
    psnrs, ssims = [np.empty((0, config.clip.frames - initial))], [np.empty((0, config.clip.frames - initial))]
    clips: list[dict[str, Any]] = []
    truth_tasks: list[str] = []
    for batch in pairs.batches(batch_size):
        of_truth = truth.take(batch.truth, batch_size)
        scored = prediction.take(with_initial_frames(batch.prediction, batch.truth, initial), batch_size)
        raw.take(batch.prediction, batch_size)
        found: list[str | None] = [None] * len(batch.ids)
        if tasks:
            found = [*tasks.found(scored.logits)]
            truth_tasks += tasks.found(of_truth.logits)

        for row, name in enumerate(batch.ids):
            predicted, expected = batch.prediction[row, initial:], batch.truth[row, initial:]
            psnrs.append(psnr(predicted, expected)[None])
            ssims.append(ssim(predicted, expected)[None])
            clips.append(
                {
                    "id": name,
                    "caption": batch.captions[row],
                    "psnr": psnrs[-1].mean(),
                    "ssim": ssims[-1].mean(),
                    "flaw": flaw(predicted, expected),
                    "task_asked": tasks.asked(name) if tasks else None,
                    "task_found": found[row],
                }
            )
        bar.update(len(batch.ids))
    cached = len(clips) if prediction.cached is not None else 0
    features = truth.save().features, prediction.save().features, raw.save().features
    return Measured(*features, np.concatenate(psnrs), np.concatenate(ssims), clips, truth_tasks, cached)


def find_tasks(pairs: Pairs, cache: FeatureCache, tasks: Tasks, batch_size: int) -> list[dict[str, Any]]:
    """Opposite and found task of every prediction, with initial frames from the ground truth."""
    rows = []
    for batch in pairs.batches(batch_size):
        frames = with_initial_frames(batch.prediction, batch.truth, pairs.initial_frames)
        found = tasks.found(cache.take(frames, batch_size).logits)
        for name, caption, task in zip(batch.ids, batch.captions, found, strict=True):
            asked = tasks.asked(name, opposite=True)
            rows.append({"id": name, "caption": caption, "task_asked": asked, "task_found": task})
    cache.save()
    return rows


def common_scores(measured: Measured, setup: Setup) -> dict[str, Interval]:
    """FVD and KVD by definition and as Seer computes them, of the predictions with ground-truth initial frames and as
    the model made them; PSNR and SSIM."""
    counts = resampling_counts(len(measured.truth), setup.resamplings, setup.seed)
    predicted = setup.frames - setup.initial_frames
    drawn = {
        "psnr": draws_of_mean(measured.psnr[:, -predicted:].mean(1), counts),
        "ssim": draws_of_mean(measured.ssim[:, -predicted:].mean(1), counts),
    } | distances(measured.truth, measured.prediction, measured.raw, setup, counts)
    return {
        name: replace(bootstrap_interval(one.value, one.resampled, setup.confidence, one.least), bias=one.bias)
        for name, one in drawn.items()
    }


def obeyed(rows: list[dict[str, Any]], confidence: float) -> Interval | None:
    """Task accuracy of the rows; None if there are none or tasks were not scored."""
    asked = [row["task_asked"] for row in rows]
    if not rows or None in asked:
        return None
    return task_accuracy(asked, [row["task_found"] for row in rows], confidence)


def reference(measured: Measured, setup: Setup) -> dict[str, Any]:
    """The best possible scores with so few clips and this network: the ground truth scored against itself."""
    half = len(measured.truth) // 2
    halves = [
        frechet_distance(measured.truth[one], measured.truth[other])
        for one, other in random_halves(len(measured.truth), setup.seed)
    ]
    accuracy = None
    if measured.truth_tasks:
        asked = [row["task_asked"] for row in measured.clips]
        accuracy = task_accuracy(asked, measured.truth_tasks, setup.confidence)
    return {
        "fvd_truth_halves": {
            "name": setup.name("fvd", half),
            "value": float(np.mean(halves)) if halves else None,
            "halvings": len(halves),
        },
        "task_accuracy_of_truth": accuracy,
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
