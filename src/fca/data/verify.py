"""Look at every clip of an index before days of work stand on it: is it there, does it decode, is it as long.

What is broken is quarantined: the clip keeps its place, and later steps leave it out. `fca.data.inspect` says
what is read of a clip.
"""

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fca.artifacts.atomic import sha256_file, write_aside
from fca.artifacts.manifest import Manifest, made_by
from fca.artifacts.quarantine import ClipError, Quarantine
from fca.config import Config, Dataset, Layout
from fca.data.datasets import bridge, epic, ssv2
from fca.data.exclude import excluded_sha256, read_excluded
from fca.data.index import FRAME_NAMES, dataset_settings, read_index
from fca.data.inspect import inspect_clip
from fca.video.workers import call_apart, cores

READERS = {"ssv2": ssv2, "bridge": bridge, "epic": epic}
PER_CORE = 2  # processes: much of the time goes into waiting for the disk


def verify(config: Config, dataset: str) -> Manifest:
    """Check every clip of a dataset's index; write and return the manifest `verified.json`.

    `quarantine`: what can't be used, found by the index, here, or listed by hand (`datasets.<name>.exclude`), in the
    index's order. `extra`: `sound`, `listed` and `expected` clips of each split, `problems` in words, `sizes` of the
    source frames, `padded` clips with fewer frames than a clip needs, `excluded` the sha256 of the list by hand. Beside
    it, `unusable.tsv` has a remedy for every row, and `tasks.tsv`, for bridge, each task's views in Seer's list and
    found. The same input gives the same bytes.

    Raises `FcaError` for a dataset that the config hasn't, where there is no index, or for a wrong list by hand.
    """
    settings = dataset_settings(config, dataset)
    layout = Layout(config)
    index, records = read_index(layout, dataset)
    rows = {(row.split, row.id): row for row in index.quarantine}
    if settings.exclude is not None:
        excluded = read_excluded(Path(settings.exclude).expanduser(), records)
        rows = {(row.split, row.id): row for row in excluded} | rows
    waiting = [record for record in records if (record.split, record.id) not in rows]
    raw, frame_name = layout.raw(dataset), FRAME_NAMES[settings.format]
    calls = ((raw, record, frame_name, config.clip.frames) for record in waiting)
    processes = config.decode.processes or PER_CORE * cores()
    looked = call_apart(inspect_clip, calls, processes, config.decode.seconds, ahead=64)
    seen = list(tqdm(looked, total=len(waiting), desc=f"{dataset}: verify", unit="clip"))
    sizes: Counter[str] = Counter()
    for record, result in zip(waiting, seen, strict=True):
        if isinstance(result, ClipError):
            row = Quarantine(dataset, record.split, record.id, "verify", record.media, str(result))
            rows[record.split, record.id] = row
        else:
            sizes[f"{result[0]}x{result[1]}"] += 1
    quarantine = [rows[key] for record in records if (key := (record.split, record.id)) in rows]
    expected, listed = counts(settings, layout.raw(dataset))
    sound = [record for record in records if (record.split, record.id) not in rows]
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
            **({"tasks": index.extra["tasks"]} if settings.format == "bridge" else {}),
        },
    )
    folder = layout.verified(dataset).parent
    header = ("split", "id", "step", "file", "reason", "remedy")
    lines = [[row.split, row.id, row.step, row.file, row.reason, remedy(settings, row)] for row in quarantine]
    _write_table(folder / "unusable.tsv", [header, *lines])
    if settings.format == "bridge":
        _write_table(folder / "tasks.tsv", [TASK_COLUMNS, *task_table(manifest.extra["tasks"])])
    manifest.write(layout.verified(dataset))
    return manifest


def counts(settings: Dataset, raw: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Clips of each split that are published (on the tabletop: made), and that the annotations list; of videos of
    the user's own, nothing.
    """
    if settings.format == "folder":
        return {}, {}
    reader: Any = READERS[settings.format]
    if settings.tabletop is not None:
        return {"train": settings.tabletop.train, "validation": settings.tabletop.validation}, reader.listed(raw)
    return dict(reader.PUBLISHED), reader.listed(raw)


TASK_COLUMNS = ("task", "listed", "found", "difference", "upenn")


def task_table(tasks: dict[str, dict[str, int]]) -> list[tuple[str, int, int, int, str]]:
    """Each task of Seer's list: its views in the list, those found, found less listed, whether it is one of UPenn's."""
    return [
        (name, count["listed"], count["found"], count["found"] - count["listed"], "yes" if name in bridge.UPENN else "")
        for name, count in sorted(tasks.items())
    ]


def remedy(settings: Dataset, row: Quarantine) -> str:
    """What to do about a row."""
    if row.step == "exclude":
        return f"take it out of {settings.exclude} to use it"
    if settings.source == "tabletop":
        return "remove the raw folder and run `fca fetch` again"
    match settings.format:
        case "ssv2":
            return f"unpack it again: `cat 20bn-something-something-v2-?? | tar xz {ssv2.VIDEOS[1]}/{row.id}.webm`"
        case "bridge" if row.id.rpartition("/")[0] == row.file:
            place = "upenn" if row.file in bridge.UPENN else "berkeley or upenn"
            return f"get the task's other trajectories, which lie below {place}"
        case "bridge":
            return "remove the folder of the trajectory and .fetched.json, and run `fca fetch` again"
        case "epic":
            what = "MP4" if settings.media == "video" else "video's folder of frames"
            return f"remove the {what}, and run `fca fetch` again"
        case _:
            return "replace the video, or take its row out of the captions file"


def _write_table(path: Path, rows: Sequence[Sequence[object]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows(rows)
    with write_aside(path) as aside:
        aside.write_text(text.getvalue(), encoding="utf-8", newline="\n")
