"""One video file: opened safely, the right stream chosen, its frames decoded forward as they are shown.

Containers count packets, and packets are not frames: some are never shown (VP8's alternate references, what an edit
list cuts off), some are empty (AVI's dropped frames), and a seek into an open GOP lands elsewhere. So frames are
counted and found by decoding from the start, and their order is proven by their times.
"""

import os
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.stream import Disposition
from av.video.stream import VideoStream

from fca.artifacts.quarantine import ClipError
from fca.video.files import address, check_file, check_size, reason, tidied

PLAYLISTS = {"concat", "dash", "hls", "imf", "sdp"}  # formats that are read by opening other files
OPTIONS = {"protocol_whitelist": "file"}  # never follow network addresses inside a video file
PICTURES = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
DISORDER = "the times of its frames don't rise: their order is unknown"
PICTURE_CODECS = {"bmp", "gif", "mjpeg", "png", "tiff", "webp"}
MISSING_SHARE = 0.1  # how much of its stated duration a video may lack
DAMAGE = re.compile(  # what FFmpeg logs of data that can't be decoded; other errors are harmless
    r"(?i)damaged|corrupted|prematurely|as first byte|exceeds (containing|max length)|error (while|at|splitting)|"
    r"not reached|end mismatch|level prefix|find ref with|missing reference|decode failed|marker bit|illegal dc|"
    r"too large|out of range|unavailable for|zero coeffs|in I-frame|no frame!|MVs not available"
)
EVEN = 0.25  # frame intervals by which a frame may be off and the spacing is still called even


Stamps = tuple[int | None, int | None, int | None]
"""Presentation time, decoding time and duration of a frame or packet, in units of its stream"""


@dataclass(frozen=True)
class Timeline:
    """When a video's frames are shown."""

    count: int
    """Number of shown frames"""
    times: tuple[float, ...] = ()
    """Seconds, strictly rising; the last entry is the end of the last frame. Empty if the file has no times."""
    tick: float = 0.0
    """Resolution of the times in seconds"""

    @property
    def seconds(self) -> float | None:
        """Duration; None if the file has no times."""
        return self.times[-1] - self.times[0] if self.times else None

    def positions(self) -> tuple[float, ...] | None:
        """The frames' times in mean intervals from the first; None if they are evenly spaced."""
        if not self.times:
            return None
        times = np.asarray(self.times) - self.times[0]
        interval = times[-1] / self.count
        even = interval * np.arange(self.count + 1)
        if np.abs(times - even).max() <= max(self.tick, EVEN * interval):
            return None
        return tuple((times[:-1] / interval).tolist())


