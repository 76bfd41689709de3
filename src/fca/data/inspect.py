"""Whether one clip's media are complete, without decoding all of its frames; ClipError says what is wrong."""

from pathlib import Path

from fca.artifacts.quarantine import ClipError
from fca.data.clip import ClipRecord
from fca.data.clip_pixels import check_length, media_of
from fca.video.decode import FrameSource, picture_size, read_frames
from fca.video.temporal_cast import cast_plan


def inspect_clip(raw: Path, record: ClipRecord, frame_name: str | None, frames: int) -> tuple[int, int]:
    """(width, height) of a clip's source frames.

    `frames`: how many a clip is cast to, which decides the source frames that are needed. Of pictures, the headers and
    the ends of all needed ones are read; of a video, the packets are counted and the first and the last needed frame
    are decoded.
    """
    media = media_of(raw, record, frame_name)
    needed = cast_plan(record.length, frames).needed
    if isinstance(media, Path | FrameSource):
        count = check_length(media, record)
        height, width = read_frames(media, [needed[0], needed[-1]], count).shape[1:3]
        return width, height
    sizes = {picture_size(media[position]) for position in needed}
    if len(sizes) > 1:
        raise ClipError(f"its frames differ in size: {' and '.join(f'{w}x{h}' for w, h in sorted(sizes))}")
    return sizes.pop()
