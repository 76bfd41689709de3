"""The step `verify`: look at every clip of an index before days of work depend on it."""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from fca.artifacts.atomic import sha256_file, write_aside
from fca.artifacts.fingerprint import made_by
from fca.artifacts.manifest import Manifest
from fca.artifacts.quarantine import ClipError, Quarantine
from fca.config import Config, Dataset, Layout
from fca.data.clip_pixels import inspect_clip
from fca.data.clip_source import seen
from fca.data.datasets.reader import reader_of
from fca.data.index import excluded_sha256, read_excluded, read_index
from fca.video.workers import cores

PER_CORE = 2  # processes: much of the time goes into waiting for the disk


def verify(config: Config, dataset: str) -> Manifest:
    """Check every clip of a dataset's index, see `inspect_clip`; write and return the manifest `verified.json`.

    A clip that is missing, doesn't decode or has another length keeps its row, and later steps leave it out.
    `quarantine`: the clips that the index, this step or the exclude list (`datasets.<name>.exclude`) found unusable,
    in the index's order. `extra`: `sound`, `listed` and `expected` clips of each split, `problems` in words, `sizes`
    of the source frames, `padded` clips with fewer frames than a clip needs, `excluded` the sha256 of the exclude
    list. `unusable.tsv`, next to the manifest, has a remedy for every row. The same input gives the same bytes.

    Raises:
        FcaError: there is no index, or the exclude list is wrong.
    """
    settings, layout = config.datasets[dataset], Layout(config)
    reader, (index, records) = reader_of(settings), read_index(layout, dataset)
    rows = {(row.split, row.id): row for row in index.quarantine}
    if settings.exclude is not None:
        excluded = read_excluded(Path(settings.exclude).expanduser(), records)
        rows = {(row.split, row.id): row for row in excluded} | rows

    waiting = [record for record in records if (record.split, record.id) not in rows]
    sizes: Counter[str] = Counter()
    processes = config.decode.processes or PER_CORE * cores()
    inspected = seen(config, dataset, inspect_clip, waiting, config.clip.frames, processes, ahead=64)
    for record, result in zip(tqdm(waiting, desc=f"{dataset}: verify", unit="clip"), inspected, strict=True):
        if isinstance(result, ClipError):
            row = Quarantine(dataset, record.split, record.id, "verify", record.media, str(result))
            rows[record.split, record.id] = row
        else:
            sizes[f"{result[0]}x{result[1]}"] += 1

    quarantine = [rows[key] for record in records if (key := (record.split, record.id)) in rows]
    sound = [record for record in records if (record.split, record.id) not in rows]
    listed, made = reader.listed(layout.raw(dataset)), settings.library
    published = {"train": made.train, "validation": made.validation} if made else dict(reader.publication.clips)
    expected = published if listed else {}
    kept_notes = {name: index.extra[name] for name in reader.kept_notes}
    manifest = Manifest(
        kind="verified",
        count=len(sound),
        ids=[],
        sha256=hashlib.sha256(json.dumps([asdict(row) for row in quarantine]).encode()).hexdigest(),
        parents={
            path.relative_to(layout.root).as_posix(): sha256_file(path)
            for path in (layout.index(dataset), layout.index_manifest(dataset))
        },
        made_by=made_by(config, "verify", dataset),
        quarantine=quarantine,
        extra={
            "sound": {split: sum(record.split == split for record in sound) for split in ("train", "validation")},
            "listed": listed,
            "expected": expected,
            "problems": [
                f"the annotations list {listed[split]:,} clips of {split}, {expected[split]:,} are expected"
                for split in expected
                if listed[split] != expected[split]
            ],
            "sizes": dict(sorted(sizes.items())),
            "excluded": excluded_sha256(settings),
            "padded": sum(record.length < config.clip.frames for record in sound),
            **kept_notes,
        },
    )

    folder, columns = layout.verified(dataset).parent, ("split", "id", "step", "file", "reason")
    lines = [[*(getattr(row, column) for column in columns), remedy(settings, row)] for row in quarantine]
    _write_table(folder / "unusable.tsv", [(*columns, "remedy"), *lines])
    for table in reader.breakdowns(kept_notes):
        _write_table(folder / table.file, [table.columns, *table.rows])
    manifest.write(layout.verified(dataset))
    return manifest


def remedy(settings: Dataset, row: Quarantine) -> str:
    """What to do about a row."""
    if row.step == "exclude":
        return f"take it out of {settings.exclude} to use it"
    if settings.source == "library":
        return "remove the raw folder and run `fca fetch` again"
    if row.reason.startswith("its caption "):
        return "correct the caption in the annotations, then run `fca index` and `fca data verify` again"
    return reader_of(settings).remedy(settings, row)


def _write_table(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with write_aside(path) as aside, open(aside, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows(rows)
