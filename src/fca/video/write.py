"""Every video and sheet that the project writes: the same frames make the same bytes.

For a page each clip becomes a sheet: one WebP with all its frames in rows of eight, as the paper's figures show clips.
The sheet of a small clip is lossless, and the page plays the clip from it, so readers see the model's exact pixels. A
large clip is played from VP9 in WebM; its sheet holds smaller frames, and both are for looking only.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple

import av
import numpy as np
from av.codec.context import Flags
from PIL import Image

from fca.artifacts.atomic import trial, write_aside
from fca.video.files import address

Codec = Literal["libvpx-vp9", "libx264", "libx264rgb"]
CONTAINERS: dict[Codec, str] = {"libvpx-vp9": "webm", "libx264": "mp4", "libx264rgb": "mp4"}

REPEATABLE = {"mbtree": "0"}
"""With x264's macroblock tree, the same frames make other bytes from one video to the next, by chance."""

COLUMNS = 8  # frames in a row of a sheet
LOSSLESS_WIDTH = 256  # widest frame that is stored without loss, in pixels
WEBP_LIMIT = 16383  # widest and highest WebP picture, in pixels
FRAMES_PER_SECOND = 8
SHEET_HEIGHT = 160  # frames of large clips are shrunk to this height in their sheet
GAP = 2  # white pixels between initial frames
FRAME = "frame_{:04d}.png"
KEY_FRAMES = "4"  # every fourth frame is a key frame, so that scrubbing is quick


class Media(NamedTuple):
    """File names of one clip; without a video the sheet itself is played."""

    sheet: str
    video: str | None


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
    """Frames (F, H, W, 3) in rows of `COLUMNS`: (rows * H, columns * W, 3); the last row is filled with white."""
    frames, height, width, _ = pixels.shape
    columns = min(COLUMNS, frames)
    rows = -(-frames // columns)
    full = np.full((rows * columns, height, width, 3), 255, dtype=np.uint8)
    full[:frames] = pixels
    return full.reshape(rows, columns, height, width, 3).swapaxes(1, 2).reshape(rows * height, columns * width, 3)


def write_initial_frames(pixels: np.ndarray, path: Path) -> None:
    """The initial frames (k, H, W, 3) below each other."""
    space = np.full((GAP, *pixels.shape[2:]), 255, dtype=np.uint8)
    parts = [part for picture in pixels for part in (space, picture)][1:]
    write_picture(np.concatenate(parts), path, lossy=not is_lossless(*pixels.shape[:3]))


def write_picture(picture: np.ndarray, path: Path, lossy: bool = False) -> None:
    """A picture (H, W, 3) uint8 as WebP.

    A lossless picture gets the encoder's least effort: more makes files 4 % smaller and takes twenty times as long.
    """
    options = {"quality": 90, "method": 4} if lossy else {"lossless": True, "quality": 0, "method": 0}
    Image.fromarray(picture).save(path, "WEBP", **options)


def shrink(picture: np.ndarray, height: int = SHEET_HEIGHT) -> np.ndarray:
    """A picture (H, W, 3) no taller than `height`, with its proportions."""
    if picture.shape[0] <= height:
        return picture
    width = round(picture.shape[1] * height / picture.shape[0])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def write_video(pixels: np.ndarray, path: Path, frames_per_second: int = FRAMES_PER_SECOND) -> None:
    """Write (F, H, W, 3) uint8 in the format that the suffix names, complete or not at all; PNGs without a suffix.

    MP4 (H.264) and WebM (VP9) lose a little, GIF has 256 colours, PNGs (`frame_0000.png`, ...) are exact.
    """
    with write_aside(path) as aside:
        _write(pixels, aside, frames_per_second)


def rehearse_video(path: Path, width: int, height: int, frames_per_second: int) -> None:
    """Encode a black frame as `write_video` will encode a video, in the same place; then remove it.

    Raises:
        FcaError, OSError, ValueError: whatever `write_video` would meet.
    """
    with trial(path) as aside:
        _write(np.zeros((1, height, width, 3), np.uint8), aside, frames_per_second)


def _write(pixels: np.ndarray, path: Path, frames_per_second: int) -> None:
    WRITERS.get(path.suffix.lower(), _write_pngs)(pixels, path, frames_per_second)


def write_webm(pixels: np.ndarray, path: Path, frames_per_second: int = FRAMES_PER_SECOND) -> None:
    """VP9 at a high quality."""
    options = {"crf": "18", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "0", "g": KEY_FRAMES}
    write_frames(pixels, path, "libvpx-vp9", options, frames_per_second)


def write_mp4(pixels: np.ndarray, path: Path, frames_per_second: int = FRAMES_PER_SECOND, crf: int = 16) -> None:
    """H.264; a lower `crf` loses less."""
    options = {"crf": str(crf), "preset": "medium", "g": KEY_FRAMES}
    write_frames(pixels, path, "libx264", options, frames_per_second)


def _write_gif(pixels: np.ndarray, path: Path, frames_per_second: int) -> None:
    """One palette for all frames, so that colours don't flicker."""
    palette = Image.fromarray(np.concatenate(list(pixels))).quantize(256)
    pictures = [Image.fromarray(frame).quantize(palette=palette) for frame in pixels]
    duration = round(1000 / frames_per_second)
    pictures[0].save(path, "GIF", save_all=True, append_images=pictures[1:], duration=duration, loop=0)


def _write_pngs(pixels: np.ndarray, path: Path, _: int) -> None:
    path.mkdir()
    for number, frame in enumerate(pixels):
        Image.fromarray(frame).save(path / FRAME.format(number))


Writer = Callable[[np.ndarray, Path, int], None]
WRITERS: dict[str, Writer] = {".mp4": write_mp4, ".webm": write_webm, ".gif": _write_gif}
"""By suffix; a path without one becomes a folder of PNGs."""


def write_frames(
    pixels: np.ndarray, path: Path, codec: Codec, options: Mapping[str, str], frames_per_second: Fraction | int
) -> None:
    """Encode (F, H, W, 3) uint8, see `video_writer`."""
    with video_writer(path, codec, options, pixels.shape[2], pixels.shape[1], frames_per_second) as put:
        for picture in pixels:
            put(picture)


@contextmanager
def video_writer(
    path: Path, codec: Codec, options: Mapping[str, str], width: int, height: int, frames_per_second: Fraction | int
) -> Iterator[Callable[[np.ndarray], None]]:
    """A function that appends a frame (H, W, 3) uint8 RGB to a new video. Every video is encoded here.

    The same frames and options make the same bytes: one thread, no dates, no versions in the file. Pixels are yuv420p,
    which every player shows; odd sizes are enlarged by one pixel for it. `libx264rgb` keeps RGB and the size.
    """
    rgb = codec == "libx264rgb"
    with av.open(address(path), "w", format=CONTAINERS[codec], container_options={"fflags": "+bitexact"}) as output:
        stream = output.add_stream(codec, rate=frames_per_second)
        stream.width, stream.height = (width, height) if rgb else (width + width % 2, height + height % 2)
        stream.pix_fmt = "rgb24" if rgb else "yuv420p"
        stream.time_base = tick = 1 / Fraction(frames_per_second)
        stream.options = {**options, **({} if codec == "libvpx-vp9" else REPEATABLE)}
        stream.codec_context.flags |= Flags.bitexact
        stream.codec_context.thread_count = 1
        numbers = itertools.count()

        def put(picture: np.ndarray) -> None:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = next(numbers), tick  # the stream's own changes when its header is written
            output.mux(stream.encode(frame))

        yield put
        output.mux(stream.encode(None))
