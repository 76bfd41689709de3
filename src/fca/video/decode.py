"""Frames of a clip's media as uint8 RGB: video files through decord, folders of JPEGs through Pillow.

Decoders don't report damaged files, they return less: a truncated webm opens with fewer frames. So a video's frames are
counted from its packets and compared with the length that its container states, and what decord opens is compared with
that count. Readers are opened for one call and closed: decord hangs when a reader is carried through a fork, and aborts
when threads share one.
"""

import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import av
import decord
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from PIL import Image
from tqdm import tqdm

from fca.artifacts.quarantine import ClipError
from fca.errors import first_line
from fca.video.workers import call_apart

decord.logging.set_level(decord.logging.QUIET)  # broken files are reported once, by ClipError


class FrameSource(ABC):
    """Frames that are found in another way, such as by time (`fca.video.timed`)."""

    @abstractmethod
    def count(self) -> int:
        """As `count_frames`."""

    @abstractmethod
    def read(self, indices: Sequence[int]) -> np.ndarray:
        """As `read_frames`, for indices within the count."""


Media = Path | Sequence[Path] | FrameSource
"""A video file, a folder of numbered JPEGs, the JPEGs of a clip in order, or a source of another kind."""

MAX_PIXELS = 2**26  # of one frame: eight times 4K; more is a mistake or an attack
PLAYLISTS = {"concat", "dash", "hls", "imf", "sdp"}  # formats that are read by opening other files
OPTIONS = {"protocol_whitelist": "file"}  # never follow network addresses inside a video file
MISSING_SHARE = 0.1  # how far the packets may fall short of the container's stated length (rates vary)
TAIL = 64  # bytes at the end of a picture
JPEG_END = b"\xff\xd9"


def list_frames(folder: Path) -> list[Path]:
    """The JPEGs of a folder in the order of the number at the end of their names: im_9.jpg before im_10.jpg."""
    try:
        numbered = [
            (int(match[1]), path)
            for path in folder.iterdir()
            if (match := re.fullmatch(r".*?(\d+)\.jpe?g", path.name, re.IGNORECASE))
        ]
    except OSError as error:
        raise ClipError(_file_problem(folder, error)) from error
    if not numbered:
        raise ClipError(f"there is no numbered JPEG in {folder.name}")
    return [path for _, path in sorted(numbered)]


def count_frames(media: Media) -> int:
    """Number of frames: files of a folder, packets of a video (nothing is decoded).

    Raises:
        ClipError: the media is missing or broken.
    """
    if isinstance(media, FrameSource):
        return media.count()
    if not isinstance(media, Path):
        return len(media)
    if media.is_dir():
        return len(list_frames(media))
    with open_video(media) as container:
        return _count_packets(container)


def count_all(media: Sequence[Path], description: str) -> list[int | ClipError]:
    """`count_frames` of many media in separate processes: a number or a ClipError for each."""
    counts = call_apart(count_frames, ((path,) for path in media), ahead=64)
    return list(tqdm(counts, total=len(media), desc=description, unit="clip"))


def seconds(media: Media) -> float | None:
    """Length of a video; None for pictures, and if its container doesn't state it.

    Raises:
        ClipError: as `count_frames`.
    """
    if not isinstance(media, Path) or media.is_dir():
        return None
    with open_video(media) as container:
        return container.duration / av.time_base if container.duration else None


@contextmanager
def open_video(path: Path) -> Iterator[InputContainer]:
    """A video's container; errors of the decoder become ClipError."""
    _check_file(path)
    try:
        with av.open(str(path), metadata_errors="replace", options=OPTIONS) as container:
            yield container
    except (av.FFmpegError, OSError, ValueError) as error:
        raise ClipError(f"it is not a readable video ({_reason(error)})") from error


