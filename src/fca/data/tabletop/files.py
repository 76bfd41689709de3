"""What the three corpus writers share: all-or-nothing folders, JPEG frames, evenly drawn motions."""

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from fca.data.tabletop.scene import STYLE_MOTIONS


@contextmanager
def whole_folder(root: Path) -> Iterator[Path]:
    """A folder next to `root` to write into, renamed to `root` at the end: `root` is complete or absent.

    `root` may exist only as an empty folder. What an interrupted run left is removed.
    """
    root = Path(root)
    if root.exists() and any(root.iterdir()):
        raise FileExistsError(f"{root} is not empty")
    partial = root.with_name(root.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    partial.rename(root)


def jpeg_bytes(frame: np.ndarray, quality: int) -> bytes:
    """A uint8 (height, width, 3) RGB frame as a JPEG file; the same frame, the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def even_motions(rng: np.random.Generator, style: str, count: int) -> list[str]:
    """`count` motions of a style in random order, each as often as any other, give or take one."""
    motions = STYLE_MOTIONS[style]
    whole = [motions[index % len(motions)] for index in range(count)]
    return [whole[int(index)] for index in rng.permutation(count)]
