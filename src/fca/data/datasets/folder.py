"""Videos of your own: a folder of them, of any kind that PyAV reads, and a file with their captions.

`captions.csv` or `captions.jsonl` names each video (sub-folders allowed), its caption, and if you like its split and
its source. Without splits a seeded part of the sources becomes validation: clips that were cut from one recording are
never in both. The clips of a split are the first ones in the file's order.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from fca.artifacts.quarantine import Quarantine
from fca.data.clip import ClipRecord, Listing
from fca.data.datasets.captions import SPLITS, Row, find_captions, read_captions
from fca.errors import FcaError
from fca.video.decode import ClipError, count_all

FRAME_NAME = None
LICENCE = "the terms they came with"
WHERE = (
    "your videos and captions.csv (columns file, caption) into one folder, named by root in the dataset's settings; "
    "docs/data/folder.md has an example"
)

log = logging.getLogger(__name__)


def index_folder(raw: Path, dataset: str, train: int, validation: int, validation_share: float, seed: int) -> Listing:
    """The first `train` and `validation` videos of the captions file; a clip's id is its path below the folder.

    Frames are counted from the packets of those videos, in threads, without decoding. A video that can't be read
    is quarantined at its place; what is wrong with the captions file is an `FcaError`.
    """
    rows = read_captions(raw)
    splits = split_rows(rows, validation_share, seed)
    listed = {split: len(found) for split, found in splits.items()}
    chosen = [
        (split, row) for split, limit in (("train", train), ("validation", validation)) for row in splits[split][:limit]
    ]
    if len(chosen) < len(rows):
        log.warning(
            "%s: %d of %d listed videos are used (train.clips, validation.clips)", dataset, len(chosen), len(rows)
        )
    lengths = count_all([raw / row.file for _, row in chosen], f"{dataset}: count frames")
    records, quarantine = [], []
    for (split, row), length in zip(chosen, lengths, strict=True):
        frames = 0 if isinstance(length, ClipError) else length
        records.append(ClipRecord(row.file, dataset, split, row.caption, row.file, None, frames))
        if isinstance(length, ClipError):
            quarantine.append(Quarantine(dataset, split, row.file, "index", row.file, str(length)))
    notes = {
        "listed": listed,
        "sources": len({row.source for row in rows}),
        "split_by": "captions file" if rows[0].split else "source, seeded",
    }
    return Listing(records, quarantine, notes)


def split_rows(rows: Sequence[Row], validation_share: float, seed: int) -> dict[str, list[Row]]:
    """The rows of each split, in order: as the file says, or a seeded share of its sources for validation.

    Sources are put in the order of a hash of seed and name, and the first become validation: at least one, never all.
    So a source that is added moves few others.
    """
    if rows[0].split:
        return {split: [row for row in rows if row.split == split] for split in SPLITS}
    names = {row.source for row in rows}
    if len(names) < 2:
        raise FcaError(
            f"all {len(rows)} videos have the source {rows[0].source!r}, so they can't be split by source",
            "two sources or more, or a column split (train, validation)",
            "add that column to the captions file",
        )
    sources = sorted(names, key=lambda source: hashlib.sha256(f"{seed}\0{source}".encode()).digest())
    count = min(max(1, round(validation_share * len(sources))), len(sources) - 1)
    held_out = set(sources[:count])
    return {
        "train": [row for row in rows if row.source not in held_out],
        "validation": [row for row in rows if row.source in held_out],
    }


def annotation_files(raw: Path) -> list[Path]:
    """The file whose content decides what the clips are."""
    return [find_captions(raw)]


def media_names(raw: Path) -> Iterator[str]:
    """Every listed video with its size: what the folder's fingerprint is made of."""
    for name in sorted(row.file for row in read_captions(raw)):
        yield f"{name} {(raw / name).stat().st_size}"
