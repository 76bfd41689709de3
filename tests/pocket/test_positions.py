"""Training the position reader: what it leaves, which clips it leaves out, and that pictures keep their positions."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fca.pocket.positions import SHIFT, Clips, augment, errors_by_place, shifted, train
from fca.score.camera import project
from fca.score.positions import load_reader

CAMERA = np.array([0.0, 0.05, 0.05, 0.65, 90.0, -32.0, 40.0])


def clips(count: int = 6) -> Clips:
    """A white and a red square on grey, which are effector and object; in the last clip the camera moves."""
    rng = np.random.default_rng(0)
    start = rng.uniform(-0.08, 0.08, (count, 1, 2, 3)) * [1, 1, 0] + [[-0.03, 0.0, 0.05], [0.03, 0.0, 0.03]]
    paths = start + np.linspace(0, 1, 4)[:, None, None] * rng.uniform(-0.1, 0.1, (count, 1, 2, 3))
    camera = np.tile(CAMERA, (count, 4, 1))
    pixels = np.full((count, 4, 32, 48, 3), 90, np.uint8)
    seen = project(torch.tensor(camera.reshape(-1, 7)), torch.tensor(paths.reshape(-1, 2, 3)), 48, 32)
    for (clip, frame), points in zip(np.ndindex(count, 4), seen.numpy(), strict=True):
        for (column, row, _), colour in zip(points, ((250, 250, 250), (220, 20, 20)), strict=True):
            pixels[clip, frame, max(0, int(row) - 1) : int(row) + 2, max(0, int(column) - 1) : int(column) + 2] = colour
    camera[-1, :, 4] += np.arange(4)
    return Clips(pixels, np.array(["hand"] * count), paths[:, :, 0], paths[:, :, 1], camera)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("positions")
    train(clips(), clips(), folder, 12, 0)
    return folder


def test_a_training_leaves_a_reader_and_its_record(trained: Path) -> None:
    reader = load_reader(trained)
    assert (reader.config.width, reader.config.height, reader.config.places) == (48, 32, ["hand"])
    record = json.loads((trained / "training.json").read_text())
    assert record["steps"] == 12
    assert record["parameters"] <= 600_000
    assert record["held_out_clips"] == 5  # not the one whose camera moves
    assert record["held_out_error"]["sharp"] == errors_by_place(reader, clips(), 0.0)
    assert record["curve"][-1]["step"] == 12
    assert (trained / "model.safetensors").stat().st_size < 1.5e6


def test_the_error_is_in_centimetres_and_less_across_the_line_of_sight(trained: Path) -> None:
    reader, held_out = load_reader(trained), clips()
    found = errors_by_place(reader, held_out, 0.0)["hand"]
    rows = held_out.readable()
    ends = [reader.read(held_out.pixels[row], held_out.pixels[row, 0], held_out.positions[row, 0], CAMERA)[-1]
            for row in rows]  # fmt: skip
    distance = 100 * np.linalg.norm(np.array(ends) - held_out.positions[rows, -1], axis=-1).mean(0)
    assert [found[target]["end"] for target in ("effector", "object")] == pytest.approx(distance.tolist(), abs=2e-3)
    for target in ("effector", "object"):
        assert found[target]["end_in_plane"] <= found[target]["end"]


def test_moved_pictures_show_what_is_there_elsewhere() -> None:
    picture = torch.rand(2, 3, 32, 48)
    moved = shifted(picture, np.array([[3, -2], [-SHIFT, SHIFT]]))
    torch.testing.assert_close(moved[0, :, 0:28, 5:40], picture[0, :, 2:30, 2:37])
    torch.testing.assert_close(moved[1, :, 10:30, 5:40], picture[1, :, 10 - SHIFT : 30 - SHIFT, 5 + SHIFT : 40 + SHIFT])


def test_the_first_frame_stays_sharp_when_others_are_softened() -> None:
    rng, frames = np.random.default_rng(0), torch.rand(8, 3, 32, 48) * 2 - 1
    later, first = augment(frames, frames.flip(0), frames, rng)

    def detail(pictures: torch.Tensor) -> torch.Tensor:
        return (pictures[..., 1:] - pictures[..., :-1]).abs().mean(dim=(1, 2, 3))

    assert (detail(first) > 0.7 * detail(frames)).all()
    assert (detail(later) < 0.5 * detail(frames)).any()
