"""The kitchen of gymnasium-robotics without its robot, at a real kitchen's size, with a hand, a drawer and a tap.

The scene's cupboards, microwave, knobs and light switch are the Franka kitchen's (Apache-2.0). A drawer and the tap's
lever replace parts that don't move there. Colours and light vary with the seed.
"""

from dataclasses import dataclass

import mujoco
import numpy as np

from simulation.adroit import HAND, add_hand, assets
from simulation.hand_table import SKINS, SLEEVES
from simulation.kitchen_furniture import KETTLE, add_drawer, add_materials, add_tap, feel_handles, stand_kettle
from simulation.plan import TIMESTEP
from simulation.scene import Array, add_sun, add_surface, furnish, paint, speckle

SCALE = 0.6  # the scene is built for a robot on a pedestal of 1.8 m
CABINETS = ((0.30, 0.40, 0.52), (0.44, 0.52, 0.42), (0.66, 0.60, 0.52), (0.62, 0.30, 0.26), (0.78, 0.76, 0.70))
WALLS = ((0.74, 0.77, 0.82), (0.82, 0.78, 0.70), (0.70, 0.78, 0.72), (0.80, 0.74, 0.74))
COUNTERS = ((0.78, 0.76, 0.72), (0.52, 0.38, 0.26), (0.40, 0.41, 0.43), (0.66, 0.58, 0.48))
KETTLES = ((0.88, 0.88, 0.86), (0.78, 0.14, 0.12), (0.16, 0.34, 0.62), (0.92, 0.72, 0.16), (0.22, 0.50, 0.34))
STEEL = np.array([0.62, 0.63, 0.66])


@dataclass(frozen=True)
class Part:
    """Something in the kitchen that moves on a joint."""

    joint: str
    body: str
    grip: tuple[float, float, float]
    """The middle of the handle in the body's frame, in metres."""
    closed: float
    """Position of the joint that is shut or off."""
    opened: float


PARTS = {
    "microwave": Part("microwave", "microdoorroot", (0.285, -0.065, 0.0), 0.0, -1.5),
    "left cupboard": Part("left_hinge_cabinet", "hingeleftdoor", (0.181, -0.077, -0.03), 0.0, -1.35),
    "right cupboard": Part("right_hinge_cabinet", "hingerightdoor", (-0.181, -0.077, -0.03), 0.0, 1.35),
    "cabinet": Part("slide_cabinet", "slidelink", (-0.110, -0.074, -0.02), 0.0, 0.25),
    "drawer": Part("drawer", "drawer", (0.0, -0.045, 0.0), 0.0, -0.26),
    "tap": Part("tap", "tap", (0.105, 0.0, 0.012), -0.9, 0.9),
    "hob": Part("knob_Joint_4", "knob 4", (0.0, 0.028, 0.035), 0.0, -1.45),
    "light": Part("light_switch", "lightswitchroot", (0.026, -0.062, 0.0), -0.65, 0.0),
}
BURNERS = ("burner", "burner plate")
LAMP = "lamp"


def scaled(spec: mujoco.MjSpec, factor: float) -> None:
    """Scale a scene's lengths."""
    for body in spec.bodies:
        body.pos = np.asarray(body.pos) * factor
    for geom in spec.geoms:
        geom.pos, geom.size = np.asarray(geom.pos) * factor, np.asarray(geom.size) * factor
        geom.fromto = np.asarray(geom.fromto) * factor
    for mesh in spec.meshes:
        mesh.scale = np.asarray(mesh.scale) * factor
    for joint in spec.joints:
        joint.pos = np.asarray(joint.pos) * factor
        if joint.type == mujoco.mjtJoint.mjJNT_SLIDE:
            joint.range = np.asarray(joint.range) * factor


def bare_kitchen() -> mujoco.MjSpec:
    """Return the Franka kitchen's furniture, to be seen only."""
    spec = mujoco.MjSpec.from_file(str(assets() / "kitchen_franka" / "kitchen_assets" / "kitchen_env_model.xml"))
    for part in [*spec.equalities, *spec.keys, *spec.actuators, *spec.lights, *spec.cameras, *spec.sites]:
        part.delete()
    for body in list(spec.worldbody.bodies):
        if not body.name:  # the robot on its pedestal
            spec.detach_body(body)
    for geom in list(spec.geoms):
        if "collision" in geom.classname.name or geom.name == "floor":
            geom.delete()
        else:
            geom.contype = geom.conaffinity = 0
    for mesh in list(spec.meshes):
        if mesh.name.startswith(("link", "hand_", "finger_")):
            mesh.delete()
    moving = {part.joint for part in PARTS.values()} | {KETTLE}
    for joint in list(spec.joints):
        if joint.name not in moving:
            joint.delete()
    spec.compiler.inertiagrouprange = [0, 5]
    for material in spec.materials:
        material.textures[int(mujoco.mjtTextureRole.mjTEXROLE_RGB)] = ""
        material.reflectance = 0
    for texture in list(spec.textures):
        texture.delete()
    scaled(spec, SCALE)
    return spec