@dataclass
class Video:
    """An opened video file and the stream that is watched."""

    path: Path
    container: InputContainer
    stream: VideoStream
    log: list[tuple[int, str, str]]
    """What FFmpeg has logged as errors so far: (level, part, message)"""
    end: Fraction | None = field(default=None, init=False)
    """When the last packet of any stream ends, in seconds, of those read so far"""

    def packets(self) -> Iterator[av.Packet]:
        """The stream's packets in the order of the file, among them the empty ones that flush the decoder."""
        for packet in self.container.demux():
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is not None and packet.time_base:
                end = (stamp + (packet.duration or 0)) * packet.time_base
                self.end = end if self.end is None else max(self.end, end)
            if packet.stream.index == self.stream.index:
                yield packet

    def frames(self, jumped: bool = False) -> Iterator[av.VideoFrame]:
        """All shown frames in order, decoded forward from the start.

        Decoders conceal damage and only log it. What they log before the first frame is shown doesn't count: a
        recording, or a cut at the keyframe of an open GOP, begins with packets that lack their references.

        Args:
            jumped: decoding begins at a keyframe; frames that are shown before it lack references and are left out.

        Raises:
            ClipError: decoding stopped, or what was decoded is damaged.
        """
        count = known = 0
        keyframe: int | None = None
        place = "frame 0"
        try:
            for packet in self.packets():
                keyframe = packet.pts if keyframe is None else keyframe
                decoded = packet.decode()
                for _, _, message in self.log[known:] if count else ():
                    if DAMAGE.search(message):
                        problem = "truncated" if "prematurely" in message else "damaged"
                        raise ClipError(f"it is {problem} at about {place} ({tidied(message)})")
                for frame in decoded:
                    if jumped and keyframe is not None and frame.pts is not None and frame.pts < keyframe:
                        continue
                    if frame.is_corrupt or packet.is_corrupt:
                        raise ClipError(f"it is damaged at {place}")
                    known = known if count else len(self.log)
                    yield frame
                    count += 1
                    place = f"{frame.time:.2f} s" if jumped and frame.time is not None else f"frame {count}"
        except (av.FFmpegError, OSError, ValueError) as error:
            raise ClipError(f"decoding stopped after {count} frames ({reason(error)})") from error

    def timeline(self, stamps: Sequence[Stamps]) -> Timeline:
        """The times of frames in the order of the decoder, from their stamps.

        Old AVI and MP4 files store their frames' pts in the wrong order: the decoder's order holds if the dts rise.

        Raises:
            ClipError: neither rise.
        """
        for kind in (0, 1):
            known = {place: time for place, stamp in enumerate(stamps) if (time := stamp[kind]) is not None}
            if known and self.stream.time_base and all(early < late for early, late in pairwise(known.values())):
                return _completed(known, len(stamps), stamps[-1][2] or 0, float(self.stream.time_base))
        if all(stamp[:2] == (None, None) for stamp in stamps):
            return Timeline(len(stamps))
        raise ClipError(DISORDER)

    def check_length(self, timeline: Timeline) -> None:
        """Compare a whole video with the duration that its stream, or else its container, states.

        Raises:
            ClipError: the file is truncated.
        """
        if self.container.format.name == "gif":  # which states no duration, but has an end mark
            with open(self.path, "rb") as file:
                file.seek(-min(64, self.path.stat().st_size), os.SEEK_END)
                if not file.read().rstrip(b"\0").endswith(b";"):
                    raise ClipError(f"it is truncated: its end is missing ({timeline.count} frames)")
        if timeline.seconds is None:
            return
        if self.stream.duration and self.stream.time_base:
            start = (self.stream.start_time or 0) * self.stream.time_base
            stated = float(self.stream.duration * self.stream.time_base)
            # A recording may begin with packets that are never shown.
            found = max(timeline.seconds, timeline.times[-1] - float(start))
        elif self.container.duration and self.end is not None:
            # Matroska counts its duration from 0, whatever the first time is.
            early = min(self.container.start_time or 0, 0)
            stated, found = self.container.duration / av.time_base, float(self.end - Fraction(early, av.time_base))
        else:
            return
        if stated - found > max(MISSING_SHARE * stated, *np.diff(timeline.times)):
            raise ClipError(f"it is truncated: it ends after {found:.2f} of {stated:.2f} s ({timeline.count} frames)")


@contextmanager
def opened(path: Path) -> Iterator[Video]:
    """A video file and its stream.

    Raises:
        ClipError: it is missing, empty, no video, a list of other files, or its frames are too large.
    """
    path = check_file(path)
    av.logging.set_skip_repeated(False)  # or the last messages of one file arrive with those of the next
    av.logging.set_level(av.logging.ERROR)
    try:
        with (
            av.logging.Capture() as errors,
            av.open(address(path), metadata_errors="replace", options=OPTIONS) as container,
        ):
            if container.format.name.endswith("_pipe") or container.format.name in ("image2", "tty"):
                raise ClipError(f"it is a picture or a text ({container.format.name}), not a video")
            if not PLAYLISTS.isdisjoint(container.format.name.split(",")):
                raise ClipError(f"it is a list of other files ({container.format.name}), not a video")
            yield Video(path, container, _stream_of(container), errors)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise ClipError(f"it is not a readable video ({reason(error)})") from error
    finally:
        av.logging.set_level(None)


