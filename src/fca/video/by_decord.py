"""Frames through decord, only of videos that it is known to read as PyAV does.

decord finds frames by counting packets and by seeking to keyframes. That is right if each packet is one frame, shown
in the order of the file: no frame is hidden, discarded or reordered, so that no GOP is open. Its pixels are PyAV's for
codecs whose decoding is exact, in 8-bit YCbCr without a tagged colour space.

Readers are opened for one call and closed: decord hangs if a reader is carried through a fork, and aborts if threads
share one.
"""

from collections.abc import Sequence
from pathlib import Path

import av
import decord
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange

from fca.video.container import Stamps, Timeline, Video, opened
from fca.video.files import address

EXACT = {"h264", "hevc", "vp8", "vp9"}
UNSPECIFIED = 2  # colour space of H.273, as most encoders leave it

decord.logging.set_level(decord.logging.QUIET)  # broken files are reported once, by ClipError


def read_decord(path: Path, indices: Sequence[int], count: int) -> tuple[dict[int, np.ndarray], Timeline | None]:
    """Frames at increasing indices of a video of `count` frames and when all are shown; None if PyAV must read it.

    Raises:
        ClipError: as `fca.video.container.opened`.
    """
    with opened(path) as video:
        timeline = _timeline(video, count) if _plain(video) else None
    if timeline is None or indices[-1] >= count:
        return {}, None
    try:
        reader = decord.VideoReader(address(path), ctx=decord.cpu(0), num_threads=1)
        if len(reader) != count:
            return {}, None
        return dict(zip(indices, reader.get_batch(indices).asnumpy(), strict=True)), timeline
    except (RuntimeError, decord.DECORDError, IndexError):
        return {}, None  # a WebM of one frame, for one


def _plain(video: Video) -> bool:
    """Whether the file's only video stream has a codec and colours that leave no room for a difference."""
    codec = video.stream.codec_context
    exact = codec.name in EXACT and codec.format is not None and codec.format.name == "yuv420p"
    untagged = codec.colorspace == UNSPECIFIED and codec.color_range != ColorRange.JPEG
    return exact and untagged and len(video.container.streams.video) == 1


def _timeline(video: Video, count: int) -> Timeline | None:
    """When the frames are shown, if each packet is one frame, in the order of the file and evenly spaced."""
    stamps: list[Stamps] = []
    for packet in video.packets():
        if packet.is_discard or packet.pts != packet.dts or (not stamps and _turned(packet)):
            return None
        if packet.size:
            stamps.append((packet.pts, packet.dts, packet.duration))
    if len(stamps) != count:
        return None
    timeline = video.timeline(stamps)
    return timeline if timeline.times and timeline.positions() is None else None


def _turned(packet: av.Packet) -> bool:
    """Whether the frame of the first packet is to be shown turned, or isn't there yet."""
    frames = packet.decode()
    return not frames or Type.DISPLAYMATRIX in frames[0].side_data
