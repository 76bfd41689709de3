"""BridgeData V1 by Seer's list: one clip is one camera's view of one demonstration.

Source: SeerVideoLDM, `dataset/path_id_bridgedata.txt` and its Bridge dataset. The list holds `task/number`; its first
`int(0.8 n)` entries are the training split. The videos that Seer numbered are no longer published, so a task's views
are numbered anew in the order (environment, date, traj_group, traj, camera): rule and sizes of the split are Seer's,
its membership can't be. Views of one demonstration fall on both sides of the split, as in Seer;
`split_mode: trajectory_disjoint` keeps them together instead.
"""

import json
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from glob import escape
from itertools import product
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fca.artifacts.quarantine import ClipError, Quarantine
from fca.artifacts.text import shuffled
from fca.config import Dataset
from fca.config.captions import caption_problem
from fca.config.dataset import SplitMode
from fca.data.clip_record import ClipRecord, Listing
from fca.data.datasets.reader import Breakdown, Publication, Reader, find_first
from fca.errors import FcaError
from fca.video.decode import list_frames

LIST_NAME = "path_id_bridgedata.txt"
LIST_URL = (
    "https://raw.githubusercontent.com/seervideodiffusion/SeerVideoLDM/"
    "f4033328cfdf205bd25ad5bd56c3e35edfb6362c/dataset/path_id_bridgedata.txt"
)
PUBLICATION = Publication(
    where="the raw tree (bridge_data_v1/berkeley/...) from "
    "https://rail.eecs.berkeley.edu/datasets/bridge_release/raw/ or "
    "https://rail.eecs.berkeley.edu/datasets/bridge_release/data/demos_8_17.zip, "
    f"and {LIST_NAME} from {LIST_URL}",
    licence="the licence of BridgeData (V2's mirrors say CC BY 4.0; V1's own could not be confirmed)",
    page="https://rail.eecs.berkeley.edu/datasets/bridge_release/",
    sha256={LIST_NAME: "e1d1833f9cbb786934ab02b96e4616da95cd77654190956cb67e127ce1537a7b"},
    clips={"train": 20_066, "validation": 5_017},
    captions=106,
)
TREES = ("raw/bridge_data_v1", "bridge_data_v1", ".")
INSTITUTIONS = ("berkeley", "upenn")
VIEW = re.compile(
    r"(?P<environment>[^/]+)/(?P<task>[^/]+)/(?P<date>[^/]+)/raw"
    r"/traj_group(?P<group>\d+)/traj(?P<trajectory>\d+)/images(?P<camera>\d+)"
)
"""Folder of a view below an institution"""
FRAME = re.compile(r"im_(\d+)\.jpg")
UPENN = (
    "move_faucet_front_to_left", "pick_up_pot_50", "put_cup_from_counter_to_sink", "put_cup_from_drying_rack_to_sink",
    "put_cup_from_sink_to_drying_rack", "turn_faucet_front_to_right", "turn_faucet_left_56", "turn_faucet_right_55",
)  # fmt: skip
"""Tasks of the list that no public list of Berkeley's tasks has, 1,011 views: deduced to lie below upenn/"""
TRAIN_SHARE = 0.8

log = logging.getLogger(__name__)


class Bridge(Reader):
    """Reads Seer's list and the tree of views."""

    publication = PUBLICATION
    frame_name = "im_{}.jpg"
    kept_notes = ("tasks",)

    def index(self, raw: Path, dataset: str, settings: Dataset, seed: int) -> Listing:
        """Clips in the list's order; the caption is the task's name in words.

        `notes["tasks"]` has each task's views in the list and found; an entry without a view is quarantined.
        """
        entries = read_list(raw / LIST_NAME)
        counts = list_counts(entries)
        views = find_views(raw, set(counts))
        if not views:
            expected = f"{TREES[0]}/berkeley/<env>/<task>/"
            raise FcaError(f"{raw} has none of the tasks of {LIST_NAME}", expected, PUBLICATION.advice)
        parts = split_entries(entries, views, settings.split_mode, seed)
        chosen = [(split, entry) for split, limit in settings.clips.items() for entry in parts[split][:limit]]

        records, quarantine = [], []
        for split, (task, number) in tqdm(chosen, desc=f"{dataset}: count frames", unit="clip"):
            found, identifier = views.get(task, []), f"{task}/{number}"
            media, frames = "", None
            try:
                if number >= len(found):
                    raise ClipError(f"the list has {counts[task]} views of this task, {len(found)} were found")
                media = found[number].relative_to(raw).as_posix()
                frames = frame_numbers(found[number])
            except ClipError as error:
                quarantine.append(Quarantine(dataset, split, identifier, "index", media or task, str(error)))
            records.append(ClipRecord(identifier, dataset, split, caption(task), media, frames, len(frames or [])))

        tasks = {task: {"listed": counts[task], "found": len(views.get(task, []))} for task in sorted(counts)}
        if differing := sum(task["listed"] != task["found"] for task in tasks.values()):
            shown = "%s: %d of %d tasks differ from the list in their number of views"
            log.warning(shown, dataset, differing, len(tasks))
        notes = {"entries_listed": len(entries), "split_mode": settings.split_mode, "tasks": tasks}
        return Listing(records, quarantine, notes)

    def annotation_files(self, raw: Path) -> list[Path]:
        read_list(raw / LIST_NAME)
        return [raw / LIST_NAME]

    def media_names(self, raw: Path) -> Iterator[str]:
        """Every view of a listed task."""
        for _, found in sorted(find_views(raw, set(list_counts(read_list(raw / LIST_NAME)))).items()):
            yield from (path.relative_to(raw).as_posix() for path in found)

    def listed(self, raw: Path) -> dict[str, int]:
        """Clips as Seer splits the list."""
        entries = len(read_list(raw / LIST_NAME))
        border = int(TRAIN_SHARE * entries)
        return {"train": border, "validation": entries - border}

    def remedy(self, settings: Dataset, row: Quarantine) -> str:
        if row.id.rpartition("/")[0] != row.file:
            return "remove the folder of the trajectory and .fetched.json, and run `fca fetch` again"
        institution = "upenn" if row.file in UPENN else "berkeley or upenn"
        return f"get the task's other trajectories, which are below {institution}"

    def breakdowns(self, notes: Mapping[str, Any]) -> list[Breakdown]:
        """Each task of Seer's list: its views in the list, those found, the difference, whether it is UPenn's."""
        rows = [
            (task, count["listed"], count["found"], count["found"] - count["listed"], "yes" if task in UPENN else "")
            for task, count in sorted(notes["tasks"].items())
        ]
        differing = [row for row in rows if row[3]]
        summary = f"all {len(rows)} tasks have as many views as in the list"
        if differing:
            missing = sum(-row[3] for row in differing if row[3] < 0)
            summary = f"{len(differing)} of {len(rows)} tasks differ from the list, {missing:,} views are missing:"
        return [Breakdown("tasks.tsv", ("task", "listed", "found", "difference", "upenn"), rows, summary, differing)]


