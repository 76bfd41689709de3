"""Videos whose frames carry their numbers, of any codec, container, GOP and timing, so that a wrong frame is seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np

from fca.video.decode import Decoder

HEIGHT, WIDTH = 64, 128
DECODERS: list[Decoder] = ["pyav", "decord"] if find_spec("decord") else ["pyav"]
"""Those that are installed: decord has wheels for few machines (tests/test_packages.py runs without it)."""
TICK = Fraction(1, 1000)
SOUND_RATE = 48_000
FORMATS = {"mkv": "matroska", "ts": "mpegts", "mpg": "mpeg"}
FIXED_RATE = {
    "mjpeg",
    "mpeg1video",
    "mpeg2video",
    "mpeg4",
    "msmpeg4",
    "wmv2",
    "flv",
    "gif",
}  # codecs that count frames, not time
X265 = "log-level=none:scenecut=0:pools=1"
QUALITY = {
    "libx264": {"crf": "10", "preset": "ultrafast", "x264-params": "scenecut=0"},
    "libx265": {"crf": "10", "preset": "ultrafast", "x265-params": X265},
    "libvpx": {"crf": "4", "b": "2M", "deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"crf": "10", "b": "0", "deadline": "realtime", "cpu-used": "8"},
    "libsvtav1": {"crf": "1", "preset": "8"},
    "mpeg4": {"qscale": "3", "b": "4M"},
    "mpeg2video": {"b": "4M"},
    "mpeg1video": {"b": "4M"},
}


def numbered(number: int) -> np.ndarray:
    """(H, W, 3) uint8: a mark at the top left; below, the number's eight bits and, as a check, those of a hash."""
    frame = np.full((HEIGHT, WIDTH, 3), 96, np.uint8)
    frame[:16, :32] = 224
    for top, value in ((32, number), (48, _hash(number))):
        bits = [(value >> (7 - bit)) & 1 for bit in range(8)]
        frame[top : top + 16] = 255 * np.repeat(bits, WIDTH // 8)[None, :, None]
    return frame


def number(frame: np.ndarray) -> int | None:
    """The number in a frame of any size; None if it can't be read."""
    height, width = frame.shape[:2]
    rows = [frame[round(place * height)].astype(float).mean(-1) for place in (40 / 64, 56 / 64)]
    value, check = (sum(1 << (7 - bit) for bit in range(8) if row[int((bit + 0.5) * width / 8)] > 128) for row in rows)
    return value if check == _hash(value) else None


def numbers(frames: Sequence[np.ndarray]) -> list[int | None]:
    return [number(frame) for frame in frames]


def even(count: int = 48, rate: Fraction | int = 25, start: float = 0.0) -> list[float]:
    """Times of frames at a constant rate."""
    return [start + float(index / Fraction(rate)) for index in range(count)]


def varying(count: int = 48) -> list[float]:
    """Half of the frames at 25 a second, the other half at 5."""
    half = count // 2
    return [index / 25 for index in range(half)] + [half / 25 + index / 5 for index in range(count - half)]


@dataclass(frozen=True)
class Recipe:
    """How a video is made."""

    codec: str
    container: str
    gop: int = 12
    b_frames: int = 0
    times: Sequence[float] = field(default_factory=even)
    options: dict[str, str] = field(default_factory=dict)
    pixels: str = "yuv420p"
    rate: Fraction | int = 25
    sound: float = 0.0
    """Seconds of silence"""
    matrix: tuple[int, int, int, int] | None = None
    """a, b, c, d of the display matrix: column p and row q are shown at column a p + c q and row b p + d q"""


def write(path: Path, recipe: Recipe, paint: Callable[[int], np.ndarray] = numbered) -> Path:
    """Encode the frames 0, 1, 2, ... at their times."""
    with av.open(f"file:{path}", "w", format=FORMATS.get(recipe.container, recipe.container)) as output:
        stream = output.add_stream(recipe.codec, rate=recipe.rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, recipe.pixels
        codec = stream.codec_context
        codec.thread_count, codec.gop_size, codec.max_b_frames = 1, recipe.gop, recipe.b_frames
        codec.time_base = tick = 1 / Fraction(recipe.rate) if recipe.codec in FIXED_RATE else TICK
        stream.options = QUALITY.get(recipe.codec, {}) | recipe.options
        if recipe.matrix is not None:
            a, b, c, d = (value << 16 for value in recipe.matrix)
            stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        sound = output.add_stream("mp2", rate=SOUND_RATE, layout="mono") if recipe.sound else None

        for index, time in enumerate(recipe.times):
            frame = av.VideoFrame.from_ndarray(paint(index), format="rgb24").reformat(format=recipe.pixels)
            frame.pts, frame.time_base = round(time / tick), tick
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound is not None:
            for start in range(0, int(recipe.sound * SOUND_RATE), 1152):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), "s16", "mono")
                silence.rate, silence.pts, silence.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
                output.mux(sound.encode(silence))
            output.mux(sound.encode(None))
    return path


def remux(
    source: Path, target: Path, change: Callable[[int, av.Packet], bytes | None], shift: float = 0.0, **options: str
) -> Path:
    """Copy the packets of a video without decoding, `shift` seconds later, with the bytes that `change` gives each."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=options) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for position, packet in enumerate(old.demux(video=0)):
            if packet.dts is None or (data := change(position, packet)) is None:
                continue
            copy = av.Packet(data)
            moved = round(shift / packet.time_base)
            copy.pts, copy.dts, copy.time_base = packet.pts + moved, packet.dts + moved, packet.time_base
            copy.duration, copy.is_keyframe, copy.stream = packet.duration, packet.is_keyframe, stream
            new.mux(copy)
    return target


def _hash(value: int) -> int:
    return (value * 157 + 91) % 256
