"""The pixels of one clip: decode the few frames that Seer's cast needs, blend, resize; or only inspect the media.

It runs in the processes of `fca.video.workers`, so it imports little: no settings, no HDF5, no torch. Every function
raises ClipError if the media can't be decoded or isn't what the index says.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fca.artifacts.quarantine import ClipError
from fca.data.clip_record import ClipRecord
from fca.video.decode import Decoder, Media, picture_size, read_footage, read_frames
from fca.video.frame_selection import Sampling, cast, cast_plan
from fca.video.timed import TimedFrames


@dataclass(frozen=True)
class Shape:
    """The shape of every clip: the settings `clip`, and who decodes it."""

    frames: int
    width: int
    height: int
    resize: str
    sampling: Sampling = "index"
    decoder: Decoder = "pyav"


def media_of(raw: Path, record: ClipRecord, frame_name: str | None) -> Media:
    """The video file or the pictures of a clip."""
    if record.start is not None and record.rate is not None:
        return TimedFrames(raw / record.media, range(1, record.length + 1), record.rate, record.start)
    if record.frames is None:
        return raw / record.media
    if record.rate is not None:
        return TimedFrames(raw / record.media, tuple(record.frames), record.rate)
    if frame_name is None:
        raise ClipError("the index lists frame numbers, but the dataset's clips are videos")
    return [raw / record.media / frame_name.format(number) for number in record.frames]


def inspect_clip(raw: Path, record: ClipRecord, frame_name: str | None, frames: int) -> tuple[int, int]:
    """(width, height) of a clip's source frames, if the ones that its cast to `frames` needs are complete.

    Of pictures, the headers and the ends of all needed ones are read. A video is decoded: that the needed frames are
    the requested ones is proven by the times of all its frames, which must rise.
    """
    media = media_of(raw, record, frame_name)
    needed = cast_plan(record.length, frames).needed
    if isinstance(media, Path | TimedFrames):
        height, width = read_frames(media, needed, record.length).shape[1:3]
        return width, height
    sizes = {picture_size(media[position]) for position in needed}
    if len(sizes) > 1:
        raise ClipError(f"its frames differ in size: {' and '.join(f'{w}x{h}' for w, h in sorted(sizes))}")
    return sizes.pop()


def resample_clip(raw: Path, record: ClipRecord, frame_name: str | None, shape: Shape) -> tuple[np.ndarray, int]:
    """(frames, height, width, 3) uint8 of one clip and how many of them, at the end, are grey padding.

    `frame_name`: how a frame's number becomes its file's name in the dataset's folders, such as `im_{}.jpg`.
    """
    return look(raw, record, frame_name, shape)[:2]


def look(
    raw: Path, record: ClipRecord, frame_name: str | None, shape: Shape
) -> tuple[np.ndarray, int, int, int, float | None]:
    """`resample_clip`, and of its source: width and height in pixels, seconds if it has any."""
    media, plan = media_of(raw, record, frame_name), cast_plan(record.length, shape.frames)
    footage = read_footage(media, plan.needed, record.length, shape.decoder)

    # Only a decoded video tells when its frames are shown.
    if shape.sampling == "time" and footage.positions is not None:
        plan = cast_plan(record.length, shape.frames, footage.positions)
        footage = read_footage(media, plan.needed, record.length)
    source = dict(zip(plan.needed, footage.frames, strict=True))
    clip, (height, width) = cast(source, plan, shape.width, shape.height, shape.resize), footage.frames.shape[1:3]
    return clip, plan.grey, width, height, footage.seconds
