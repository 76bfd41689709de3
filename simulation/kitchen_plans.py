"""What the hand does in each of the kitchen's tasks."""

from collections.abc import Callable

import mujoco
import numpy as np

from simulation.drive import turned
from simulation.kitchen_furniture import COUNTER, HOB
from simulation.kitchen_model import PARTS, Part
from simulation.kitchen_scenes import GRIP, HANDLE, KETTLE_OFFSET, Scene
from simulation.plan import Move, Plan
from simulation.scene import Array


def value(part: Part, share: float) -> float:
    """Return a joint's position."""
    return part.closed + share * (part.opened - part.closed)


def handle(model: mujoco.MjModel, part: Part, share: float) -> tuple[Array, float]:
    """Return where the middle of a handle is, and how far its body is turned about the vertical, in degrees."""
    data = mujoco.MjData(model)
    data.qpos[model.joint(part.joint).qposadr[0]] = value(part, share)
    mujoco.mj_kinematics(model, data)
    body = data.body(part.body)
    turn = np.degrees(value(part, share)) if model.joint(part.joint).type[0] == mujoco.mjtJoint.mjJNT_HINGE else 0.0
    return body.xpos + body.xmat.reshape(3, 3) @ np.array(part.grip), float(turn)


def operate(goal: float) -> Callable[[Scene, mujoco.MjModel], Plan]:
    """Take the handle and move it until the part is open or on by a share."""

    def plan(scene: Scene, model: mujoco.MjModel) -> Plan:
        assert scene.part is not None
        part, offset, begin = PARTS[scene.part], GRIP[scene.part][1], scene.shares[scene.part]
        follows = 0.35 if scene.part in ("microwave", "left cupboard", "right cupboard") else 0.0

        def at(frame: float, share: float, **more: object) -> Move:
            point, turn = handle(model, part, share)
            angles = (scene.angles[0] + follows * (turn - handle(model, part, begin)[1]), *scene.angles[1:])
            return Move(frame, point - turned(angles, offset), angles, **more)  # type: ignore[arg-type]

        near = at(13, begin)
        back = turned(near.angles, (-0.05, 0, 0.06))
        rest = Move(0, near.position + scene.rest, near.angles, 0.15)
        moves = [rest, rest.then(2), near.then(-5, back), near, at(17, begin, closed=1.0, hold=True)]
        for frame in range(19, 42):
            share = (frame - 18) / 23
            smooth = share**3 * (10 - 15 * share + 6 * share**2)
            moves.append(at(frame, begin + smooth * (goal - begin), closed=1.0, hold=True))
        return Plan(moves)

    return plan


def carry(x: float | None, rise: float, put: bool) -> Callable[[Scene, mujoco.MjModel], Plan]:
    """Move the held kettle: to x, up by a height, or down until it stands."""

    def plan(scene: Scene, model: mujoco.MjModel) -> Plan:
        start = kettle_grip(scene)
        aside = 0.0 if x is None else x - scene.kettle[0]
        level = COUNTER if x is not None and x < -0.3 else HOB
        over = start.then(19 if x is not None else 6, (aside, 0, 0))
        if not put:
            return Plan([start, start.then(5), start.then(36, (0, 0, rise))])
        down = over.then(14 if x is not None else 22, (0, 0, level + 0.002 - scene.kettle[2]))
        gone = down.then(1, hold=False).then(3, closed=0.1)
        away = gone.then(7, (0.1, -0.07, 0.07))
        return Plan([start, start.then(2), over, down, down.then(1, hold=False), gone, away])

    return plan


def kettle_grip(scene: Scene) -> Move:
    """Return the hand around the kettle's handle."""
    return Move(0, scene.kettle + HANDLE - turned(scene.angles, KETTLE_OFFSET), scene.angles, 1.0, True)
