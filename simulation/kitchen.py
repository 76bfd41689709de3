"""The place `kitchen`: a hand in a kitchen, seen by a camera on a head; captions are like Epic-Kitchens' narrations."""

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np

from simulation.adroit import OPEN
from simulation.drive import Drive
from simulation.episode import ALL, HEIGHT, WIDTH, Episode, Positions, generator
from simulation.kitchen_furniture import COUNTER, HOB, KETTLE, WATER
from simulation.kitchen_model import BURNERS, LAMP, PARTS, kitchen
from simulation.kitchen_plans import carry, operate, value
from simulation.kitchen_scenes import (
    FIELD_OF_VIEW,
    GRIP,
    KETTLE_ANGLES,
    KETTLE_OFFSET,
    KETTLE_TURN,
    Scene,
    at_part,
    with_kettle,
)
from simulation.plan import FPS, Plan, follow
from simulation.scene import Camera


@dataclass(frozen=True)
class Track:
    """What happened, frame by frame."""

    effector: Positions
    kettle: Positions
    handle: Positions
    share: list[float]


@dataclass(frozen=True)
class Task:
    """A task: where it starts, its narration, what the hand does and when it is done."""

    scene: Callable[[np.random.Generator], Scene]
    narration: str
    plan: Callable[[Scene, mujoco.MjModel], Plan]
    done: Callable[[Track], bool]


def stands(track: Track, x: float) -> bool:
    """Return whether the kettle stands near x and was not dropped there."""
    x_end, _, z = track.kettle[-1]
    level = COUNTER if x < -0.3 else HOB
    lowered = track.effector[0, 2] - track.effector[:, 2].min() > 0.05
    return bool(lowered and abs(x_end - x) < 0.08 and abs(z - level) < 0.015)


def opened(track: Track) -> bool:
    """Return whether the part ends open or on."""
    return track.share[-1] > 0.8


def shut(track: Track) -> bool:
    """Return whether the part ends shut or off."""
    return track.share[-1] < 0.2


def pair(name: str, scene: Callable[[np.random.Generator], Scene], on: tuple[str, str], off: tuple[str, str],
         reach: float = 1.0) -> dict[str, Task]:  # fmt: skip
    """Return the two tasks of a part: (name, narration) of opening or turning on, and of the opposite."""
    return {on[0]: Task(scene, on[1], operate(reach), opened), off[0]: Task(scene, off[1], operate(0.0), shut)}


_over_hob, _beside_hob = with_kettle(-0.13, 0.11), with_kettle(-0.28, 0.10)
EVERY_TASK: dict[str, Task] = {
    **pair("microwave", at_part("microwave"), ("open-microwave", "open microwave"),
           ("close-microwave", "close microwave")),
    **pair("cupboard", at_part("left cupboard", "right cupboard"), ("open-cupboard", "open cupboard"),
           ("close-cupboard", "close cupboard")),
    **pair("cabinet", at_part("cabinet"), ("slide-cabinet-open", "slide cabinet open"),
           ("slide-cabinet-shut", "slide cabinet shut")),
    **pair("drawer", at_part("drawer"), ("open-drawer", "open drawer"), ("close-drawer", "close drawer")),
    **pair("tap", at_part("tap"), ("turn-on-tap", "turn on tap"), ("turn-off-tap", "turn off tap")),
    **pair("hob", at_part("hob"), ("turn-on-hob", "turn on hob"), ("turn-off-hob", "turn off hob")),
    **pair("light", at_part("light"), ("turn-on-light", "turn on light"), ("turn-off-light", "turn off light")),
    "lift-kettle": Task(_over_hob, "lift kettle", carry(None, 0.15, False),
                        lambda t: t.kettle[-1, 2] - t.kettle[0, 2] > 0.08),
    "put-down-kettle": Task(_over_hob, "put down kettle", carry(None, 0, True), lambda t: stands(t, -0.13)),
    "put-kettle-on-hob": Task(_beside_hob, "put kettle on hob", carry(-0.13, 0, True), lambda t: stands(t, -0.13)),
    "put-kettle-on-counter": Task(_beside_hob, "put kettle on counter", carry(-0.44, 0, True),
                                  lambda t: stands(t, -0.44)),
}  # fmt: skip
TASKS = tuple(EVERY_TASK)
EXECUTABLE = TASKS
"""Tasks that a path of the hand can do."""


def opposite_of(name: str) -> str:
    """Return the other task of the same scene: tasks stand in pairs."""
    return TASKS[TASKS.index(name) ^ 1]


def start(name: str, seed: int) -> tuple[Scene, mujoco.MjModel]:
    """Return the scene of a task and its model: the same for both tasks of a pair."""
    random = generator("kitchen", min(name, opposite_of(name)), seed)
    scene = EVERY_TASK[name].scene(random)
    return scene, kitchen(random, scene.look)


