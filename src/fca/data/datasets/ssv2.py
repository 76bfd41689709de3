"""Something-Something V2: captions from the JSON annotations, clips from `<id>.webm`.

The training split is the whole of train.json. Validation is the head of validation.json in file order: the paper's
2,048 are the first of 24,777, since Seer's loader doesn't shuffle.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from fca.artifacts.quarantine import Quarantine
from fca.config import Dataset
from fca.config.captions import storable
from fca.data.clip_record import Listing
from fca.data.datasets.reader import Publication, Reader, count_frames, find_first
from fca.errors import FcaError

PUBLICATION = Publication(
    where="videos (20bn-something-something-v2-00, -01) and labels "
    "(20bn-something-something-download-package-labels.zip) from "
    "https://developer.qualcomm.com/software/ai-datasets/something-something; unpack the videos with "
    "`cat 20bn-something-something-v2-?? | tar zx`",
    licence="Qualcomm's research licence for Jester, Something-Something and Exercise (no redistribution)",
    page="https://developer.qualcomm.com/software/ai-datasets/something-something",
    clips={"train": 168_913, "validation": 24_777},
    bytes=19_000_000_000,
)
NAMES = ("{}.json", "something-something-v2-{}.json")
VIDEOS = ("videos", "20bn-something-something-v2")


class SSv2(Reader):
    """Reads the JSON files and the folder of videos under any of the names that they were published with."""

    publication = PUBLICATION
    annotation_names = tuple(f"{folder}/{name}" for folder in ("annotations", "labels", ".") for name in NAMES)

    def index(self, raw: Path, dataset: str, settings: Dataset, seed: int) -> Listing:
        """Clips in file order; the caption is the label, unmodified; a clip with an unusable one is quarantined."""
        videos = _find_videos(raw).name
        clips = [
            (split, identifier, label, f"{videos}/{identifier}.webm")
            for split, limit in settings.clips.items()
            for identifier, label in _read_annotations(self.annotations(raw, split), limit)
        ]
        return count_frames(raw, dataset, clips)

    def media_names(self, raw: Path) -> Iterator[str]:
        videos = _find_videos(raw)
        with os.scandir(videos) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.endswith(".webm"):
                    yield f"{videos.name}/{entry.name} {entry.stat().st_size}"

    def listed(self, raw: Path) -> dict[str, int]:
        return {split: sum(1 for _ in _read_annotations(self.annotations(raw, split))) for split in PUBLICATION.clips}

    def remedy(self, settings: Dataset, row: Quarantine) -> str:
        return f"unpack it again: `cat 20bn-something-something-v2-?? | tar xz {VIDEOS[1]}/{row.id}.webm`"


READER = SSv2()


def _find_videos(raw: Path) -> Path:
    return find_first(raw, VIDEOS, "folder of videos", PUBLICATION, f"{' or '.join(VIDEOS)} with <id>.webm in it")


def _read_annotations(path: Path, limit: int | None = None) -> Iterator[tuple[str, object]]:
    """(id, label) of the first `limit` entries, or of all; bytes that aren't UTF-8 become halves of surrogates."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8-sig", errors="surrogateescape"))
        for position, entry in enumerate(entries[:limit]):
            identifier, label = entry["id"], entry["label"]
            if not isinstance(identifier, str) or Path(identifier).name != identifier or not storable(identifier):
                raise ValueError(f"entry {position} has the id {identifier!r}, which can't be a file's name")
            yield identifier, label
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FcaError(
            f"{path} can't be read as annotations ({type(error).__name__}: {error})",
            'a JSON list of {"id": "...", "label": "...", ...}',
            PUBLICATION.advice,
        ) from error
