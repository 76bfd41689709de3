"""Videos of your own: a folder of them, of any kind that PyAV reads, and a file with their captions.

`captions.csv` or `captions.jsonl` names each video (sub-folders allowed) and its caption, optionally its split and its
source. Without splits, a seeded share of the sources becomes validation, so that clips cut from one recording are
never in both splits.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from fca.artifacts.quarantine import Quarantine
from fca.config import Dataset
from fca.data.clip_record import Listing
from fca.data.datasets.captions import SPLITS, CaptionRow, find_captions, read_captions
from fca.data.datasets.reader import Publication, Reader, count_frames, held_out
from fca.errors import FcaError
from fca.video.files import on_disk

log = logging.getLogger(__name__)


class Folder(Reader):
    """Reads the captions file; a clip's id is the path of its video below the folder."""

    publication = Publication(
        where="your videos and captions.csv (columns file, caption) into one folder, named by root in the dataset's "
        "settings; docs/data/folder.md has an example",
        licence="the terms they came with",
    )
    sampling = "time"

    def index(self, raw: Path, dataset: str, settings: Dataset, seed: int) -> Listing:
        """Videos in the order of the captions file, with its splits or seeded ones."""
        rows = read_captions(raw)
        splits = split_rows(rows, settings.validation_share, seed)
        chosen = [
            (split, row.file, row.caption, row.file)
            for split, limit in settings.clips.items()
            for row in splits[split][:limit]
        ]
        if len(chosen) < len(rows):
            shown = "%s: %d of %d listed videos are used (train.clips, validation.clips)"
            log.warning(shown, dataset, len(chosen), len(rows))
        notes = {
            "listed": {split: len(found) for split, found in splits.items()},
            "sources": len({row.source for row in rows}),
            "split_by": "captions file" if rows[0].split else "source, seeded",
        }
        return count_frames(raw, dataset, chosen, **notes)

    def annotation_files(self, raw: Path) -> list[Path]:
        return [find_captions(raw)]

    def media_names(self, raw: Path) -> Iterator[str]:
        for name in sorted(row.file for row in read_captions(raw)):
            yield f"{name} {on_disk(raw / name).stat().st_size}"

    def remedy(self, settings: Dataset, row: Quarantine) -> str:
        return "replace the video, or take its row out of the captions file"


READER = Folder()


def split_rows(rows: Sequence[CaptionRow], validation_share: float, seed: int) -> dict[str, list[CaptionRow]]:
    """The rows of each split, in order: as the file says, or a seeded share of its sources for validation.

    Sources are sorted by a hash of seed and name, and the first become validation: at least one, never all. Adding a
    source moves few others.
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
    validation = held_out(names, validation_share, seed)
    return {
        "train": [row for row in rows if row.source not in validation],
        "validation": [row for row in rows if row.source in validation],
    }
