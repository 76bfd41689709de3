"""Frames of a long video by their time, for annotations that count frames at another rate than the video's.

Epic-Kitchens numbers frames at 60 or 50 a second whatever the MP4's rate is (59.94, 50, 29.97, ...). Frame n is the
source frame shown nearest to (n - 1) / rate seconds. Videos are an hour long, so reading jumps to a keyframe and
decodes from there.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from fca.artifacts.quarantine import ClipError
from fca.video.container import DISORDER, Video, opened, stack_frames, upright

LATE = 2
"""Numbers by which a segment may end after the last frame: extractors differ by one or two at the end"""
MARGIN = Fraction(1, 2)  # seconds before a wanted frame at which a jump lands: frames are stored out of order


@dataclass(frozen=True)
class TimedFrames:
    """A clip's frames within a video, by numbers that count `rate` a second from 1."""

    path: Path
    numbers: tuple[int, ...]
    rate: int

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """Frames at `indices` (positions in `numbers`) as (n, H, W, 3) uint8."""
        found = _read(self.path, sorted({self.numbers[index] for index in indices}), self.rate)
        return stack_frames([found[self.numbers[index]] for index in indices])


def beyond_end(number: int, rate: int, seconds: float) -> str:
    """Why a numbered frame is beyond the end of a video of this length; empty if it isn't."""
    return "" if (number - 1 - LATE) / rate <= seconds else _too_late(number, rate, seconds)


def seconds_of(path: Path) -> float:
    """Length of a video as its container states it, without decoding.

    Raises:
        ClipError: it isn't a readable video, or its container doesn't state the length.
    """
    with opened(path) as video:
        container, stream = video.container, video.stream
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        if container.duration is not None:
            return container.duration / av.time_base
        raise ClipError("its container doesn't say how long it is")


def _read(path: Path, numbers: Sequence[int], rate: int) -> dict[int, np.ndarray]:
    """Increasing numbers -> frames."""
    with opened(path) as video:
        walk = _Walk(video)
        found = {}
        for number in numbers:
            frame = walk.nearest(Fraction(number - 1, rate), Fraction(LATE, rate))
            if frame is None:
                raise ClipError(_too_late(number, rate, float(walk.last)))
            found[number] = upright(frame)
    return found


class _Walk:
    """Forward through a video, jumping if that saves decoding."""

    def __init__(self, video: Video) -> None:
        self.container, self.stream = video.container, video.stream
        self.start = self.stream.start_time or 0
        if self.stream.time_base is None:
            raise ClipError("its video stream has no time base")
        self.unit = self.stream.time_base
        self.before: av.VideoFrame | None = None
        self.after: av.VideoFrame | None = None
        self.frames = self._decoded()
        self.last = Fraction(0)

    def nearest(self, time: Fraction, late: Fraction) -> av.VideoFrame | None:
        """The frame shown nearest to `time` seconds, the earlier of two; times must not decrease from call to call.

        None if the video ends more than a frame and `late` before.
        """
        if self._keyframe(time) > self._time(self.after) + 2 * MARGIN:
            self._jump(time)
        while self.after is None or self._time(self.after) < time:
            frame = next(self.frames, None)
            if frame is None:
                break
            if self.after is not None and self._time(frame) <= self._time(self.after):
                raise ClipError(DISORDER)
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
        """Go to a keyframe whose frame is shown before `time`, or else to the first frame."""
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
        """When the last keyframe up to `time` is decoded, in seconds; before the start if that isn't known."""
        entries = self.stream.index_entries
        found = entries.search_timestamp(self.start + math.floor(time / self.unit), backward=True)
        return Fraction(-1) if found < 0 else (entries[found].timestamp - self.start) * self.unit

    def _decoded(self) -> Iterator[av.VideoFrame]:
        return (frame for frame in self.container.decode(self.stream) if frame.pts is not None)

    def _time(self, frame: av.VideoFrame | None) -> Fraction:
        return Fraction(0) if frame is None or frame.pts is None else (frame.pts - self.start) * self.unit


def _too_late(number: int, rate: int, end: float) -> str:
    return f"it ends at {end:.2f} s, but frame {number} is shown at {(number - 1) / rate:.2f} s"
