"""Where the kitchen's tasks start: what is half open, where the kettle is, the camera on a head, and the hand."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulation.episode import FRAMES
from simulation.kitchen_furniture import HOB
from simulation.kitchen_model import PARTS
from simulation.plan import FPS
from simulation.scene import Array

FIELD_OF_VIEW = 52.0


@dataclass(frozen=True)
class Scene:
    """What the first frame shows."""

    part: str | None
    """Key of PARTS, of what is moved; None: the kettle."""
    shares: dict[str, float]
    """How far each part is open or on, from 0 to 1."""
    kettle: Array
    eye: Array
    look: Array
    sway: Array  # (FRAMES, 6): of the eye and of the point looked at
    angles: tuple[float, float, float]
    rest: Array
    """Where the hand is, from the handle's middle."""


GRIP = {
    "microwave": ((125.0, 8.0, 82.0), (0.028, 0.0, 0.012)),
    "left cupboard": ((112.0, -22.0, 82.0), (0.028, 0.0, 0.012)),
    "right cupboard": ((112.0, -22.0, 82.0), (0.028, 0.0, 0.012)),
    "cabinet": ((105.0, -22.0, 82.0), (0.028, 0.0, 0.012)),
    "drawer": ((108.0, 38.0, 8.0), (0.03, 0.0, 0.010)),
    "tap": ((112.0, -8.0, 15.0), (0.05, 0.0, 0.0)),
    "hob": ((112.0, -32.0, 45.0), (0.075, 0.0, -0.005)),
    "light": ((112.0, -32.0, 45.0), (0.075, 0.0, -0.005)),
}
"""Part -> the hand's yaw, pitch and roll at its handle, and the handle's middle in the hand's frame."""
EYES = {
    "microwave": ((-0.28, -0.42, 1.46), (-0.42, 0.16, 1.06)),
    "left cupboard": ((-0.36, -0.38, 1.60), (-0.40, 0.35, 1.46)),
    "right cupboard": ((-0.26, -0.38, 1.60), (-0.28, 0.35, 1.46)),
    "cabinet": ((0.14, -0.36, 1.60), (0.15, 0.35, 1.48)),
    "drawer": ((0.42, -0.62, 1.36), (0.46, -0.05, 0.86)),
    "tap": ((0.37, 0.06, 1.44), (0.47, 0.54, 1.10)),
    "hob": ((-0.17, -0.22, 1.48), (-0.12, 0.34, 1.19)),
    "light": ((-0.20, -0.20, 1.47), (-0.18, 0.36, 1.26)),
    "kettle": ((-0.26, -0.44, 1.46), (-0.19, 0.18, 1.06)),
}
"""What is moved -> where the eye is and what it looks at."""
KETTLE_ANGLES, KETTLE_OFFSET = (126.0, 4.0, 8.0), (0.03, 0.0, 0.014)
KETTLE_TURN = 33.0  # degrees, of the kettle in the hand: its handle lies across the palm
HANDLE = np.array([0.0, 0.0, 0.1554])  # of the kettle, above its foot


def sway(random: np.random.Generator) -> Array:
    """Return small smooth movements of a head, which start at nothing."""
    times = np.arange(FRAMES) / FPS
    total = np.zeros((FRAMES, 6))
    for rate in random.uniform(0.15, 0.7, 4):
        phase, size = random.uniform(0, 2 * np.pi, 6), random.normal(0, 0.009, 6)
        total += size * (np.sin(2 * np.pi * rate * times[:, None] + phase) - np.sin(phase))
    return total


def at_part(*names: str) -> Callable[[np.random.Generator], Scene]:
    """Return a scene in which one of the parts is half open or half on."""

    def scene(random: np.random.Generator) -> Scene:
        name = str(random.choice(names))
        shares = {"microwave": 0.0, "left cupboard": 0.0, "right cupboard": 0.0, "cabinet": 0.0, "drawer": 0.0,
                  "tap": 0.0, "hob": 0.0, "light": 0.0}  # fmt: skip
        shares[name] = float(random.uniform(0.42, 0.58))
        places = [(0.13, 0.2, HOB), (0.13, 0.46, HOB), (-0.13, 0.46, HOB)]
        kettle = np.array(places[random.integers(2 if name == "hob" else 3)])
        return seen(random, name, name, shares, kettle, GRIP[name][0], np.array([0.11, -0.13, -0.05]))

    return scene


def with_kettle(x: float, height: float) -> Callable[[np.random.Generator], Scene]:
    """Return a scene in which the hand holds the kettle over the hob."""

    def scene(random: np.random.Generator) -> Scene:
        kettle = np.array([x, 0.19, HOB + height]) + random.uniform(-0.015, 0.015, 3)
        return seen(random, None, "kettle", dict.fromkeys(PARTS, 0.0), kettle, KETTLE_ANGLES, np.zeros(3))

    return scene


def seen(random: np.random.Generator, part: str | None, name: str, shares: dict[str, float], kettle: Array,
         angles: tuple[float, float, float], rest: Array) -> Scene:  # fmt: skip
    """Return a scene with variations of the camera and of the hand's turn."""
    eye, look = (np.array(each) + random.uniform(-0.035, 0.035, 3) for each in EYES[name])
    turn = random.uniform(-6, 6)
    return Scene(part, shares, kettle, eye, look, sway(random), (angles[0] + turn, angles[1], angles[2]),
                 rest + random.uniform(-0.015, 0.015, 3) * (np.abs(rest).sum() > 0))  # fmt: skip
