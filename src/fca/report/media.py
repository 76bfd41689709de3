"""Clips as files that a browser plays from disk, frame by frame, the same bytes for the same frames.

A small clip becomes a filmstrip: one lossless WebP with all frames in a row, drawn on a canvas. No codec
comes between: what is seen are the model's very pixels. A large one becomes VP9 in WebM, for looking at only.
Both come with stills (a few frames side by side) for paper and for browsers without scripts.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from PIL import Image

MediaKind = Literal["filmstrip", "webm"]
Codec = Literal["libvpx-vp9", "libx264"]

FILMSTRIP_WIDTH = 256  # widest frame of a filmstrip, in pixels
WEBP_LIMIT = 16383  # widest WebP picture, in pixels
FRAMES_PER_SECOND = 8
STILLS = 4
STILL_HEIGHT = 160  # large frames are shrunk to this height in the stills
GAP = 2  # white pixels between stills


def media_kind(frames: int, width: int) -> MediaKind:
    """How clips of this size are stored."""
    return "filmstrip" if width <= FILMSTRIP_WIDTH and frames * width <= WEBP_LIMIT else "webm"


def suffix(kind: MediaKind) -> str:
    """The end of a media file's name."""
    return ".webp" if kind == "filmstrip" else ".webm"


def still_positions(frames: int) -> list[int]:
    """Positions of the stills: the first and the last frame and some between, evenly spaced."""
    count = min(STILLS, frames)
    return [round(step * (frames - 1) / max(count - 1, 1)) for step in range(count)]


def write_media(pixels: np.ndarray, path: Path, kind: MediaKind) -> None:
    """Write a clip (F, H, W, 3) uint8 to `path` as a filmstrip or as WebM."""
    if pixels.ndim != 4 or pixels.shape[-1] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"a clip is (frames, height, width, 3) uint8, not {pixels.shape} {pixels.dtype}")
    if kind == "filmstrip":
        write_strip(list(pixels), path)
    else:
        write_webm(pixels, path)


def write_strip(pictures: Sequence[np.ndarray], path: Path, gap: int = 0, axis: int = 1, lossless: bool = True) -> None:
    """Pictures (H, W, 3) uint8 side by side (axis 1) or below each other (axis 0), as one WebP.

    `gap` white pixels lie between them. Without loss the encoder makes its least effort: more would
    make the files 4 % smaller and take twenty times as long.
    """
    shape = list(pictures[0].shape)
    shape[axis] = gap
    space = np.full(shape, 255, dtype=np.uint8)
    parts = [part for picture in pictures for part in (space, picture)][1:]
    picture = Image.fromarray(np.concatenate(parts, axis=axis))
    if lossless:
        picture.save(path, "WEBP", lossless=True, quality=0, method=0)
    else:
        picture.save(path, "WEBP", quality=90, method=4)


def write_stills(pixels: np.ndarray, path: Path, kind: MediaKind) -> None:
    """A few frames of a clip side by side; frames taller than `STILL_HEIGHT` are shrunk to it."""
    pictures = [shrink(pixels[position]) for position in still_positions(len(pixels))]
    write_strip(pictures, path, GAP, lossless=kind == "filmstrip")


def write_given(pixels: np.ndarray, path: Path, kind: MediaKind) -> None:
    """The given frames (k, H, W, 3) below each other."""
    write_strip(list(pixels), path, GAP, axis=0, lossless=kind == "filmstrip")


def shrink(picture: np.ndarray, height: int = STILL_HEIGHT) -> np.ndarray:
    """A picture (H, W, 3) no taller than `height`, with its proportions."""
    if picture.shape[0] <= height:
        return picture
    width = round(picture.shape[1] * height / picture.shape[0])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def write_webm(pixels: np.ndarray, path: Path, frames_per_second: int = FRAMES_PER_SECOND) -> None:
    """VP9 at a high quality."""
    options = {"crf": "18", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "0"}
    write_coded(pixels, path, "webm", "libvpx-vp9", options, frames_per_second)


def write_coded(
    pixels: np.ndarray, path: Path, container: str, codec: Codec, options: dict[str, str], frames_per_second: int
) -> None:
    """A video of (F, H, W, 3) uint8, a key frame every fourth frame so that scrubbing is quick; no tags, no dates.

    Pixels are yuv420p, which every player shows; odd sizes are enlarged by one pixel for it.
    """
    _, height, width, _ = pixels.shape
    with av.open(str(path), "w", format=container, container_options={"fflags": "+bitexact"}) as output:
        stream = output.add_stream(codec, rate=frames_per_second)
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        stream.time_base = tick = Fraction(1, frames_per_second)
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = 4
        stream.options = {**options, "flags": "+bitexact"}
        for position, picture in enumerate(pixels):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = position
            frame.time_base = tick  # the stream's own changes when its header is written
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
