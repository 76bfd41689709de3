"""The place `arm`: Meta-World's Sawyer on a table, with tasks that mostly come in opposite pairs from one start."""

import itertools

import numpy as np

from simulation.arm_furniture import (
    fold_laptop,
    move_handle,
    pull_mug,
    push_mug,
    slide_drawer,
    slide_window,
    swing_door,
    turn_faucet,
)
from simulation.arm_scenes import SCENES
from simulation.arm_tasks import Plan, Task, lift, pick_up, push, put_down, put_into
from simulation.arm_world import FPS, Picture, World, camera
from simulation.episode import ALL, FRAMES, HEIGHT, WIDTH, Episode, Positions, generator

NAME = "arm"
EVERY_TASK: dict[str, Task] = {
    "push-left": push((-1, 0), "to the left", "push-right"),
    "push-right": push((1, 0), "to the right", "push-left"),
    "push-forward": push((0, 1), "forward", "push-back"),
    "push-back": push((0, -1), "back", "push-forward"),
    "pick-up": pick_up(),
    "lift": lift(),
    "put-down": put_down(),
    "put-into-left-box": put_into("left", "put-into-right-box"),
    "put-into-right-box": put_into("right", "put-into-left-box"),
    "drawer-open": slide_drawer("open", -0.15, "drawer-close"),
    "drawer-close": slide_drawer("close", -0.004, "drawer-open"),
    "door-open": swing_door("open", -1.5, 1.0, "door-close"),
    "door-close": swing_door("close", -0.02, -1.0, "door-open"),
    "window-open": slide_window("open", 0.195, "window-close"),
    "window-close": slide_window("close", 0.005, "window-open"),
    "faucet-left": turn_faucet(-1.0, "left", "faucet-right"),
    "faucet-right": turn_faucet(1.0, "right", "faucet-left"),
    "laptop-open": fold_laptop("open", 0.05, "laptop-close"),
    "laptop-close": fold_laptop("close", 1.48, "laptop-open"),
    "handle-down": move_handle("press the {object} down", -0.095, "handle-up"),
    "handle-up": move_handle("pull the {object} up", -0.004, "handle-down"),
    "mug-push": push_mug(),
    "mug-pull": pull_mug(),
}
TASKS = tuple(EVERY_TASK)
REST = (0.2, 0.4)
"""Seconds before the expert begins and, at least, after it has ended."""
SHORTEST, SPEED = 0.35, 0.25
"""Seconds of a movement, and metres a second, before all are stretched to the clip's length."""


def episode(task: str, seed: int, width: int = WIDTH, height: int = HEIGHT, shown: range = ALL) -> Episode:
    """Run the task's expert and render the frames in `shown`."""
    chosen, world = EVERY_TASK[task], start(task, seed)
    path = timed(chosen.plan(world), world.target)
    frames, effector, objects = [], [], []
    with Picture(world, width, height) as picture:
        for number, target in enumerate(path):
            if number:
                world.step(target, chosen.closed(world))
            if number in shown:
                frames.append(picture.frame())
                effector.append(world.effector.copy())
                objects.append(world.positions())
    opposite = chosen.opposite and EVERY_TASK[chosen.opposite].caption.format(**world.scene.words)
    return Episode(
        place=NAME,
        task=task,
        seed=seed,
        caption=chosen.caption.format(**world.scene.words),
        label=task,
        opposite=opposite,
        opposite_task=chosen.opposite,
        succeeded=bool(chosen.done(world)),
        fps=FPS / shown.step,
        frames=np.array(frames),
        effector=np.array(effector),
        camera=world.camera[None],
        objects={name: np.array([moment[name] for moment in objects]) for name in objects[0]},
        colours=world.scene.colours,
    )


def replay(task: str, seed: int, path: Positions) -> bool:
    """Drive the arm along the effector's positions (n, 3), evenly spaced over a clip; return whether the task was done.

    The gripper opens and closes by the task's own rule, which looks at where effector and objects are.
    """
    chosen, world = EVERY_TASK[task], start(task, seed)
    times, wanted = np.linspace(0, 1, len(path)), np.linspace(0, 1, FRAMES)[1:]
    for target in np.stack([np.interp(wanted, times, axis) for axis in np.asarray(path, np.float64).T], axis=1):
        world.step(target, chosen.closed(world))
    return bool(chosen.done(world))


def start(task: str, seed: int) -> World:
    """Return the world of a task's scene at the start."""
    scene_name = EVERY_TASK[task].scene
    rng = generator(NAME, scene_name, seed)
    scene = SCENES[scene_name](rng)
    return World(scene, camera(scene, rng))


def timed(plan: Plan, begin: Positions) -> Positions:
    """Return a target for each frame (FRAMES, 3): each movement starts and ends gently, and they fill the clip."""
    last, legs, waits = begin, [], 0.0
    for part in plan:
        if isinstance(part, float):
            legs.append((np.stack([last, last]), part, False))
            waits += part
            continue
        corners = np.concatenate([last[None], part.reshape(-1, 3)])
        length = np.linalg.norm(np.diff(corners, axis=0), axis=1).sum()
        legs.append((corners, max(SHORTEST, length / SPEED), True))
        last = corners[-1]
    moving = sum(seconds for _, seconds, moves in legs if moves)
    stretch = ((FRAMES - 1) / FPS - sum(REST) - waits) / moving
    durations = [seconds * stretch if moves else seconds for _, seconds, moves in legs]
    ends = REST[0] + np.array(list(itertools.accumulate(durations)))

    path = []
    for moment in np.arange(FRAMES) / FPS:
        number = min(int(np.searchsorted(ends, moment)), len(legs) - 1)
        corners, duration = legs[number][0], durations[number]
        phase = np.clip((moment - ends[number] + duration) / duration, 0, 1)
        path.append(along(corners, phase**3 * (10 - 15 * phase + 6 * phase**2)))
    return np.array(path)


def along(corners: Positions, share: float) -> Positions:
    """Return the point at a share of the length of a line through corners (k, 3)."""
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
    return np.stack([np.interp(share * lengths[-1], lengths, axis) for axis in corners.T])