def read_frames(media: Media, indices: Sequence[int], count: int | None = None) -> np.ndarray:
    """Frames at `indices` (positions from 0, any order, repeats allowed) as (n, H, W, 3) uint8 RGB.

    `count`: the number of frames of a video, if the caller has just counted them.

    Raises:
        ClipError: the media is missing, broken, shorter than it states, of mixed sizes, or has no such frame.
    """
    if isinstance(media, FrameSource):
        _check_indices(indices, media.count())
        return media.read(indices)
    if not isinstance(media, Path):
        return _read_images(media, indices)
    if media.is_dir():
        return _read_images(list_frames(media), indices)
    count = count_frames(media) if count is None else count
    _check_indices(indices, count)
    unique, inverse = np.unique(np.asarray(indices, dtype=np.int64), return_inverse=True)
    frames = _read_decord(media, unique.tolist(), count)
    if frames is None:
        frames = _read_pyav(media, unique.tolist(), count)
    return frames[inverse.reshape(-1)]


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height) of a picture from its header, once it is known not to be cut off.

    A JPEG ends with its end mark; one that doesn't is decoded to see whether it is complete.

    Raises:
        ClipError: the picture is missing or broken.
    """
    with _open_picture(path) as image, path.open("rb") as file:
        size = image.size
        file.seek(max(0, path.stat().st_size - TAIL))
        tail = file.read()
        if not tail.strip(b"\0"):
            raise ClipError("it ends in zeros: it was not written to its end")
    if not tail.endswith(JPEG_END):
        _read_image(path)
    return size


def _count_packets(container: InputContainer) -> int:
    """The packets of the video stream, checked against format, frame size and stated duration."""
    if container.format.name.endswith("_pipe") or container.format.name == "image2":
        raise ClipError(f"it is a picture ({container.format.name}), not a video")
    if not PLAYLISTS.isdisjoint(container.format.name.split(",")):
        raise ClipError(f"it is a list of other files ({container.format.name}), not a video")
    stream = video_stream(container)
    count = sum(1 for packet in container.demux(stream) if packet.size)
    if count == 0:
        raise ClipError("it has no video frame")
    rate = stream.average_rate or stream.guessed_rate
    stated = round(container.duration / av.time_base * rate) if container.duration and rate else count
    if stated - count > max(1, MISSING_SHARE * stated):
        raise ClipError(f"it is truncated: {count} of about {stated} frames")
    return count


def _read_decord(path: Path, indices: list[int], count: int) -> np.ndarray | None:
    """Frames at sorted unique indices; None if decord can't open the file or sees another number of frames."""
    try:
        reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
        return reader.get_batch(indices).asnumpy() if len(reader) == count else None
    except (RuntimeError, decord.DECORDError, IndexError):
        return None  # such as a one-frame webm: PyAV decides


def _read_pyav(path: Path, indices: list[int], count: int) -> np.ndarray:
    """Frames at sorted unique indices by decoding from the start, which must give `count` frames."""
    wanted, found, decoded = set(indices), [], 0
    try:
        with av.open(str(path), metadata_errors="replace", options=OPTIONS) as container:
            for frame in container.decode(video=0):
                if decoded in wanted:
                    found.append(upright(frame))
                decoded += 1
    except (av.FFmpegError, OSError, ValueError) as error:
        raise ClipError(f"decoding stopped after {decoded} of {count} frames ({_reason(error)})") from error
    if decoded != count:
        raise ClipError(f"{decoded} frames could be decoded, its container holds {count}")
    return stack_frames(found)


def upright(frame: av.VideoFrame) -> np.ndarray:
    """The pixels of a frame as a player shows it: a phone held upright stores counterclockwise degrees."""
    return np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))


def _read_images(files: Sequence[Path], indices: Sequence[int]) -> np.ndarray:
    _check_indices(indices, len(files))
    frames = {index: _read_image(files[index]) for index in sorted(set(indices))}
    return stack_frames([frames[index] for index in indices])


def _read_image(path: Path) -> np.ndarray:
    """One picture as (H, W, 3) uint8; grey and CMYK become RGB."""
    with _open_picture(path) as image:
        return np.asarray(image.convert("RGB"))


@contextmanager
def _open_picture(path: Path) -> Iterator[Image.Image]:
    """A picture of a sensible size; errors become ClipErrors that name the file."""
    try:
        _check_file(path)
        with Image.open(path) as image:
            _check_size(*image.size)
            yield image
    except ClipError as error:
        raise ClipError(f"{path.name}: {error}") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ClipError(f"{path.name}: {_file_problem(path, error)}") from error


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


def _check_indices(indices: Sequence[int], count: int) -> None:
    if len(indices) == 0:
        raise ValueError("no frame was requested")
    if min(indices) < 0 or max(indices) >= count:
        raise ClipError(f"frame {max(indices)} was requested (counted from 0), but it has {count}")


def video_stream(container: InputContainer) -> VideoStream:
    """The first video stream of a container.

    Raises:
        ClipError: there is none, nothing here can decode it, or its frames are too large.
    """
    if not container.streams.video:
        raise ClipError("it has no video stream")
    stream = container.streams.video[0]
    if stream.codec_context is None:  # its types don't say so
        raise ClipError("its codec is unknown")
    _check_size(stream.codec_context.width, stream.codec_context.height)
    return stream


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise ClipError(f"a frame of {width}x{height} pixels is refused (at most {MAX_PIXELS} pixels)")


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):  # opening a named pipe blocks
            raise ClipError("it is no regular file")
        if status.st_size == 0:
            raise ClipError("the file is empty")
    except OSError as error:
        raise ClipError(_file_problem(path, error)) from error


def _file_problem(path: Path, error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is missing"
    return f"it can't be read ({_reason(error)})"


def _reason(error: BaseException) -> str:
    """An error's text without paths and addresses, so that manifests are equal on every machine."""
    text = getattr(error, "strerror", None) or first_line(error)
    return re.sub(r"'?/\S+|<.*?>", "...", text)
