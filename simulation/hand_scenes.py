"""Where the hand's tasks start: things on the table, the camera, and the hand at rest or holding something."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from simulation import adroit
from simulation.drive import turned
from simulation.episode import Positions
from simulation.hand_table import Thing, choose, view
from simulation.plan import Move

TALL, LOW = ("mug", "can", "bottle", "box"), ("block", "ball")
FLAT_THINGS = ("book", "plate")
STEADY = ("block", "mug", "can", "box", "bottle")


@dataclass(frozen=True)
class Scene:
    """What the first frame shows, and how far the hand will go."""

    things: list[Thing]  # first the one that is moved, then the one that the caption names beside it
    view: Positions  # (7)
    rest: Move
    amount: float = 0.0
    pose: Mapping[str, float] = field(default_factory=lambda: adroit.OPEN)

    @property
    def first(self) -> Thing:
        """The thing that is moved."""
        return self.things[0]


def rest(random: np.random.Generator) -> Move:
    """Return the hand at rest at the right of the table."""
    position = np.array([random.uniform(0.20, 0.25), random.uniform(-0.08, -0.03), random.uniform(0.08, 0.12)])
    return Move(0, position, (118, 18, 40), 0.12)


def grip(thing: Thing, frame: float) -> Move:
    """Return the open hand around a thing: beside it if it is tall, else from above."""
    if thing.facts.tall:
        angles, offset = (112.0, 12.0, 78.0), (0.028, 0, 0)
    else:
        angles, offset = (122.0, 25.0, 18.0), (0.004, 0, -0.014)
    return Move(frame, thing.at(thing.facts.grip) - turned(angles, offset), angles)


def distractor(random: np.random.Generator, colours: list[str]) -> list[Thing]:
    """Return a thing in the background, or none."""
    kind = str(random.choice(TALL + LOW + FLAT_THINGS))
    x = float(random.choice([-1, 1]) * random.uniform(0.14, 0.3))
    thing = Thing(kind, colours[0], x, float(random.uniform(0.32, 0.42)))
    return [thing] if random.uniform() < 0.6 else []


def alone(
    kinds: tuple[str, ...],
    y: tuple[float, float],
    amount: tuple[float, float],
    height: float = 0.05,
    pose: Mapping[str, float] = adroit.OPEN,
    centred: bool = False,
) -> Callable[[np.random.Generator], Scene]:
    """Return a scene with one thing in the middle of the table, in the middle of the frame if centred."""

    def scene(random: np.random.Generator) -> Scene:
        (kind, colour), (_, other) = choose(random, [kinds, LOW])
        thing = Thing(kind, colour, float(random.uniform(-0.05, 0.05)), float(random.uniform(*y)))
        things = [thing, *distractor(random, [other])]
        look = view(random, height)
        if centred:
            look[:3] = thing.at(thing.facts.height / 2)
        return Scene(things, look, rest(random), float(random.uniform(*amount)), pose)

    return scene


def held(random: np.random.Generator) -> Scene:
    """A thing is held in the air."""
    (kind, colour), (_, other) = choose(random, [TALL + LOW, LOW])
    height = float(random.uniform(0.09, 0.12))
    thing = Thing(kind, colour, float(random.uniform(-0.06, 0.06)), float(random.uniform(0.02, 0.08)), height)
    start = grip(thing, 0).then(0, closed=1.0, hold=True)
    look = view(random, 0.11)
    look[3] += 0.06
    return Scene([thing, *distractor(random, [other])], look, start, float(random.uniform(0.11, 0.14)))


def two(random: np.random.Generator) -> Scene:
    """Two things side by side, the second at the left, as the hand comes from the right."""
    (kind, colour), (second, other) = choose(random, [TALL + LOW, STEADY])
    middle, y = float(random.uniform(-0.03, 0.03)), float(random.uniform(0.0, 0.08))
    things = [Thing(kind, colour, middle + 0.06, y)]
    things.append(Thing(second, other, middle - 0.14, y + float(random.uniform(-0.01, 0.03))))
    return Scene(things, view(random), rest(random))


def over(random: np.random.Generator) -> Scene:
    """A thing is held over the table, beside something flat that lies there."""
    (kind, colour), (second, other) = choose(random, [("block", "mug", "can", "box"), FLAT_THINGS])
    below = Thing(second, other, float(random.uniform(-0.15, -0.11)), float(random.uniform(0.05, 0.1)))
    thing = Thing(kind, colour, float(random.uniform(0.02, 0.06)), below.y - 0.02, float(random.uniform(0.1, 0.13)))
    look = view(random, 0.08)
    return Scene([thing, below], look, grip(thing, 0).then(0, closed=1.0, hold=True))
