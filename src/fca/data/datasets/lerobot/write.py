"""Write a LeRobot dataset (v3.0) of videos with a task each: no states and no actions.

Source of the layout: what LeRobot 0.4.4 writes with `LeRobotDataset.create`, `add_frame` and `save_episode`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fca.artifacts.atomic import write_aside
from fca.config.captions import caption_problem
from fca.data.datasets.lerobot.info import require_folder_name
from fca.data.datasets.lerobot.tables import parquet
from fca.errors import FcaError
from fca.video.write import video_writer

VERSION = "v3.0"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
CHUNK, DATA_MB, VIDEO_MB = 1000, 100, 200
"""Files in a folder, and their sizes, as LeRobot chooses them"""
H264 = {"crf": "12", "preset": "medium", "g": "2", "bf": "0"}
"""A keyframe every second frame, as LeRobot has it, so that single frames are read quickly"""
NUMBERS = {"timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64",
           "task_index": "int64"}  # fmt: skip

Episode = tuple[Mapping[str, np.ndarray], str]
"""Frames (n, H, W, 3) uint8 of each camera, and the task"""


@dataclass
class _Moments:
    """Statistics of numbers, by channel, as LeRobot's `stats.json` has them."""

    count: int = 0
    low: Any = np.inf
    high: Any = -np.inf
    total: Any = 0.0
    squares: Any = 0.0

    def add(self, values: np.ndarray) -> None:
        """`values`: (n, channels)."""
        values = values.astype(np.float64)
        self.count += len(values)
        self.low = np.minimum(self.low, values.min(0))
        self.high = np.maximum(self.high, values.max(0))
        self.total, self.squares = self.total + values.sum(0), self.squares + (values**2).sum(0)

    def as_json(self, frames: int, shape: tuple[int, ...]) -> dict[str, Any]:
        mean = self.total / self.count
        spread = np.sqrt(np.maximum(self.squares / self.count - mean**2, 0))
        values = {"min": self.low, "max": self.high, "mean": mean, "std": spread}
        return {name: np.reshape(value, shape).tolist() for name, value in values.items()} | {"count": [frames]}


@dataclass
class _Tables:
    """The rows so far."""

    frames: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in NUMBERS})
    episodes: list[dict[str, Any]] = field(default_factory=list)
    tasks: dict[str, int] = field(default_factory=dict)


def write_lerobot(folder: Path, episodes: Iterable[Episode], fps: int) -> int:
    """Write a dataset to a folder that doesn't exist yet, complete or not at all; return the number of episodes.

    Every episode has the same cameras and sizes; an episode's cameras have the same number of frames. Videos are H.264
    in yuv420p, which the hub's visualiser plays; the same episodes make the same bytes.

    Raises:
        FcaError: the folder exists, there is no episode, pyarrow isn't installed, or a rate, camera, caption or frame
            can't be stored.
    """
    if not isinstance(fps, int) or fps < 1:
        raise FcaError(f"{fps} frames a second can't be stored", "a whole number, 1 or more")
    if folder.exists():
        raise FcaError(f"{folder} exists already", "a new folder", "remove it, or name another one")
    parquet()
    with write_aside(folder) as aside:
        return _write(aside, iter(episodes), fps)


def _write(root: Path, episodes: Iterator[Episode], fps: int) -> int:
    first = next(episodes, None)
    if first is None:
        raise FcaError("there is no episode to write", "at least one")
    shapes = {camera: frames.shape[1:3] for camera, frames in first[0].items()}
    for camera in shapes:
        require_folder_name(camera)
        if camera in NUMBERS:
            raise FcaError(f"{camera!r} is a column of every dataset", "another name for the camera")
    if odd := [f"{width}x{height}" for height, width in shapes.values() if height % 2 or width % 2]:
        raise FcaError(f"frames of {odd[0]} pixels can't be stored in H.264", "an even width and height")
    tables, moments = _Tables(), {name: _Moments() for name in (*shapes, *NUMBERS)}

    every: Iterator[Episode] = _and_then(first, episodes)
    file, waiting = 0, next(every, None)
    while waiting is not None:  # a file of each camera at a time
        position = 0
        with _open_videos(root, shapes, file, fps) as (put, size):
            while waiting is not None and (not position or size() < VIDEO_MB * 2**20):
                frames, task = waiting
                length = _append(tables, moments, frames, task, fps, shapes)
                put(frames)
                tables.episodes[-1] |= _place(shapes, file, position, length, fps)
                position, waiting = position + length, next(every, None)
        file += 1
    _write_tables(root, tables)
    _write_meta(root, tables, moments, shapes, fps)
    return len(tables.episodes)


def _and_then(first: Episode, others: Iterator[Episode]) -> Iterator[Episode]:
    yield first
    yield from others


@contextmanager
def _open_videos(root: Path, shapes: Mapping[str, Sequence[int]], file: int, fps: int) -> Iterator[Any]:
    """A function that appends an episode to a new video of each camera, and one that tells the largest one's bytes."""
    paths = {camera: root / VIDEO.format(video_key=camera, **_at(file)) for camera in shapes}
    with ExitStack() as stack:
        writers = {}
        for camera, (height, width) in shapes.items():
            paths[camera].parent.mkdir(parents=True, exist_ok=True)
            writers[camera] = stack.enter_context(video_writer(paths[camera], "libx264", H264, width, height, fps))

        def put(frames: Mapping[str, np.ndarray]) -> None:
            for camera, pictures in frames.items():
                for picture in pictures:
                    writers[camera](picture)

        yield put, lambda: max(path.stat().st_size for path in paths.values())


