"""Something-Something V2: 2 or 20 parts of one tar.gz of videos, and a zip of labels."""

import re
from contextlib import suppress
from pathlib import Path

from fca.data.datasets.ssv2 import READER, VIDEOS
from fca.data.download.archive import Limits, by_file_name
from fca.data.download.obtain import Source
from fca.errors import FcaError

PART = re.compile(r"20bn-something-something-v2-(\d\d)(\.zip)?")
LABELS = "20bn-something-something-download-package-labels.zip"
# 220,847 videos, about 19 GB as we know it
VIDEO_LIMITS = Limits(members=300_000, bytes=60 * 2**30)
LABEL_LIMITS = Limits(members=100, bytes=2**30)


def obtain(source: Source) -> None:
    """Unpack the labels to `labels/` and the videos to `20bn-something-something-v2/`, downloaded first if possible."""
    source.expect(f"{PART.pattern}|{re.escape(LABELS)}", 0, f"20bn-something-something-v2-00, -01, ... and {LABELS}")
    needs_videos = not any((source.root / name).is_dir() for name in VIDEOS)
    needs_labels = True
    with suppress(FcaError):
        needs_labels = not READER.annotation_files(source.root)
    names = [name for name in source.files if PART.fullmatch(name) and needs_videos]
    names += [LABELS] if LABELS in source.files and needs_labels else []
    source.download(source.remote(name, source.archives / name) for name in names)
    if needs_labels:
        labels = source.archives / LABELS
        if not labels.is_file():
            raise FcaError(f"{source.root} has no annotations, and there is no {labels}", LABELS, source.advice)
        source.unpack([labels], source.root / "labels", LABEL_LIMITS, by_file_name(r"[\w-]+\.(json|csv)"))
    if needs_videos:
        source.unpack(_parts(source), source.root / VIDEOS[1], VIDEO_LIMITS, by_file_name(r"\d+\.webm"))


def _parts(source: Source) -> list[Path]:
    """The parts of the videos' archive in order. Missing last ones show later, as the archive ends too early."""
    folder = source.archives
    found = sorted(path for path in folder.iterdir() if PART.fullmatch(path.name)) if folder.is_dir() else []
    numbers = [int(match[1]) for path in found if (match := PART.fullmatch(path.name))]
    if not numbers or numbers != list(range(len(numbers))):
        shown = ", ".join(path.name for path in found) or "none"
        raise FcaError(
            f"{folder} lacks parts of the videos' archive: {shown}",
            "20bn-something-something-v2-00, -01, ... without a gap, each once",
            source.advice,
        )
    return found
