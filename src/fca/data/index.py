"""The step `index`: raw files of a dataset -> one ClipRecord a line, and which of them are unusable."""

import csv
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from fca.artifacts.atomic import sha256_file
from fca.artifacts.fingerprint import made_by
from fca.artifacts.manifest import Manifest
from fca.artifacts.quarantine import Quarantine, require_usable
from fca.config import Config, Dataset, Layout
from fca.data.clip_record import ClipRecord, Listing, read_records, write_records
from fca.data.datasets.reader import reader_of
from fca.errors import FcaError, require_known

FORM = "split, id and reason, separated by tabs, one clip a line; lines that begin with # don't count"

log = logging.getLogger(__name__)


def build_index(config: Config, dataset: str) -> Manifest:
    """Write the index of a dataset and its manifest (counts, quarantine, notes), and return the manifest.

    Raises:
        FcaError: the configuration lacks the dataset, its annotations can't be read or have fewer clips than the
            configuration, ids repeat, or a split has no usable clip.
    """
    require_known("dataset", dataset, sorted(config.datasets))
    settings, layout = config.datasets[dataset], Layout(config)
    raw = Manifest.read(layout.raw_manifest(dataset))
    listing = reader_of(settings).index(layout.raw(dataset), dataset, settings, config.seed)
    _check_counts(listing, dataset, settings.clips)
    for split in settings.clips:
        _check_split(listing, dataset, split)
    for row in listing.quarantine[:5]:
        log.warning("%s %s: %s is unusable: %s: %s", dataset, row.split, row.id, row.file, row.reason)
    if listing.quarantine:
        log.warning("%s: %d of %d clips are quarantined", dataset, len(listing.quarantine), len(listing.records))

    path = layout.index(dataset)
    write_records(path, listing.records)
    captions = len({record.caption for record in listing.records})
    manifest = Manifest(
        kind="index",
        count=len(listing.records),
        ids=[],
        sha256=sha256_file(path),
        parents={layout.raw_manifest(dataset).relative_to(layout.root).as_posix(): raw.sha256},
        made_by=made_by(config, "index", dataset),
        quarantine=listing.quarantine,
        extra={"splits": settings.clips, "captions": captions, **listing.notes},
    )
    manifest.write(layout.index_manifest(dataset))
    return manifest


def read_index(layout: Layout, dataset: str) -> tuple[Manifest, list[ClipRecord]]:
    """The manifest of a dataset's index, and its records.

    Raises:
        FcaError: the index is missing or not what `fca index` wrote.
    """
    path = layout.index(dataset)
    records, manifest = read_records(path), Manifest.read(layout.index_manifest(dataset))
    if (found := sha256_file(path)) != manifest.sha256:
        raise FcaError(
            f"{path} was changed after it was written: its sha256 is {found[:12]}",
            f"{manifest.count} clips with sha256 {manifest.sha256[:12]}",
            "run `fca index` again; leave clips out with `exclude`, and correct captions in the raw annotations",
        )
    return manifest, records


def unusable(layout: Layout, dataset: str) -> list[Quarantine]:
    """The clips known to be unusable: from `fca data verify` if it has run, else from the index.

    Raises:
        FcaError: the index or the exclude list has changed since `fca data verify`.
    """
    index = Manifest.read(layout.index_manifest(dataset))
    path, excluded = layout.verified(dataset), excluded_sha256(layout.config.datasets[dataset])
    if not path.exists() and excluded is None:
        return list(index.quarantine)
    verified = Manifest.read(path) if path.exists() else None
    if verified is None:
        problem = f"there is no {path}, which has the clips of datasets.{dataset}.exclude"
    elif verified.extra.get("excluded") != excluded:
        problem = f"{path} was made with another list of excluded clips than datasets.{dataset}.exclude names now"
    elif sha256_file(layout.index_manifest(dataset)) not in verified.parents.values():
        problem = f"{path} was made from another index than the present {layout.index_manifest(dataset)}"
    else:
        return list(verified.quarantine)
    raise FcaError(problem, remedy=f"run `fca data verify` for {dataset}")


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


def _check_counts(listing: Listing, dataset: str, expected: dict[str, int]) -> None:
    counted = Counter(record.split for record in listing.records)
    wrong = [split for split in expected if counted[split] != expected[split]]
    if wrong:
        raise FcaError(
            "\n".join(f"the annotations of {dataset} {split} have {counted[split]} clips" for split in wrong),
            ", ".join(f"{expected[split]} (datasets.{dataset}.{split}.clips)" for split in wrong),
            "get the complete annotations, or write the number of clips that there are: "
            + ", ".join(f"datasets.{dataset}.{split}.clips: {counted[split]}" for split in wrong),
        )


def _check_split(listing: Listing, dataset: str, split: str) -> None:
    ids = Counter(record.id for record in listing.records if record.split == split)
    identifier, times = ids.most_common(1)[0]
    if times > 1:
        raise FcaError(f"{dataset} {split}: the id {identifier} is used {times} times", "ids that are unique")
    bad = [row for row in listing.quarantine if row.split == split]
    require_usable(dataset, split, ids.total() - len(bad), bad)
