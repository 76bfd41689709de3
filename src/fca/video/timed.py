"""Frames of a long video by their time, for annotations that count frames at a rate that the video hasn't.

Epic-Kitchens numbers frames at 60 or 50 a second whatever the MP4's rate is (59.94, 50, 29.97, ...). Frame n is
what is shown at (n - 1) / rate seconds: the source frame whose time is nearest. Videos are an hour long, so
nothing is read but what is needed: a seek to a keyframe, and decoding from there.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from fca.video.decode import OPTIONS, ClipError, FrameSource, _check_file, _reason, _stack, check_stream

LATE = 2
"""Numbers by which a segment may end after the last frame: extractors differ by one or two at the end"""
MARGIN = Fraction(1, 2)  # seconds before a wanted frame at which a jump lands: frames are stored out of their order


@dataclass(frozen=True)
class TimedFrames(FrameSource):
    """A clip's frames within a video, by numbers that count `rate` a second from 1."""

    path: Path
    numbers: tuple[int, ...]
    rate: int

    def count(self) -> int:
        """Number of frames."""
        return len(self.numbers)

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """Frames at `indices` (positions in `numbers`) as (n, H, W, 3) uint8; ClipError as `read_frames`."""
        found = _read(self.path, sorted({self.numbers[index] for index in indices}), self.rate)
        return _stack([found[self.numbers[index]] for index in indices])


@dataclass(frozen=True)
class Extent:
    """What a video's container says of its length, without a frame having been decoded."""

    seconds: float
    rate: float

    def problem(self, number: int, rate: int) -> str:
        """Why a numbered frame lies beyond the end; nothing where it doesn't."""
        return "" if (number - 1 - LATE) / rate <= self.seconds else _too_late(number, rate, self.seconds)


def extent_of(path: Path) -> Extent:
    """How long a video is and how many frames a second it has. ClipError names what is wrong with it."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            seconds = container.duration / av.time_base
        else:
            raise ClipError("its container doesn't say how long it is")
        return Extent(seconds, float(stream.average_rate or 0))


def _read(path: Path, numbers: Sequence[int], rate: int) -> dict[int, np.ndarray]:
    """Increasing numbers -> frames."""
    with _opened(path) as container:
        walk = _Walk(container)
        found = {}
        for number in numbers:
            frame = walk.nearest(Fraction(number - 1, rate), Fraction(LATE, rate))
            if frame is None:
                raise ClipError(_too_late(number, rate, float(walk.last)))
            # as decode does: counterclockwise degrees of a phone held upright
            found[number] = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    return found


class _Walk:
    """Forward through a video, jumping where that saves decoding."""

    def __init__(self, container: InputContainer) -> None:
        self.container = container
        self.stream = container.streams.video[0]
        self.start = self.stream.start_time or 0
        if self.stream.time_base is None:
            raise ClipError("its video stream has no time base")
        self.unit = self.stream.time_base
        self.before: av.VideoFrame | None = None
        self.after: av.VideoFrame | None = None
        self.frames = self._decoded()
        self.last = Fraction(0)

    def nearest(self, time: Fraction, late: Fraction) -> av.VideoFrame | None:
        """The frame shown nearest to `time` seconds, the earlier of two; None where the video ends more than a frame
        and `late` before.

        Times must not decrease from call to call.
        """
        if self._keyframe(time) > self._time(self.after) + 2 * MARGIN:
            self._jump(time)
        while self.after is None or self._time(self.after) < time:
            frame = next(self.frames, None)
            if frame is None:
                break
            self.before, self.after = self.after, frame
        else:
            closer = self.before is not None and time - self._time(self.before) <= self._time(self.after) - time
            return self.before if closer else self.after
        if self.after is None:
            return None
        self.last = self._time(self.after)
        own = self.stream.average_rate
        return self.after if time <= self.last + late + (1 / own if own else 0) else None

    def _jump(self, time: Fraction) -> None:
        """Go to a keyframe whose frame is shown before `time`, where there is one: else to the first frame."""
        back = MARGIN
        while True:
            target = max(time - back, Fraction(0))
            self.container.seek(self.start + math.floor(target / self.unit), stream=self.stream, backward=True)
            self.frames = self._decoded()
            self.before, self.after = None, next(self.frames, None)
            if target == 0 or (self.after is not None and self._time(self.after) <= time):
                return
            back *= 4

    def _keyframe(self, time: Fraction) -> Fraction:
        """When the last keyframe up to `time` is decoded, in seconds; before the start where that isn't known."""
        entries = self.stream.index_entries
        found = entries.search_timestamp(self.start + math.floor(time / self.unit), backward=True)
        return Fraction(-1) if found < 0 else (entries[found].timestamp - self.start) * self.unit

    def _decoded(self) -> Iterator[av.VideoFrame]:
        return (frame for frame in self.container.decode(self.stream) if frame.pts is not None)

    def _time(self, frame: av.VideoFrame | None) -> Fraction:
        return Fraction(0) if frame is None or frame.pts is None else (frame.pts - self.start) * self.unit


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    """A video with a sensible frame size; errors of the decoder become ClipError."""
    _check_file(path)
    try:
        with av.open(str(path), metadata_errors="replace", options=OPTIONS) as container:
            if not container.streams.video:
                raise ClipError("it has no video stream")
            check_stream(container.streams.video[0])
            yield container
    except (av.FFmpegError, OSError, ValueError) as error:
        raise ClipError(f"it is not a readable video ({_reason(error)})") from error


def _too_late(number: int, rate: int, end: float) -> str:
    return f"it ends at {end:.2f} s, but frame {number} is shown at {(number - 1) / rate:.2f} s"
