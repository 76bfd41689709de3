"""What predictions achieve: position error of hand and object, and objects kept.

Positions are compared with the simulator's, for datasets made of the clip library. The position reader finds them in
the predicted frames. What it finds in the ground truth's frames gives its own error, the least to expect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fca.config import Config
from fca.data.library.clips import Clip
from fca.data.library.ids import record_of, records_of
from fca.score.interval import Interval, mean_interval, resampling_counts
from fca.score.objects_kept import keeps_objects, objects_kept
from fca.score.pairs import Pairs, with_initial_frames
from fca.score.positions import PositionReader, is_readable, load_reader
from fca.video.frame_selection import cast_positions

TARGETS = ("effector", "object")
POSITION_ERRORS = tuple(f"{target}_{part}_error" for target in TARGETS for part in ("end", "path"))
"""Scores in centimetres: of the last frame, and the mean over predicted frames"""
OF_TRUTH = "_of_truth"
"""After a score's name: the same of the ground truth's frames"""
CENTIMETRES = 100.0
Positions = NDArray[np.float64]


@dataclass(frozen=True)
class Achieved:
    """What n predictions achieve."""

    scores: dict[str, Interval]
    """What was measured of POSITION_ERRORS and objects_kept"""
    of_truth: dict[str, Interval]
    """The same scores of the ground truth"""
    stated: dict[str, str]
    """Entries of the protocol"""
    clips: list[dict[str, Any]]
    """What is known of each clip, in the order of the pairs; None: not measured"""
    by_task: dict[str, dict[str, float]]
    """Label of a task -> its clips and means"""
    paths: dict[str, Any] | None
    """What `simulation.execute` needs: `moments`, in frames of the library's clips, and a path of each of these"""


def achieved(config: Config, dataset: str, variant: str | None) -> Achieved:
    """Measure what a variant's predictions achieve, or the ground truth if there is no variant.

    Raises:
        FcaError: the reader or the library can't be read, or the dataset was made from another library.
    """
    settings, pairs = config.datasets[dataset], Pairs(config, dataset, variant, "validation")
    reader = load_reader(config.positions.network) if config.positions.network and settings.library else None
    records = records_of(settings) if reader else {}
    rows: list[dict[str, Any]] = []
    paths: list[dict[str, Any]] = []
    tasks: list[str] = []
    for batch in pairs.batches(config.score.batch_size):
        predictions = with_initial_frames(batch.prediction, batch.truth, pairs.initial_frames)
        for name, truth, prediction in zip(batch.ids, batch.truth, predictions, strict=True):
            first = pairs.initial_frames
            row: dict[str, Any] = {
                "objects_kept": keeps_objects(prediction[first:], truth[0]),
                "objects_kept" + OF_TRUTH: keeps_objects(truth[first:], truth[0]),
            }
            if reader:
                clip = record_of(records, name)
                tasks.append(clip.label)
                row |= dict.fromkeys(error + end for error in POSITION_ERRORS for end in ("", OF_TRUTH))
                if is_readable(clip.place, np.array(clip.camera)):
                    errors, path = positions_of(reader, clip, name, prediction, truth, first)
                    row |= errors
                    paths.append(path)
            rows.append(row)

    moments = cast_positions(next(iter(records.values())).frames, config.clip.frames) if records else []
    stated = {"objects_kept": "colours of the first frame, in half of the predicted frames and the last"}
    if reader:
        stated["positions"] = f"{reader.config.name} {reader.sha256}: cm in the simulator's world"
    return Achieved(
        scores=_scores(rows, "", config),
        of_truth=_scores(rows, OF_TRUTH, config),
        stated=stated,
        clips=rows,
        by_task=_by_task(rows, tasks),
        paths={"moments": moments, "clips": paths} if reader else None,
    )


def values_of(clips: Sequence[Mapping[str, Any]], score: str) -> NDArray[np.float64]:
    """A score of the clips that count in it (m,): whose positions were read, or whose ground truth keeps its things."""
    counted = [clip for clip in clips if clip.get(score + OF_TRUTH) is not None and clip[score + OF_TRUTH] is not False]
    return np.array([float(clip[score]) for clip in counted])


def positions_of(
    reader: PositionReader, clip: Clip, name: str, prediction: NDArray[np.uint8], truth: NDArray[np.uint8], first: int
) -> tuple[dict[str, float], dict[str, Any]]:
    """Errors of a prediction and of the ground truth (F, H, W, 3), and the effector's paths in both.

    Args:
        first: the number of the first predicted frame.
    """
    true = true_positions(clip, len(truth))
    camera = np.array(clip.camera[0])
    errors: dict[str, float] = {}
    paths: dict[str, Any] = {"id": name, "place": clip.place, "task": clip.task, "seed": clip.seed}
    for frames, end in ((prediction, ""), (truth, OF_TRUTH)):
        found = reader.read(frames, truth[0], true[0], camera, name)
        found[0] = true[0]
        distance = CENTIMETRES * np.linalg.norm(found - true, axis=-1)[first:]  # (F - first, 2)
        for target, own in zip(TARGETS, distance.T, strict=True):
            errors |= {f"{target}_end_error{end}": float(own[-1]), f"{target}_path_error{end}": float(own.mean())}
        paths["effector" + end] = found[:, 0].round(4)
    return errors, paths


def true_positions(clip: Clip, frames: int) -> Positions:
    """Where effector and first object are (frames, 2, 3) at the moments of a clip's frames, in metres."""
    moments = cast_positions(clip.frames, frames)
    both = np.stack([clip.effector, next(iter(clip.objects.values()))], axis=1)  # (n, 2, 3)
    columns = both.reshape(clip.frames, -1).T
    found = [np.interp(moments, np.arange(clip.frames), column) for column in columns]
    return np.stack(found, axis=1).reshape(-1, 2, 3)


def _scores(rows: Sequence[Mapping[str, Any]], end: str, config: Config) -> dict[str, Interval]:
    """Means of what was measured, each with its interval; `end`: "" or OF_TRUTH."""
    found: dict[str, Interval] = {}
    for name in POSITION_ERRORS:
        values = np.array([row[name + end] for row in rows if row.get(name + end) is not None])
        if len(values):
            counts = resampling_counts(len(values), config.score.bootstrap, config.seed)
            found[name] = mean_interval(values, counts, config.score.confidence)
    kept, of_truth = ([row["objects_kept" + own] for row in rows] for own in (end, OF_TRUTH))
    share = objects_kept(kept, of_truth, config.score.confidence)
    return found if share is None else found | {"objects_kept": share}


def _by_task(rows: Sequence[Mapping[str, Any]], tasks: Sequence[str]) -> dict[str, dict[str, float]]:
    """Label of a task -> the number of its clips and the mean of each position error."""
    found: dict[str, dict[str, float]] = {}
    measured = [row["effector_end_error"] is not None for row in rows] if tasks else []
    for task in sorted({label for label, known in zip(tasks, measured, strict=True) if known}):
        own = [row for row, label, known in zip(rows, tasks, measured, strict=True) if known and label == task]
        means = {name: float(np.mean([row[name] for row in own])) for name in POSITION_ERRORS}
        found[task] = {"clips": len(own)} | means
    return found
