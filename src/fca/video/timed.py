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
NEAR = Fraction(49, 100)
"""Intervals by which a frame of its own may be off: at a half, one frame would be two numbers of a slower video"""
MARGIN = Fraction(1, 2)  # seconds before a wanted frame at which a jump lands: frames are stored out of order


@dataclass(frozen=True)
class TimedFrames:
    """A clip's frames within a video, by numbers that count `rate` a second from 1."""

    path: Path
    numbers: Sequence[int]
    rate: float
    start: float | None = None
    """Seconds of number 1, and each number is a frame of its own, shown at its time; None: at the video's start, and
    the nearest frame is taken, for up to LATE numbers beyond the end, too"""

    def time(self, number: int) -> Fraction:
        """When a number is shown, in seconds."""
        return Fraction(self.start or 0) + (number - 1) / Fraction(self.rate)

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """Frames at `indices` (positions in `numbers`) as (n, H, W, 3) uint8."""
        found = _read(self, sorted({self.numbers[index] for index in indices}))
        return stack_frames([found[self.numbers[index]] for index in indices])


def beyond_end(number: int, rate: int, seconds: float) -> str:
    """Why a numbered frame is beyond the end of a video of this length; empty if it isn't."""
    return "" if (number - 1 - LATE) / rate <= seconds else _too_late(number, Fraction(number - 1, rate), seconds)


def seconds_of(path: Path) -> float:
    """Length of a video as its container states it, without decoding.

    Raises:
        ClipError: it isn't a readable video, or its container doesn't state the length.
    """
    with opened(path) as video:
        return _stated_seconds(video)


def header(path: Path) -> tuple[int | None, float]:
    """Number of frames that a video's container states, None if it doesn't, and its length in seconds.

    Raises:
        ClipError: as `seconds_of`.
    """
    with opened(path) as video:
        return video.stream.frames or None, _stated_seconds(video)


def _stated_seconds(video: Video) -> float:
    container, stream = video.container, video.stream
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return container.duration / av.time_base
    raise ClipError("its container doesn't say how long it is")


def _read(media: TimedFrames, numbers: Sequence[int]) -> dict[int, np.ndarray]:
    """Increasing numbers -> frames."""
    rate = Fraction(media.rate)
    with opened(media.path) as video:
        walk = _Walk(video)
        found = {}
        for number in numbers:
            time = media.time(number)
            frame = walk.nearest(time, LATE / rate)
            if frame is None:
                raise ClipError(_too_late(number, time, float(walk.last)))
            if media.start is not None and abs(walk.time_of(frame) - time) * rate > NEAR:
                raise ClipError(
                    f"no frame is shown at {float(time):.3f} s, where frame {number - 1} of the clip should be"
                )
            found[number] = upright(frame)
    return found


class _Walk:
    """Forward through a video, jumping if that saves decoding."""

    def __init__(self, video: Video) -> None:
        self.video, self.container, self.stream = video, video.container, video.stream
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
        if self._keyframe(time) > self.time_of(self.after) + 2 * MARGIN:
            self._jump(time)
        while self.after is None or self.time_of(self.after) < time:
            frame = next(self.frames, None)
            if frame is None:
                break
            if self.after is not None and self.time_of(frame) <= self.time_of(self.after):
                raise ClipError(DISORDER)
            self.before, self.after = self.after, frame
        else:
            closer = self.before is not None and time - self.time_of(self.before) <= self.time_of(self.after) - time
            return self.before if closer else self.after
        if self.after is None:
            return None
        self.last = self.time_of(self.after)
        own = self.stream.average_rate
        return self.after if time <= self.last + late + (1 / own if own else 0) else None

    def _jump(self, time: Fraction) -> None:
        """Go to a keyframe whose frame is shown before `time`, or else to the first frame."""
        back = MARGIN
        while True:
            target = max(time - back, Fraction(0))
            self.container.seek(self.start + math.floor(target / self.unit), stream=self.stream, backward=True)
            self.frames = self._decoded(jumped=target > 0)
            self.before, self.after = None, next(self.frames, None)
            if target == 0 or (self.after is not None and self.time_of(self.after) <= time):
                return
            back *= 4

    def _keyframe(self, time: Fraction) -> Fraction:
        """When the last keyframe up to `time` is decoded, in seconds; before the start if that isn't known."""
        entries = self.stream.index_entries
        found = entries.search_timestamp(self.start + math.floor(time / self.unit), backward=True)
        return Fraction(-1) if found < 0 else (entries[found].timestamp - self.start) * self.unit

    def _decoded(self, jumped: bool = False) -> Iterator[av.VideoFrame]:
        return (frame for frame in self.video.frames(jumped) if frame.pts is not None)

    def time_of(self, frame: av.VideoFrame | None) -> Fraction:
        return Fraction(0) if frame is None or frame.pts is None else (frame.pts - self.start) * self.unit


def _too_late(number: int, time: Fraction, end: float) -> str:
    return f"it ends at {end:.2f} s, but frame {number} is shown at {float(time):.2f} s"
