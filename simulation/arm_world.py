"""The Sawyer arm of Meta-World on its table: how it is built, lit, driven and rendered."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import mujoco
import numpy as np
from numpy.typing import NDArray

from simulation.episode import Frames, Positions

ASSETS = Path(find_spec("metaworld").origin).parent / "assets"
FPS = 10.0
FINGERTIP = np.array([0.0, 0.0, 0.045])
"""From the point between the fingertips, which is the effector, to the body that the controller pulls."""
HELD_AT = np.array([0.0, 0.0, 0.015])
"""From the effector to the centre of an object that is in the gripper at the start."""
WORKSPACE = np.array([[-0.45, 0.35, 0.012], [0.45, 0.95, 0.45]])
DOWN = np.array([1.0, 0.0, 1.0, 0.0])
TURNED = np.array([1.0, -1.0, 1.0, 1.0])
"""The hand's orientation: the gripper points down, and the fingers close along y or, turned, along x."""
GRIP = 0.3
"""Of the greatest force: fingers close within 0.3 s and don't sink into what they hold."""
HIDDEN_MESHES = ("base", "head", "pedestal", "tablebody")
ARM = ("l0", "l1", "l2", "l3", "l4", "l5", "l6")
DARK, GREY, FINGERS = (0.16, 0.17, 0.19, 1.0), (0.45, 0.46, 0.48, 1.0), (0.6, 0.6, 0.62, 1.0)
TABLES = {
    "wood2.png": (1.0, 1.0, 1.0),
    "wood4.png": (1.0, 1.0, 1.0),
    "light_wood_v2.png": (1.0, 1.0, 1.0),
    "": (0.62, 0.6, 0.56),
}
"""Texture of the table, or none -> its tint."""
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.8, 0.07, 0.07),
    "green": (0.1, 0.55, 0.15),
    "blue": (0.08, 0.22, 0.78),
    "yellow": (0.93, 0.78, 0.08),
    "orange": (0.95, 0.42, 0.03),
    "purple": (0.45, 0.14, 0.62),
    "white": (0.92, 0.92, 0.9),
}


@dataclass(frozen=True)
class Scene:
    """A table with objects on it, before it is compiled; several tasks start from it."""

    spec: mujoco.MjSpec
    start: Positions  # (3,), of the effector
    tracked: dict[str, str]
    """Name of an object in captions' terms -> the body, or `geom NAME`, whose position is recorded."""
    colours: dict[str, tuple[float, float, float]]
    words: dict[str, str] = field(default_factory=dict)
    """For the captions of its tasks."""
    joints: dict[str, float] = field(default_factory=dict)
    """Positions of hinges and slides at the start."""
    turned: bool = False
    """Whether the fingers close along x."""
    held: str | None = None
    """A body that is in the gripper at the start."""
    look_at: tuple[float, float, float] = (0.0, 0.65, 0.1)
    view: tuple[float, float, float] = (1.0, 122.0, -30.0)
    """Distance, azimuth and elevation of the camera, before each seed changes them a little."""


