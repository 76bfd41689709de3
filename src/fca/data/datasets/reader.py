"""What a dataset format is to the steps: a `Reader`, found through the registry `fca.config.dataset_formats`.

To add a format, write a module with a `READER` and one line in the registry. A method that a format doesn't define
does what its docstring here says.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from fca.artifacts.quarantine import ClipError, Quarantine
from fca.artifacts.text import shuffled
from fca.config import Dataset
from fca.config.captions import caption_problem
from fca.config.dataset_formats import FORMATS
from fca.data.clip_record import ClipRecord, Listing
from fca.errors import FcaError
from fca.video import decode
from fca.video.frame_selection import Sampling
from fca.video.workers import call_apart


@dataclass(frozen=True)
class Publication:
    """Where a dataset is published and what is known of it."""

    where: str
    """What to get and from where, for messages"""
    licence: str
    page: str = ""
    """Address of the licence; empty: the files are the user's own"""
    sha256: dict[str, str] = field(default_factory=dict)
    """Hashes of annotation files by name"""
    clips: dict[str, int] = field(default_factory=dict)
    """Clips of each split"""
    bytes: int | None = None
    """Size of the unpacked videos"""
    captions: int | None = None
    """Distinct captions; None: each clip may have its own"""

    @property
    def advice(self) -> str:
        """What to get and where, under which licence."""
        return f"get {self.where}, under {self.licence}" if self.page else f"put {self.where}"


@dataclass(frozen=True)
class Breakdown:
    """A table of counts that `fca data verify` writes next to its manifest, and what it prints of it."""

    file: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    summary: str
    """One line"""
    differing: Sequence[Sequence[object]]
    """The rows to print"""


class Reader(Protocol):
    """A dataset format: what it lists, where its media and annotations are, and what to do about a missing file."""

    publication: Publication
    frame_name: str | None = None
    """File name of a frame, such as `im_{}.jpg`, if clips are folders of frames"""
    sampling: Sampling = "index"
    """How the frames of a clip are chosen if `clip.sampling` doesn't say"""
    kept_notes: Sequence[str] = ()
    """Notes of the index that the manifest of `fca data verify` repeats"""
    annotation_names: Sequence[str] = ()
    """Where the annotations of a split (`{}`) may be below the raw folder"""

    def index(self, raw: Path, dataset: str, settings: Dataset, seed: int) -> Listing:
        """The first `settings.clips` clips of each split in the dataset's order; an unusable one keeps its row."""

    def annotations(self, raw: Path, split: str) -> Path:
        """The file of a split, see `find_first`."""
        names = [name.format(split) for name in self.annotation_names]
        return find_first(raw, names, f"annotations for {split}", self.publication)

    def annotation_files(self, raw: Path) -> list[Path]:
        """The files whose content decides what the clips are: by default that of each split."""
        return [self.annotations(raw, split) for split in self.publication.clips]

    def media_names(self, raw: Path) -> Iterator[str]:
        """Every video or folder of frames, with its size if that is known cheaply: hashed as the raw manifest."""

    def listed(self, raw: Path) -> dict[str, int]:
        """Clips that the annotations list for each split; none if no number of clips is published."""
        return {}

    def remedy(self, settings: Dataset, row: Quarantine) -> str:
        """What to do about an unusable clip."""
        return f"replace {row.file or row.id}, or take it out of the annotations"

    def breakdowns(self, notes: Mapping[str, Any]) -> list[Breakdown]:
        """Tables of the `kept_notes`: none."""
        return []


def reader_of(settings: Dataset) -> Reader:
    """The reader of a dataset's format."""
    return import_module(FORMATS[settings.format].reader).READER


def held_out(names: Collection[str], share: float, seed: int) -> set[str]:
    """A seeded share of the names for validation: at least one, never all. Adding a name moves few others.

    `names`: two or more, each once.
    """
    return set(shuffled(names, seed)[: min(max(1, round(share * len(names))), len(names) - 1)])


def count_frames(raw: Path, dataset: str, clips: Sequence[tuple[str, str, Any, str]], **notes: Any) -> Listing:
    """The records of video files as (split, id, caption, path below `raw`), with their shown frames counted.

    A video that can't be read, or whose caption is unusable, is quarantined and keeps its row.
    """
    counts = call_apart(decode.count_frames, ((raw / media,) for *_, media in clips), ahead=64)
    lengths = tqdm(counts, total=len(clips), desc=f"{dataset}: count frames", unit="clip")
    records, quarantine = [], []
    for (split, identifier, caption, media), length in zip(clips, lengths, strict=True):
        frames = 0 if isinstance(length, ClipError) else length
        problem = caption_problem(caption)
        records.append(ClipRecord(identifier, dataset, split, "" if problem else caption, media, None, frames))
        if problem or isinstance(length, ClipError):
            quarantine.append(Quarantine(dataset, split, identifier, "index", media, problem or str(length)))
    return Listing(records, quarantine, notes)


def find_first(raw: Path, names: Sequence[str], what: str, publication: Publication, expected: str = "") -> Path:
    """The first of these files or folders that the raw folder has.

    Raises:
        FcaError: it has none, and so no `what`.
    """
    for name in names:
        if (raw / name).exists():
            return raw / name
    shown = ", ".join(Path(name).as_posix() for name in names)
    raise FcaError(f"{raw} has no {what}", expected or f"one of {shown}", publication.advice)
