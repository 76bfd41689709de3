"""`python -m simulation.execute`: what is executed, what it says, and resuming."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="needs the simulators' environment: make test-simulation")

from simulation import execute as command
from simulation.episode import FRAMES, VALIDATION_SEEDS, place

pytestmark = pytest.mark.simulation

SEED = VALIDATION_SEEDS + 3
CLIPS = [
    ("arm", "push-left"), ("arm", "pick-up"), ("arm", "drawer-open"), ("arm", "faucet-left"), ("arm", "laptop-close"),
    ("hand", "push-left-to-right"), ("hand", "put-onto"), ("hand", "tip-over"),
    ("kitchen", "open-drawer"), ("kitchen", "turn-on-tap"), ("kitchen", "put-kettle-on-hob"),
]  # fmt: skip
MOMENTS = np.arange(1, FRAMES, 3)


@pytest.fixture(scope="module")
def recorded() -> dict[tuple[str, str, int], np.ndarray]:
    """The effector's path in a clip of each of some tasks."""
    return {(name, task, SEED): place(name).episode(task, SEED, 48, 32, range(0, FRAMES)).effector
            for name, task in CLIPS}  # fmt: skip


@pytest.fixture
def dataset(tmp_path, recorded) -> Path:
    """A dataset whose variant `right` predicts the ground truth, and whose `still` stays at the start."""
    folder = tmp_path / "ssv2"
    (folder / "scores").mkdir(parents=True)
    for variant in ("right", "still"):
        clips = []
        for number, ((name, task, seed), path) in enumerate(recorded.items()):
            seen = path[MOMENTS]
            clips.append({
                "id": f"clip-{number}", "place": name, "task": task, "seed": seed,
                "effector": (seen if variant == "right" else np.repeat(seen[:1], 16, axis=0)).tolist(),
                "effector_of_truth": seen.tolist(),
            })  # fmt: skip
        scores = {"variant": variant, "paths": {"moments": MOMENTS.tolist(), "clips": clips}}
        (folder / "scores" / f"{variant}.json").write_text(json.dumps(scores))
    (folder / "scores" / "old.json").write_text(json.dumps({"variant": "old"}))
    return folder


def test_the_recorded_path_does_its_task_and_a_hand_that_stays_does_none(dataset, recorded) -> None:
    file = dataset / "executed.json"
    command.execute(file, command.jobs_of(dataset, recorded), 2)
    found = json.loads(file.read_text())["variants"]
    assert list(found) == ["right", command.READ, command.RECORDED, "still"]
    done = {variant: np.mean([row["done"] for row in rows]) for variant, rows in found.items()}
    assert done[command.RECORDED] >= 0.9
    assert done["right"] == done[command.READ] >= 0.8  # 16 of the 48 positions
    assert done["still"] == 0


def test_what_was_executed_is_not_executed_again(dataset, recorded, monkeypatch) -> None:
    jobs = command.jobs_of(dataset, recorded)
    file = dataset / "executed.json"
    command.write(file, jobs, {job.key: job.variant == "right" for job in jobs})
    before = file.read_text()
    command.execute(file, jobs, 1)  # takes no time
    assert file.read_text() == before


def test_tasks_of_the_camera_and_clips_of_another_library_are_left_out(tmp_path, recorded) -> None:
    assert not command.is_executable("hand", "turn-camera-left")
    assert command.is_executable("arm", "push-left")
    (tmp_path / "scores").mkdir()
    clip = {"id": "a", "place": "hand", "task": "turn-camera-left", "seed": SEED}
    other = {"id": "b", "place": "arm", "task": "push-left", "seed": SEED + 99}
    path = {"effector": [[0, 0, 0]] * 16, "effector_of_truth": [[0, 0, 0]] * 16}
    paths = {"moments": MOMENTS.tolist(), "clips": [clip | path, other | path]}
    (tmp_path / "scores" / "fca.json").write_text(json.dumps({"variant": "fca", "paths": paths}))
    assert command.jobs_of(tmp_path, recorded) == []


def test_a_path_of_sixteen_positions_is_where_it_was_at_their_moments() -> None:
    path = np.random.default_rng(0).normal(size=(16, 3))
    whole = command.whole(path.tolist(), MOMENTS.tolist())
    assert whole.shape == (FRAMES, 3)
    np.testing.assert_allclose(whole[MOMENTS], path)
    np.testing.assert_array_equal(whole[0], path[0])
