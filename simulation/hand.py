"""The place `hand`: a hand moves things on a table; captions are Something-Something-V2's own templates."""

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np

from simulation.adroit import FLAT, POINT
from simulation.drive import Drive
from simulation.episode import ALL, FRAMES, HEIGHT, WIDTH, Episode, Positions, generator
from simulation.hand_plans import lift, near, poke, pretend, push, put, raise_by, slide, travel, turn, wait
from simulation.hand_scenes import LOW, TALL, Scene, alone, held, over, two
from simulation.hand_table import room
from simulation.plan import FPS, Plan, follow
from simulation.scene import Array, Camera
from simulation.things import COLOURS


@dataclass(frozen=True)
class Track:
    """What happened: positions (FRAMES, 3), and the direction of each thing's upper side at the end."""

    effector: Positions
    things: list[Positions]
    up: list[float]

    def shift(self, thing: int = 0) -> Array:
        """Return how far a thing has moved."""
        return self.things[thing][-1] - self.things[thing][0]


@dataclass(frozen=True)
class Task:
    """A task: where it starts, what the caption says, what the hand does and when it is done."""

    scene: Callable[[np.random.Generator], Scene]
    template: str
    plan: Callable[[Scene], Plan]
    done: Callable[[Scene, Track], bool]
    camera: Callable[[Positions, float], Positions] | None = None
    """The camera's (7) at a share of the clip's duration."""


def upright(track: Track, thing: int = 0) -> bool:
    """Return whether a thing still stands."""
    return track.up[thing] > 0.9


def gap(track: Track, frame: int) -> float:
    """Return the distance between the first two things' feet."""
    return float(np.linalg.norm(track.things[0][frame, :2] - track.things[1][frame, :2]))


def still(scene: Scene, track: Track) -> bool:
    """Return whether every thing is where it was."""
    return all(np.linalg.norm(path[-1] - path[0]) < 0.02 for path in track.things) and upright(track)


def touched(scene: Scene, track: Track) -> bool:
    """Return whether the hand came close to the first thing."""
    middle = track.things[0] + [0, 0, scene.first.facts.height / 2]
    return bool(np.min(np.linalg.norm(track.effector - middle, axis=1)) < 0.19)


def raised(scene: Scene, track: Track) -> bool:
    """Return whether the hand ends well above its lowest point."""
    return bool(track.effector[-1, 2] - track.effector[:, 2].min() > 0.07)


def onto(scene: Scene, track: Track) -> bool:
    """Return whether the first thing stands on the second."""
    height = track.things[0][-1, 2] - track.things[1][-1, 2]
    return upright(track) and gap(track, -1) < 0.06 and 0.004 < height < 0.05


def beside(scene: Scene, track: Track) -> bool:
    """Return whether the first thing stands on the table near the second."""
    lowered = track.effector[0, 2] - track.effector[:, 2].min() > 0.05
    return lowered and upright(track) and abs(track.things[0][-1, 2]) < 0.01 and 0.09 < gap(track, -1) < 0.26


pushing = alone(("block", "mug", "can", "box"), (0.02, 0.08), (0.16, 0.22), pose=FLAT)
sliding = alone(TALL + LOW, (0.06, 0.1), (0.13, 0.17))
picking = alone(TALL + LOW, (0.02, 0.08), (0.12, 0.15), 0.09)
tipping = alone(("box", "bottle", "can"), (0.02, 0.08), (0, 0), 0.07, POINT)
filming = alone(TALL + LOW, (0.02, 0.08), (0, 0), centred=True)

