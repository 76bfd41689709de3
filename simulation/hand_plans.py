"""What the hand does in each of its tasks, and how the camera moves in the others."""

from collections.abc import Callable

import numpy as np

from simulation.drive import turned
from simulation.episode import FRAMES, Positions
from simulation.hand_scenes import Scene, grip
from simulation.hand_table import Thing
from simulation.plan import Move, Plan

TIP = np.array([0.118, 0.026, 0.05])
"""The tip of the pointing finger in the hand's frame."""


def before(move: Move, thing: Thing, frame: float) -> Move:
    """Return the hand shortly before it grips."""
    away = np.array([0.02, -0.02, 0.1])
    if thing.facts.tall:
        away = turned(move.angles, (-0.02, 0, 0.09)) + np.array([0, 0, 0.02])
    return Move(frame, move.position + away, move.angles)


def take(scene: Scene, frame: float = 20) -> list[Move]:
    """Return the moves that take the first thing; at `frame` it is held."""
    at = grip(scene.first, frame - 5)
    return [scene.rest, scene.rest.then(2), before(at, scene.first, frame - 11), at, at.then(5, closed=1.0, hold=True)]


def push(side: float) -> Callable[[Scene], Plan]:
    """Push the thing to a side, 1: right, with the flat hand: with its palm to the left, with its back to the right."""

    def plan(scene: Scene) -> Plan:
        thing, half = scene.first, scene.first.facts.width / 2
        angles = (86.0, 14.0, 86.0) if side > 0 else (100.0, 14.0, 86.0)
        beside = -half - 0.085 if side > 0 else half + 0.005
        ready = Move(19, np.array([thing.x + beside, thing.y - 0.045, 0.055]), angles)
        way = ready.then(-8, (0.0, -0.215 if side > 0 else -0.08, 0.115 if side > 0 else 0.04))
        pushed = ready.then(21, (side * (scene.amount + 0.015), 0, 0))
        return Plan([scene.rest, scene.rest.then(2), way, ready, pushed, pushed.then(7, (-side * 0.03, -0.02, 0.01))])

    return plan


def slide(x: float, y: float) -> Callable[[Scene], Plan]:
    """Take the thing and slide it over the table."""

    def plan(scene: Scene) -> Plan:
        taken = take(scene)
        by = (x * scene.amount, y * scene.amount, 0.002)
        return Plan([*taken, taken[-1].then(1), taken[-1].then(20, by)])

    return plan


def near(sign: float) -> Callable[[Scene], Plan]:
    """Take the thing and move it closer to the second one (1) or away from it (-1)."""

    def plan(scene: Scene) -> Plan:
        first, second = scene.things[:2]
        gap = abs(second.x - first.x) - (first.facts.width + second.facts.width) / 2
        by = -(gap - 0.012) if sign > 0 else 0.12
        taken = take(scene)
        return Plan([*taken, taken[-1].then(1), taken[-1].then(18, (by, 0, 0.002))])

    return plan


def lift(scene: Scene) -> Plan:
    """Take the thing and lift it."""
    taken = take(scene)
    return Plan([*taken, taken[-1].then(2), taken[-1].then(20, (0.01, -0.01, scene.amount))])


def pretend(scene: Scene) -> Plan:
    """Close the hand around the thing, open it and lift it empty."""
    *way, around, taken = take(scene)
    closed, opened = taken.then(0, hold=False), around.then(8)
    away = opened.then(7, before(opened, scene.first, 0).position - opened.position)
    raised = away.then(13, (0.0, -0.01, scene.amount - 0.06), closed=0.45)
    return Plan([*way, around, closed, opened, away, raised])


def raise_by(sign: float) -> Callable[[Scene], Plan]:
    """Move what is held up (1) or down to the table (-1)."""

    def plan(scene: Scene) -> Plan:
        by = scene.amount if sign > 0 else -(scene.first.z - 0.004)
        return Plan([scene.rest, scene.rest.then(8), scene.rest.then(36, (0, 0, by))])

    return plan


def put(onto: bool) -> Callable[[Scene], Plan]:
    """Put what is held onto the second thing or next to it, and let go."""

    def plan(scene: Scene) -> Plan:
        first, second = scene.things[:2]
        x = second.x if onto else second.x + (first.facts.width + second.facts.width) / 2 + 0.045
        level = second.facts.height if onto else 0.0
        if second.kind == "plate" and onto:
            level = 0.011
        side = np.array([x - first.x, second.y - first.y - (0.0 if onto else 0.02), 0.0])
        over_it = scene.rest.then(18 if onto else 8, side)
        down = over_it.then(12 if onto else 20, (0, 0, level + 0.003 - first.z))
        opened = down.then(5, closed=0.0, hold=False)
        away = before(opened, first, 0).position - opened.position
        return Plan([scene.rest, scene.rest.then(4), over_it, down, down.then(2, hold=False), opened.then(1),
                     opened.then(9, away)])  # fmt: skip

    return plan


def poke(hard: bool) -> Callable[[Scene], Plan]:
    """Push with the tip of a finger against the upper part of the thing, from the right."""

    def plan(scene: Scene) -> Plan:
        thing, angles = scene.first, (150.0, 8.0, 25.0)
        height, half = thing.facts.height * 0.82, thing.facts.width / 2
        if thing.kind == "bottle":
            height, half = 0.13, 0.032  # below its neck
        ready = Move(16, thing.at(height) + np.array([half + 0.07, 0, 0]) - turned(angles, TIP), angles)
        touched = ready.then(10 if hard else 12, (-0.066, 0, 0))
        if not hard:
            return Plan(
                [scene.rest, scene.rest.then(2), ready, touched, touched.then(3), touched.then(15, (0.1, -0.03, 0.02))]
            )
        return Plan(
            [
                scene.rest,
                scene.rest.then(2),
                ready,
                touched.then(5, (-0.085, 0, -0.015)),
                touched.then(16, (0.06, -0.02, 0.03)),
            ]
        )

    return plan


def wait(scene: Scene) -> Plan:
    """Leave the hand where it is."""
    return Plan([scene.rest, scene.rest.then(FRAMES)])


def turn(degrees: float) -> Callable[[Positions, float], Positions]:
    """Turn the camera about itself, to the left if positive."""

    def camera(start: Positions, share: float) -> Positions:
        angle = np.radians(start[4])
        level = start[3] * np.cos(np.radians(start[5]))
        eye = start[:2] - level * np.array([np.cos(angle), np.sin(angle)])
        later = start.copy()
        later[4] += degrees * share
        angle = np.radians(later[4])
        later[:2] = eye + level * np.array([np.cos(angle), np.sin(angle)])
        return later

    return camera


def travel(factor: float) -> Callable[[Positions, float], Positions]:
    """Change the camera's distance."""

    def camera(start: Positions, share: float) -> Positions:
        later = start.copy()
        later[3] *= factor**share
        return later

    return camera