def _append(
    tables: _Tables, moments: Mapping[str, _Moments], frames: Mapping[str, np.ndarray], task: str, fps: int,
    shapes: Mapping[str, Sequence[int]],
) -> int:  # fmt: skip
    """Add an episode to the tables; return its length."""
    for camera, pictures in frames.items():
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[-1] != 3:
            raise FcaError(f"{camera} has frames of {pictures.shape} {pictures.dtype}", "(n, height, width, 3) uint8")
    found = {camera: pictures.shape[1:3] for camera, pictures in frames.items()}
    lengths = {len(pictures) for pictures in frames.values()}
    if found != shapes or len(lengths) != 1 or not (length := lengths.pop()):
        raise FcaError(f"an episode has the cameras {found}, the first one {dict(shapes)}", "the same in every episode")
    if problem := caption_problem(task):
        raise FcaError(f"an episode can't be written: {problem}", "a sentence for each")

    number, start = len(tables.episodes), len(tables.frames["index"])
    columns: dict[str, np.ndarray] = {
        "timestamp": (np.arange(length) / fps).astype(np.float32),
        "frame_index": np.arange(length),
        "episode_index": np.full(length, number),
        "index": np.arange(start, start + length),
        "task_index": np.full(length, tables.tasks.setdefault(task, len(tables.tasks))),
    }
    for name, values in columns.items():
        tables.frames[name] += values.tolist()
        moments[name].add(values[:, None])
    for camera, pictures in frames.items():
        for picture in pictures:  # one by one: floats take eight times the memory
            moments[camera].add(picture.reshape(-1, 3) / 255)

    tables.episodes.append({
        "episode_index": number, "tasks": [task], "length": length, "data/chunk_index": 0, "data/file_index": 0,
        "dataset_from_index": start, "dataset_to_index": start + length,
        "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0,
    })  # fmt: skip
    return length


def _place(cameras: Iterable[str], file: int, position: int, length: int, fps: int) -> dict[str, float]:
    """Where an episode is in the videos."""
    found: dict[str, float] = {}
    for camera in cameras:
        found |= {f"videos/{camera}/{name}": value for name, value in _at(file).items()}
        found |= {f"videos/{camera}/from_timestamp": position / fps,
                  f"videos/{camera}/to_timestamp": (position + length) / fps}  # fmt: skip
    return found


def _at(file: int) -> dict[str, int]:
    return {"chunk_index": file // CHUNK, "file_index": file % CHUNK}


def _write_tables(root: Path, tables: _Tables) -> None:
    import pyarrow as pa

    kinds = {"float32": pa.float32(), "int64": pa.int64()}
    frames = pa.table({name: pa.array(tables.frames[name], kinds[kind]) for name, kind in NUMBERS.items()})
    tasks = pa.table({"task_index": pa.array(tables.tasks.values(), pa.int64()), "task": [*tables.tasks]})
    columns = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy, "metadata": None}
        for name, kind, numpy in (("task_index", "int64", "int64"), ("task", "unicode", "object"))
    ]
    named = {"index_columns": ["task"], "column_indexes": [], "columns": columns, "pandas_version": "2.3.3"}
    tasks = tasks.replace_schema_metadata({"pandas": json.dumps(named)})  # pandas reads the sentences as its index
    for name, table in (
        (DATA.format(**_at(0)), frames),
        ("meta/tasks.parquet", tasks),
        (EPISODES.format(**_at(0)), pa.Table.from_pylist(tables.episodes)),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        parquet().write_table(table, root / name)


def _write_meta(
    root: Path, tables: _Tables, moments: Mapping[str, _Moments], shapes: Mapping[str, Sequence[int]], fps: int
) -> None:
    frames = len(tables.frames["index"])
    video: dict[str, Any] = {
        "video.codec": "h264", "video.pix_fmt": "yuv420p", "video.is_depth_map": False, "video.fps": fps,
        "video.channels": 3, "has_audio": False,
    }  # fmt: skip
    cameras = {
        camera: {"dtype": "video", "shape": [height, width, 3], "names": ["height", "width", "channels"],
                 "info": {"video.height": height, "video.width": width} | video}
        for camera, (height, width) in shapes.items()
    }  # fmt: skip
    numbers: dict[str, Any] = {name: {"dtype": kind, "shape": [1], "names": None} for name, kind in NUMBERS.items()}
    info: dict[str, Any] = {
        "codebase_version": VERSION, "robot_type": None, "total_episodes": len(tables.episodes), "total_frames": frames,
        "total_tasks": len(tables.tasks), "chunks_size": CHUNK, "data_files_size_in_mb": DATA_MB,
        "video_files_size_in_mb": VIDEO_MB, "fps": fps, "splits": {"train": f"0:{len(tables.episodes)}"},
        "data_path": DATA, "video_path": VIDEO, "features": cameras | numbers,
    }  # fmt: skip
    stats = {name: own.as_json(frames, (3, 1, 1) if name in shapes else (1,)) for name, own in moments.items()}
    for name, content in (("info", info), ("stats", stats)):
        (root / f"meta/{name}.json").write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")
