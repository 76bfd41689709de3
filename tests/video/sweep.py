"""Codecs x containers x GOPs x timings; `python -m tests.video.sweep` writes the table of docs/data/videos.md."""

import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from fca.artifacts.quarantine import ClipError
from fca.video.decode import read_footage
from tests.video.numbered import X265, Recipe, even, numbers, varying, write

DOCUMENT = Path(__file__).parents[2] / "docs" / "data" / "videos.md"
MARK = "<!-- written by `python -m tests.video.sweep` -->\n"
NTSC = Fraction(30000, 1001)
OPEN_264 = {"x264-params": "open-gop=1:scenecut=0:b-adapt=0", "preset": "fast"}
OPEN_265 = {"x265-params": f"{X265}:open-gop=1", "preset": "fast"}
TIMINGS = {"even": even(), "29.97/s": even(48, NTSC), "from 2 s": even(48, 25, 2.0), "varying": varying()}
GOPS: dict[str, dict] = {
    "intra": {"gop": 1},
    "closed": {"gop": 12},
    "closed, B": {"gop": 12, "b_frames": 2},
    "open, B": {"gop": 12, "b_frames": 3},
    "one": {"gop": 250, "b_frames": 2},
}
CASES: list[tuple[str, str, tuple[str, ...], tuple[str, ...]]] = [
    ("libx264", "mp4", ("intra", "closed", "closed, B", "open, B", "one"), ("even", "varying")),
    ("libx264", "mkv", ("closed, B", "open, B"), ("even", "29.97/s", "from 2 s", "varying")),
    ("libx264", "mov", ("open, B",), ("29.97/s", "varying")),
    ("libx264", "avi", ("closed", "open, B"), ("even",)),
    ("libx264", "ts", ("closed, B", "open, B"), ("even", "varying")),
    ("libx264", "flv", ("closed, B",), ("even",)),
    ("libx265", "mp4", ("closed, B", "open, B"), ("even", "varying")),
    ("libx265", "mkv", ("open, B", "one"), ("even", "29.97/s")),
    ("libx265", "ts", ("open, B",), ("even",)),
    ("mpeg4", "avi", ("closed", "closed, B"), ("even", "varying")),
    ("mpeg4", "mp4", ("closed, B",), ("even", "varying")),
    ("mpeg4", "mkv", ("closed, B",), ("even",)),
    ("msmpeg4", "avi", ("closed",), ("even",)),
    ("wmv2", "asf", ("closed",), ("even",)),
    ("flv", "flv", ("closed",), ("even",)),
    ("mpeg1video", "mpg", ("closed, B",), ("even",)),
    ("mpeg2video", "mpg", ("closed, B",), ("even",)),
    ("mpeg2video", "ts", ("intra", "closed, B"), ("even", "from 2 s")),
    ("mpeg2video", "mkv", ("closed, B",), ("even",)),
    ("libvpx", "webm", ("closed", "one"), ("even", "varying")),
    ("libvpx-vp9", "webm", ("intra", "closed", "one"), ("even", "29.97/s", "varying")),
    ("libvpx-vp9", "mp4", ("closed",), ("even",)),
    ("libsvtav1", "mp4", ("closed", "one"), ("even",)),
    ("libsvtav1", "mkv", ("closed",), ("varying",)),
    ("libsvtav1", "webm", ("closed",), ("even",)),
    ("prores_ks", "mov", ("intra",), ("even", "varying")),
    ("mjpeg", "avi", ("intra",), ("even", "varying")),
    ("ffv1", "mkv", ("intra",), ("even",)),
    ("huffyuv", "avi", ("intra",), ("even",)),
    ("rawvideo", "avi", ("intra",), ("even",)),
    ("gif", "gif", ("closed",), ("even", "varying")),
]
PIXELS = {"prores_ks": "yuv422p10le", "mjpeg": "yuvj420p", "gif": "rgb8", "huffyuv": "yuv422p", "rawvideo": "bgr24"}


def recipes() -> dict[tuple[str, str, str, str], Recipe]:
    """Every combination, by codec, container, GOP and timing."""
    found = {}
    for codec, container, gops, timings in CASES:
        for gop in gops:
            for timing in timings:
                options = {"libx264": OPEN_264, "libx265": OPEN_265}.get(codec, {}) if gop == "open, B" else {}
                if gop == "one" and codec == "libvpx-vp9":
                    options = {"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "good", "cpu-used": "4"}
                rate = NTSC if timing == "29.97/s" else 25
                pixels = PIXELS.get(codec, "yuv420p")
                found[codec, container, gop, timing] = Recipe(
                    codec, container, **GOPS[gop], times=TIMINGS[timing], options=options, pixels=pixels, rate=rate
                )
    return found


def outcome(folder: Path, recipe: Recipe) -> tuple[str, str]:
    """What becomes of a video, and whether decord may read it."""
    path = write(folder / f"video.{recipe.container}", recipe)
    count = len(recipe.times)
    try:
        footage = read_footage(path, range(count), count)
    except ClipError as error:
        return f"refused: {error}", ""
    if (found := numbers(footage.frames)) != list(range(count)):
        return f"wrong: {found}", ""
    shown = np.arange(count) if footage.positions is None else np.asarray(footage.positions)
    off = np.abs(shown * (footage.seconds or 0) / count - np.asarray(recipe.times) + recipe.times[0]).max()
    result = "right" if off < 0.03 else f"right, a time is wrong by {off:.2f} s"

    from fca.video.by_decord import read_decord

    fast, timeline = read_decord(path, range(count), count)
    if timeline is None:
        return result, "PyAV"
    same = all((fast[index] == frame).all() for index, frame in enumerate(footage.frames))
    return result, "either" if same else "they differ"


def table() -> str:
    """The table as Markdown."""
    lines = ["| codec | container | GOP | timing | frames | decoder |", "|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        for key, recipe in recipes().items():
            lines.append(f"| {' | '.join([*key, *outcome(Path(folder), recipe)])} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    av.logging.set_level(av.logging.PANIC)
    DOCUMENT.write_text(DOCUMENT.read_text().partition(MARK)[0] + MARK + table())
