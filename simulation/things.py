"""Things that the hand moves: blocks, balls, mugs, bottles and more, made of simple shapes in named colours."""

from collections.abc import Callable
from dataclasses import dataclass

import mujoco

from simulation.scene import lathe

COLOURS = {
    "red": (0.80, 0.09, 0.09),
    "green": (0.10, 0.55, 0.18),
    "blue": (0.12, 0.27, 0.80),
    "yellow": (0.93, 0.76, 0.10),
    "orange": (0.93, 0.43, 0.06),
    "purple": (0.48, 0.16, 0.62),
    "pink": (0.93, 0.45, 0.62),
    "white": (0.90, 0.90, 0.88),
    "black": (0.10, 0.10, 0.11),
}
BOX, BALL, ROD, CAPSULE, MESH = (
    mujoco.mjtGeom.mjGEOM_BOX,
    mujoco.mjtGeom.mjGEOM_SPHERE,
    mujoco.mjtGeom.mjGEOM_CYLINDER,
    mujoco.mjtGeom.mjGEOM_CAPSULE,
    mujoco.mjtGeom.mjGEOM_MESH,
)
FRICTION = (1.0, 0.01, 0.002)
WORLD, HAND = 2, 1
"""Collision bits: the table and things are WORLD; a thing that is free is also touched by the HAND."""


@dataclass(frozen=True)
class Kind:
    """A kind of thing."""

    width: float
    """Widest extent from left to right on the table, in metres."""
    height: float
    mass: float
    tall: bool
    """Held from the side, around it; others from above."""
    add: Callable[[mujoco.MjSpec, "mujoco._specs.MjsBody", str], None]
    grip: float
    """Height above its foot at which it is held."""


def look(body: "mujoco._specs.MjsBody", **geom: object) -> None:
    """Add a shape that is seen and touches nothing."""
    body.add_geom(contype=0, conaffinity=0, group=1, mass=0, **geom)


def solid(body: "mujoco._specs.MjsBody", seen: bool, **geom: object) -> None:
    """Add a shape that touches."""
    body.add_geom(
        contype=WORLD | HAND, conaffinity=WORLD | HAND, group=1 if seen else 4, condim=4, friction=FRICTION,
        **geom,
    )  # fmt: skip


def block(spec: mujoco.MjSpec, body: "mujoco._specs.MjsBody", name: str) -> None:
    """A cube with side 7 cm, with a lighter bevel."""
    solid(body, True, type=BOX, size=[0.035, 0.035, 0.035], pos=[0, 0, 0.035], material=name)


def ball(spec: mujoco.MjSpec, body: "mujoco._specs.MjsBody", name: str) -> None:
    """A ball with a stripe."""
    solid(body, True, type=BALL, size=[0.037, 0, 0], pos=[0, 0, 0.037], material=name)
    look(body, type=ROD, size=[0.0373, 0.006, 0], pos=[0, 0, 0.037], quat=[0.92, 0.38, 0, 0], material="paper")


def mug(spec: mujoco.MjSpec, body: "mujoco._specs.MjsBody", name: str) -> None:
    """A mug, its handle at the far left."""
    profile = [(0, 0), (0.036, 0), (0.04, 0.006), (0.04, 0.092), (0.036, 0.092), (0.035, 0.01), (0, 0.01)]
    turned(spec, body, name, profile)
    solid(body, False, type=ROD, size=[0.04, 0.046, 0], pos=[0, 0, 0.046])
    for start, end in (((-0.03, 0.75), (-0.062, 0.7)), ((-0.062, 0.7), (-0.062, 0.3)), ((-0.062, 0.3), (-0.03, 0.22))):
        ends = [start[0], 0.012, start[1] * 0.092, end[0], 0.022 if end[0] < -0.05 else 0.012, end[1] * 0.092]
        look(body, type=CAPSULE, size=[0.007, 0, 0], fromto=ends, material=name)


def can(spec: mujoco.MjSpec, body: "mujoco._specs.MjsBody", name: str) -> None:
    """A drinks can."""
    turned(spec, body, name, [(0, 0.006), (0.033, 0.008), (0.033, 0.112), (0, 0.114)])
    rim = [
        (0, 0),
        (0.026, 0),
        (0.0325, 0.009),
        (0.033, 0.009),
        (0.033, 0.109),
        (0.027, 0.12),
        (0.025, 0.117),
        (0, 0.117),
    ]
    turned(spec, body, name + "_rim", [(r * 0.995, h) for r, h in rim], "metal")
    look(body, type=ROD, size=[0.0334, 0.011, 0], pos=[0, 0, 0.062], material="paper")
    solid(body, False, type=ROD, size=[0.033, 0.06, 0], pos=[0, 0, 0.06])


