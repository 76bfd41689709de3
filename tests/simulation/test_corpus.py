"""`python -m simulation.corpus`: the frames that a clip of 16 shows, no clip of the library, and resuming."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="needs the simulators' environment: make test-simulation")

from simulation import corpus
from simulation.episode import FRAMES, PLACES, place

pytestmark = pytest.mark.simulation

LIBRARY = Path(__file__).resolve().parents[2] / "config/pocket-clips/clips.jsonl"


@pytest.mark.parametrize("name", PLACES)
def test_frames_that_are_rendered_alone_are_those_of_the_whole_clip(name) -> None:
    module = place(name)
    for task in (module.TASKS[0], module.TASKS[-1]):
        whole, part = (module.episode(task, 7, 96, 64, shown) for shown in (range(FRAMES), corpus.SHOWN))
        assert np.array_equal(whole.frames[corpus.SHOWN], part.frames)
        assert np.array_equal(whole.effector[corpus.SHOWN], part.effector)
        assert all(np.array_equal(whole.objects[thing][corpus.SHOWN], path) for thing, path in part.objects.items())


def test_they_are_the_frames_of_seers_temporal_cast() -> None:
    assert list(corpus.SHOWN) == [(number + 0.5) * FRAMES / 16 - 0.5 for number in range(16)]


def test_no_seed_is_one_of_the_librarys() -> None:
    library = [json.loads(line)["seed"] for line in LIBRARY.read_text().splitlines()]
    assert min(library) >= 500_000  # far above the number of clips that anyone renders
    assert max(library) < corpus.HELD_OUT_SEEDS


def test_a_run_resumes_with_the_chunks_that_are_missing(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(corpus, "PLACES", ("hand",))
    corpus.render(tmp_path, clips=2, held_out=1, workers=1)
    records = corpus.file_of(tmp_path, "hand", 0)
    pixels = np.load(records.with_suffix(".npy"))
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    assert pixels.shape == (len(lines), 16, 128, 192, 3)
    assert all(len(line["effector"]) == 16 for line in lines)

    held_out = corpus.file_of(tmp_path, "hand", corpus.HELD_OUT_SEEDS)
    held_out.unlink()
    records.write_text("kept\n")
    corpus.render(tmp_path, clips=2, held_out=1, workers=1)
    assert held_out.exists()
    assert records.read_text() == "kept\n"
