"""The arm's tasks with furniture that is half open, and with a mug before a coffee machine."""

import numpy as np

from simulation.arm_tasks import FINGER, FLOOR, Plan, Task, always, grasp, offset, up
from simulation.arm_world import World
from simulation.episode import Positions


def slide_drawer(name: str, position: float, opposite: str) -> Task:
    """Grasp the drawer's handle and pull or push."""

    def bar(world: World) -> Positions:
        return world.position("drawer_link") + offset(0, -0.15, -0.025)

    def plan(world: World) -> Plan:
        at = bar(world)
        way = at + offset(0, position - world.joint("goal_slidey"), 0)
        return [up(at, 0.1), at, 0.5, way]

    def done(world: World) -> bool:
        return abs(world.joint("goal_slidey") - position) < 0.02

    return Task("drawer", f"{name} the {{object}}", plan, grasp(bar), done, opposite)


def swing_door(name: str, angle: float, side: float, opposite: str) -> Task:
    """Push the door near its free edge, from outside (side -1) or from inside (1)."""

    def plan(world: World) -> Plan:
        hinge, now = world.position("door_link") * [1, 1, 0], world.joint("doorjoint")

        def at(turned: float, away: float = 0.0) -> Positions:
            x, y = 0.3, side * (0.01 + FINGER + away)
            sine, cosine = np.sin(turned), np.cos(turned)
            return hinge + offset(x * cosine - y * sine, x * sine + y * cosine, 0.12)

        way = np.array([at(turned) for turned in np.linspace(now, angle, 24)])
        return [up(at(now, 0.05), 0.2), at(now, 0.05), at(now), way]

    def done(world: World) -> bool:
        return abs(world.joint("doorjoint") - angle) < 0.2

    return Task("door", f"{name} the {{object}}", plan, always, done, opposite)


def slide_window(name: str, position: float, opposite: str) -> Task:
    """Push the handle of a sliding window from the side."""

    def plan(world: World) -> Plan:
        way = position - world.joint("window_slide")
        side = np.sign(way)
        bar = world.position("windowb_a") + offset(-0.014, -0.09, -0.03)
        behind = bar - [side * 0.06, 0, 0]
        end = bar + offset(way - side * (0.008 + FINGER - 0.003), 0, 0)
        return [behind + offset(0, -0.03, 0.1), behind, end]

    def done(world: World) -> bool:
        return abs(world.joint("window_slide") - position) < 0.03

    return Task("window", f"{name} the {{object}}", plan, always, done, opposite)


def turn_faucet(side: float, label: str, opposite: str) -> Task:
    """Push the faucet's handle to a side."""

    def plan(world: World) -> Plan:
        pivot, now = world.position("faucet_link2"), world.joint("knob_Joint_1")

        def at(turned: float, away: float = 0.0) -> Positions:
            x, y = -side * (0.017 + FINGER - 0.004 + away), -0.145
            sine, cosine = np.sin(turned), np.cos(turned)
            return pivot + offset(x * cosine - y * sine, x * sine + y * cosine, -0.03)

        way = np.array([at(turned) for turned in np.linspace(now, side * 1.1, 24)])
        return [up(at(now, 0.05), 0.1), at(now, 0.05), way]

    def done(world: World) -> bool:
        return side * world.joint("knob_Joint_1") > 0.7

    return Task("faucet", f"turn the {{object}} to the {label}", plan, always, done, opposite)


def fold_laptop(name: str, angle: float, opposite: str) -> Task:
    """Push the lid's edge, from below to open it and from above to close it."""
    opens = angle < 0.5

    def plan(world: World) -> Plan:
        hinge, now = world.position("laptoplid_link"), world.joint("laptop_hinge")

        def at(turned: float, away: float = 0.0) -> Positions:
            sine, cosine = np.sin(turned), np.cos(turned)
            if opens:
                return hinge + offset(0, -0.3 * sine - 0.012 - away, 0.3 * cosine - 0.035)
            return hinge + np.array([0, -0.25 * sine, 0.25 * cosine]) + (0.024 + away) * np.array([0, cosine, sine])

        way = np.array([at(turned) for turned in np.linspace(now, angle, 24)])
        return [up(at(now, 0.05), 0.06 if opens else 0.03), at(now, 0.04), way]

    def done(world: World) -> bool:
        return abs(world.joint("laptop_hinge") - angle) < 0.2

    return Task("laptop", f"{name} the {{object}}", plan, always, done, opposite)


def move_handle(name: str, position: float, opposite: str) -> Task:
    """Grasp the handle and press it down or pull it up."""

    def bar(world: World) -> Positions:
        return world.position("handle_link") + offset(0.052, -0.166, -0.03)  # beside its arm

    def plan(world: World) -> Plan:
        at = bar(world)
        way = at + offset(0, 0, position - world.joint("handle_slide"))
        return [up(at, 0.12), at, 0.5, way]

    def done(world: World) -> bool:
        return abs(world.joint("handle_slide") - position) < 0.015

    return Task("handle", name, plan, grasp(bar), done, opposite)


def push_mug() -> Task:
    """Push the mug to the machine from behind."""

    def plan(world: World) -> Plan:
        mug, machine = world.first["mug"], world.first["machine"]
        behind = np.array([mug[0], mug[1] - 0.1, FLOOR])
        end = np.array([mug[0], machine[1] - 0.2 - 0.028 - 0.012, FLOOR])
        return [up(behind, 0.12), behind, end, end - [0, 0.04, -0.03]]

    def done(world: World) -> bool:
        return bool(world.moved("mug")[1] > 0.06 and abs(world.moved("mug")[0]) < 0.04)

    return Task("mug", "push the {object} to the coffee machine", plan, always, done, "mug-pull")


def pull_mug() -> Task:
    """Grasp the mug and pull it away from the machine."""

    def low(world: World) -> Positions:
        return world.position("obj") * [1, 1, 0] + offset(0, 0, FLOOR + 0.005)

    def plan(world: World) -> Plan:
        at = low(world)
        return [up(at, 0.11), at, 0.5, at - [0, 0.1, 0]]

    def done(world: World) -> bool:
        return bool(world.moved("mug")[1] < -0.06)

    return Task("mug", "pull the {object} away from the coffee machine", plan, grasp(low), done, "mug-push")
