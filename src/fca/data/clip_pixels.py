"""The pixels of one clip: decode the few frames that Seer's cast needs, blend, resize.

It runs in the processes of `fca.video.workers`, so it imports little: no settings, no HDF5, no torch.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fca.artifacts.quarantine import ClipError
from fca.data.clip import ClipRecord
from fca.video.decode import Media, count_frames, read_frames, seconds
from fca.video.resize import resize
from fca.video.temporal_cast import CastPlan, cast_plan
from fca.video.timed import TimedFrames

GREY = 127  # Seer appends zeros in [-1, 1], which is 127.5; of the two neighbours, the one the pocket base knows


@dataclass(frozen=True)
class Shape:
    """What becomes of every clip: the settings `clip`."""

    frames: int
    width: int
    height: int
    resize: str


def media_of(raw: Path, record: ClipRecord, frame_name: str | None) -> Media:
    """The video file or the pictures of a clip. Raises ClipError where the index doesn't fit the format."""
    if record.frames is None:
        return raw / record.media
    if record.rate is not None:
        return TimedFrames(raw / record.media, tuple(record.frames), record.rate)
    if frame_name is None:
        raise ClipError("the index lists frame numbers, but the dataset's clips are videos")
    return [raw / record.media / frame_name.format(number) for number in record.frames]


def resample_clip(raw: Path, record: ClipRecord, frame_name: str | None, shape: Shape) -> tuple[np.ndarray, int]:
    """(frames, height, width, 3) uint8 of one clip and how many of them, at the end, are grey padding.

    `frame_name`: how a frame's number becomes its file's name in the dataset's folders, such as `im_{}.jpg`.
    Raises ClipError when the media can't be decoded or has not the length that the index says.
    """
    media = media_of(raw, record, frame_name)
    if (count := count_frames(media)) != record.length:
        raise ClipError(f"it has {count} frames, the index says {record.length}: it changed after indexing")
    plan = cast_plan(record.length, shape.frames)
    needed = sorted({*plan.low, *plan.high})
    source = dict(zip(needed, read_frames(media, needed, count), strict=True))
    return cast(source, plan, shape), plan.grey


def look(
    raw: Path, record: ClipRecord, frame_name: str | None, shape: Shape
) -> tuple[np.ndarray, int, int, int, float | None]:
    """`resample_clip`, and of its source: width and height in pixels, seconds where it has any."""
    clip, padded = resample_clip(raw, record, frame_name, shape)
    media = media_of(raw, record, frame_name)
    height, width = read_frames(media, [0]).shape[1:3]
    return clip, padded, width, height, seconds(media)


def cast(source: dict[int, np.ndarray], plan: CastPlan, shape: Shape) -> np.ndarray:
    """Blend source frames (number -> (H, W, 3) uint8) by the plan, then resize: (frames, height, width, 3)
    uint8.

    Both are linear and computed in float32; the one rounding, half up, is at the end.
    """
    clip = np.full((len(plan.low) + plan.grey, shape.height, shape.width, 3), GREY, dtype=np.uint8)
    for output, (low, high, weight) in enumerate(zip(plan.low, plan.high, plan.weight, strict=True)):
        frame = source[low].astype(np.float32)
        if weight:
            frame *= np.float32(1.0 - weight)
            frame += np.float32(weight) * source[high]
        resize(frame, shape.width, shape.height, shape.resize, clip[output])
    return clip
