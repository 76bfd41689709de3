"""Frames of a clip's media as uint8 RGB: video files through PyAV (or decord), folders of JPEGs through Pillow."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from fca.artifacts.quarantine import ClipError
from fca.errors import FcaError
from fca.video.container import Timeline, decode, opened, stack_frames
from fca.video.files import check_file, check_size, file_problem, on_disk
from fca.video.timed import TimedFrames

Decoder = Literal["pyav", "decord"]

TAIL = 64  # bytes at the end of a picture
JPEG_END = b"\xff\xd9"


Media = Path | list[Path] | TimedFrames
"""A video file, a folder of numbered JPEGs, the JPEGs of a clip in order, or frames of a video by their time."""


@dataclass(frozen=True)
class Footage:
    """What was read of a clip's media."""

    frames: np.ndarray
    """(n, H, W, 3) uint8 RGB, in the order of the indices"""
    positions: tuple[float, ...] | None = None
    """When every source frame is shown, in mean frame intervals from the first; None if they are evenly spaced"""
    seconds: float | None = None
    """Duration of a video, if known"""


def installed(decoder: Decoder) -> Decoder:
    """The same decoder.

    Raises:
        FcaError: it isn't installed, as decord on machines that it has no wheels for.
    """
    if decoder == "decord" and find_spec("decord") is None:
        raise FcaError(
            "decord is not installed", "it, for decode.decoder: decord", "set decode.decoder to pyav: the same frames"
        )
    return decoder


def list_frames(folder: Path) -> list[Path]:
    """The JPEGs of a folder in the order of the number at the end of their names: im_9.jpg before im_10.jpg."""
    try:
        numbered = [
            (int(match[1]), path)
            for path in folder.iterdir()
            if (match := re.fullmatch(r".*?(\d+)\.jpe?g", path.name, re.IGNORECASE))
        ]
    except OSError as error:
        raise ClipError(file_problem(error)) from error
    if not numbered:
        raise ClipError(f"there is no numbered JPEG in {folder.name}")
    return [path for _, path in sorted(numbered)]


def count_frames(media: Media) -> int:
    """Number of frames: files of a folder, shown frames of a video. ClipError names what is wrong."""
    if isinstance(media, TimedFrames):
        return len(media.numbers)
    media = _opened_folder(media)
    return decode(media)[1].count if isinstance(media, Path) else len(media)


def measure_video(path: Path) -> tuple[int, int, int]:
    """Number, height and width of a video's frames, all of them decoded; ClipError names what is wrong."""
    found, timeline = decode(path, {0})
    return timeline.count, *found[0].shape[:2]


def read_frames(media: Media, indices: Sequence[int], count: int | None = None) -> np.ndarray:
    """Frames at `indices` as (n, H, W, 3) uint8 RGB; see `read_footage`."""
    return read_footage(media, indices, count).frames


def read_footage(media: Media, indices: Sequence[int], count: int | None = None, decoder: Decoder = "pyav") -> Footage:
    """Frames at `indices` (from 0, any order, repeats allowed) and what their source, decoded once, tells of itself.

    Args:
        count: number of frames that the index has.
        decoder: decord reads the videos that it is known to read as PyAV does.

    Raises:
        ClipError: the media are missing, broken, truncated, of mixed sizes or of another length, or have no such frame.
    """
    if isinstance(media, TimedFrames):
        _check_indices(indices, len(media.numbers), count)
        return Footage(media.read(indices))
    media = _opened_folder(media)
    if not isinstance(media, Path):
        _check_indices(indices, len(media), count)
        found = {index: _read_image(media[index]) for index in sorted(set(indices))}
        return Footage(stack_frames([found[index] for index in indices]))

    timeline: Timeline | None = None
    if decoder == "decord" and count is not None:
        from fca.video.by_decord import read_decord

        found, timeline = read_decord(media, sorted(set(indices)), count)
    if timeline is None:
        found, timeline = decode(media, set(indices))
    _check_indices(indices, timeline.count, count)
    return Footage(stack_frames([found[index] for index in indices]), timeline.positions(), timeline.seconds)


def read_first(path: Path, count: int) -> np.ndarray:
    """The first `count` frames of a video or, if they aren't evenly spaced, the frames nearest to its mean intervals.

    No frame after them is decoded: the packets tell when frames are shown, and whether the file is whole.

    Raises:
        ClipError: as `read_footage`.
    """
    with opened(path) as video:
        packets = [packet for packet in video.packets() if packet.size and not packet.is_discard]
        times = {time for packet in packets if (time := packet.dts if packet.pts is None else packet.pts) is not None}
        last = packets[-1].duration if packets else None
        timeline = video.timeline([(time, None, last) for time in sorted(times)] or [(None, None, last)])
        video.check_length(timeline)

    positions = np.asarray(timeline.positions() or range(max(count, timeline.count)))
    indices = [int(np.abs(positions - number).argmin()) for number in range(count)]
    found, decoded = decode(path, set(indices), whole=False)
    _check_indices(indices, decoded.count)
    return stack_frames([found[index] for index in indices])


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height) of a picture from its header, once it is known not to be cut off.

    A JPEG ends with its end mark; one that doesn't is decoded to see whether it is complete.

    Raises:
        ClipError: the picture is missing or broken.
    """
    with _open_picture(path) as image, path.open("rb") as file:
        size = image.size
        file.seek(max(0, path.stat().st_size - TAIL))
        tail = file.read()
        if not tail.strip(b"\0"):
            raise ClipError("it ends in zeros: it was not written to its end")
    if not tail.endswith(JPEG_END):
        _read_image(path)
    return size


def _read_image(path: Path) -> np.ndarray:
    """One picture as (H, W, 3) uint8; grey and CMYK become RGB."""
    with _open_picture(path) as image:
        return np.asarray(image.convert("RGB"))


@contextmanager
def _open_picture(path: Path) -> Iterator[Image.Image]:
    """A picture of a sensible size; errors become ClipErrors that name the file."""
    try:
        with Image.open(check_file(path)) as image:
            check_size(*image.size)
            yield image
    except ClipError as error:
        raise ClipError(f"{path.name}: {error}") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ClipError(f"{path.name}: {file_problem(error)}") from error


def _opened_folder(media: Path | list[Path]) -> Path | list[Path]:
    """A video, or the files of a clip of pictures."""
    if not isinstance(media, Path):
        return media
    path = on_disk(media)
    return list_frames(path) if path.is_dir() else path


def _check_indices(indices: Sequence[int], found: int, expected: int | None = None) -> None:
    if len(indices) == 0:
        raise ValueError("no frame was requested")
    if expected is not None and found != expected:
        raise ClipError(f"it has {found} frames, the index says {expected}: it changed after indexing")
    if min(indices) < 0 or max(indices) >= found:
        raise ClipError(f"frame {max(indices)} was requested (counted from 0), but it has {found}")
