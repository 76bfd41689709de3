"""A table in a room, with things on it and a hand: colours, light and camera vary with the seed."""

from dataclasses import dataclass

import mujoco
import numpy as np

from simulation.adroit import HAND, add_hand
from simulation.episode import Positions
from simulation.plan import TIMESTEP
from simulation.scene import Array, add_sun, add_surface, empty, paint, speckle, wood
from simulation.things import COLOURS, FRICTION, KINDS, WORLD, Kind, add_materials, add_thing

TABLES = ((0.74, 0.56, 0.38), (0.55, 0.38, 0.25), (0.84, 0.72, 0.55), (0.46, 0.31, 0.22), (0.66, 0.60, 0.52))
CLOTHS = ((0.82, 0.81, 0.78), (0.52, 0.60, 0.66), (0.66, 0.70, 0.58), (0.70, 0.62, 0.62), (0.42, 0.44, 0.47))
WALLS = ((0.80, 0.80, 0.76), (0.70, 0.76, 0.80), (0.82, 0.76, 0.68), (0.68, 0.74, 0.68), (0.76, 0.70, 0.74))
SKINS = ((0.95, 0.74, 0.62), (0.88, 0.66, 0.52), (0.74, 0.52, 0.38), (0.55, 0.37, 0.27), (0.42, 0.28, 0.21))
SLEEVES = ((0.25, 0.33, 0.55), (0.45, 0.46, 0.48), (0.55, 0.20, 0.22), (0.20, 0.42, 0.36), (0.80, 0.78, 0.72))
FIELD_OF_VIEW = 40.0


@dataclass(frozen=True)
class Thing:
    """A thing on the table."""

    kind: str
    colour: str
    x: float
    y: float
    z: float = 0.0

    @property
    def name(self) -> str:
        """What the caption calls it, without the article."""
        return f"{self.colour} {self.kind}"

    @property
    def facts(self) -> Kind:
        """Sizes of its kind."""
        return KINDS[self.kind]

    def at(self, height: float) -> Array:
        """Return the point at a height above its foot."""
        return np.array([self.x, self.y, self.z + height])


def choose(random: np.random.Generator, kinds: list[tuple[str, ...]]) -> list[tuple[str, str]]:
    """Return a kind out of each tuple, with colours that all differ."""
    colours = random.permutation(list(COLOURS))
    return [(str(random.choice(each)), str(colour)) for each, colour in zip(kinds, colours, strict=False)]


def room(random: np.random.Generator, things: list[Thing]) -> mujoco.MjModel:
    """Return table, room, hand and things, each of which the hand can hold."""
    spec = empty(TIMESTEP)
    light = np.array([random.uniform(-0.7, 0.7), random.uniform(-0.7, -0.1), 1.5])
    add_sun(spec, light, np.array([0.0, 0.08, 0.0]), float(random.uniform(0.42, 0.58)))
    planks = random.uniform() < 0.65
    table = np.array((TABLES if planks else CLOTHS)[random.integers(5)]) * random.uniform(0.93, 1.07)
    wall = np.array(WALLS[random.integers(5)])
    add_surface(spec, "table")
    add_surface(spec, "wall")
    spec.add_material(name="floor", rgba=[*(0.55 * table[::-1] + 0.1), 1])
    add_materials(spec)
    box, plane = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_PLANE
    for name, kind, size, position in (
        ("table", box, [0.75, 0.5, 0.02], [0, 0.1, -0.02]),
        ("floor", plane, [5, 5, 1], [0, 0, -0.72]),
        ("wall", box, [5, 0.05, 3], [0, 1.7, 0]),
    ):
        spec.worldbody.add_geom(name=name, type=kind, size=size, pos=position, material=name, contype=0, conaffinity=0)
    spec.worldbody.add_geom(
        name="top", type=plane, size=[1, 1, 1], group=4, contype=WORLD, conaffinity=WORLD, friction=FRICTION
    )
    add_hand(spec, np.array(SKINS[random.integers(5)]), np.array(SLEEVES[random.integers(5)]))
    for thing in things:
        add_thing(spec, thing.name, thing.kind, thing.colour, (thing.x, thing.y, thing.z))
        spec.add_equality(
            type=mujoco.mjtEq.mjEQ_WELD, objtype=mujoco.mjtObj.mjOBJ_BODY, name1=HAND, name2=thing.name, active=False,
            solref=[0.008, 1],
        )  # fmt: skip
    model = spec.compile()
    paint(model, "table", wood(random, table) if planks else speckle(random, table))
    paint(model, "wall", speckle(random, wall))
    return model


def view(random: np.random.Generator, height: float = 0.05) -> Positions:
    """Return a camera (7) that looks at the middle of the table from the side where the hand's person sits."""
    return np.array([
        random.uniform(-0.02, 0.02), random.uniform(0.02, 0.05), height, random.uniform(0.62, 0.7),
        90 + random.uniform(-8, 8), random.uniform(-36, -28), FIELD_OF_VIEW,
    ])  # fmt: skip
