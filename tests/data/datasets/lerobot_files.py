"""Small LeRobot datasets of each version, whose frames carry their number in the dataset (`tests.video.numbered`)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.video.numbered import HEIGHT, WIDTH, Recipe, even, numbered, write

TOP, WRIST = "observation.images.top", "observation.images.wrist"
SHIFT = {TOP: 0, WRIST: 100}
"""Added to the numbers of a camera's frames"""
OPEN = {
    "libx264": {"x264-params": "open-gop=1:scenecut=0:keyint=12:min-keyint=12"},
    "libsvtav1": {"crf": "1", "preset": "8", "svtav1-params": "irefresh-type=1:keyint=12"},
}
"""Open GOPs: frames before a keyframe need frames of the GOP before"""


@dataclass
class Made:
    """What a dataset is made of."""

    lengths: Sequence[int] = (20, 31, 14, 25)
    tasks: Sequence[str | None] = ("push the red block left", "lift the cup")
    task_of: dict[int, Sequence[int]] = field(default_factory=dict)
    """Episode -> index of the task of each frame; without, that of episode % tasks"""
    fps: float = 10
    version: str = "v3.0"
    codec: str = "libx264"
    cameras: Sequence[str] = (TOP,)
    episodes_in_a_file: int = 3
    """v3"""
    chunks_size: int = 1000
    """Episodes in a folder (v2), files in one (v3)"""

    def first(self, episode: int) -> int:
        """Number of an episode's first frame."""
        return sum(self.lengths[:episode])

    def task(self, episode: int) -> Sequence[int]:
        return self.task_of.get(episode, [episode % len(self.tasks)] * self.lengths[episode])

    def write(self, root: Path) -> Path:
        """Write the dataset; return its folder."""
        old = self.version.startswith("v2")
        for camera in self.cameras:
            for file, group in enumerate(self.files()):
                chunk, name = self.place(file)
                folder = f"videos/{chunk}/{camera}" if old else f"videos/{camera}/{chunk}"
                self._video(root / folder / f"{name}.mp4", camera, group)
        for file, group in enumerate(self.files()):
            chunk, name = self.place(file)
            self._frames(root / "data" / chunk / f"{name}.parquet", group)
        (self._old_meta if old else self._meta)(root / "meta")
        return root

    def files(self) -> list[list[int]]:
        """The episodes of each file."""
        size = 1 if self.version.startswith("v2") else self.episodes_in_a_file
        every = list(range(len(self.lengths)))
        return [every[start : start + size] for start in range(0, len(every), size)]

    def place(self, file: int) -> tuple[str, str]:
        """Folder and name of a file; in v2 it is that of an episode."""
        chunk, number = divmod(file, self.chunks_size)
        name = f"episode_{file:06d}" if self.version.startswith("v2") else f"file-{number:03d}"
        return f"chunk-{chunk:03d}", name

    def _video(self, path: Path, camera: str, group: Sequence[int]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        shift = SHIFT[camera] + self.first(group[0])
        count = sum(self.lengths[episode] for episode in group)
        rate = Fraction(self.fps).limit_denominator(1001)
        recipe = Recipe(self.codec, "mp4", 12, 3 if self.codec == "libx264" else 0, even(count, rate),
                        OPEN[self.codec], rate=rate)  # fmt: skip
        write(path, recipe, lambda number: numbered((number + shift) % 256))

    def _frames(self, path: Path, group: Sequence[int]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [(episode, frame) for episode in group for frame in range(self.lengths[episode])]
        tasks = [self.task(episode)[frame] for episode, frame in rows]
        pq.write_table(
            pa.table({
                "observation.state": pa.array([[0.0, 1.0]] * len(rows), pa.list_(pa.float32(), 2)),
                "timestamp": pa.array([frame / self.fps for _, frame in rows], pa.float32()),
                "frame_index": pa.array([frame for _, frame in rows], pa.int64()),
                "episode_index": pa.array([episode for episode, _ in rows], pa.int64()),
                "index": pa.array([self.first(episode) + frame for episode, frame in rows], pa.int64()),
                "task_index": pa.array(tasks, pa.int64()),
            }),
            path,
        )  # fmt: skip

    def _info(self, meta: Path, **more: Any) -> None:
        info = {
            "codebase_version": self.version, "robot_type": "so100", "total_episodes": len(self.lengths),
            "total_frames": sum(self.lengths), "total_tasks": len(self.tasks), "chunks_size": self.chunks_size,
            "fps": self.fps, "splits": {"train": f"0:{len(self.lengths)}"},
            "features": {camera: {"dtype": "video", "shape": [HEIGHT, WIDTH, 3]} for camera in self.cameras}
            | {"timestamp": {"dtype": "float32", "shape": [1], "names": None}},
        }  # fmt: skip
        meta.mkdir(parents=True, exist_ok=True)
        (meta / "info.json").write_text(json.dumps(info | more, indent=4))

    def _names(self, episode: int) -> list[str | None]:
        """An episode's tasks, in LeRobot's order, which is a set's."""
        return sorted({self.tasks[index] for index in self.task(episode)}, key=str, reverse=True)

    def _old_meta(self, meta: Path) -> None:
        self._info(
            meta, total_chunks=1, data_path="data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
            video_path="videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
        )  # fmt: skip
        tasks = [{"task_index": index, "task": task} for index, task in enumerate(self.tasks)]
        episodes = [
            {"episode_index": episode, "tasks": self._names(episode), "length": length}
            for episode, length in enumerate(self.lengths)
        ]
        for name, rows in (("tasks", tasks), ("episodes", episodes)):
            (meta / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def _meta(self, meta: Path) -> None:
        self._info(
            meta, data_path="data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
            video_path="videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        )  # fmt: skip
        tasks = {"task_index": range(len(self.tasks)), "__index_level_0__": pa.array(self.tasks, pa.string())}
        pq.write_table(pa.table(tasks), meta / "tasks.parquet")
        rows = []
        for file, group in enumerate(self.files()):
            chunk, number = divmod(file, self.chunks_size)
            for episode in group:
                start = (self.first(episode) - self.first(group[0])) / self.fps
                row: dict[str, Any] = {
                    "episode_index": episode, "tasks": self._names(episode), "length": self.lengths[episode],
                    "data/chunk_index": chunk, "data/file_index": number, "dataset_from_index": self.first(episode),
                    "dataset_to_index": self.first(episode) + self.lengths[episode], "stats/timestamp/min": [0.0],
                }  # fmt: skip
                for camera in self.cameras:
                    row |= {f"videos/{camera}/chunk_index": chunk, f"videos/{camera}/file_index": number,
                            f"videos/{camera}/from_timestamp": start,
                            f"videos/{camera}/to_timestamp": start + self.lengths[episode] / self.fps}  # fmt: skip
                rows.append(row)
        (meta / "episodes/chunk-000").mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), meta / "episodes/chunk-000/file-000.parquet")


def change_json(path: Path, **values: Any) -> None:
    """Replace values of a JSON file; None removes one."""
    found = json.loads(path.read_text()) | values
    path.write_text(json.dumps({name: value for name, value in found.items() if value is not None}))


def change_rows(path: Path, change: Any) -> None:
    """Replace the rows of a parquet file by `change(rows)`."""
    pq.write_table(pa.Table.from_pylist(change(pq.read_table(path).to_pylist())), path)