def kitchen(random: np.random.Generator, middle: Array) -> mujoco.MjModel:
    """Return the kitchen with a hand: it can hold every part's handle, and the kettle. The light falls on `middle`."""
    spec = bare_kitchen()
    light(spec, random, middle)
    add_room(spec)
    add_materials(spec)
    add_drawer(spec)
    add_tap(spec)
    feel_handles(spec)
    stand_kettle(spec)
    add_hand(spec, np.array(SKINS[random.integers(5)]), np.array(SLEEVES[random.integers(5)]))
    for part in PARTS.values():
        joint = spec.joint(part.joint)
        joint.damping, joint.frictionloss, joint.armature = 1.0, 0.4, 0.05
        spec.add_equality(
            type=mujoco.mjtEq.mjEQ_CONNECT, objtype=mujoco.mjtObj.mjOBJ_BODY, name1=HAND, name2=part.body, active=False,
            solref=[0.01, 1],
        )  # fmt: skip
    spec.add_equality(
        type=mujoco.mjtEq.mjEQ_WELD, objtype=mujoco.mjtObj.mjOBJ_BODY, name1=HAND, name2=KETTLE, active=False,
        solref=[0.008, 1],
    )  # fmt: skip
    cabinets, walls = np.array(CABINETS[random.integers(5)]), np.array(WALLS[random.integers(4)])
    counter = np.array(COUNTERS[random.integers(4)])
    colours = {
        "counter_blue": cabinets,
        "M_hinge_blue": cabinets,
        "M_slide_blue": cabinets,
        "wall_blue": walls,
        "wall_white": 0.5 * walls + 0.5,
        "kettle_white": np.array(KETTLES[random.integers(5)]),
        "kettle_wood": np.array((0.56, 0.36, 0.2)),
        "oven_black": np.full(3, 0.13),
        "micro_black": np.full(3, random.uniform(0.14, 0.3)),
    }
    steel = dict.fromkeys(("counter_metal", "M_hinge_metal", "M_slide_metal", "micro_metal", "oven_metal"), STEEL)
    for name, colour in (steel | colours).items():
        spec.material(name).rgba = [*colour, 1]
    glow(spec)
    for material in spec.materials:
        material.specular, material.shininess = min(material.specular, 0.2), 0.2
    model = spec.compile()
    paint(model, "worktop", speckle(random, counter))
    return model


def light(spec: mujoco.MjSpec, random: np.random.Generator, towards: Array) -> None:
    """Add light from the ceiling behind the camera, and the hood's lamp."""
    furnish(spec, TIMESTEP)
    position = np.array([random.uniform(-0.8, 0.8), random.uniform(-1.0, -0.5), 2.6])
    add_sun(spec, position, towards, float(random.uniform(0.42, 0.55)))
    spec.worldbody.add_light(
        name=LAMP, pos=[-0.05, 0.42, 1.30], dir=[0, -0.1, -1], diffuse=[0.0] * 3, specular=[0.0] * 3, castshadow=False,
        cutoff=85, exponent=0.5, attenuation=[0.5, 0.5, 0.5],
    )  # fmt: skip


def add_room(spec: mujoco.MjSpec) -> None:
    """Close the view with walls and a floor, and lay worktops."""
    add_surface(spec, "worktop")
    spec.add_material(name="floor", rgba=[0.55, 0.5, 0.45, 1])
    world = spec.worldbody
    unseen = {"contype": 0, "conaffinity": 0}
    world.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[4, 4, 1], material="floor", **unseen)
    for position, size in (
        ((0, 0.95, 1.2), (3, 0.05, 1.4)),
        ((1.25, 0, 1.2), (0.05, 3, 1.4)),
        ((0, 0.4, 2.6), (3, 3, 0.05)),
    ):
        world.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, pos=position, size=size, material="wall_blue", **unseen)
    for geom in spec.geoms:
        if geom.material == "counter_marble":
            geom.material = "worktop"


def glow(spec: mujoco.MjSpec) -> None:
    """Give the front left burner materials of its own."""
    for name, colour in zip(BURNERS, ((0.1, 0.1, 0.1, 1), (0.1, 0.1, 0.1, 1)), strict=True):
        spec.add_material(name=name, rgba=colour)
    for geom in spec.body("Burner 2").geoms:
        geom.material = BURNERS[0]
    for geom in spec.body("ovenroot").geoms:
        if geom.meshname == "burnerplate" and np.allclose(np.asarray(geom.pos)[:2] / SCALE, (-0.24, -0.119), atol=0.01):
            geom.material = BURNERS[1]
