"""The real lerobot package gives back what it wrote: proof of its environment and scripts (`make test-lerobot`)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.lerobot.numbered import frame_number, number
from tests.lerobot.real import needs_lerobot, read_real, run, write_real

pytestmark = needs_lerobot

HEIGHT, WIDTH, FPS = 64, 96, 30
LENGTHS = (7, 12, 9)
CHANGED = ["open the drawer"] * 4 + ["close the drawer"] * 5
TASKS = (["push the red block left"], ["lift the cup 🤖"], CHANGED)
SPEC: dict[str, Any] = {
    "version": "v3.0",
    "fps": FPS,
    "codec": "libsvtav1",
    "cameras": {"observation.images.top": [HEIGHT, WIDTH], "observation.images.wrist": [WIDTH, HEIGHT]},
    "episodes": [{"length": length, "tasks": tasks} for length, tasks in zip(LENGTHS, TASKS, strict=True)],
}
CASES = {
    "v3.0-av1": {},
    "v3.0-h264": {"codec": "h264"},
    "v3.0-many-files": {"file_size_in_mb": 0.001, "files_in_chunk": 2},
    "v2.1-av1": {"version": "v2.1"},
    "v2.1-h264": {"version": "v2.1", "codec": "h264"},
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_every_frame_is_given_back_with_its_number_time_and_task(tmp_path: Path, changes) -> None:
    spec = SPEC | {"root": str(tmp_path / "data set")} | changes
    got = read_real(write_real(spec))
    episodes = np.repeat(range(len(LENGTHS)), LENGTHS)
    frames = np.concatenate([np.arange(length) for length in LENGTHS])
    assert got["episode_index"].tolist() == episodes.tolist()
    assert got["frame_index"].tolist() == frames.tolist()
    assert got["timestamp"].tolist() == pytest.approx(frames / FPS)
    assert got["task"].tolist() == TASKS[0] * LENGTHS[0] + TASKS[1] * LENGTHS[1] + CHANGED

    for camera, (key, size) in enumerate(SPEC["cameras"].items()):
        assert got[key].shape == (sum(LENGTHS), *size, 3)
        expected = [frame_number(*pair, camera) for pair in zip(episodes, frames, strict=True)]
        assert [number(picture) for picture in got[key]] == expected
    assert got["fps"] == FPS

    info = json.loads(str(got["info"]))
    codec = {"libsvtav1": "av1", "h264": "h264"}[spec["codec"]]
    assert info["codebase_version"] == spec["version"]
    assert info["features"]["observation.images.top"]["info"]["video.codec"] == codec
    videos = len(list(Path(spec["root"]).rglob("*.mp4")))
    assert videos == 2 * (len(LENGTHS) if spec["version"] == "v2.1" or "file_size_in_mb" in spec else 1)


def test_an_unknown_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(SPEC | {"root": str(tmp_path / "new"), "version": "v2.0"}))
    with pytest.raises(RuntimeError, match=r"version is one of v3\.0, v2\.1, not v2\.0"):
        run("write_real.py", path)
    assert not (tmp_path / "new").exists()
