"""A seeded tabletop corpus on disk in the format of the raw BridgeData V1 with Seer's list of samples.

Layout under the root::

    raw/bridge_data_v1/berkeley/<env>/<task>/<YYYY-MM-DD_HH-MM-SS>/raw/traj_group<g>/traj<t>/images<c>/im_<i>.jpg
    path_id_bridgedata.txt

Frames are 640x480 JPEGs numbered from 0 without padding; three fixed cameras `images0..2` see every trajectory. The
text file is one JSON list of `"<task>/<index>"` in shuffled order: the index counts the `images<c>` folders of a task
in the numeric order of (env, date, traj_group, traj, camera).
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fca.config import Tabletop
from fca.data.tabletop.captions import caption
from fca.data.tabletop.draw import jpeg_bytes, render
from fca.data.tabletop.sample import even_motions, sample_scene
from fca.data.tabletop.scene import CAMERAS, Scene

WIDTH, HEIGHT, QUALITY = 640, 480, 95
ENVIRONMENTS: tuple[str, ...] = ("toykitchen1", "toysink2", "toysink3_bww")
DISTRACTORS = "_distractors"


def _sample_tasks(rng: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """`count` distinct (task, motion) pairs, motions evenly spread; every third is crowded."""
    tasks: dict[str, str] = {}
    for motion in even_motions(rng, "bridge", count):
        before = len(tasks)
        while len(tasks) == before:
            task = str(caption(sample_scene(rng, "bridge", motion))["task"])
            tasks.setdefault(task + DISTRACTORS if before % 3 == 2 else task, motion)
    return list(tasks.items())


def _sample_scene_of(rng: np.random.Generator, task: str, motion: str) -> Scene:
    """A scene whose caption is the task; crowded tasks have three items."""
    while True:
        scene = sample_scene(rng, "bridge", motion)
        crowded = task.endswith(DISTRACTORS)
        if caption(scene)["task"] == task.removesuffix(DISTRACTORS) and (len(scene.items) == 3 or not crowded):
            return scene


def _date(rng: np.random.Generator) -> str:
    """A recording date, `YYYY-MM-DD_HH-MM-SS`."""
    month, day, hour = (int(rng.integers(1, 13)), int(rng.integers(1, 29)), int(rng.integers(9, 20)))
    return f"2021-{month:02d}-{day:02d}_{hour:02d}-{int(rng.integers(60)):02d}-{int(rng.integers(60)):02d}"


def generate(root: Path, made: Tabletop, seed: int, split_mode: str = "") -> None:
    """Write trajectories, three views each, under `root`; the same arguments give the same bytes.

    Each has 20..50 frames, but the first has 12. With about a quarter as many tasks as trajectories, a task has several
    entries.
    """
    trajectories = (made.train + made.validation) // made.cameras
    rng = np.random.default_rng([seed, 2])
    tasks = _sample_tasks(rng, max(1, trajectories // 4))
    dates = {(task, environment): _date(rng) for task, _ in tasks for environment in ENVIRONMENTS}
    taken: dict[tuple[str, str, int], int] = {}
    views = {task: 0 for task, _ in tasks}
    root.mkdir(parents=True)
    with tqdm(total=trajectories, desc="bridge", unit="trajectory") as bar:
        for index in range(trajectories):
            task, motion = tasks[index % len(tasks)]
            environment = ENVIRONMENTS[int(rng.integers(len(ENVIRONMENTS)))]
            group = int(rng.random() < 0.25)
            number = taken.get((task, environment, group), 0)
            taken[task, environment, group] = number + 1
            frames = 12 if index == 0 else int(rng.integers(20, 51))
            scene = _sample_scene_of(rng, task, motion)
            session = root / "raw/bridge_data_v1/berkeley" / environment / task / dates[task, environment] / "raw"
            for camera, view in enumerate(CAMERAS):
                images = session / f"traj_group{group}" / f"traj{number}" / f"images{camera}"
                images.mkdir(parents=True)
                seen = dataclasses.replace(scene, camera=view)
                for frame in range(frames):
                    pixels = render(seen, frame / (frames - 1), WIDTH, HEIGHT)
                    (images / f"im_{frame}.jpg").write_bytes(jpeg_bytes(pixels, QUALITY))
                views[task] += 1
            bar.update()

        entries = [f"{task}/{index}" for task, count in views.items() for index in range(count)]
        shuffled = [entries[int(index)] for index in rng.permutation(len(entries))]
        (root / "path_id_bridgedata.txt").write_text(json.dumps(shuffled))
