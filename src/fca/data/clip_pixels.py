"""The pixels of one clip: decode the few frames that Seer's cast needs, blend, resize; or only inspect the media.

It runs in the processes of `fca.video.workers`, so it imports little: no settings, no HDF5, no torch. Every function
raises ClipError if the media can't be decoded or isn't what the index says.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fca.artifacts.quarantine import ClipError
from fca.data.clip_record import ClipRecord
from fca.video.decode import FrameSource, Media, count_frames, picture_size, read_frames, seconds
from fca.video.frame_selection import cast, cast_plan
from fca.video.timed import TimedFrames


@dataclass(frozen=True)
class Shape:
    """The shape of every clip: the settings `clip`."""

    frames: int
    width: int
    height: int
    resize: str


def media_of(raw: Path, record: ClipRecord, frame_name: str | None) -> Media:
    """The video file or the pictures of a clip."""
    if record.frames is None:
        return raw / record.media
    if record.rate is not None:
        return TimedFrames(raw / record.media, tuple(record.frames), record.rate)
    if frame_name is None:
        raise ClipError("the index lists frame numbers, but the dataset's clips are videos")
    return [raw / record.media / frame_name.format(number) for number in record.frames]


def check_length(media: Media, record: ClipRecord) -> int:
    """Number of source frames of a clip, which must be the index's."""
    if (count := count_frames(media)) != record.length:
        raise ClipError(f"it has {count} frames, the index says {record.length}: it changed after indexing")
    return count


def inspect_clip(raw: Path, record: ClipRecord, frame_name: str | None, frames: int) -> tuple[int, int]:
    """(width, height) of a clip's source frames, if the ones that its cast to `frames` needs are complete.

    Of pictures, the headers and the ends of all needed ones are read; of a video, the packets are counted and the
    first and the last needed frame are decoded.
    """
    media = media_of(raw, record, frame_name)
    needed = cast_plan(record.length, frames).needed
    if isinstance(media, Path | FrameSource):
        count = check_length(media, record)
        height, width = read_frames(media, [needed[0], needed[-1]], count).shape[1:3]
        return width, height
    sizes = {picture_size(media[position]) for position in needed}
    if len(sizes) > 1:
        raise ClipError(f"its frames differ in size: {' and '.join(f'{w}x{h}' for w, h in sorted(sizes))}")
    return sizes.pop()


def resample_clip(raw: Path, record: ClipRecord, frame_name: str | None, shape: Shape) -> tuple[np.ndarray, int]:
    """(frames, height, width, 3) uint8 of one clip and how many of them, at the end, are grey padding.

    `frame_name`: how a frame's number becomes its file's name in the dataset's folders, such as `im_{}.jpg`.
    """
    media = media_of(raw, record, frame_name)
    count, plan = check_length(media, record), cast_plan(record.length, shape.frames)
    source = dict(zip(plan.needed, read_frames(media, plan.needed, count), strict=True))
    return cast(source, plan, shape.width, shape.height, shape.resize), plan.grey


def look(
    raw: Path, record: ClipRecord, frame_name: str | None, shape: Shape
) -> tuple[np.ndarray, int, int, int, float | None]:
    """`resample_clip`, and of its source: width and height in pixels, seconds if it has any."""
    clip, padded = resample_clip(raw, record, frame_name, shape)
    media = media_of(raw, record, frame_name)
    height, width = read_frames(media, [0]).shape[1:3]
    return clip, padded, width, height, seconds(media)
