"""BridgeData V1 for Seer's list, from the release's zip or file by file from its server's tree.

Only RGB frames of the tasks in Seer's list are taken: no depth, no states.
"""

import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from tqdm import tqdm

from fca.artifacts.atomic import explained_if_full, remove, sync_tree, write_text
from fca.data.datasets.bridge import FRAME, INSTITUTIONS, LIST_NAME, LIST_URL, TREES, VIEW, read_list
from fca.data.download.archive import Limits
from fca.data.download.http import BY_HAND, Client
from fca.data.download.obtain import Source
from fca.errors import FcaError

TREE = TREES[0]
NOTE = ".fetched.json"
# the zip is 411 GB and holds all of BridgeData V2 as well
LIMITS = Limits(members=50_000_000, bytes=2**40)
LARGEST_FRAME = 2**24
LEVELS = ("|".join(INSTITUTIONS), ".+", ".+", ".+", "raw", r"traj_group\d+", r"traj\d+")
"""Names of the tree's folders from the institution down to the trajectory"""
TASK = 2  # the level whose folders are tasks


def obtain(source: Source) -> None:
    """Put Seer's list and the views of its tasks into the folder.

    They come from the server's tree if `urls` has its address, else from the zip, downloaded if `urls` has its address.
    """
    source.expect(rf".+\.zip|{re.escape(LIST_NAME)}", 1, f"the folder bridge_data_v1/ or the zip, and {LIST_NAME}")
    if source.settings.urls:
        source.download([source.remote(LIST_NAME, source.root / LIST_NAME, LIST_URL)])
    tasks = {task for task, _ in read_list(source.root / LIST_NAME)}
    if source.folders:
        _obtain_tree(source, tasks)
    elif (note := _note(source)) and not note["complete"]:
        raise FcaError(
            f"{source.root / TREE} is incomplete: the tree at {note['address']} has more",
            "the whole tree",
            f"give that address in urls again, or remove {source.root / TREE}",
        )
    elif not any((source.root / tree / name).is_dir() for tree in TREES for name in INSTITUTIONS):
        names = [name for name in source.files if name.endswith(".zip")]
        source.download(source.remote(name, source.archives / name) for name in names)
        found = sorted(source.archives.glob("*.zip"))
        if len(found) != 1:
            shown = ", ".join(path.name for path in found) or "none"
            raise FcaError(f"{source.archives} must have one zip, but has: {shown}", "demos_8_17.zip", source.advice)
        source.unpack(found, source.root / TREE, LIMITS, lambda name: choose_frames(name, tasks))


def choose_frames(name: str, tasks: set[str]) -> str | None:
    """Path below `bridge_data_v1/` of a frame of one of the tasks; None for anything else in the release."""
    parts = PurePosixPath(name).parts
    if PurePosixPath(TREE).name not in parts:
        return None
    below = parts[parts.index(PurePosixPath(TREE).name) + 1 :]
    match = VIEW.fullmatch("/".join(below[1:-1]))
    wanted = match and match["task"] in tasks and below[0] in INSTITUTIONS and FRAME.fullmatch(below[-1])
    return "/".join(below) if wanted else None


def _obtain_tree(source: Source, tasks: set[str]) -> None:
    """Download missing trajectories of the tasks, each complete or not at all."""
    address, target = source.folders[0], source.root / TREE
    wanted = {"address": address, "tasks": sorted(tasks)}
    if _note(source) == wanted | {"complete": True}:
        return
    source.permit(f"downloading from {address}")
    write_text(target / NOTE, json.dumps(wanted | {"complete": False}))
    with ThreadPoolExecutor(source.settings.download_workers) as pool:
        found = list(tqdm(_trajectories(source.client, address, tasks), desc="bridge: list", unit="trajectory"))
        if not found:
            raise FcaError(f"{address} shows none of the tasks of {LIST_NAME}", "the folder bridge_data_v1/")
        missing = [path for path in found if not (target / path).is_dir()]
        jobs = [pool.submit(_download_trajectory, source.client, address, path, target / path) for path in missing]
        try:
            for job in tqdm(jobs, desc="bridge: download", unit="trajectory"):
                job.result()
        finally:
            pool.shutdown(cancel_futures=True)
    write_text(target / NOTE, json.dumps(wanted | {"complete": True}))


def _note(source: Source) -> dict[str, Any] | None:
    """What was downloaded from a tree, and whether it is complete."""
    path = source.root / TREE / NOTE
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _trajectories(client: Client, address: str, tasks: set[str], parent: str = "", level: int = 0) -> Iterator[str]:
    """Paths of all trajectories of the tasks below `parent`, as the server's pages show them."""
    for name in client.listing(address + quote(parent))[0]:
        path = f"{parent}{name}"
        if name == "lmdb" or not re.fullmatch(LEVELS[level], name) or (level == TASK and name not in tasks):
            continue
        if level == len(LEVELS) - 1:
            yield path
        else:
            yield from _trajectories(client, address, tasks, f"{path}/", level + 1)


def _download_trajectory(client: Client, address: str, trajectory: str, target: Path) -> None:
    """Write all views of one trajectory aside; frames that an earlier run has written are kept."""
    aside, address = target.with_name(f".unpacking-{target.name}"), f"{address}{quote(trajectory)}/"
    with explained_if_full(target):
        aside.mkdir(parents=True, exist_ok=True)
        for view in client.listing(address)[0]:
            if not re.fullmatch(r"images\d+", view):
                continue
            (aside / view).mkdir(exist_ok=True)
            for name in client.listing(f"{address}{view}/")[1]:
                path = aside / view / name
                if not FRAME.fullmatch(name) or path.exists():
                    continue
                partial = path.with_name(name + ".part")
                data = client.read(f"{address}{view}/{name}", LARGEST_FRAME)
                if data.startswith(b"<"):
                    raise FcaError(f"{address}{view}/{name} is a page, not a picture", "a JPEG", BY_HAND)
                partial.write_bytes(data)
                os.replace(partial, path)
        sync_tree(aside)
        remove(target)
        os.replace(aside, target)