READER = Bridge()


def split_entries(
    entries: list[tuple[str, int]], views: dict[str, list[Path]], split_mode: SplitMode, seed: int
) -> dict[str, list[tuple[str, int]]]:
    """The entries of each split, in the list's order.

    seer_like: the first 80 % of the list are the training split. trajectory_disjoint: whole trajectories, sorted by a
    hash of seed and path, become the training split until it has at least as many entries; adding a view moves few
    others. An entry without a view counts as a trajectory.
    """
    border = int(TRAIN_SHARE * len(entries))
    if split_mode == "seer_like":
        return {"train": entries[:border], "validation": entries[border:]}
    trajectories: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for task, number in entries:
        found = views.get(task, [])
        trajectory = "/".join(found[number].parts[-8:-1]) if number < len(found) else f"{task}/{number}"
        trajectories[trajectory].append((task, number))
    train: set[tuple[str, int]] = set()
    for trajectory in shuffled(trajectories, seed):
        if len(train) >= border:
            break
        train.update(trajectories[trajectory])
    return {
        "train": [entry for entry in entries if entry in train],
        "validation": [entry for entry in entries if entry not in train],
    }


def caption(task: str) -> str:
    """Seer's caption of a task: `put_pot-lid_on_stove_distractors` -> `put pot lid on stove`."""
    return task.strip().replace("_distractors", "").replace("_", " ").replace("-", " ")


def read_list(path: Path) -> list[tuple[str, int]]:
    """(task, number) of every entry of Seer's list, in its shuffled order; a task's numbers are 0 to n - 1."""
    try:
        texts = json.loads(path.read_text(encoding="utf-8-sig", errors="surrogateescape"))
        entries = [(task, int(number)) for task, number in (text.rsplit("/", 1) for text in texts)]
        for task in list_counts(entries):
            if problem := caption_problem(caption(task)):
                raise ValueError(f"the task {task!r}: {problem}")
    except FileNotFoundError:
        raise FcaError(f"there is no {path}", "Seer's list of clips", f"get it from {LIST_URL}") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        problem, expected = f"{path} is not Seer's list ({error})", 'a JSON list of "task/number"'
        raise FcaError(problem, expected, f"get {LIST_URL}") from error
    known = set(entries)
    for task, count in list_counts(entries).items():
        if any((task, number) not in known for number in range(count)):
            problem = f"{path}: the numbers of {task} have gaps or repeats"
            raise FcaError(problem, f"0 to {count - 1}", f"get {LIST_URL}")
    return entries


def list_counts(entries: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Number of entries of each task."""
    return dict(Counter(task for task, _ in entries))


def find_views(raw: Path, tasks: set[str]) -> dict[str, list[Path]]:
    """Each task's RGB folders (`images0`, ...; not depth, not lmdb) in the order of their numbers."""
    views: dict[str, list[tuple[tuple[str | int, ...], Path]]] = defaultdict(list)
    folders = [f"{tree}/{institution}" for tree in TREES for institution in INSTITUTIONS]
    tree = find_first(raw, folders, "BridgeData V1 in it", PUBLICATION, f"{TREES[0]}/berkeley/<env>/<task>/...").parent
    for institution, task in product(INSTITUTIONS, sorted(tasks)):
        for path in (tree / institution).glob(f"*/{escape(task)}/*/raw/traj_group*/traj*/images*"):
            match = VIEW.fullmatch(path.relative_to(tree / institution).as_posix())
            if match and path.is_dir():
                numbers = (int(match[name]) for name in ("group", "trajectory", "camera"))
                views[task].append(((match["environment"], match["date"], institution, *numbers), path))
    return {task: [path for _, path in sorted(found)] for task, found in views.items()}


def frame_numbers(folder: Path) -> list[int]:
    """Numbers of a view's frames in numeric order, none missing."""
    numbers = [int(match[1]) for path in list_frames(folder) if (match := FRAME.fullmatch(path.name))]
    if not numbers:
        raise ClipError("there is no im_<number>.jpg")
    for expected, number in enumerate(numbers):
        if number != expected:
            raise ClipError(f"{Bridge.frame_name.format(expected)} is missing")
    return numbers
