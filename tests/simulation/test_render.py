"""`python -m simulation.render`: files, records, resuming, and the two ranges of seeds."""

import json
from types import SimpleNamespace

import av
import numpy as np
import pytest

from simulation import render as command
from simulation.episode import VALIDATION_SEEDS, Episode

pytestmark = pytest.mark.simulation

TASKS = ("left", "right", "fails")


def episode(task: str, seed: int, width: int, height: int) -> Episode:
    """A square that moves, in a place that needs no simulator."""
    frames = np.full((12, height, width, 3), 60, np.uint8)
    for number, frame in enumerate(frames):
        frame[8:24, number : number + 16] = (200, 40 + seed % 50, 40)
    path = np.linspace([0, 0, 0], [1, 0, 0.00004], 12)
    return Episode("arm", task, seed, f"move {task}", task, None, None, task != "fails", 10.0, frames, path,
                   np.zeros((1, 7)), {"square": path}, {"square": (0.8, 0.2, 0.2)})  # fmt: skip


@pytest.fixture(autouse=True)
def place(monkeypatch) -> list[int]:
    """Put the place above where the command looks; returns the seeds that it is asked for."""
    asked: list[int] = []
    module = SimpleNamespace(
        TASKS=TASKS, episode=lambda task, seed, *size: asked.append(seed) or episode(task, seed, *size)
    )
    monkeypatch.setattr(command, "place", lambda _: module)
    return asked


def records(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "clips.jsonl").read_text().splitlines()]


def test_every_clip_has_a_file_and_a_record_and_a_failure_has_none(tmp_path) -> None:
    command.render("arm", 6, 0, tmp_path, (64, 48))
    assert [(line["seed"], line["task"]) for line in records(tmp_path)] == [
        (0, "left"),
        (1, "right"),
        (3, "left"),
        (4, "right"),
    ]
    assert {path.name for path in tmp_path.glob("*.webm")} == {line["file"] for line in records(tmp_path)}
    failed = [json.loads(line)["seed"] for line in (tmp_path / "failed.jsonl").read_text().splitlines()]
    assert failed == [2, 5]


def test_a_video_shows_the_frames(tmp_path) -> None:
    command.render("arm", 1, 0, tmp_path, (64, 48))
    with av.open(str(tmp_path / records(tmp_path)[0]["file"])) as video:
        assert video.streams.video[0].average_rate == 10
        shown = np.array([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)])
    expected = episode("left", 0, 64, 48).frames
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(int) - expected).mean() < 4


def test_the_same_command_again_renders_only_what_is_missing(tmp_path, place) -> None:
    command.render("arm", 3, 0, tmp_path, (64, 48))
    clips = tmp_path / "clips.jsonl"
    clips.write_text(clips.read_text()[:-20])  # killed while it wrote the last line
    place.clear()
    command.render("arm", 5, 0, tmp_path, (64, 48))
    assert place == [1, 3, 4]
    assert sorted(line["seed"] for line in records(tmp_path)) == [0, 1, 3, 4]


def test_files_are_the_same_bytes_when_rendered_again(tmp_path) -> None:
    for folder in ("one", "two"):
        command.render("arm", 2, 0, tmp_path / folder, (64, 48))
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_training_and_validation_are_never_rendered_in_one_run(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(
        "sys.argv", ["render", "arm", "4", "--first-seed", str(VALIDATION_SEEDS - 2), "--out", str(tmp_path)]
    )
    with pytest.raises(SystemExit, match="Split it"):
        command.main()
    command.render("arm", 1, VALIDATION_SEEDS, tmp_path, (64, 48))
    assert records(tmp_path)[0]["split"] == "validation"
