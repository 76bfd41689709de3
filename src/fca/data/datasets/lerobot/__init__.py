"""LeRobot datasets (v2.0, v2.1, v3.0): each episode, or windows of it, with its task as caption.

An episode's frames are found in its camera's MP4 by time: frame i is the one shown `from_timestamp` + i / fps seconds
after the start, as LeRobot reads it. An episode with several tasks becomes a clip for each run of frames with one task,
which only its table of frames tells: the list of tasks in meta/episodes has no order.
"""

import csv
import logging
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from tqdm import tqdm

from fca.artifacts.quarantine import ClipError, Quarantine
from fca.config import Dataset
from fca.config.captions import caption_problem
from fca.data.clip_record import ClipRecord, Listing
from fca.data.datasets.lerobot.episodes import Episode, Footage, Span, find_episodes, windows
from fca.data.datasets.lerobot.info import LISTED, PATH, Info, read_info
from fca.data.datasets.lerobot.tables import EPISODES, TASKS, read_tasks
from fca.data.datasets.reader import Publication, Reader, held_out
from fca.errors import FcaError

CAPTIONS = "captions.csv"
COLUMNS = ("task_index", "caption")
GUIDE = "docs/data/lerobot.md describes it"

log = logging.getLogger(__name__)


class LeRobot(Reader):
    """Reads meta/, the tables of frames, and the headers of one camera's videos."""

    publication = Publication(
        where=f"a LeRobot dataset, such as one of {LISTED}, with the folders meta/, data/ and videos/, "
        "into the folder that root names",
        licence="the licence on its card",
        page="the dataset's page on the hub",
    )

    def index(self, raw: Path, dataset: str, settings: Dataset, seed: int) -> Listing:
        """Clips in the order of the episodes; an episode whose tables and video disagree is quarantined as one clip."""
        info = read_info(raw)
        camera = info.camera(settings.camera)
        captions, every = read_captions(raw, info), find_episodes(raw, info, camera)
        footage, split_of = Footage(raw, info.fps), splits(settings, every, captions, seed)
        size, stride = _in_frames(settings.clip_seconds, info.fps), _in_frames(settings.stride_seconds, info.fps)

        left, records, quarantine = dict(settings.clips), [], []
        progress = tqdm(every, desc=f"{dataset}: episodes", unit="episode")
        for episode in progress:
            if not any(left.values()):
                break
            if settings.split_by == "episode" and not left[split_of(episode, None)]:
                continue
            try:
                spans, problem = footage.spans(episode), ""
            except ClipError as error:
                spans, problem = [Span(0, 0, -1)], str(error)
            for clip in chain.from_iterable(windows(span, size, stride) for span in spans):
                split = split_of(episode, None if problem else clip.task)
                if not left[split]:
                    continue
                left[split] -= 1
                record, reason = self._record(dataset, split, episode, clip, captions, info, problem)
                records.append(record)
                if reason:
                    quarantine.append(Quarantine(dataset, split, record.id, "index", record.media, reason))
        progress.close()
        notes = {
            **{"version": info.codebase_version, "fps": info.fps, "camera": camera, "split_by": settings.split_by},
            **{"episodes": len(every), "tasks": len(captions)},
            "tasks_without_caption": sum(bool(caption_problem(caption)) for caption in captions.values()),
        }
        return Listing(records, quarantine, notes)

    def _record(
        self, dataset: str, split: str, episode: Episode, clip: Span, captions: dict[int, object], info: Info,
        problem: str,
    ) -> tuple[ClipRecord, str]:  # fmt: skip
        """The record of a clip, and why it is unusable if it is."""
        whole = problem or (clip.start, clip.stop) == (0, episode.length)
        name = episode.id if whole else f"{episode.id}/{clip.start}-{clip.stop - 1}"
        caption, media = captions.get(clip.task), episode.video or info.video_path or ""
        if not problem:
            missing = f"its caption is missing: meta/ has no task {clip.task}"
            problem = caption_problem(caption) if clip.task in captions else missing
        text = "" if problem or not isinstance(caption, str) else caption.strip()
        record = ClipRecord(name, dataset, split, text, media, None, clip.stop - clip.start,
                            info.fps, episode.start + clip.start / info.fps)  # fmt: skip
        return record, problem

    def annotation_files(self, raw: Path) -> list[Path]:
        """info.json, tasks and episodes of meta/, and captions.csv if there is one."""
        read_info(raw)
        names = (PATH, *TASKS, EPISODES[1], CAPTIONS)
        return [raw / name for name in names if (raw / name).is_file()] + sorted(
            (raw / EPISODES[0]).glob("chunk-*/file-*.parquet")
        )

    def media_names(self, raw: Path) -> Iterator[str]:
        """Every video and table of frames, with its size."""
        for folder, kind in (("videos", "*.mp4"), ("data", "*.parquet")):
            for path in sorted((raw / folder).rglob(kind)):
                yield f"{path.relative_to(raw).as_posix()} {path.stat().st_size}"

    def remedy(self, settings: Dataset, row: Quarantine) -> str:
        return "fetch its files again; if the dataset itself is at fault, name the clip in a file, and that in exclude"


