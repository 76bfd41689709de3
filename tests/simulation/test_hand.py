"""The places `hand` and `kitchen`: starts, experts, replay, and what is recorded (`make test-simulation`)."""

import hashlib
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="needs the simulators' environment: make test-simulation")

from simulation import hand, kitchen
from simulation.drive import rotation, turned
from simulation.episode import FRAMES, VALIDATION_SEEDS, Episode, project
from simulation.plan import Move, Plan, resample
from simulation.things import COLOURS

pytestmark = pytest.mark.simulation

SIZE = (96, 64)
SEEDS = (7, VALIDATION_SEEDS + 7)
EVERY = [(place, task) for place in (hand, kitchen) for task in place.TASKS]
MOVED = [(place, task) for place, task in EVERY if task in place.EXECUTABLE]
PAIRS = [(place, place.TASKS[number]) for place in (hand, kitchen) for number in range(0, len(place.TASKS), 2)]


def name(value: object) -> str | None:
    return value.__name__.split(".")[-1] if isinstance(value, ModuleType) else None


def expert(place: ModuleType, task: str, seed: int) -> np.ndarray:
    """The hand's positions while the expert does a task, without rendering."""
    scene, model = place.start(task, seed)
    return place.run(task, scene, model, None, lambda *_: None).effector


@pytest.fixture(scope="module")
def episodes() -> dict[tuple[str, str], Episode]:
    """A small clip of every task, all with one seed."""
    return {(place.__name__, task): place.episode(task, SEEDS[0], *SIZE) for place, task in EVERY}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("place, task", EVERY, ids=name)
def test_the_path_of_the_expert_replayed_does_the_task(place, task, seed) -> None:
    path = expert(place, task, seed)
    assert place.replay(task, seed, path)
    assert place.replay(task, seed, path[np.linspace(0, FRAMES - 1, 16).round().astype(int)])


@pytest.mark.parametrize("place, task", MOVED, ids=name)
def test_a_hand_that_stays_does_no_task(place, task) -> None:
    begin = expert(place, task, SEEDS[0])[0]
    assert not place.replay(task, SEEDS[0], np.repeat(begin[None], FRAMES, axis=0))


@pytest.mark.parametrize(
    "place, task", [(place, task) for place, task in MOVED if place.opposite_of(task) in place.EXECUTABLE], ids=name
)
def test_the_opposite_path_does_not_do_the_task(place, task) -> None:
    assert not place.replay(task, SEEDS[0], expert(place, place.opposite_of(task), SEEDS[0]))


@pytest.mark.parametrize("place, task", EVERY, ids=name)
def test_every_clip_succeeds_and_its_opposite_starts_from_the_same_frame(place, task, episodes) -> None:
    one, other = episodes[place.__name__, task], episodes[place.__name__, place.opposite_of(task)]
    assert one.succeeded
    assert (one.opposite, one.opposite_task) == (other.caption, other.task)
    np.testing.assert_array_equal(one.frames[0], other.frames[0])
    assert (one.frames[-1] != other.frames[-1]).mean() > 0.02


@pytest.mark.parametrize("place, task", PAIRS, ids=name)
def test_a_seed_gives_the_same_frames_in_another_process(place, task, episodes) -> None:
    code = (
        f"import hashlib; from simulation import {name(place)} as place; "
        f"print(hashlib.sha256(place.episode({task!r}, {SEEDS[0]}, *{SIZE}).frames.tobytes()).hexdigest())"
    )
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert again == hashlib.sha256(episodes[place.__name__, task].frames.tobytes()).hexdigest()


@pytest.mark.parametrize("place, task", PAIRS, ids=name)
def test_seeds_change_the_start_and_the_camera(place, task) -> None:
    starts = [place.start(task, seed) for seed in range(4)]
    views = [scene.view if place is hand else np.concatenate([scene.eye, scene.look]) for scene, _ in starts]
    assert len({tuple(view.round(3)) for view in views}) == 4
    assert len({model.mat_rgba.tobytes() for _, model in starts}) > 2


def test_captions_fill_the_template_with_things_that_are_there(episodes) -> None:
    for (place, _), episode in episodes.items():
        if place != hand.__name__:
            continue
        assert "[something]" not in episode.caption
        named = [thing for thing in episode.objects if thing in episode.caption]
        assert len(named) == episode.label.count("[something]"), (episode.caption, list(episode.objects))
        assert all(thing.split()[0] in COLOURS for thing in named)
        rest = episode.label.lower().split("[something]")
        assert all(part in episode.caption for part in rest)


@pytest.mark.parametrize("task", ["push-left-to-right", "move-closer", "put-onto"])
def test_a_recorded_position_is_where_the_thing_is_seen(task) -> None:
    """The pixel there has the thing's hue in the first frame, in which nothing is before it."""
    episode = hand.episode(task, 3, 192, 128)
    thing = list(episode.objects)[1 if task == "put-onto" else 0]
    point = episode.objects[thing][0] + [0, 0, 0.012]
    right, down, _ = project(episode.camera[0], point, 192, 128)
    pixel = episode.frames[0][round(float(down)), round(float(right))] / 255
    colour = np.array(episode.colours[thing])
    assert pixel @ colour / np.linalg.norm(pixel) / np.linalg.norm(colour) > 0.96, (pixel, colour)


def test_the_hand_is_in_view_where_it_moves(episodes) -> None:
    for (place, task), episode in episodes.items():
        if place == hand.__name__ and hand.EVERY_TASK[task].camera:
            continue
        cameras = np.broadcast_to(episode.camera, (FRAMES, 7))
        seen = np.array([project(view, point, *SIZE) for view, point in zip(cameras, episode.effector, strict=True)])
        inside = (seen[:, 0] > 0) & (seen[:, 0] < SIZE[0]) & (seen[:, 1] > 0) & (seen[:, 1] < SIZE[1])
        assert inside.mean() > 0.9, (task, inside.mean())


def test_yaw_turns_the_fingers_left_pitch_down_and_roll_the_thumb_up() -> None:
    np.testing.assert_allclose(turned((90, 0, 0), (1, 0, 0)), (0, 1, 0), atol=1e-9)
    np.testing.assert_allclose(turned((90, 90, 0), (1, 0, 0)), (0, 0, -1), atol=1e-9)
    np.testing.assert_allclose(turned((90, 0, 90), (0, 1, 0)), (0, 0, 1), atol=1e-9)
    np.testing.assert_allclose(turned(rotation(20, 30, 40), (1, 2, 3)), turned((20, 30, 40), (1, 2, 3)), atol=1e-12)


def test_a_plan_passes_its_moves_and_holds_from_its_frame_on() -> None:
    first = Move(4, np.zeros(3), (0, 0, 0))
    plan = Plan([first, first.then(6, (0.1, 0, 0), hold=True), first.then(16, (0.1, 0, 0.2))])
    path = plan.path()
    assert path.shape == (FRAMES, 3)
    for frame, expected in ((0, (0, 0, 0)), (10, (0.1, 0, 0)), (20, (0.1, 0, 0.2)), (47, (0.1, 0, 0.2))):
        np.testing.assert_allclose(path[frame], expected, atol=1e-12)
    assert [plan.at(frame)[3] for frame in (9.9, 10.0)] == [False, True]


def test_a_path_of_other_length_covers_the_same_time() -> None:
    path = np.linspace([0, 0, 0], [1, 2, 3], 16)
    np.testing.assert_allclose(resample(path), np.linspace([0, 0, 0], [1, 2, 3], FRAMES), atol=1e-12)
