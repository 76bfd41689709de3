"""What is added to the Franka kitchen: a drawer, a tap with a lever and water, and handles that fingers can feel."""

import mujoco

BOX, ROD, CAPSULE, BALL = (
    mujoco.mjtGeom.mjGEOM_BOX,
    mujoco.mjtGeom.mjGEOM_CYLINDER,
    mujoco.mjtGeom.mjGEOM_CAPSULE,
    mujoco.mjtGeom.mjGEOM_SPHERE,
)
FELT = 4  # collision bit of handles: fingers close on them, nothing else touches them
STANDING = 2  # collision bit of kettle and worktops
SEEN, HIDDEN = 1, 4  # groups: shapes of the last are not rendered
HOB, COUNTER = 0.9695, 0.9605
"""Heights of the two surfaces on which the kettle stands."""
KETTLE, WATER = "kettle", "water"
Point = tuple[float, float, float]
HANDLES: dict[str, tuple[Point, Point, float]] = {
    "microdoorroot": ((0.285, -0.065, -0.078), (0.285, -0.065, 0.078), 0.012),
    "hingeleftdoor": ((0.181, -0.077, -0.096), (0.181, -0.077, 0.096), 0.013),
    "hingerightdoor": ((-0.181, -0.077, -0.096), (-0.181, -0.077, 0.096), 0.013),
    "slidelink": ((-0.110, -0.074, -0.095), (-0.110, -0.074, 0.095), 0.013),
    "knob 4": ((0, -0.028, 0.023), (0, 0.028, 0.023), 0.01),
    "lightswitchroot": ((0.010, -0.015, 0), (0.028, -0.06, 0), 0.012),
    KETTLE: ((-0.05, 0, 0.1554), (0.05, 0, 0.1554), 0.018),
}
"""Body -> ends and radius of its handle, which the scene shows already."""
DRAWER = (
    ("counter_blue", (0, 0, 0), (0.176, 0.011, 0.062)),
    ("inside", (0, 0.15, -0.05), (0.165, 0.14, 0.005)),
    ("inside", (-0.165, 0.15, -0.015), (0.006, 0.14, 0.035)),
    ("inside", (0.165, 0.15, -0.015), (0.006, 0.14, 0.035)),
    ("inside", (0, 0.285, -0.015), (0.165, 0.006, 0.035)),
)
"""The front and the other boards: material, position and half edges."""
CUTLERY = ((-0.11, "steel"), (-0.07, "steel"), (-0.03, "steel"), (0.03, "kettle_wood"), (0.1, "kettle_white"))


def rod(body: "mujoco._specs.MjsBody", ends: tuple[Point, Point], radius: float, material: str, bits: int = 0,
        group: int = SEEN, kind: mujoco.mjtGeom = CAPSULE) -> None:  # fmt: skip
    """Add a rod between two points."""
    body.add_geom(
        type=kind, fromto=[*ends[0], *ends[1]], size=[radius, 0, 0], material=material, contype=bits, conaffinity=0,
        group=group, mass=0.05,
    )  # fmt: skip


def feel_handles(spec: mujoco.MjSpec) -> None:
    """Let fingers feel the handles of doors, knob, switch and kettle."""
    for body, (start, end, radius) in HANDLES.items():
        rod(spec.body(body), (start, end), radius, "steel", FELT, HIDDEN)


def stand_kettle(spec: mujoco.MjSpec) -> None:
    """Let the kettle stand on hob and worktop."""
    solid = {"group": HIDDEN, "contype": STANDING, "conaffinity": STANDING}
    for x, top in ((0.0, HOB), (-0.6, COUNTER)):
        spec.worldbody.add_geom(type=BOX, pos=[x, 0.3, top - 0.2], size=[0.3, 0.4, 0.2], **solid)
    spec.body(KETTLE).add_geom(type=ROD, pos=[0, 0, 0.045], size=[0.06, 0.045, 0], mass=1.0, **solid)


def add_drawer(spec: mujoco.MjSpec) -> None:
    """Replace the upper drawer's handle under the sink by a drawer that opens, with things in it."""
    for geom in list(spec.body("counters").geoms):
        if abs(geom.pos[2] - 0.834) < 0.02 and geom.pos[1] < -0.38:
            geom.delete()
    drawer = spec.worldbody.add_body(name="drawer", pos=[0.485, 0.048, 0.834])
    drawer.add_joint(name="drawer", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 1, 0], range=[-0.3, 0.0], limited=True)
    for material, position, size in DRAWER:
        drawer.add_geom(
            type=BOX, pos=position, size=size, material=material, contype=0, conaffinity=0, group=SEEN, mass=0.3
        )
    for x, material in CUTLERY:
        thick = 0.006 if material == "steel" else 0.012
        rod(drawer, ((x, 0.04, -0.035), (x + 0.01, 0.24, -0.035)), thick, material)
    for x in (-0.11, 0.11):
        rod(drawer, ((x, 0, 0), (x, -0.045, 0)), 0.008, "steel")
    rod(drawer, ((-0.13, -0.045, 0), (0.13, -0.045, 0)), 0.011, "steel", FELT)


def add_tap(spec: mujoco.MjSpec) -> None:
    """Replace the small valve at the tap's side by a lever on its top, with a red end, and add water."""
    for geom in list(spec.body("counters").geoms):
        if geom.pos[0] > 0.56 and geom.pos[1] > 0.1 and 0.99 < geom.pos[2] < 1.03:
            geom.delete()
    lever = spec.worldbody.add_body(name="tap", pos=[0.48, 0.64, 1.225], quat=[0.5**0.5, 0, 0, -(0.5**0.5)])
    lever.add_joint(name="tap", axis=[0, 0, 1], range=[-1.0, 1.0], limited=True)
    rod(lever, ((0, 0, -0.018), (0, 0, 0.018)), 0.02, "counter_metal", kind=ROD)
    rod(lever, ((0, 0, 0.008), (0.12, 0, 0.012)), 0.01, "counter_metal", FELT)
    lever.add_geom(type=BALL, pos=[0.128, 0, 0.012], size=[0.016, 0, 0], material="red", contype=0, conaffinity=0)
    spec.worldbody.add_geom(
        name=WATER, type=ROD, pos=[0.48, 0.501, 0.955], size=[0.001, 0.112, 0], material=WATER, contype=0, conaffinity=0
    )


def add_materials(spec: mujoco.MjSpec) -> None:
    """Add the materials of what is added."""
    spec.add_material(name="inside", rgba=[0.80, 0.68, 0.50, 1])
    spec.add_material(name="steel", rgba=[0.72, 0.73, 0.75, 1], specular=0.2)
    spec.add_material(name="red", rgba=[0.85, 0.12, 0.10, 1])
    spec.add_material(name=WATER, emission=0.15)
