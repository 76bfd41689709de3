"""A clip before decoding: one line of an index. `fca.video.frame_selection` then chooses its frames."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from fca.artifacts.atomic import write_aside
from fca.artifacts.quarantine import Quarantine
from fca.errors import FcaError


@dataclass(frozen=True)
class ClipRecord:
    """One captioned clip of one split; the index keeps them in the order of the dataset's own list."""

    id: str
    """The dataset's own name for the clip, unique within a dataset's split."""
    dataset: str
    split: str
    """train or validation."""
    caption: str
    """Verbatim from the dataset, untrusted: whoever shows it escapes it."""
    media: str
    """A video file, or a folder of JPEG frames, relative to the dataset's raw folder."""
    frames: list[int] | None
    """Numbers (as in the file names) of the source frames that the clip spans, in order; None: the whole video."""
    length: int
    """Number of source frames, before the temporal cast; 0 if they could not be counted (quarantined)."""
    rate: float | None = None
    """Numbers in a second, if `media` is a video whose `frames` are found by time: number n at (n - 1) / rate."""
    start: float | None = None
    """Seconds in the video at which the clip's first frame is shown, if the clip is part of a video with `rate` frames
    a second; `frames` is None, and the `length` frames from there on are the clip's."""

    def __post_init__(self) -> None:
        from fca.config.captions import storable  # here, for processes that only decode and need no configuration

        for name in ("id", "caption"):
            text = getattr(self, name)
            if not isinstance(text, str) or not storable(text):
                raise ValueError(f"the {name} of clip {self.id!r} is not a text that can be stored: {text!r}")

    def to_line(self) -> str:
        """This record as one line of JSON, without a line break."""
        values = asdict(self)
        if self.start is None:
            del values["start"]
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_line(cls, line: str) -> Self:
        """The record of a line; ValueError or TypeError if it is none."""
        return cls(**json.loads(line))


@dataclass(frozen=True)
class Listing:
    """What a reader finds: the clips of both splits in the dataset's order, and the unusable ones among them."""

    records: list[ClipRecord]
    quarantine: list[Quarantine]
    notes: dict[str, Any] = field(default_factory=dict)
    """What else the index's manifest says (JSON values)."""


def write_records(path: Path, records: Iterable[ClipRecord]) -> None:
    """Write an index: one ClipRecord a line, UTF-8."""
    with write_aside(path) as aside, open(aside, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{record.to_line()}\n" for record in records)


def read_records(path: Path, split: str | None = None) -> list[ClipRecord]:
    """The records of an index, or of one of its splits, in order.

    Raises:
        FcaError: the file is missing or a line is not a record.
    """
    records = []
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                try:
                    record = ClipRecord.from_line(line)
                except (ValueError, TypeError) as error:
                    raise FcaError(
                        f"{path}, line {number} is not a clip record ({error})",
                        "one JSON object a line, as `fca index` writes them",
                        f"remove {path} and run `fca index` again",
                    ) from error
                if split in (None, record.split):
                    records.append(record)
    except FileNotFoundError:
        raise FcaError(f"there is no index {path}", remedy="run `fca index` for this dataset first") from None
    return records
