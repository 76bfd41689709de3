"""Frame for frame: datasets of the real package are read by this project, and this project's by the real package."""

from pathlib import Path

import numpy as np
import pytest

from fca.data.clip_pixels import media_of
from fca.data.clip_record import ClipRecord
from fca.data.datasets.lerobot.write import write_lerobot
from fca.video.decode import read_frames
from tests.data.datasets.test_lerobot import listing
from tests.lerobot.numbered import frame_number, number, paint
from tests.lerobot.real import needs_lerobot, read_real, write_real
from tests.lerobot.test_real import CASES, CHANGED, FPS, LENGTHS, SPEC, TASKS

pytestmark = needs_lerobot

LEVELS = 3.0
"""Mean levels by which two decoders' colours may differ"""


def pixels(root: Path, record: ClipRecord) -> np.ndarray:
    """All frames of a clip."""
    return read_frames(media_of(root, record, None), range(record.length))


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_what_the_real_package_wrote_is_read_here(tmp_path: Path, changes) -> None:
    root = write_real(SPEC | {"root": str(tmp_path / "data set")} | changes)
    real = read_real(root)
    for camera, key in enumerate(SPEC["cameras"]):
        found = listing(root, camera=key)
        assert found.quarantine == []
        seen = 0
        for record in found.records:
            episode = int(record.id.partition("/")[0].removeprefix("episode_"))
            start = int(record.id.partition("/")[2].partition("-")[0] or 0)
            mine = pixels(root, record)
            expected = [frame_number(episode, start + frame, camera) for frame in range(record.length)]
            assert [number(picture) for picture in mine] == expected

            tasks = TASKS[episode] if len(TASKS[episode]) > 1 else TASKS[episode] * LENGTHS[episode]
            assert set(tasks[start : start + record.length]) == {record.caption}
            theirs = real[key][real["episode_index"] == episode][start : start + record.length]
            assert np.abs(mine.astype(float) - theirs).mean() < LEVELS
            seen += record.length
        assert seen == sum(LENGTHS)
        assert {record.caption for record in found.records} >= set(CHANGED)


def test_what_is_written_here_is_read_by_the_real_package(tmp_path: Path) -> None:
    cameras = {"observation.images.predicted": (64, 96), "observation.images.ground_truth": (96, 64)}
    tasks = ["push the red block left", "öffne die Schublade", "push the red block left"]
    episodes = [
        ({key: np.stack([paint(frame_number(episode, frame, camera), *size) for frame in range(length)])
          for camera, (key, size) in enumerate(cameras.items())}, tasks[episode])
        for episode, length in enumerate(LENGTHS)
    ]  # fmt: skip
    assert write_lerobot(tmp_path / "own", iter(episodes), FPS) == 3
    real = read_real(tmp_path / "own")
    numbers = [(episode, frame) for episode, length in enumerate(LENGTHS) for frame in range(length)]
    assert list(zip(real["episode_index"].tolist(), real["frame_index"].tolist(), strict=True)) == numbers
    assert real["task"].tolist() == [tasks[episode] for episode, _ in numbers]
    assert real["timestamp"].tolist() == pytest.approx([frame / FPS for _, frame in numbers])
    for camera, key in enumerate(cameras):
        assert [number(picture) for picture in real[key]] == [frame_number(*pair, camera) for pair in numbers]
        mine = {record.id: pixels(tmp_path / "own", record) for record in listing(tmp_path / "own", camera=key).records}
        given = np.concatenate([mine[name] for name in sorted(mine)])
        assert np.abs(real[key].astype(float) - given).mean() < LEVELS
