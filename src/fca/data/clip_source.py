"""The clips of a shard for a step: decoded on demand, or stored by `fca resample`.

Validation clips are stored, because every score is measured against them. Training clips never are: `fca encode`
decodes them and passes their pixels to the networks. Both sources give the same pixels in the same order.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fca.artifacts.quarantine import ClipError, Quarantine
from fca.artifacts.shards import Shard
from fca.config import Config, Layout
from fca.data.clip_pixels import Shape, resample_clip
from fca.data.clip_record import ClipRecord
from fca.data.datasets.reader import reader_of
from fca.data.index import read_index, unusable
from fca.errors import FcaError
from fca.video.decode import installed
from fca.video.workers import call_apart, cores


@dataclass(frozen=True)
class DecodedClip:
    """One usable clip with its pixels."""

    id: str
    caption: str
    frames: np.ndarray
    """(frames, H, W, 3) uint8"""
    padded: int
    """How many of them, at the end, are grey padding."""


def shape_of(config: Config, dataset: str) -> Shape:
    """The shape of a dataset's clips."""
    clip = config.clip
    sampling = clip.sampling or reader_of(config.datasets[dataset]).sampling
    return Shape(clip.frames, clip.width, clip.height, clip.resize, sampling, installed(config.decode.decoder))


def seen(config: Config, dataset: str, function: Callable[..., Any], records: Sequence[ClipRecord], last: object,
         processes: int | None = None, ahead: int = 0) -> Iterator[Any]:  # fmt: skip
    """`function(raw, record, frame_name, last)` of a dataset's clips in separate processes, in order: `call_apart`."""
    raw, frame_name = Layout(config).raw(dataset), reader_of(config.datasets[dataset]).frame_name
    calls = ((raw, record, frame_name, last) for record in records)
    return call_apart(function, calls, processes or config.decode.processes, config.decode.seconds, ahead)


class IndexedClips:
    """The clips of one shard's rows of the index, decoded in separate processes, in order.

    `ahead`: clips that are decoded, besides one a process, while the caller works on another.
    """

    def __init__(self, config: Config, dataset: str, split: str, shard: int, ahead: int = 0) -> None:
        layout = Layout(config)
        index, every = read_index(layout, dataset)
        rows = layout.shard_rows(dataset, split, shard)
        records = [record for record in every if record.split == split][rows.start : rows.stop]
        if not records:
            raise FcaError(f"{dataset} {split} has no shard {shard}", f"one of {layout.shards(dataset, split)}")
        self.name = f"{dataset} {split} shard {shard}"
        self.parents = {layout.index(dataset).relative_to(layout.root).as_posix(): index.sha256}
        here = {record.id for record in records}
        self.quarantine = [row for row in unusable(layout, dataset) if row.split == split and row.id in here]
        """Unusable clips; complete once all others were yielded."""
        broken = {row.id for row in self.quarantine}
        self._records = [record for record in records if record.id not in broken]
        self._config, self._dataset, self._ahead = config, dataset, ahead

    def __len__(self) -> int:
        """Number of clips if all can be decoded."""
        return len(self._records)

    def __iter__(self) -> Iterator[DecodedClip]:
        """Every clip that can be decoded; there may be none."""
        config, dataset, records = self._config, self._dataset, self._records
        processes = min(config.decode.processes or cores(), max(1, len(self)))
        answers = seen(config, dataset, resample_clip, records, shape_of(config, dataset), processes, self._ahead)
        for record, answer in zip(records, answers, strict=True):
            if isinstance(answer, ClipError):
                row = Quarantine(record.dataset, record.split, record.id, "resample", record.media, str(answer))
                self.quarantine.append(row)
                continue
            frames, padded = answer
            yield DecodedClip(record.id, record.caption, frames, padded)


class StoredClips:
    """The clips of a shard that `fca resample` wrote."""

    def __init__(self, config: Config, dataset: str, split: str, shard: int) -> None:
        layout = Layout(config)
        path = layout.clips(dataset, split, shard)
        self._shard = Shard(path, kind="clips")
        self.name = f"{dataset} {split} shard {shard}"
        self.parents = {path.relative_to(layout.root).as_posix(): self._shard.manifest.sha256}
        self.quarantine = list(self._shard.manifest.quarantine)

    def __len__(self) -> int:
        return len(self._shard)

    def __iter__(self) -> Iterator[DecodedClip]:
        with self._shard as shard:
            frames, padded = shard.frames, shard["padded"]
            for row, (name, caption) in enumerate(zip(shard.ids, shard.captions, strict=True)):
                yield DecodedClip(name, caption, np.asarray(frames[row]), int(padded[row]))


Clips = IndexedClips | StoredClips


def clips_to_encode(config: Config, dataset: str, split: str, shard: int) -> Clips:
    """Stored clips for validation, decoded ones for training."""
    if split == "validation":
        return StoredClips(config, dataset, split, shard)
    return IndexedClips(config, dataset, split, shard, ahead=config.encode.batch_size)