EVERY_TASK: dict[str, Task] = {
    "push-left-to-right": Task(pushing, "Pushing [something] from left to right", push(1),
                               lambda s, t: upright(t) and t.shift()[0] > 0.1),
    "push-right-to-left": Task(pushing, "Pushing [something] from right to left", push(-1),
                               lambda s, t: upright(t) and t.shift()[0] < -0.1),
    "move-towards-camera": Task(sliding, "Moving [something] towards the camera", slide(0, -1),
                                lambda s, t: t.shift()[1] < -0.08),
    "move-away-from-camera": Task(sliding, "Moving [something] away from the camera", slide(0, 1),
                                  lambda s, t: t.shift()[1] > 0.08),
    "move-up": Task(held, "Moving [something] up", raise_by(1), lambda s, t: t.shift()[2] > 0.06),
    "move-down": Task(held, "Moving [something] down", raise_by(-1), lambda s, t: t.shift()[2] < -0.05),
    "pick-up": Task(picking, "Picking [something] up", lift, lambda s, t: t.shift()[2] > 0.06),
    "pretend-to-pick-up": Task(picking, "Pretending to pick [something] up", pretend,
                               lambda s, t: still(s, t) and touched(s, t) and raised(s, t)),
    "move-closer": Task(two, "Moving [something] closer to [something]", near(1),
                        lambda s, t: gap(t, -1) < gap(t, 0) - 0.04),
    "move-away": Task(two, "Moving [something] away from [something]", near(-1),
                      lambda s, t: gap(t, -1) > gap(t, 0) + 0.06),
    "put-onto": Task(over, "Putting [something] onto [something]", put(True), onto),
    "put-next-to": Task(over, "Putting [something] next to [something]", put(False), beside),
    "tip-over": Task(tipping, "Tipping [something] over", poke(True), lambda s, t: t.up[0] < 0.5),
    "poke-lightly": Task(tipping, "Poking [something] so lightly that it doesn't or almost doesn't move", poke(False),
                         lambda s, t: still(s, t) and touched(s, t)),
    "turn-camera-left": Task(filming, "Turning the camera left while filming [something]", wait, still, turn(20)),
    "turn-camera-right": Task(filming, "Turning the camera right while filming [something]", wait, still, turn(-20)),
    "approach-with-camera": Task(filming, "Approaching [something] with your camera", wait, still, travel(0.58)),
    "withdraw-camera": Task(filming, "Moving away from [something] with your camera", wait, still, travel(1.5)),
}  # fmt: skip
TASKS = tuple(EVERY_TASK)
EXECUTABLE = tuple(name for name, task in EVERY_TASK.items() if task.camera is None and name != "pretend-to-pick-up")
"""Tasks whose success says something about a path: not those of the camera, and not the one where only the fingers
decide."""


def opposite_of(name: str) -> str:
    """Return the other task of the same scene: tasks stand in pairs."""
    return TASKS[TASKS.index(name) ^ 1]


def caption(name: str, scene: Scene) -> str:
    """Return a task's template with the things filled in, as Something-Something-V2's labels are."""
    text = EVERY_TASK[name].template
    for thing in scene.things:
        article = "an" if thing.name[0] in "aeiou" else "a"
        text = text.replace("[something]", f"{article} {thing.name}", 1)
    return text[0].lower() + text[1:]


def start(name: str, seed: int) -> tuple[Scene, mujoco.MjModel]:
    """Return the scene of a task and its model: the same for both tasks of a pair."""
    random = generator("hand", min(name, opposite_of(name)), seed)
    scene = EVERY_TASK[name].scene(random)
    return scene, room(random, scene.things)


def run(name: str, scene: Scene, model: mujoco.MjModel, path: Positions | None,
        look: Callable[[mujoco.MjData, int], None]) -> Track:  # fmt: skip
    """Run a task's plan, or the plan along another path."""
    data = mujoco.MjData(model)
    drive = Drive(model, data, scene.pose)
    hands: list[Array] = []
    things: list[list[Array]] = [[] for _ in scene.things]

    def note(frame: int) -> None:
        mujoco.mj_forward(model, data)
        hands.append(drive.position)
        for thing, positions in zip(scene.things, things, strict=True):
            positions.append(data.body(thing.name).xpos.copy())
        look(data, frame)

    follow(drive, EVERY_TASK[name].plan(scene), path, note)
    up = [float(data.body(thing.name).xmat[8]) for thing in scene.things]
    return Track(np.stack(hands), [np.stack(each) for each in things], up)


def episode(task: str, seed: int, width: int = WIDTH, height: int = HEIGHT, shown: range = ALL) -> Episode:
    """Run the task's expert and render the frames in `shown`."""
    scene, model = start(task, seed)
    moving = EVERY_TASK[task].camera
    shares = np.clip((np.arange(FRAMES) - 3) / (FRAMES - 8), 0, 1)
    views = np.stack([moving(scene.view, float(share)) for share in shares]) if moving else scene.view[None]
    frames = []
    with Camera(model, width, height) as camera:

        def film(data: mujoco.MjData, frame: int) -> None:
            if frame in shown:
                frames.append(camera.frame(data, views[frame if moving else 0]))

        track = run(task, scene, model, None, film)
    return Episode(
        place="hand", task=task, seed=seed, caption=caption(task, scene), label=EVERY_TASK[task].template,
        opposite=caption(opposite_of(task), scene), opposite_task=opposite_of(task),
        succeeded=EVERY_TASK[task].done(scene, track), fps=FPS / shown.step, frames=np.stack(frames),
        effector=track.effector[shown], camera=views[shown] if moving else views,
        objects={thing.name: path[shown] for thing, path in zip(scene.things, track.things, strict=True)},
        colours={thing.name: COLOURS[thing.colour] for thing in scene.things},
    )  # fmt: skip


def replay(task: str, seed: int, path: Positions) -> bool:
    """Drive the hand along positions (n, 3) with the task's own turns and grips; return whether the task was done."""
    scene, model = start(task, seed)
    return EVERY_TASK[task].done(scene, run(task, scene, model, path, lambda data, frame: None))
