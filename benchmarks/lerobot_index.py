"""How long `fca index` takes for a LeRobot dataset of many episodes, and how much memory.

Run as `python -m benchmarks.lerobot_index`. The metadata, tables and videos are generated; each video is one file that
all others link to, since only headers are read. Half as many episodes show whether time and memory grow evenly.
The rival opens the video again for every episode.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fca.config import Dataset
from fca.data.datasets.lerobot import READER
from fca.data.datasets.lerobot.episodes import Footage
from fca.data.datasets.lerobot.tables import read_frames
from fca.video.timed import header
from fca.video.write import video_writer

FRAMES, FPS, CAMERA, TASKS = 300, 30, "observation.images.top", 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=50_000)
    parser.add_argument("--without-rival", action="store_true", help="Leave out the way that opens each video again.")
    parser.add_argument("--in-a-file", type=int, default=100, help="Episodes in an MP4 of v3.0.")
    parser.add_argument("--measure", nargs=3, metavar=("FOLDER", "CLIPS", "WAY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        folder, clips, way = options.measure
        print(json.dumps(measure(Path(folder), int(clips), way)))
        return
    with tempfile.TemporaryDirectory() as place:
        for version in ("v3.0", "v2.1"):
            for count in (options.episodes // 2, options.episodes):
                root = Path(place) / f"{version}-{count}"
                write(root, version, count, options.in_a_file)
                for way in ("once", "each") if version == "v3.0" and not options.without_rival else ("once",):
                    command = [
                        sys.executable,
                        "-m",
                        "benchmarks.lerobot_index",
                        "--measure",
                        str(root),
                        str(count),
                        way,
                    ]
                    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
                    print(f"{version}, {count:,} episodes, videos opened {way}: {found['seconds']:.1f} s,",
                          f"{found['before']:.0f} MiB before, {found['peak']:.0f} MiB at most", flush=True)  # fmt: skip


def measure(root: Path, clips: int, way: str) -> dict[str, float]:
    """Seconds and MiB of indexing all episodes."""
    if way == "each":
        Footage.__init__ = uncached  # type: ignore[method-assign]
    share = 0.1
    validation = round(share * clips)
    settings = Dataset.model_validate({
        "format": "lerobot", "source": "archive", "root": str(root), "initial_frames": 1, "train_steps": 1,
        "train": {"clips": clips - validation, "shard_clips": 1024}, "validation_share": share,
        "validation": {"clips": validation, "shard_clips": 256},
    })  # fmt: skip
    before, start = peak(), time.perf_counter()
    listing = READER.index(root, "arm", settings, 0)
    seconds = time.perf_counter() - start
    assert (len(listing.records), listing.quarantine) == (clips, [])
    return {"seconds": seconds, "before": before, "peak": peak()}


def peak() -> float:
    """MiB of this process at most so far; `ru_maxrss` would count what it was forked from."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def uncached(footage: Footage, root: Path, fps: float) -> None:
    """The rival: tables are kept, videos are opened for each episode."""
    from functools import lru_cache

    footage.fps = fps
    footage._frames = lru_cache(maxsize=1)(lambda path: read_frames(root / path))
    footage._header = lambda path: header(root / path)  # type: ignore[assignment]


def write(root: Path, version: str, episodes: int, in_a_file: int) -> None:
    """A dataset of that many episodes."""
    old, size = version.startswith("v2"), 1 if version.startswith("v2") else in_a_file
    (root / "meta/episodes/chunk-000").mkdir(parents=True)
    video = root / "one.mp4"
    with video_writer(video, "libx264", {"preset": "ultrafast", "g": "2", "bf": "0"}, 32, 32, FPS) as put:
        for frame in range(FRAMES * size):
            put(np.full((32, 32, 3), frame % 256, np.uint8))

    kind = "{episode_chunk:03d}/episode_{episode_index:06d}" if old else "{chunk_index:03d}/file-{file_index:03d}"
    template = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4" if old else (
        "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4")  # fmt: skip
    info = {"codebase_version": version, "fps": FPS, "chunks_size": 1000, "features": {CAMERA: {"dtype": "video"}},
            "data_path": f"data/chunk-{kind}.parquet", "video_path": template}  # fmt: skip
    (root / "meta/info.json").write_text(json.dumps(info))
    for file in range(-(-episodes // size)):
        names = {"episode_chunk": file // 1000, "episode_index": file, "chunk_index": file // 1000,
                 "file_index": file % 1000, "video_key": CAMERA}  # fmt: skip
        path, table = root / info["video_path"].format(**names), root / info["data_path"].format(**names)
        path.parent.mkdir(parents=True, exist_ok=True)
        table.parent.mkdir(parents=True, exist_ok=True)
        os.link(video, path)
        group = np.arange(file * size, min((file + 1) * size, episodes))
        index = np.repeat(group, FRAMES)
        times = np.tile(np.arange(FRAMES, dtype=np.float32) / FPS, len(group)).astype(np.float32)
        pq.write_table(pa.table({"timestamp": times, "episode_index": index, "task_index": index % TASKS}), table)

    tasks = [f"put the red block number {task} on the plate" for task in range(TASKS)]
    if old:
        rows = ({"task_index": number, "task": task} for number, task in enumerate(tasks))
        (root / "meta/tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        with open(root / "meta/episodes.jsonl", "w") as lines:
            for episode in range(episodes):
                row = {"episode_index": episode, "tasks": [tasks[episode % TASKS]], "length": FRAMES}
                lines.write(json.dumps(row) + "\n")
        return
    pq.write_table(pa.table({"task_index": range(TASKS), "task": tasks}), root / "meta/tasks.parquet")
    every = np.arange(episodes)
    files, place = every // size, every % size * (FRAMES / FPS)
    columns = {
        "episode_index": every, "length": np.full(episodes, FRAMES),
        "tasks": [[tasks[number % TASKS]] for number in range(episodes)],
        "data/chunk_index": files // 1000, "data/file_index": files % 1000,
        f"videos/{CAMERA}/chunk_index": files // 1000, f"videos/{CAMERA}/file_index": files % 1000,
        f"videos/{CAMERA}/from_timestamp": place, f"videos/{CAMERA}/to_timestamp": place + FRAMES / FPS,
        "stats/timestamp/mean": [[0.0] * 30] * episodes,
    }  # fmt: skip
    pq.write_table(pa.table(columns), root / "meta/episodes/chunk-000/file-000.parquet")


if __name__ == "__main__":
    main()
