"""The step `resample`: clips of the index -> a shard of 16 small frames each."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fca.artifacts.atomic import explained_if_full, require_space
from fca.artifacts.fingerprint import made_by
from fca.artifacts.manifest import Manifest
from fca.artifacts.measured import measured
from fca.artifacts.shards import reused, write_shard
from fca.config import Config, Layout
from fca.data.clip_source import IndexedClips


def resample(config: Config, dataset: str, split: str, shard: int) -> Manifest:
    """Write clip shard number `shard` of a split, and return its manifest.

    Arrays: `frames` (n, frames, H, W, 3) uint8, `caption`, and `padded` (n,) int32, the number of grey frames at the
    end of a clip that has too few. A clip that can't be decoded is left out and quarantined; there may be no rows.
    """
    settings = config.clip
    path = Layout(config).clips(dataset, split, shard)
    source = IndexedClips(config, dataset, split, shard)
    made = made_by(config, "resample", dataset)
    if found := reused(path, "clips", source.parents, made, source.quarantine):
        return found

    ids: list[str] = []
    captions: list[str] = []
    padded: list[int] = []
    shape = (max(1, len(source)), settings.frames, settings.height, settings.width, 3)
    with measured(config, "resample", dataset, split, f"{shard:04d}") as work, _scratch(path, shape) as frames:
        for row, clip in enumerate(tqdm(source, desc=f"resample {source.name}", unit="clip")):
            frames[row] = clip.frames
            ids.append(clip.id)
            captions.append(clip.caption)
            padded.append(clip.padded)
        manifest = write_shard(
            path,
            "clips",
            {"frames": frames[: len(ids)], "caption": captions, "padded": np.asarray(padded, dtype=np.int32)},
            ids=ids,
            parents=source.parents,
            made_by=made,
            quarantine=source.quarantine,
            meta={"dataset": dataset, "split": split, "shard": shard, "resize": settings.resize},
        )
        work.clips, work.written = manifest.count, path.stat().st_size
    return manifest


@contextmanager
def _scratch(path: Path, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """A uint8 array on the disk of `path`: a shard at the paper's scale (17 GB) exceeds a job's memory.

    Its file has no name, so a kill leaves nothing, and its size is reserved, so a full disk is an error now and not a
    bus error later.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    size = int(np.prod(shape))
    require_space(path, 2 * size)
    with tempfile.TemporaryFile(dir=path.parent) as file:
        with explained_if_full(path, size):
            os.posix_fallocate(file.fileno(), 0, size)
        yield np.memmap(file, np.uint8, "r+", shape=shape)