class World:
    """A compiled scene at its start: the effector follows a target, and objects obey physics."""

    def __init__(self, scene: Scene, camera: NDArray[np.float64]) -> None:
        self.scene, self.camera = scene, camera
        self.model = scene.spec.compile()
        self.model.eq_data[0] = [0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 5]  # the weld of hand and controller, as Meta-World's
        self.data = mujoco.MjData(self.model)
        self.substeps = round(1 / FPS / self.model.opt.timestep)
        self.closed = scene.held is not None
        self.target = scene.start.copy()
        self._settle()
        self.first = self.positions()
        """Where objects were at the start."""

    def _settle(self) -> None:
        """Bring the arm to its start while everything else waits, then everything to rest."""
        model, data = self.model, self.data
        for name, value in self.scene.joints.items():
            data.joint(name).qpos[0] = value
        joints = [model.joint(number) for number in range(model.njnt)]
        others = [joint for joint in joints if not joint.name.startswith(("right_j", "r_close", "l_close"))]
        places = [joint.qposadr[0] + number for joint in others for number in range(len(joint.qpos0))]
        velocities = [joint.dofadr[0] + number for joint in others for number in range(len(joint.damping))]
        start = data.qpos[places].copy()
        held = self.scene.held and model.jnt_qposadr[model.body(self.scene.held).jntadr[0]]
        for step in range(800):
            data.qpos[places], data.qvel[velocities] = start, 0
            if held:
                data.qpos[held : held + 3], data.qpos[held + 3 : held + 7] = self.effector + HELD_AT, [1, 0, 0, 0]
            self._substep(self.target, closed=self.closed and step >= 300)
        for _ in range(200):
            self._substep(self.target, self.closed)

    def _substep(self, target: Positions, closed: bool) -> None:
        self.data.mocap_pos[0] = target + FINGERTIP
        self.data.mocap_quat[0] = TURNED if self.scene.turned else DOWN
        self.data.ctrl[:] = [GRIP, -GRIP] if closed else [-GRIP, GRIP]
        mujoco.mj_step(self.model, self.data)

    def step(self, target: Positions, closed: bool) -> None:
        """Drive the effector to a target within the time of a frame."""
        target = np.clip(target, *WORKSPACE)
        for step in range(1, self.substeps + 1):
            self._substep(self.target + (target - self.target) * (step / self.substeps), closed)
        self.target, self.closed = target, closed

    @property
    def effector(self) -> Positions:
        """The point between the fingertips."""
        return self.data.body("hand").xpos - FINGERTIP

    def position(self, element: str) -> Positions:
        """Position of a body, or of a geom or site if the name begins so."""
        kind, _, name = element.rpartition(" ")
        return getattr(self.data, kind or "body")(name).xpos.copy()

    def positions(self) -> dict[str, Positions]:
        """Positions of all objects that are recorded."""
        return {name: self.position(element) for name, element in self.scene.tracked.items()}

    def moved(self, name: str) -> Positions:
        """How far an object is from where it was at the start."""
        return self.position(self.scene.tracked[name]) - self.first[name]

    def joint(self, name: str) -> float:
        """Position of a hinge or slide."""
        return float(self.data.joint(name).qpos[0])


class Picture:
    """Renders a world from its camera. Close it, or use it in a `with` statement."""

    def __init__(self, world: World, width: int, height: int) -> None:
        self.world = world
        self.renderer = mujoco.Renderer(world.model, height, width)
        self.options = mujoco.MjvOption()
        self.options.sitegroup[:] = 0  # goal markers
        table, meshes = world.model.body("tablelink").id, [world.model.mesh(name).id for name in ARM]
        self.without_shadow = {
            number
            for number, (kind, mesh, body) in enumerate(
                zip(world.model.geom_type, world.model.geom_dataid, world.model.geom_bodyid, strict=True)
            )
            if body == table or (kind == mujoco.mjtGeom.mjGEOM_MESH and mesh in meshes)
        }
        """The arm's would cover the table, and the table's own is noise. The gripper's shows how high it is."""
        self.camera = mujoco.MjvCamera()
        self.camera.lookat[:] = world.camera[:3]
        self.camera.distance, self.camera.azimuth, self.camera.elevation = world.camera[3:6]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.renderer.close()

    def frame(self) -> Frames:
        """Render what the camera sees now."""
        self.renderer.update_scene(self.world.data, self.camera, self.options)
        scene = self.renderer.scene
        scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        scene.flags[mujoco.mjtRndFlag.mjRND_CULL_FACE] = 0  # the arm's meshes have holes
        for geom in scene.geoms[: scene.ngeom]:
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM and geom.objid in self.without_shadow:
                geom.category = mujoco.mjtCatBit.mjCAT_DECOR
        return self.renderer.render()


