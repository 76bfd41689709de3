"""Whether one clip's media are there and whole, without all of its frames being decoded."""

import os
from pathlib import Path

from PIL import Image

from fca.artifacts.quarantine import ClipError
from fca.data.clip import ClipRecord
from fca.data.clip_pixels import media_of
from fca.video.decode import (
    FrameSource,
    _check_file,
    _check_size,
    _file_problem,
    _read_image,
    count_frames,
    read_frames,
)
from fca.video.temporal_cast import cast_plan

TAIL = 64  # bytes at the end of a picture
END = b"\xff\xd9"  # of a JPEG


def inspect_clip(raw: Path, record: ClipRecord, frame_name: str | None, frames: int) -> tuple[int, int]:
    """(width, height) of a clip's source frames; ClipError says what is wrong with it.

    `frames`: how many a clip is cast to, which decides the source frames that are needed. Of pictures, the headers
    and the ends of all needed ones are read; of a video, the packets are counted and the first and the last needed
    frame are decoded.
    """
    media = media_of(raw, record, frame_name)
    plan = cast_plan(record.length, frames)
    needed = sorted({*plan.low, *plan.high})
    if isinstance(media, Path | FrameSource):
        if (count := count_frames(media)) != record.length:
            raise ClipError(f"it has {count} frames, the index says {record.length}: it changed after indexing")
        height, width = read_frames(media, [needed[0], needed[-1]], count).shape[1:3]
        return width, height
    sizes = {picture_size(media[position]) for position in needed}
    if len(sizes) > 1:
        raise ClipError(f"its frames differ in size: {' and '.join(f'{w}x{h}' for w, h in sorted(sizes))}")
    return sizes.pop()


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height) of a picture from its header, once it is known not to be cut off; ClipError names what is wrong.

    A JPEG ends with its end mark. One that doesn't is decoded to see whether it is whole.
    """
    try:
        _check_file(path)
        with open(path, "rb") as file, Image.open(file) as image:
            size = image.size
            _check_size(*size)
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            tail = file.read()
    except ClipError as error:
        raise ClipError(f"{path.name}: {error}") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ClipError(f"{path.name}: {_file_problem(path, error)}") from error
    if not tail.strip(b"\0"):
        raise ClipError(f"{path.name}: it ends in zeros: it was not written to its end")
    if not tail.endswith(END):
        _read_image(path)
    return size
