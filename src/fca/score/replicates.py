"""The scores of a variant's trainings together: `train.replicates` of them, which differ in their seed alone.

All replicates predict the same clips from the same noise, so what differs between their scores is the training.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from fca.artifacts.fingerprint import made_by
from fca.config import Config, Layout
from fca.errors import FcaError
from fca.score.achieved import POSITION_ERRORS, values_of
from fca.score.draws import Draws, distances, draws_of_mean
from fca.score.feature_cache import FeatureCache
from fca.score.features import FeatureNetwork, load_network
from fca.score.interval import Interval, replicates_interval, resampling_counts
from fca.score.pairs import Pairs
from fca.score.protocol import Setup
from fca.score.score import TRUTH_FIRST, rounded, write_json


def score_replicates(config: Config, dataset: str, variant: str) -> Path:
    """Write the scores of all trainings of `variant` as one score file; return its path.

    Every score is the mean over the trainings, with an interval for the choice of clips and trainings together
    (`fca.score.interval.replicates_interval`) and the standard deviation between trainings. Numbers of single clips
    are those of the first training, whose predictions the report shows; `replicates` has the scores of each.

    Raises:
        FcaError: there is one training only, one isn't scored yet, or their scores don't belong together.
    """
    names, layout = config.replicates(variant), Layout(config)
    if len(names) < 2:
        raise FcaError(f"{variant} has one training", "several", "set train.replicates in the configuration")
    files = [read_scores(layout.scores(dataset, name)) for name in names]
    first = files[0]
    if any(own["protocol_sha256"] != first["protocol_sha256"] or _ids(own) != _ids(first) for own in files):
        raise FcaError(
            f"the trainings of {variant} on {dataset} were scored on other clips or by other protocols",
            "the same for each", "run the workflow again",
        )  # fmt: skip

    network = load_network(config.features.network, config.features.sha256)
    drawn, parents = draws_of_trainings(config, dataset, variant, network)
    values = first | {
        "scores": {score: _together([own[score] for own in drawn], first, config, score) for score in first["scores"]},
        "psnr_per_frame": np.mean([own["psnr_per_frame"] for own in files], axis=0),
        "ssim_per_frame": np.mean([own["ssim_per_frame"] for own in files], axis=0),
        "replicates": {
            name: {score: found and found["value"] for score, found in own["scores"].items()}
            for name, own in zip(names, files, strict=True)
        },
        "parents": parents,
        "made_by": made_by(config, "score", dataset, variant),
    }
    return write_json(layout.replicates_scores(dataset, variant), rounded(values))


def draws_of_trainings(
    config: Config, dataset: str, variant: str, network: FeatureNetwork
) -> tuple[list[dict[str, Draws | None]], dict[str, str]]:
    """Every score of each training of a variant with its values for resampled clips; and what was scored.

    Raises:
        FcaError: a training isn't scored, or the features that its scores are made of are gone.
    """
    names = config.replicates(variant)
    files = [read_scores(Layout(config).scores(dataset, name)) for name in names]
    found = [draws_of_training(config, dataset, name, own, network) for name, own in zip(names, files, strict=True)]
    return found, {path: content for own in files for path, content in own["parents"].items()}


def draws_of_training(
    config: Config, dataset: str, name: str, file: dict[str, Any], network: FeatureNetwork
) -> dict[str, Draws | None]:
    """Every score of one training with its values for resampled clips; `file`: its scores.

    Raises:
        FcaError: the features that its scores are made of are gone.
    """
    counts = resampling_counts(len(file["clips"]), config.score.bootstrap, config.seed)
    found: dict[str, Draws | None] = dict.fromkeys(file["scores"])
    for score in ("psnr", "ssim"):
        found[score] = draws_of_mean(np.array([clip[score] for clip in file["clips"]]), counts)
    for score, rows in (("task_accuracy", file["clips"]), ("opposite_task_accuracy", file["opposite"])):
        if file["scores"][score] is not None:
            obeyed = np.array([float(row["task_asked"] == row["task_found"]) for row in rows])
            found[score] = draws_of_mean(obeyed, counts if len(obeyed) == counts.shape[1] else _counts(config, obeyed))
    for score in (*POSITION_ERRORS, "objects_kept"):
        if score in file["scores"]:
            values = values_of(file["clips"], score)
            found[score] = draws_of_mean(values, _counts(config, values))
    truth, prediction, raw = _features(config, dataset, name, network)
    return {**found, **distances(truth, prediction, raw, Setup.of(config, dataset, network), counts)}


def _counts(config: Config, rows: np.ndarray) -> np.ndarray:
    return resampling_counts(len(rows), config.score.bootstrap, config.seed)


def _features(config: Config, dataset: str, name: str, network: FeatureNetwork) -> list[np.ndarray]:
    """The features (n, d) that `fca score` left: of the ground truth, of predictions, and of raw predictions."""
    columns: list[list[np.ndarray]] = [[], [], []]
    for shard in Layout(config).shards(dataset, "validation"):
        pairs = Pairs(config, dataset, name, "validation", [shard])
        kinds = ("truth", f"{name}-validation-{TRUTH_FIRST}", f"{name}-validation-raw")
        for column, kind in zip(columns, kinds, strict=True):
            path = Layout(config).feature_cache(dataset, kind, shard)
            parents = pairs.truth_parents if kind == "truth" else pairs.parents
            cache = FeatureCache(path, network, pairs.ids, parents, pairs.initial_frames)
            if cache.cached is None:
                raise FcaError(
                    f"{path} was removed or changed since `fca score`", "the features of these clips",
                    f"run `fca score` for {dataset} {name} again",
                )  # fmt: skip
            column.append(cache.cached.features)
    return [np.concatenate(column) for column in columns]


def _together(drawn: list[Draws | None], first: dict[str, Any], config: Config, score: str) -> Interval | None:
    """A score of all trainings; None if it wasn't measured."""
    known = [one for one in drawn if one is not None]
    if not known:
        return None
    if len(known) < len(drawn):
        raise FcaError(f"{score} was measured for some trainings only", "for all", "run the workflow again")
    share = score.endswith(("task_accuracy", "objects_kept"))
    found = replicates_interval(
        np.array([one.value for one in known]),
        np.array([one.resampled for one in known]),
        len(first["clips"]),
        config.score.confidence,
        0.0 if share else max(one.least for one in known),
        1.0 if share else np.inf,
    )
    biases = [one.bias for one in known if one.bias is not None]
    return Interval(found.value, found.low, found.high, float(np.mean(biases)) if biases else None, found.spread)


def read_scores(path: Path) -> dict[str, Any]:
    """A file of scores.

    Raises:
        FcaError: it is missing or damaged.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise FcaError(f"there is no {path}", "the scores of every training", "run `fca score` for it first") from None
    except ValueError as error:
        raise FcaError(f"{path} is damaged ({error})", "a score file", "remove it and run `fca score` again") from error


def _ids(file: dict[str, Any]) -> list[str]:
    return [clip["id"] for clip in file["clips"]]
