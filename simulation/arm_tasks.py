"""What a task of the arm is, and the tasks with blocks.

A task has a caption, an expert's plan, a rule for the gripper and a success condition.

A plan is a list of points to move to (3,), lines to follow (k, 3) and seconds to wait.
The gripper isn't in the plan: it closes and opens by where the effector is, so that a path of positions alone can be
replayed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulation.arm_scenes import HALF
from simulation.arm_world import World
from simulation.episode import Positions

Plan = list[Positions | float]
FLOOR = 0.016
"""Height of the fingertips above the table when they are low."""
FINGER = 0.018
"""From the closed fingers' middle to their side."""


@dataclass(frozen=True)
class Task:
    """What the arm is asked to do in a scene."""

    scene: str
    caption: str
    """With the scene's words in braces."""
    plan: Callable[[World], Plan]
    closed: Callable[[World], bool]
    """Whether the gripper is to be closed, asked before each frame."""
    done: Callable[[World], bool]
    opposite: str | None = None


def up(position: Positions, height: float) -> Positions:
    """The point above another."""
    return position + offset(0, 0, height)


def offset(x: float, y: float, z: float) -> Positions:
    """A displacement (3,)."""
    return np.array([x, y, z])


def always(_: World) -> bool:
    """Fingers closed, as for a push."""
    return True


def grasp(at: Callable[[World], Positions], near: float = 0.022) -> Callable[[World], bool]:
    """Close when the effector is near a point, and stay closed."""
    return lambda world: world.closed or bool(np.linalg.norm(world.effector - at(world)) < near)


# Blocks: push and pick up


def push(direction: tuple[float, float], label: str, opposite: str) -> Task:
    """Push the block from behind with closed fingers."""
    along = np.array([*direction, 0.0])

    def plan(world: World) -> Plan:
        block = world.first["target"] * [1, 1, 0]
        behind = block - along * (HALF + 0.055)
        end = block + along * (0.125 - HALF - FINGER)
        return [up(behind, 0.13), up(behind, FLOOR), up(end, FLOOR),
                np.stack([up(end - 0.03 * along, 0.03), up(end - 0.05 * along, 0.1)])]  # fmt: skip

    def done(world: World) -> bool:
        moved, other = world.moved("target"), np.linalg.norm(world.moved("other"))
        aside = np.linalg.norm(moved - along * (moved @ along))
        return bool(moved @ along > 0.07 and aside < 0.04 and other < 0.02)

    return Task("blocks", f"push the {{object}} {label}", plan, always, done, opposite)


def pick_up() -> Task:
    """Grasp the block and lift it."""

    def low(world: World) -> Positions:
        return world.position("target") * [1, 1, 0] + offset(0, 0, FLOOR)

    def plan(world: World) -> Plan:
        at = low(world)
        return [up(at, 0.11), at, 0.6, up(at, 0.16)]

    def done(world: World) -> bool:
        return bool(world.moved("target")[2] > 0.08)

    return Task("blocks", "pick up the {object}", plan, grasp(low), done)


# A block in the gripper: lift, put down, put into a box


def lift() -> Task:
    """Lift the block that is held."""

    def plan(world: World) -> Plan:
        return [0.4, up(world.target, 0.15)]

    def done(world: World) -> bool:
        return bool(world.moved("target")[2] > 0.08)

    return Task("held", "lift the {object} up", plan, always, done, "put-down")


def put_down() -> Task:
    """Put the block that is held on the table, let go of it and move up."""

    def plan(world: World) -> Plan:
        bottom = world.first["target"][2] - 0.9 * HALF
        down = world.target - [0, 0, bottom]
        return [0.2, down, 0.5, up(down, 0.13)]

    def closed(world: World) -> bool:
        return world.closed and bool(world.position("target")[2] - 0.9 * HALF > 0.005)

    def done(world: World) -> bool:
        block = world.position("target")
        return bool(abs(block[2] - 0.9 * HALF) < 0.006 and world.effector[2] > 0.05)

    return Task("held", "put the {object} down", plan, closed, done, "lift")


def put_into(side: str, opposite: str) -> Task:
    """Put the block that is held into the box on one side."""
    name = f"{side} box"

    def plan(world: World) -> Plan:
        above = world.first[name] * [1, 1, 0] + offset(0, 0, world.target[2])
        down = above * [1, 1, 0] + offset(0, 0, 0.05)
        return [above, down, 0.5, above]

    def inside(world: World, box: str, height: float) -> bool:
        x, y, z = world.position("target") - world.first[box]
        return max(abs(x), abs(y)) < 0.07 and z < height

    def closed(world: World) -> bool:
        return world.closed and not any(inside(world, box, 0.078) for box in ("left box", "right box"))

    def done(world: World) -> bool:
        return inside(world, name, 0.06) and not world.closed

    return Task("boxes", f"put the {{object}} into the {{{side}}}", plan, closed, done, opposite)