def run(name: str, scene: Scene, model: mujoco.MjModel, path: Positions | None,
        look: Callable[[mujoco.MjData, int, Positions], None]) -> Track:  # fmt: skip
    """Run a task's plan, or the plan along another path."""
    data = mujoco.MjData(model)
    for part, share in scene.shares.items():
        data.qpos[model.joint(PARTS[part].joint).qposadr[0]] = value(PARTS[part], share)
    foot = model.joint(KETTLE).qposadr[0]
    data.qpos[foot : foot + 3] = scene.kettle
    half = np.radians(scene.angles[0] - KETTLE_ANGLES[0] + KETTLE_TURN) / 2 if scene.part is None else 0.2
    data.qpos[foot + 3 : foot + 7] = [np.cos(half), 0, 0, np.sin(half)]
    mujoco.mj_forward(model, data)
    drive = Drive(model, data, OPEN, GRIP[scene.part][1] if scene.part else KETTLE_OFFSET)
    plan = EVERY_TASK[name].plan(scene, model)
    seen_path = plan.path()
    hands, kettles, handles, shares = [], [], [], []
    moved = PARTS[scene.part] if scene.part else None

    def note(frame: int) -> None:
        mujoco.mj_forward(model, data)
        hands.append(drive.position)
        kettles.append(data.body(KETTLE).xpos.copy())
        if moved:
            body = data.body(moved.body)
            handles.append(body.xpos + body.xmat.reshape(3, 3) @ np.array(moved.grip))
            position = float(data.qpos[model.joint(moved.joint).qposadr[0]])
            shares.append((position - moved.closed) / (moved.opened - moved.closed))
        look(data, frame, seen_path)

    follow(drive, plan, path, note)
    return Track(np.stack(hands), np.stack(kettles), np.stack(handles) if moved else np.zeros((0, 3)), shares)


def view(scene: Scene, frame: int, path: Positions) -> Positions:
    """Return the camera (7) of a head that sways and follows the hand a little."""
    recent = path[max(0, frame - 6) : frame + 1].mean(axis=0) - path[0]
    eye = scene.eye + scene.sway[frame, :3] + 0.1 * recent
    look = scene.look + scene.sway[frame, 3:] + 0.3 * recent
    ray = look - eye
    distance = float(np.linalg.norm(ray))
    azimuth, elevation = np.degrees(np.arctan2(ray[1], ray[0])), np.degrees(np.arcsin(ray[2] / distance))
    return np.array([*look, distance, azimuth, elevation, FIELD_OF_VIEW])


def show_effects(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    """Let water run, the hob glow and the lamp shine as far as their parts are turned on."""

    def share(name: str) -> float:
        part = PARTS[name]
        position = float(data.qpos[model.joint(part.joint).qposadr[0]])
        return float(np.clip((position - part.closed) / (part.opened - part.closed), 0, 1))

    water, lamp = share("tap"), share("light")
    model.geom(WATER).size[0] = 0.002 + 0.014 * water
    model.geom(WATER).rgba[:] = [0.5, 0.78, 1.0, 0.85 if water > 0.06 else 0.0]
    model.light(LAMP).diffuse[:] = 1.3 * lamp
    for burner in BURNERS:
        model.mat(burner).rgba[:3] = np.array([0.10, 0.10, 0.10]) + share("hob") * np.array([0.90, 0.16, 0.02])
        model.mat(burner).emission[:] = 0.9 * share("hob")


def episode(task: str, seed: int, width: int = WIDTH, height: int = HEIGHT, shown: range = ALL) -> Episode:
    """Run the task's expert and render the frames in `shown`."""
    scene, model = start(task, seed)
    frames, views = [], []
    if scene.part == "light":  # an evening
        for source in (model.vis.headlight.ambient, model.vis.headlight.diffuse, model.light("sun").diffuse):
            source *= 0.5
    with Camera(model, width, height) as camera:

        def film(data: mujoco.MjData, frame: int, path: Positions) -> None:
            if frame in shown:
                show_effects(model, data)
                views.append(view(scene, frame, path))
                frames.append(camera.frame(data, views[-1]))

        track = run(task, scene, model, None, film)
    name = scene.part.split()[-1] if scene.part else KETTLE
    return Episode(
        place="kitchen", task=task, seed=seed, caption=EVERY_TASK[task].narration, label=EVERY_TASK[task].narration,
        opposite=EVERY_TASK[opposite_of(task)].narration, opposite_task=opposite_of(task),
        succeeded=EVERY_TASK[task].done(track), fps=FPS / shown.step, frames=np.stack(frames),
        effector=track.effector[shown], camera=np.stack(views),
        objects={name: (track.handle if scene.part else track.kettle)[shown]},
    )  # fmt: skip


def replay(task: str, seed: int, path: Positions) -> bool:
    """Drive the hand along positions (n, 3) with the task's own turns and grips; return whether the task was done."""
    scene, model = start(task, seed)
    return EVERY_TASK[task].done(run(task, scene, model, path, lambda data, frame, path: None))
