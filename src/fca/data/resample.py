"""Clips of the index -> shards of 16 small frames: decode the few frames that Seer's cast needs, blend,
resize.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fca.config import Config, Layout
from fca.data.cast import CastPlan, cast_plan
from fca.data.clip import ClipRecord, read_records
from fca.data.decode import ClipError, Media, count_frames, read_frames
from fca.data.files import require_space, reserve
from fca.data.index import FRAME_NAMES, unusable
from fca.data.manifest import Manifest, made_by
from fca.data.quarantine import Quarantine
from fca.data.resize import resize
from fca.data.shards import write_shard
from fca.data.timed import TimedFrames
from fca.errors import FcaError

GREY = 127  # Seer appends zeros in [-1, 1], which is 127.5; of the two neighbours, the one the pocket base knows


def resample(config: Config, dataset: str, split: str, shard: int) -> Manifest:
    """Write clip shard number `shard` of a split, and return its manifest.

    Arrays: `frames` (n, frames, H, W, 3) uint8, `caption`, and `padded` (n,) int32, the number of grey frames
    at the end of a clip that has too few. A clip that can't be decoded is left out and quarantined;
    `FcaError` when none is left.
    """
    layout, settings = Layout(config), config.clip
    index = Manifest.read(layout.index_manifest(dataset))
    rows = layout.shard_rows(dataset, split, shard)
    records = read_records(layout.index(dataset), split)[rows.start : rows.stop]
    if not records:
        raise FcaError(f"{dataset} {split} has no shard {shard}", f"one of {layout.shards(dataset, split)}")
    here = {record.id for record in records}
    quarantine = [row for row in unusable(layout, dataset) if row.split == split and row.id in here]
    broken = {row.id for row in quarantine}
    records = [record for record in records if record.id not in broken]
    frame_name = FRAME_NAMES[config.datasets[dataset].format]

    path = layout.clips(dataset, split, shard)
    kept: list[ClipRecord] = []
    padded: list[int] = []
    with _scratch(path, (len(here), settings.frames, settings.height, settings.width, 3)) as frames:
        for record in tqdm(records, desc=f"{dataset} {split} {shard}", unit="clip"):
            try:
                clip, grey = resample_clip(layout.raw(dataset), record, frame_name, config)
            except ClipError as error:
                quarantine.append(Quarantine(dataset, split, record.id, "resample", record.media, str(error)))
                continue
            frames[len(kept)] = clip
            kept.append(record)
            padded.append(grey)
        if not kept:
            first = quarantine[0]
            raise FcaError(
                f"no clip of {dataset} {split} shard {shard} can be used; the first, {first.id}: {first.reason}",
                f"media under {layout.raw(dataset)}",
                f"mend {first.file}, then run `fca fetch` and `fca index` again",
            )
        return write_shard(
            path,
            "clips",
            {
                "frames": frames[: len(kept)],
                "caption": [record.caption for record in kept],
                "padded": np.asarray(padded, dtype=np.int32),
            },
            ids=[record.id for record in kept],
            parents={layout.index(dataset).relative_to(layout.root).as_posix(): index.sha256},
            made_by=made_by(config, "resample", dataset),
            quarantine=quarantine,
            meta={"dataset": dataset, "split": split, "shard": shard, "resize": settings.resize},
        )


@contextmanager
def _scratch(path: Path, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """A uint8 array on the disk of `path`: a shard at the paper's scale (17 GB) is more than a job's memory.

    Its file has no name, so nothing is left of it after a kill, and its size is reserved, so a full disk is
    an error now and not a bus error later.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    size = int(np.prod(shape))
    require_space(path, 2 * size)
    with tempfile.TemporaryFile(dir=path.parent) as file:
        reserve(file, path, size)
        yield np.memmap(file, np.uint8, "r+", shape=shape)


def media_of(raw: Path, record: ClipRecord, frame_name: str | None) -> Media:
    """The video file or the pictures of a clip. Raises ClipError where the index doesn't fit the format."""
    if record.frames is None:
        return raw / record.media
    if record.rate is not None:
        return TimedFrames(raw / record.media, tuple(record.frames), record.rate)
    if frame_name is None:
        raise ClipError("the index lists frame numbers, but the dataset's clips are videos")
    return [raw / record.media / frame_name.format(number) for number in record.frames]


def resample_clip(raw: Path, record: ClipRecord, frame_name: str | None, config: Config) -> tuple[np.ndarray, int]:
    """(frames, H, W, 3) uint8 of one clip and how many of them, at the end, are grey padding.

    `frame_name`: how a frame's number becomes its file's name in the dataset's folders, such as `im_{}.jpg`.
    Raises ClipError when the media can't be decoded or has not the length that the index says.
    """
    media = media_of(raw, record, frame_name)
    if (count := count_frames(media)) != record.length:
        raise ClipError(f"it has {count} frames, the index says {record.length}: it changed after indexing")
    settings = config.clip
    plan = cast_plan(record.length, settings.frames)
    needed = sorted({*plan.low, *plan.high})
    source = dict(zip(needed, read_frames(media, needed), strict=True))
    return cast(source, plan, settings.width, settings.height, settings.resize), plan.grey


def cast(source: dict[int, np.ndarray], plan: CastPlan, width: int, height: int, mode: str) -> np.ndarray:
    """Blend source frames (number -> (H, W, 3) uint8) by the plan, then resize: (frames, height, width, 3)
    uint8.

    Both are linear and computed in float32; the one rounding, half up, is at the end.
    """
    clip = np.full((len(plan.low) + plan.grey, height, width, 3), GREY, dtype=np.uint8)
    for output, (low, high, weight) in enumerate(zip(plan.low, plan.high, plan.weight, strict=True)):
        frame = source[low].astype(np.float32)
        if weight:
            frame *= np.float32(1.0 - weight)
            frame += np.float32(weight) * source[high]
        clip[output] = np.clip(np.floor(resize(frame, width, height, mode) + 0.5), 0, 255)
    return clip
