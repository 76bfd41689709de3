"""Clips as the MP4 files that VBench's functions read, lossless unless the protocol says otherwise.

VBench reads with decord and with OpenCV. H.264 at quantiser 0 in RGB is what both give back pixel by pixel at every
size (PNG in MP4 fails in decord at some); `official.py` compares hashes of what each reads before anything is scored.
"""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fca.video.write import write_frames

FRAMES_PER_SECOND = 8
"""CogVideoX's. None of the six dimensions depends on it."""


def codec_name(crf: int | None) -> str:
    """What the protocol says about the codec."""
    if crf is None:
        return "H.264 without loss (libx264rgb, qp 0, RGB), MP4, 8 frames/s; pixels verified through both readers"
    return f"H.264 (libx264, crf {crf}, preset medium, no B-frames, yuv420p), MP4, 8 frames/s; with loss"


def write_video(frames: NDArray[np.uint8], path: Path, crf: int | None = None) -> None:
    """Write (F, H, W, 3) uint8 RGB to an MP4; the same frames give the same bytes."""
    options = {"qp": "0", "preset": "veryfast"} if crf is None else {"crf": str(crf), "preset": "medium"}
    options["bf"] = "0"  # with B-frames this x264 doesn't always give the same bytes
    write_frames(frames, path, "libx264rgb" if crf is None else "libx264", options, FRAMES_PER_SECOND)


def pixels_sha256(frames: NDArray[np.uint8]) -> str:
    """sha256 of the pixels (F, H, W, 3) uint8 RGB, in order."""
    return hashlib.sha256(np.ascontiguousarray(frames).tobytes()).hexdigest()
