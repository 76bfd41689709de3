"""Clips as files that a browser plays from disk, frame by frame, the same bytes for the same frames.

Every clip becomes a sheet: one WebP with all its frames in rows of eight, as the paper's figures show clips. The
sheet of a small clip is lossless, and the page plays the clip from it: no codec comes between, what is seen are the
model's very pixels. A large clip is played from VP9 in WebM beside a sheet of smaller frames, both for looking only.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from PIL import Image

Codec = Literal["libvpx-vp9", "libx264"]

COLUMNS = 8  # frames in a row of a sheet
LOSSLESS_WIDTH = 256  # widest frame that is stored without loss, in pixels
WEBP_LIMIT = 16383  # widest and highest WebP picture, in pixels
FRAMES_PER_SECOND = 8
SHEET_HEIGHT = 160  # frames of large clips are shrunk to this height in their sheet
GAP = 2  # white pixels between given frames


@dataclass(frozen=True)
class Media:
    """File names of one clip."""

    sheet: str
    video: str | None
    """None where the sheet itself is played."""


def is_lossless(frames: int, height: int, width: int) -> bool:
    """Whether clips of this size are stored without loss."""
    return width <= LOSSLESS_WIDTH and -(-frames // COLUMNS) * height <= WEBP_LIMIT


def write_clip(pixels: np.ndarray, folder: Path, name: str) -> Media:
    """Write the files of a clip (F, H, W, 3) uint8."""
    if pixels.ndim != 4 or pixels.shape[-1] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"a clip is (frames, height, width, 3) uint8, not {pixels.shape} {pixels.dtype}")
    sheet = f"{name}.webp"
    if is_lossless(*pixels.shape[:3]):
        write_picture(tiled(pixels), folder / sheet)
        return Media(sheet, None)
    write_picture(tiled(np.stack([shrink(picture, SHEET_HEIGHT) for picture in pixels])), folder / sheet, lossy=True)
    video = f"{name}.webm"
    write_webm(pixels, folder / video)
    return Media(sheet, video)


def tiled(pixels: np.ndarray) -> np.ndarray:
    """Frames (F, H, W, 3) in rows of `COLUMNS`: (rows * H, columns * W, 3); what is left of the last row is white."""
    frames, height, width, _ = pixels.shape
    columns = min(COLUMNS, frames)
    rows = -(-frames // columns)
    full = np.full((rows * columns, height, width, 3), 255, dtype=np.uint8)
    full[:frames] = pixels
    return full.reshape(rows, columns, height, width, 3).swapaxes(1, 2).reshape(rows * height, columns * width, 3)


def write_given(pixels: np.ndarray, path: Path) -> None:
    """The given frames (k, H, W, 3) below each other."""
    space = np.full((GAP, *pixels.shape[2:]), 255, dtype=np.uint8)
    parts = [part for picture in pixels for part in (space, picture)][1:]
    write_picture(np.concatenate(parts), path, lossy=not is_lossless(*pixels.shape[:3]))


def write_picture(picture: np.ndarray, path: Path, lossy: bool = False) -> None:
    """A picture (H, W, 3) uint8 as WebP.

    Without loss the encoder makes its least effort: more would make the files 4 % smaller and take twenty times as
    long.
    """
    options = {"quality": 90, "method": 4} if lossy else {"lossless": True, "quality": 0, "method": 0}
    Image.fromarray(picture).save(path, "WEBP", **options)


def shrink(picture: np.ndarray, height: int = SHEET_HEIGHT) -> np.ndarray:
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