def decode(path: Path, wanted: Collection[int] = (), whole: bool = True) -> tuple[dict[int, np.ndarray], Timeline]:
    """Frames by their index among those shown, and when all are shown; the reference for what a video's frames are.

    Without `whole`, the end of the file is neither decoded nor checked.

    Raises:
        ClipError: as `opened`; it has no frame, is damaged or truncated, or the order of its frames is unknown.
    """
    found: dict[int, np.ndarray] = {}
    stamps: list[Stamps] = []
    with opened(path) as video:
        for index, frame in enumerate(video.frames()):
            stamps.append((frame.pts, frame.dts, frame.duration))
            if index in wanted:
                found[index] = upright(frame)
            if not whole and len(found) == len(wanted):
                break
        if not stamps:
            raise ClipError("it has no video frame")
        timeline = video.timeline(stamps)
        if whole:
            video.check_length(timeline)
    return found, timeline


def upright(frame: av.VideoFrame) -> np.ndarray:
    """A frame as (H, W, 3) uint8, turned and mirrored as its display matrix says."""
    pixels = frame.to_ndarray(format="rgb24", threads=1)  # a scaler waits for its threads, gone after a fork
    data = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(data, SideData):
        return pixels

    # Stored column p and row q are shown at column a p + c q and row b p + d q, up to a shift.
    a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(data), "<i4")[:5])
    turned = abs(b) + abs(c) > abs(a) + abs(d)
    (column, row), rest = ((c, b), (a, d)) if turned else ((a, d), (c, b))
    if max(map(abs, rest)) > 0.05 * min(abs(column), abs(row)):
        raise ClipError("it is to be shown turned by an angle that is no multiple of 90 degrees")
    if turned:
        pixels = pixels.swapaxes(0, 1)
    return pixels[:: -1 if row < 0 else 1, :: -1 if column < 0 else 1]


def stack_frames(frames: list[np.ndarray]) -> np.ndarray:
    """Frames of one size as one array.

    Raises:
        ClipError: their sizes differ.
    """
    sizes = {frame.shape for frame in frames}
    if len(sizes) != 1:
        shown = " and ".join(sorted(f"{width}x{height}" for height, width, _ in sizes))
        raise ClipError(f"its frames differ in size: {shown}")
    return np.stack(frames)


def _completed(known: dict[int, int], count: int, last: int, unit: float) -> Timeline:
    """The times of all `count` frames from those of the known ones; the last is shown for `last` or longer."""
    (first, start), (final, end) = next(iter(known.items())), list(known.items())[-1]
    interval = (end - start) / (final - first) if final > first else max(1, last)
    times = np.interp(np.arange(count), list(known), list(known.values()))
    times[:first] -= interval * np.arange(first, 0, -1)
    times[final + 1 :] += interval * np.arange(1, count - final)
    return Timeline(count, tuple((np.append(times, times[-1] + max(interval, last)) * unit).tolist()), unit)


def _stream_of(container: InputContainer) -> VideoStream:
    """The first video stream that is no cover picture, marked as such or not."""
    if not container.streams.video:
        raise ClipError("it has no video stream")

    def cover(stream: VideoStream) -> tuple[bool, bool, bool]:
        codec = stream.codec_context  # None for unknown codecs, which its types don't say
        return bool(stream.disposition & PICTURES), stream.frames == 1, not codec or codec.name in PICTURE_CODECS

    stream = min(container.streams.video, key=cover)
    if stream.disposition & PICTURES:
        raise ClipError("its only picture is a cover")
    if stream.codec_context is None:
        raise ClipError("its codec is unknown")
    check_size(stream.codec_context.width, stream.codec_context.height)
    stream.codec_context.thread_count = 1
    return stream
