"""Something-Something V2: captions from the JSON annotations, clips from `<id>.webm`.

The training split is the whole of train.json; validation is the head of validation.json in file order (the
paper's 2,048 are the first of 24,777, Seer's loader doesn't shuffle). A clip whose video can't be used keeps
its place.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from fca.artifacts.quarantine import Quarantine
from fca.data.clip import ClipRecord, Listing, annotations_of
from fca.errors import FcaError
from fca.video.decode import ClipError, count_all

FRAME_NAME = None
WHERE = (
    "videos (20bn-something-something-v2-00, -01) and labels "
    "(20bn-something-something-download-package-labels.zip) from "
    "https://developer.qualcomm.com/software/ai-datasets/something-something; unpack the videos with "
    "`cat 20bn-something-something-v2-?? | tar zx`"
)
LICENCE = "Qualcomm's research licence for Jester, Something-Something and Exercise (no redistribution)"
PAGE = "https://developer.qualcomm.com/software/ai-datasets/something-something"
FOLDERS = ("annotations", "labels", ".")
NAMES = ("{}.json", "something-something-v2-{}.json")
PUBLISHED = {"train": 168_913, "validation": 24_777}
VIDEOS = ("videos", "20bn-something-something-v2")


def index_ssv2(raw: Path, dataset: str, train: int, validation: int) -> Listing:
    """The first `train` and `validation` clips of the two annotation files, in file order, caption = label
    unmodified.

    Frames are counted from the packets of every video, in threads, without decoding.
    """
    videos = _find_videos(raw)
    found = [
        (split, *entry)
        for split, limit in (("train", train), ("validation", validation))
        for entry in _read_annotations(find_annotations(raw, split), limit)
    ]
    media = [videos / f"{identifier}.webm" for _, identifier, _ in found]
    lengths = count_all(media, f"{dataset}: count frames")
    records, quarantine = [], []
    for (split, identifier, label), path, length in zip(found, media, lengths, strict=True):
        name = path.relative_to(raw).as_posix()
        records.append(
            ClipRecord(identifier, dataset, split, label, name, None, 0 if isinstance(length, ClipError) else length)
        )
        if isinstance(length, ClipError):
            quarantine.append(Quarantine(dataset, split, identifier, "index", name, str(length)))
    return Listing(records, quarantine)


def find_annotations(raw: Path, split: str) -> Path:
    """The JSON file of a split under any of the names that the dataset has been published with."""
    names = [f"{folder}/{name.format(split)}" for folder in FOLDERS for name in NAMES]
    return annotations_of(raw, split, names, WHERE)


def annotation_files(raw: Path) -> list[Path]:
    """The files whose content decides what the clips are."""
    return [find_annotations(raw, split) for split in ("train", "validation")]


def media_names(raw: Path) -> Iterator[str]:
    """Every video with its size: what the archive's fingerprint is made of."""
    videos = _find_videos(raw)
    with os.scandir(videos) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.endswith(".webm"):
                yield f"{videos.name}/{entry.name} {entry.stat().st_size}"


def _find_videos(raw: Path) -> Path:
    for name in VIDEOS:
        if (raw / name).is_dir():
            return raw / name
    raise FcaError(f"{raw} has no folder of videos", f"{' or '.join(VIDEOS)} with <id>.webm in it", f"get {WHERE}")


def listed(raw: Path) -> dict[str, int]:
    """Number of clips in the annotations of each split."""
    return {split: sum(1 for _ in _read_annotations(find_annotations(raw, split))) for split in PUBLISHED}


def _read_annotations(path: Path, limit: int | None = None) -> Iterator[tuple[str, str]]:
    """(id, label) of the first `limit` entries (or all), as they stand in the file."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        for position, entry in enumerate(entries[:limit]):
            identifier, label = entry["id"], entry["label"]
            if not isinstance(identifier, str) or Path(identifier).name != identifier:
                raise ValueError(f"entry {position} has the id {identifier!r}, which can't be a file's name")
            yield identifier, label
    except (ValueError, KeyError, TypeError) as error:
        raise FcaError(
            f"{path} can't be read as annotations ({type(error).__name__}: {error})",
            'a JSON list of {"id": "...", "label": "...", ...}',
            f"get {WHERE}",
        ) from error