def bottle(spec: mujoco.MjSpec, body: "mujoco._specs.MjsBody", name: str) -> None:
    """A bottle with a white cap and a label."""
    profile = [
        (0, 0), (0.03, 0), (0.034, 0.006), (0.034, 0.12), (0.03, 0.14), (0.014, 0.165), (0.013, 0.185), (0, 0.185),
    ]  # fmt: skip
    turned(spec, body, name, profile)
    look(body, type=ROD, size=[0.0346, 0.022, 0], pos=[0, 0, 0.072], material="paper")
    look(body, type=ROD, size=[0.0165, 0.011, 0], pos=[0, 0, 0.192], material="paper")
    solid(body, False, type=ROD, size=[0.034, 0.07, 0], pos=[0, 0, 0.07])
    solid(body, False, type=ROD, size=[0.015, 0.03, 0], pos=[0, 0, 0.172])


def box(spec: mujoco.MjSpec, body: "mujoco._specs.MjsBody", name: str) -> None:
    """A carton that stands, with a white label on its front."""
    solid(body, True, type=BOX, size=[0.042, 0.026, 0.075], pos=[0, 0, 0.075], material=name)
    look(body, type=BOX, size=[0.03, 0.0265, 0.022], pos=[0, 0, 0.09], material="paper")


def book(spec: mujoco.MjSpec, body: "mujoco._specs.MjsBody", name: str) -> None:
    """A book that lies on the table."""
    solid(body, False, type=BOX, size=[0.085, 0.065, 0.016], pos=[0, 0, 0.016])
    look(body, type=BOX, size=[0.083, 0.062, 0.013], pos=[0, 0, 0.016], material="paper")
    for height in (0.0015, 0.0305):
        look(body, type=BOX, size=[0.085, 0.065, 0.0017], pos=[0, 0, height], material=name)
    look(body, type=BOX, size=[0.002, 0.065, 0.016], pos=[-0.085, 0, 0.016], material=name)


def plate(spec: mujoco.MjSpec, body: "mujoco._specs.MjsBody", name: str) -> None:
    """A plate."""
    profile = [(0, 0), (0.05, 0), (0.06, 0.004), (0.092, 0.016), (0.091, 0.019), (0.058, 0.009), (0, 0.008)]
    turned(spec, body, name, profile)
    solid(body, False, type=ROD, size=[0.055, 0.005, 0], pos=[0, 0, 0.005])


def turned(
    spec: mujoco.MjSpec,
    body: "mujoco._specs.MjsBody",
    name: str,
    profile: list[tuple[float, float]],
    material: str | None = None,
) -> None:
    """Add a turned shape that is seen and touches nothing."""
    spec.add_mesh(name=name, inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL, **lathe(profile))
    look(body, type=MESH, meshname=name, material=material or name)


KINDS = {
    "block": Kind(0.07, 0.07, 0.15, False, block, 0.035),
    "ball": Kind(0.074, 0.074, 0.1, False, ball, 0.037),
    "mug": Kind(0.08, 0.092, 0.25, True, mug, 0.05),
    "can": Kind(0.066, 0.12, 0.2, True, can, 0.065),
    "bottle": Kind(0.068, 0.2, 0.3, True, bottle, 0.075),
    "box": Kind(0.084, 0.15, 0.2, True, box, 0.08),
    "book": Kind(0.17, 0.032, 0.4, False, book, 0.016),
    "plate": Kind(0.184, 0.02, 0.4, False, plate, 0.01),
}


def add_thing(spec: mujoco.MjSpec, name: str, kind: str, colour: str, position: tuple[float, float, float]) -> None:
    """Add a free thing; its origin is its foot."""
    spec.add_material(name=name, rgba=[*COLOURS[colour], 1], specular=0.3, shininess=0.4)
    body = spec.worldbody.add_body(name=name, pos=position)
    body.add_freejoint(name=name)
    KINDS[kind].add(spec, body, name)
    touching = [geom for geom in body.geoms if geom.contype]
    for geom in touching:
        geom.mass = KINDS[kind].mass / len(touching)


def add_materials(spec: mujoco.MjSpec) -> None:
    """Add the materials that things share."""
    spec.add_material(name="paper", rgba=[0.93, 0.92, 0.88, 1], specular=0.05)
    spec.add_material(name="metal", rgba=[0.75, 0.76, 0.78, 1], specular=0.6, shininess=0.6)
