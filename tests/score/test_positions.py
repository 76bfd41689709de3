"""The position reader: its camera is the simulator's, it answers in the world, and it refuses what it can't read."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from fca.errors import FcaError
from fca.score.camera import project, unproject
from fca.score.positions import PositionReader, in_world, is_readable, load_reader, marks_at
from simulation import episode
from tests.score.project import HEIGHT, WIDTH

CAMERA = np.array([0.02, 0.04, 0.05, 0.66, 86.0, -32.0, 40.0])
STARTS = np.array([[0.1, 0.02, 0.1], [-0.05, 0.1, 0.03]])


def test_the_camera_is_the_simulators() -> None:
    ours = project(torch.tensor(CAMERA)[None], torch.tensor(STARTS)[None], 96, 64)[0]
    np.testing.assert_allclose(ours, episode.project(CAMERA, STARTS, 96, 64), rtol=1e-10)


def test_what_is_seen_is_found_in_the_world_again() -> None:
    cameras, points = torch.tensor(CAMERA).expand(3, -1), torch.tensor(STARTS).expand(3, -1, -1)
    again = unproject(cameras, project(cameras, points, 96, 64), 96, 64)
    torch.testing.assert_close(again, points)


def test_marks_are_where_points_are_seen() -> None:
    seen = torch.tensor([[[30.5, 20.5, 0.7], [200.0, 10.0, 0.7]]])
    marks = marks_at(seen, 96, 64)[0]
    assert marks[0].argmax() == 20 * 96 + 30
    assert marks[0].max() == 1
    assert marks[1].max() < 1e-6  # outside the picture


def test_a_network_that_finds_the_start_answers_with_the_start() -> None:
    cameras, starts = torch.tensor(CAMERA)[None].float(), torch.tensor(STARTS)[None].float()
    seen = project(cameras, starts, 96, 64)
    found = torch.cat([seen[..., :2], torch.zeros(1, 2, 1)], dim=-1)
    torch.testing.assert_close(in_world(found, seen[..., 2], cameras, 96, 64), starts)


def test_a_frame_is_read_alike_alone_and_among_others(reader_folder: Path) -> None:
    reader, rng = load_reader(reader_folder), np.random.default_rng(0)
    frames = rng.integers(0, 256, (5, HEIGHT, WIDTH, 3)).astype(np.uint8)
    found = reader.read(frames, frames[0], STARTS, CAMERA)
    assert found.shape == (5, 2, 3)
    assert found.dtype == np.float64
    np.testing.assert_allclose(reader.read(frames[3:4], frames[0], STARTS, CAMERA)[0], found[3], atol=1e-5)
    assert np.abs(found[1] - found[2]).max() > 1e-6
    other = reader.read(frames[3:4], frames[1], STARTS, CAMERA)
    assert np.abs(other[0] - found[3]).max() > 1e-6  # the first frame matters


def test_frames_of_another_size_are_refused(reader_folder: Path) -> None:
    reader: PositionReader = load_reader(reader_folder)
    with pytest.raises(FcaError, match=f"a clip: the position reader .* can't read frames of {WIDTH}x40"):
        reader.read(np.zeros((2, 40, WIDTH, 3), np.uint8), np.zeros((40, WIDTH, 3), np.uint8), STARTS, CAMERA)


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def other_config(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"name": "reader"}))


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def damaged(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"nothing")


@pytest.mark.parametrize("fault", [no_config, other_config, no_weights, damaged])
def test_a_folder_that_is_no_reader_is_named_with_the_remedy(
    reader_folder: Path, fault: Callable[[Path], None]
) -> None:
    fault(reader_folder)
    with pytest.raises(FcaError) as caught:
        load_reader(reader_folder)
    assert str(reader_folder) in str(caught.value)
    assert "positions.network" in str(caught.value)


def test_positions_are_read_unless_the_camera_does_the_task() -> None:
    still, moving = np.tile(CAMERA, (4, 1)), np.tile(CAMERA, (4, 1)) + np.arange(4)[:, None]
    assert is_readable("hand", still[:1])
    assert is_readable("hand", still)
    assert not is_readable("hand", moving)
    assert is_readable("kitchen", moving)
