"""The place `hand` as Something-Something V2 is published: two parts of a tar.gz of the videos, and a zip of labels."""

import gzip
import json
import re
from collections.abc import Mapping
from pathlib import Path

from fca.data.datasets.ssv2 import VIDEOS
from fca.data.download.ssv2 import LABELS
from fca.data.library.archives import write_tar, write_zip
from fca.data.library.clips import Clip, read_video

PART = "20bn-something-something-v2-{:02d}"


def pack(folder: Path, records: Mapping[str, Clip], root: Path) -> None:
    """Write the archives to `root`/archives; the videos are the library's own files.

    Raises:
        FcaError: a video can't be read.
    """
    archives = root / "archives"
    archives.mkdir(parents=True)
    whole = archives / "videos.tar"
    write_tar(whole, ((f"{VIDEOS[1]}/{name}.webm", read_video(folder, clip)) for name, clip in records.items()))
    data = gzip.compress(whole.read_bytes(), mtime=0)
    whole.unlink()
    for number, part in enumerate((data[: len(data) // 2], data[len(data) // 2 :])):
        (archives / PART.format(number)).write_bytes(part)

    lists = {
        split: [entry(name, clip) for name, clip in records.items() if clip.split == split]
        for split in ("train", "validation")
    }
    classes = sorted({without_brackets(clip.label) for clip in records.values()})
    files = {**lists, "labels": {name: str(number) for number, name in enumerate(classes)}}
    write_zip(archives / LABELS, [(f"labels/{name}.json", json.dumps(own).encode()) for name, own in files.items()])


def entry(name: str, clip: Clip) -> dict[str, object]:
    """A clip in the list of its split; `placeholders` are the caption's words for each [something]."""
    pattern = re.escape(clip.label).replace(re.escape("[something]"), "(.+)")
    match = re.fullmatch(pattern, clip.caption, re.IGNORECASE)
    placeholders = list(match.groups()) if match else []
    return {"id": name, "label": clip.caption, "template": clip.label, "placeholders": placeholders}


def without_brackets(template: str) -> str:
    return template.replace("[", "").replace("]", "")
