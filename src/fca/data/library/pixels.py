"""The frames of the library's videos. No step after fetch decodes them, so it has a module of its own."""

from pathlib import Path

import numpy as np

from fca.artifacts.quarantine import ClipError
from fca.config.shipped import located
from fca.data.library.clips import REMEDY, Clip
from fca.errors import FcaError
from fca.video.decode import read_frames


def read_pixels(folder: Path, clip: Clip) -> np.ndarray:
    """The frames (n, H, W, 3) uint8 of the clip.

    Raises:
        FcaError: the video can't be decoded or has another number of frames.
    """
    path = located(folder) / clip.file
    try:
        return read_frames(path, range(clip.frames), clip.frames)
    except ClipError as error:
        raise FcaError(f"{path}, a video of the library: {error}", f"{clip.frames} frames", REMEDY) from error