READER = LeRobot()


def _in_frames(seconds: float | None, fps: float) -> int | None:
    return None if seconds is None else max(1, round(seconds * fps))


def splits(
    settings: Dataset, every: list[Episode], captions: dict[int, object], seed: int
) -> Callable[[Episode, int | None], str]:
    """A function of an episode and a task (None: unknown) that says which split they are in.

    Whole episodes, or all clips of a task, become validation: a seeded share, at least one, never all. Tasks with the
    same sentence are one task.

    Raises:
        FcaError: there is only one to split.
    """
    by_task = settings.split_by == "task"
    first: dict[object, int] = {}  # sentence -> the first task that has it
    same = {index: first.setdefault(_sentence(index, captions[index]), index) for index in sorted(captions)}
    names = [str(index) for index in first.values()] if by_task else [str(episode.index) for episode in every]
    if len(names) < 2:
        count = f"{len(names)} {settings.split_by}{'' if len(names) == 1 else 's'}"
        other = "; a dataset with one task is split by episode" if by_task else ""
        raise FcaError(
            f"the dataset has {count}, so it can't be split by {settings.split_by}", f"two or more{other}",
            "change split_by" if by_task else "record more episodes",
        )  # fmt: skip
    validation = held_out(names, settings.validation_share, seed)

    def split_of(episode: Episode, task: int | None) -> str:
        name = str(task if task is None else same.get(task, task)) if by_task else str(episode.index)
        return "validation" if name in validation else "train"

    return split_of


def _sentence(index: int, caption: object) -> object:
    """What two tasks must share to be one; a task without a sentence is like no other."""
    usable = isinstance(caption, str) and not caption_problem(caption)
    return " ".join(str(caption).casefold().split()) if usable else index


def read_captions(raw: Path, info: Info) -> dict[int, object]:
    """Index -> caption of every task: its sentence, or the one that captions.csv gives it.

    Raises:
        FcaError: a table can't be read, or captions.csv has another form or names a task that isn't there.
    """
    captions, path = read_tasks(raw, info.in_one_file_each), raw / CAPTIONS
    if not path.is_file():
        return captions
    number, given = 1, {}
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise ValueError(f"its columns are {', '.join(rows.fieldnames or ())}")
            for row in rows:
                number = rows.line_num
                index = int(row["task_index"])
                if index not in captions or index in given:
                    raise ValueError(f"task {index} is {'repeated' if index in given else 'not in meta/'}")
                if problem := caption_problem(row["caption"]):
                    raise ValueError(problem)
                given[index] = row["caption"]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise FcaError(
            f"{path}, line {number}: {error}",
            f"the columns {','.join(COLUMNS)}, each task once",
            f"correct it; {GUIDE}",
        ) from error
    return captions | given
