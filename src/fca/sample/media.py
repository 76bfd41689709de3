"""Input files of a prediction, and checks of its output file.

Quick to import: no torch. Unusable files are refused here, before any network is loaded.
"""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from PIL import Image, UnidentifiedImageError

from fca.artifacts.quarantine import ClipError
from fca.config.captions import caption_problem
from fca.errors import FcaError, first_line
from fca.pretrained.exported import ExportedModel
from fca.sample.picture import rgb
from fca.video.decode import read_first
from fca.video.files import MAX_PIXELS, on_disk
from fca.video.write import WRITERS, rehearse_video, write_video

PICTURES = ("JPEG", "PNG", "WEBP")
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
READABLE = "JPEG, PNG or WebP pictures, or one video (MP4, WebM, GIF, ...)"
FASTEST = 60
WRITE_ERRORS = (OSError, ValueError, av.FFmpegError)


def read_start(paths: Sequence[Path], exported: ExportedModel) -> list[np.ndarray]:
    """The initial frames, each (H, W, 3) uint8 RGB of its own size, from pictures in order or the start of one video.

    A video gives as many frames as the model was trained with, or one if the model takes one or two.

    Raises:
        FcaError: a file is missing, corrupt or of another kind, their number isn't the model's, or a video is too
            short.
    """
    paths = [on_disk(path) for path in paths]
    for path in paths:
        _check_name(path)
        if not path.is_file():
            problem = "it is a folder" if path.is_dir() else "no such file"
            raise FcaError(f"{path}: {problem}", READABLE)
        if path.stat().st_size == 0:
            raise FcaError(f"{path}: the file is empty", READABLE)
    pictures = [_open_picture(path) is not None for path in paths]
    if all(pictures):
        exported.check_count(len(paths))
        return [read_picture(path) for path in paths]
    if len(paths) > 1:
        other = paths[pictures.index(False)]
        raise FcaError(f"{other}: it is no picture, and a video must be the only file", READABLE)
    try:
        return list(read_first(paths[0], exported.initial_frames or 1))
    except ClipError as error:
        named = "picture" if paths[0].suffix.lower() in PICTURE_SUFFIXES else "picture and no usable video"
        raise FcaError(f"{paths[0]}: it is no readable {named}: {error}", READABLE) from error


def read_picture(path: Path) -> np.ndarray:
    """A JPEG, PNG or WebP as (H, W, 3) uint8 RGB, see `fca.sample.picture.rgb`.

    Raises:
        FcaError: it isn't one, is too large, is animated or damaged.
    """
    image = _open_picture(path)
    if image is None:
        raise FcaError(f"{path}: it is no picture that can be read", READABLE)
    with image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise FcaError(f"{path}: {width}x{height} pixels", f"at most {MAX_PIXELS} pixels")
        if getattr(image, "is_animated", False) and image.format in ("PNG", "WEBP"):
            raise FcaError(f"{path}: it is an animation", "a picture that stands still, or a video")
        try:
            return rgb(image)
        except (OSError, SyntaxError, ValueError) as error:
            raise FcaError(f"{path}: the picture can't be read ({_reason(error)})", "an undamaged picture") from error
        except FcaError as error:
            raise FcaError(f"{path}: {error.problem}", error.expected) from None


def check_out(path: Path, width: int, height: int, frames_per_second: int, read: Sequence[Path] = ()) -> None:
    """Refuse a path that `write_video` can't write or would destroy; nothing is left behind.

    A frame of `width` x `height` pixels is encoded next to it, and what is there is moved away and back.

    Raises:
        FcaError: the suffix is unknown, the folder holds other files than frames, the path is one of `read`, a player
            can't follow the frame rate, or the frame can't be written.
    """
    if not 1 <= frames_per_second <= FASTEST:
        raise FcaError(f"{frames_per_second} frames in a second", f"a whole number from 1 to {FASTEST}")
    _check_name(path)
    suffix, kinds = path.suffix.lower(), f"{', '.join(WRITERS)}, or a name without a suffix: a folder of PNGs"
    if suffix in WRITERS:
        if path.is_dir():
            raise FcaError(f"{path} is a folder", "the name of a file")
        if path.exists() and any(path.samefile(other) for other in read if other.exists()):
            raise FcaError(f"{path} is also read from", "another file: it would be overwritten")
    elif path.is_dir():
        others = sorted(item.name for item in path.iterdir() if not re.fullmatch(r"frame_\d{4}\.png", item.name))
        if others or path.resolve() == Path.cwd():
            reason = f"it holds {others[0]}" if others else "it is the working directory"
            raise FcaError(f"the folder {path} would be replaced, but {reason}", "a new folder, or one of frames only")
        if any(path.resolve() in other.resolve().parents for other in read):
            raise FcaError(f"the folder {path} is also read from", "another folder: it would be replaced")
    elif suffix or path.exists():
        raise FcaError(f"{path}: can't be written as {suffix or 'a folder: it is a file'}", kinds)
    try:
        rehearse_video(path, width, height, frames_per_second)
    except WRITE_ERRORS as error:
        expected, remedy = "a place where a frame can be written", "name another"
        raise FcaError(f"{path} can't be written: {_reason(error)}", expected, remedy) from error


def check_prompt(prompt: object) -> None:
    """Refuse a prompt that could be no caption; it may be empty.

    Raises:
        FcaError: it isn't text, is too long, or has characters that can't be shown.
    """
    empty = isinstance(prompt, str) and not prompt.strip()
    if not empty and (problem := caption_problem(prompt)):
        raise FcaError(
            problem.replace("its caption", "the prompt"), "a sentence in Unicode, such as 'push red block left'"
        )


def save(video: np.ndarray, path: Path, frames_per_second: int) -> None:
    """`write_video`; if `path` has become impossible since `check_out`, elsewhere, so that nothing is computed in vain.

    Raises:
        FcaError: `path` can't be written; it says where the video is instead.
    """
    try:
        write_video(video, path, frames_per_second)
    except (FcaError, *WRITE_ERRORS) as error:
        kept = Path(tempfile.mkdtemp(prefix="fca-predict-")) / path.name
        write_video(video, kept, frames_per_second)
        raise FcaError(f"{path} can't be written: {_reason(error)}", remedy=f"the video is in {kept}") from error


def _open_picture(path: Path) -> Image.Image | None:
    """The picture, not yet decoded; None if it has none of the formats."""
    try:
        return Image.open(path, formats=PICTURES)
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError as error:
        raise FcaError(f"{path}: {_reason(error)}", f"at most {MAX_PIXELS} pixels") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise FcaError(f"{path}: it can't be read ({_reason(error)})", READABLE) from error


def _check_name(path: Path) -> None:
    """Refuse a name that no file can have: too long, or with a zero byte."""
    try:
        path.stat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise FcaError(f"{str(path)[:80]!r} can't be opened: {_reason(error)}", "the name of a file") from error


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or first_line(error)