def base(file: str, rng: np.random.Generator) -> mujoco.MjSpec:
    """Return one of Meta-World's scenes with the look that a seed gives it: table, floor and light."""
    spec = mujoco.MjSpec.from_file(str(ASSETS / "sawyer_xyz" / file))
    spec.visual.quality.shadowsize, spec.visual.quality.offsamples = 1024, 4
    spec.stat.extent, spec.stat.center = 1.0, [0, 0.6, 0]
    spec.visual.map.znear, spec.visual.map.zfar = 0.05, 30.0
    spec.visual.map.shadowclip = 0.9

    texture = list(TABLES)[rng.integers(len(TABLES))]
    tint = np.array(TABLES[texture]) * rng.uniform(0.75, 1.1) * rng.uniform(0.97, 1.03, 3)
    table = spec.material("table_wood")
    table.rgba[:3], table.specular, table.shininess = np.clip(tint, 0, 1), 0.1, 0.1
    if texture:
        spec.texture("T_table").file = f"../textures/{texture}"
    else:
        table.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = ""
    floor = spec.material("basic_floor")
    floor.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = ""
    floor.rgba[:3] = rng.uniform(0.35, 0.75) * rng.uniform(0.96, 1.04, 3)

    spec.visual.headlight.ambient = np.full(3, rng.uniform(0.4, 0.52))
    spec.visual.headlight.diffuse = np.full(3, rng.uniform(0.22, 0.36))
    spec.visual.headlight.specular = np.zeros(3)
    angle = rng.uniform(-0.5, 0.5)
    for light in spec.lights:
        light.specular = np.full(3, 0.1)
        if light.castshadow:
            light.pos, light.dir = np.array([0, 0.65, 0]) - 2 * np.array([angle, 0.3, -1]), [angle, 0.3, -1]
            light.diffuse = np.full(3, rng.uniform(0.25, 0.4))
        else:
            light.diffuse = np.full(3, 0.12)

    for body in spec.bodies:
        if body.name == "RetainingWall":
            for geom in body.geoms:
                geom.group, geom.conaffinity = 4, 0
    matte = spec.add_material(name="matte")
    matte.specular, matte.shininess = 0.05, 0.1
    for geom in spec.geoms:
        if geom.meshname in (*ARM, "eGripperBase") or geom.name in ("leftpad_geom", "rightpad_geom"):
            geom.material = "matte"
        if geom.meshname in HIDDEN_MESHES:
            geom.group = 4
        elif geom.meshname in ARM[:5]:
            geom.rgba = GREY
        elif geom.meshname in (*ARM[5:], "eGripperBase"):
            geom.rgba = DARK
        elif geom.name in ("leftpad_geom", "rightpad_geom"):
            geom.rgba = FINGERS
    return spec


def camera(scene: Scene, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a scene's camera as a seed changes it, in the order of `Episode.camera`."""
    distance, azimuth, elevation = scene.view
    return np.array([
        *(np.array(scene.look_at) + rng.uniform(-0.012, 0.012, 3)),
        distance * rng.uniform(0.96, 1.04),
        azimuth + rng.uniform(-5, 5),
        elevation + rng.uniform(-3, 3),
        45.0,
    ])  # fmt: skip


def paint(spec: mujoco.MjSpec, material: str, colour: tuple[float, ...]) -> None:
    """Give a material a colour and no texture."""
    chosen = spec.material(material)
    chosen.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = ""
    chosen.rgba = [*colour[:3], 1.0]
    chosen.specular, chosen.shininess, chosen.reflectance = 0.2, 0.3, 0.0


def add_object(
    spec: mujoco.MjSpec, name: str, shape: str, size: float, colour: tuple[float, ...], position: tuple[float, float]
) -> None:
    """Put a block or a can of half the given width on the table."""
    body = spec.worldbody.add_body(name=name, pos=[*position, size])
    body.add_freejoint()
    body.mass, body.inertia, body.ipos, body.explicitinertial = 0.1, np.full(3, 0.1 * size**2 * 0.7), [0, 0, 0], True
    kind = {"block": mujoco.mjtGeom.mjGEOM_BOX, "can": mujoco.mjtGeom.mjGEOM_CYLINDER}[shape]
    body.add_geom(
        name=f"{name}_geom", type=kind, size=[size, size, size], rgba=[*colour[:3], 1], group=1, contype=1,
        conaffinity=1, condim=4, friction=[1, 0.1, 0.002], solimp=[0.99, 0.99, 0.01, 0.5, 2], solref=[0.01, 1],
    )  # fmt: skip
