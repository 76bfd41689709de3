"""The place `arm`: starts, experts, replay, and what is recorded (`make test-simulation`)."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from simulation.episode import FRAMES, VALIDATION_SEEDS, Episode, project

pytest.importorskip("mujoco", reason="needs the simulators' environment: make test-simulation")

from simulation import arm
from simulation.arm_world import COLOURS

pytestmark = pytest.mark.simulation

SIZE = (96, 64)
PAIRS = [(task, other.opposite) for task, other in arm.EVERY_TASK.items() if other.opposite]
SCENES = {task.scene: name for name, task in arm.EVERY_TASK.items()}
"""A task of each scene."""
SEEDS = (7, VALIDATION_SEEDS + 7)


@pytest.fixture(scope="module")
def episodes() -> dict[str, Episode]:
    """A small clip of every task, all with one seed."""
    return {task: arm.episode(task, SEEDS[0], *SIZE) for task in arm.TASKS}


def expert(task: str, seed: int) -> np.ndarray:
    """The effector's positions while the expert does a task, without rendering."""
    chosen, world = arm.EVERY_TASK[task], arm.start(task, seed)
    positions = [world.effector.copy()]
    for target in arm.timed(chosen.plan(world), world.target)[1:]:
        world.step(target, chosen.closed(world))
        positions.append(world.effector.copy())
    assert chosen.done(world)
    return np.array(positions)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("task", arm.TASKS)
def test_the_expert_does_its_task_and_its_path_replayed_does_it_too(task, seed) -> None:
    path = expert(task, seed)
    assert arm.replay(task, seed, path)
    assert arm.replay(task, seed, path[np.linspace(0, FRAMES - 1, 16).round().astype(int)])


@pytest.mark.parametrize("task", arm.TASKS)
def test_an_arm_that_stays_does_no_task(task) -> None:
    start = arm.start(task, SEEDS[0]).effector.copy()
    assert not arm.replay(task, SEEDS[0], np.repeat(start[None], FRAMES, axis=0))


@pytest.mark.parametrize("task, opposite", PAIRS)
def test_the_opposite_path_does_not_do_the_task(task, opposite) -> None:
    assert not arm.replay(task, SEEDS[0], expert(opposite, SEEDS[0]))


def test_opposites_are_each_other_and_start_from_the_same_frame(episodes) -> None:
    for task, opposite in PAIRS:
        assert arm.EVERY_TASK[opposite].opposite == task
        one, other = episodes[task], episodes[opposite]
        assert (one.opposite, one.opposite_task) == (other.caption, opposite)
        np.testing.assert_array_equal(one.frames[0], other.frames[0])
        assert (one.frames[-1] != other.frames[-1]).mean() > 0.02


@pytest.mark.parametrize("scene", SCENES)
def test_a_seed_gives_the_same_frames_in_another_process(scene, episodes) -> None:
    task = SCENES[scene]
    code = (
        "import hashlib; from simulation import arm; "
        f"print(hashlib.sha256(arm.episode({task!r}, {SEEDS[0]}, *{SIZE}).frames.tobytes()).hexdigest())"
    )
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert again == hashlib.sha256(episodes[task].frames.tobytes()).hexdigest()


@pytest.mark.parametrize("scene", SCENES)
def test_seeds_change_the_start_the_colour_and_the_camera(scene) -> None:
    worlds = [arm.start(SCENES[scene], seed) for seed in range(6)]
    assert len({tuple(world.effector.round(3)) for world in worlds}) == 6
    assert len({tuple(world.camera.round(3)) for world in worlds}) == 6
    assert len({str(world.scene.words) for world in worlds}) > 2


def test_captions_name_the_colour_and_labels_do_not(episodes) -> None:
    for episode in episodes.values():
        shades = {name: np.array(shade) for name, shade in COLOURS.items()}
        named = [
            min(shades, key=lambda name: np.linalg.norm(shades[name] - colour)) for colour in episode.colours.values()
        ]
        assert any(name in episode.caption.split() for name in named), episode.caption
        assert not set(COLOURS) & set(episode.label.split("-"))


@pytest.mark.parametrize("task, name", [("push-left", "target"), ("push-back", "target"), ("put-down", "target")])
def test_a_recorded_position_is_where_the_object_is_seen(task, name) -> None:
    """The pixel there has the object's hue, in the frames in which nothing is before it."""
    for seed in range(2):
        episode = arm.episode(task, seed, 192, 128)
        right, down, _ = project(episode.camera[0], episode.objects[name][-1], 192, 128)
        pixel = episode.frames[-1][round(float(down)), round(float(right))] / 255
        colour = np.array(episode.colours[name])
        cosine = pixel @ colour / np.linalg.norm(pixel) / np.linalg.norm(colour)
        assert cosine > 0.97, (seed, pixel, colour)


def test_every_effector_is_in_view(episodes) -> None:
    for task, episode in episodes.items():
        right, down, _ = project(episode.camera[0], episode.effector, *SIZE).T
        inside = (right > 0) & (right < SIZE[0]) & (down > 0) & (down < SIZE[1])
        assert inside.mean() > 0.9, task
