"""Read a dataset (v3.0, v2.1) with the real `lerobot` package. A script of its environment (`make lerobot-env`).

    .venv-lerobot/bin/python tests/lerobot/read_real.py FOLDER OUT.npz [BACKEND]

OUT.npz has of each frame `episode_index`, `frame_index`, `timestamp` and `task`, and of each camera its pictures
(n, H, W, 3) uint8, named like the camera; `fps`; and `info`, the metadata as JSON. BACKEND is lerobot's
`video_backend`, by default torchcodec. (The other, pyav, needs `torchvision.io.VideoReader`, which torchvision 0.28 no
longer has.)
"""

import json
import sys
from pathlib import Path

import numpy as np
from environment import ADDRESS, prepare


def read(folder: Path, backend: str | None = None) -> dict[str, np.ndarray]:
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    dataset = LeRobotDataset(ADDRESS, root=folder, video_backend=backend)
    rows = [dataset[index] for index in range(len(dataset))]
    columns = {key: np.array([row[key].item() for row in rows]) for key in ("episode_index", "frame_index")}
    columns["timestamp"] = np.array([row["timestamp"].item() for row in rows], np.float32)
    columns["task"] = np.array([row["task"] for row in rows])

    for camera in dataset.meta.camera_keys:
        pictures = np.stack([row[camera].numpy() for row in rows])  # (n, 3, H, W), 0 to 1
        columns[camera] = np.rint(pictures * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    return columns | {"fps": np.array(dataset.meta.fps), "info": np.array(json.dumps(dataset.meta.info))}


if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve()
    prepare(json.loads((folder / "meta" / "info.json").read_text(encoding="utf-8"))["codebase_version"])
    np.savez(sys.argv[2], **read(folder, *sys.argv[3:4]))
