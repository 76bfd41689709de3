"""Write a dataset of numbered frames with the real `lerobot` package. A script of its environment (`make lerobot-env`).

    .venv-lerobot/bin/python tests/lerobot/write_real.py SPEC.json

SPEC.json: {"root": a new folder, "version": "v3.0" or "v2.1", "fps": 10, "codec": "libsvtav1" or "h264",
"cameras": {"observation.images.top": [height, width], ...},
"episodes": [{"length": 7, "tasks": [a task for each frame, or one for all]}, ...]}.
With "file_size_in_mb" a new file of data and of video is begun at that size (v3.0 only; may be less than one), and with
"files_in_chunk" a new chunk after that many files; in v2.1 after that many episodes.
"""

import functools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from environment import ADDRESS, prepare
from numbered import frame_number, paint

VERSIONS = ("v3.0", "v2.1")


def features(cameras: dict[str, list[int]]) -> dict[str, dict[str, Any]]:
    vector = {"dtype": "float32", "shape": (2,), "names": ["x", "y"]}
    videos = {
        key: {"dtype": "video", "shape": (height, width, 3), "names": ["height", "width", "channels"]}
        for key, (height, width) in cameras.items()
    }
    return {"observation.state": vector, "action": vector} | videos


def frame(cameras: dict[str, list[int]], episode: int, index: int) -> dict[str, np.ndarray]:
    """The values of a frame; the state and the action are numbers of the frame, too."""
    vector = np.array([episode, index], np.float32)
    pictures = {
        key: paint(frame_number(episode, index, camera), height, width)
        for camera, (key, (height, width)) in enumerate(cameras.items())
    }
    return {"observation.state": vector, "action": -vector} | pictures


def create(spec: dict[str, Any]) -> Any:
    """An empty dataset. Version 2.1 has no parameter for the codec of the videos, so its encoder gets one."""
    from lerobot.datasets import lerobot_dataset as module

    if spec["version"] != module.CODEBASE_VERSION:
        sys.exit(f"{module.__file__} writes {module.CODEBASE_VERSION}, not {spec['version']}: run `make lerobot-env`")
    codec = {"vcodec": spec["codec"]}
    if spec["version"] == "v2.1":
        module.encode_video_frames = functools.partial(module.encode_video_frames, **codec)
        codec = {}
    dataset = module.LeRobotDataset.create(
        ADDRESS, spec["fps"], features(spec["cameras"]), root=Path(spec["root"]), robot_type="painter", **codec
    )

    if size := spec.get("file_size_in_mb"):
        dataset.meta.info |= {"data_files_size_in_mb": size, "video_files_size_in_mb": size}
    if chunk := spec.get("files_in_chunk"):
        dataset.meta.info["chunks_size"] = chunk
    return dataset


def write(spec: dict[str, Any]) -> None:
    dataset = create(spec)
    newer = spec["version"] != "v2.1"
    for episode, wanted in enumerate(spec["episodes"]):
        tasks = wanted["tasks"] * (wanted["length"] if len(wanted["tasks"]) == 1 else 1)
        for index, task in zip(range(wanted["length"]), tasks, strict=True):
            values = frame(spec["cameras"], episode, index)
            dataset.add_frame(values | {"task": task}) if newer else dataset.add_frame(values, task)
        dataset.save_episode(**({"parallel_encoding": False} if newer else {}))
    if newer:
        dataset.finalize()


if __name__ == "__main__":
    specification = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if specification["version"] not in VERSIONS:
        sys.exit(f"{sys.argv[1]}: version is one of {', '.join(VERSIONS)}, not {specification['version']}")
    prepare(specification["version"])
    write(specification)
