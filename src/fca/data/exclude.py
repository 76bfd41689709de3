"""The exclude list: clips that a person wants left out, which become quarantine rows."""

import csv
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from fca.artifacts.atomic import sha256_file
from fca.artifacts.quarantine import Quarantine
from fca.config import Dataset
from fca.data.clip_record import ClipRecord
from fca.errors import FcaError

FORM = "split, id and reason, separated by tabs, one clip a line; lines that begin with # don't count"


def excluded_sha256(settings: Dataset) -> str | None:
    """Hash of the exclude list, None if there is none."""
    if settings.exclude is None:
        return None
    path = Path(settings.exclude).expanduser()
    try:
        return sha256_file(path)
    except OSError as error:
        raise FcaError(f"{path}, named by exclude, can't be read ({error})", FORM) from error


def read_excluded(path: Path, records: Iterable[ClipRecord]) -> list[Quarantine]:
    """The rows of an exclude list, in its order.

    Raises:
        FcaError: a line has another form, names a clip that the index lacks, or repeats one.
    """
    known = {(record.split, record.id): record for record in records}
    rows: dict[tuple[str, str], Quarantine] = {}
    for number, fields in _lines(path):
        if len(fields) != 3 or not fields[2].strip():
            raise FcaError(f"{path}, line {number} doesn't have three fields: {' '.join(fields)!r}", FORM)
        split, identifier, reason = fields
        if (split, identifier) not in known:
            raise FcaError(
                f"{path}, line {number}: there is no clip {identifier!r} in {split!r}",
                "a split (train, validation) and an id of the index",
                "correct or remove the line",
            )
        if (split, identifier) in rows:
            raise FcaError(f"{path}, line {number}: {identifier!r} of {split} is repeated", "each clip once")
        record = known[split, identifier]
        rows[split, identifier] = Quarantine(record.dataset, split, identifier, "exclude", record.media, reason.strip())
    return list(rows.values())


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and fields of the lines that count. As in unusable.tsv, a quoted field may continue on the next line."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = iter(file)
            for line in lines:
                number += 1
                if line.startswith("#"):
                    continue
                reader = csv.reader(chain([line], lines), "excel-tab", strict=True)
                if fields := next(reader):
                    yield number, fields
                number += reader.line_num - 1
    except (OSError, UnicodeDecodeError) as error:
        raise FcaError(f"{path}, named by exclude, can't be read ({error})", FORM) from error
    except csv.Error as error:
        raise FcaError(
            f"{path}, line {number} can't be read ({error})",
            FORM,
            'put a field that begins with a quote in quotes and double each of its own: "a ""hand"""',
        ) from error
