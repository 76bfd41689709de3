"""The Adroit hand of gymnasium-robotics, on a free body that is moved along a path.

The hand's frame: x along the fingers, y towards the thumb, z out of the back of the hand; its origin is the point
between palm and fingertips at which it holds things. Meshes and joints are the Shadow hand's (Apache-2.0).
"""

import importlib.util
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from simulation.scene import lathe

HAND = "hand"
GRASP = np.array([0.007, -0.05, 0.07])  # in the palm's frame: x to the thumb, y out of the back, z to the fingers
WRIST_TO_PALM = np.array([0.0, 0.0, 0.034])
AXES = np.array([0.5, 0.5, 0.5, 0.5])
"""Quaternion of the palm's axes in the hand's frame: palm x -> y, palm y -> z, palm z -> x."""

FINGERS = {
    "ff": ("FFJ3", "FFJ2", "FFJ1", "FFJ0"),
    "mf": ("MFJ3", "MFJ2", "MFJ1", "MFJ0"),
    "rf": ("RFJ3", "RFJ2", "RFJ1", "RFJ0"),
    "lf": ("LFJ4", "LFJ3", "LFJ2", "LFJ1", "LFJ0"),
    "th": ("THJ4", "THJ3", "THJ2", "THJ1", "THJ0"),
}
JOINTS = tuple(joint for joints in FINGERS.values() for joint in joints)
RELAXED = dict.fromkeys(JOINTS, 0.0) | {
    "FFJ3": -0.05, "FFJ2": 0.25, "FFJ1": 0.3, "FFJ0": 0.15, "MFJ2": 0.3, "MFJ1": 0.35, "MFJ0": 0.2,
    "RFJ2": 0.35, "RFJ1": 0.4, "RFJ0": 0.2, "LFJ2": 0.4, "LFJ1": 0.4, "LFJ0": 0.25, "LFJ3": -0.1,
    "THJ4": 0.5, "THJ3": 0.4, "THJ1": -0.1, "THJ0": -0.25,
}  # fmt: skip
FLAT = dict.fromkeys(JOINTS, 0.05) | {
    "FFJ3": 0.0,
    "MFJ3": 0.0,
    "RFJ3": 0.0,
    "LFJ3": 0.0,
    "THJ4": 0.0,
    "THJ3": 0.0,
    "THJ1": 0.0,
    "THJ0": 0.0,
}
OPEN = RELAXED | {
    "FFJ2": 0.3, "FFJ1": 0.35, "MFJ2": 0.3, "MFJ1": 0.35, "RFJ2": 0.3, "RFJ1": 0.35, "LFJ2": 0.3, "LFJ1": 0.35,
    "THJ4": -1.0, "THJ3": 0.75, "THJ1": 0.1, "THJ0": 0.0,
}  # fmt: skip
FIST = RELAXED | {
    "FFJ2": 1.5, "FFJ1": 1.5, "FFJ0": 1.1, "MFJ2": 1.5, "MFJ1": 1.5, "MFJ0": 1.1, "RFJ2": 1.5, "RFJ1": 1.5,
    "RFJ0": 1.1, "LFJ2": 1.5, "LFJ1": 1.5, "LFJ0": 1.1, "THJ4": 0.1, "THJ3": 1.3, "THJ1": -0.5, "THJ0": -1.2,
}  # fmt: skip
POINT = FIST | {"FFJ3": 0.0, "FFJ2": 0.1, "FFJ1": 0.1, "FFJ0": 0.05}

FLESH = (
    ("V_wrist_flesh", "wrist", (0, 0, 0.01), (0.027, 0.018, 0.05)),
    ("V_palm_flesh", "palm", (0.006, -0.001, 0.05), (0.042, 0.017, 0.056)),
    ("V_heel_flesh", "palm", (-0.014, -0.004, 0.022), (0.026, 0.017, 0.04)),
    ("V_thumb_flesh", "palm", (0.022, -0.008, 0.032), (0.022, 0.018, 0.036)),
)
"""Ellipsoids that fill the gaps between the mechanical parts: name, body, position and half axes."""


def assets() -> Path:
    """Return the folder of gymnasium-robotics' models, without importing the package."""
    found = importlib.util.find_spec("gymnasium_robotics")
    assert found is not None, "gymnasium-robotics is missing: make simulation-env"
    assert found.origin is not None
    return Path(found.origin).parent / "envs" / "assets"


def add_hand(spec: mujoco.MjSpec, skin: NDArray[np.float64], sleeve: NDArray[np.float64]) -> None:
    """Add the hand to a scene as the free body `hand`, with a sleeve behind the wrist."""
    spec.add_material(name="skin", rgba=[*skin, 1], specular=0.15, shininess=0.2)
    spec.add_material(name="sleeve", rgba=[*sleeve, 1], specular=0.02, shininess=0.0)
    root = spec.worldbody.add_body(name=HAND, gravcomp=1, mass=100, inertia=[10, 10, 10], explicitinertial=True)
    root.add_freejoint(name=HAND)
    palm_to_hand = np.zeros(9)
    mujoco.mju_quat2Mat(palm_to_hand, AXES)
    offset = -palm_to_hand.reshape(3, 3) @ (GRASP + WRIST_TO_PALM)
    wrist = root.add_frame(pos=offset, quat=AXES).attach_body(model().body("wrist"), "", "")
    wrist.pos = [0, 0, 0]  # not at the end of the forearm, which is left out
    for body in [wrist, *wrist.find_all("body")]:
        body.gravcomp = 1
    for geom in wrist.find_all("geom"):
        if geom.name.startswith("V_"):
            geom.material = "skin"
            geom.group = 4 if any(part in geom.name for part in ("proximal", "middle", "distal")) else 1
        else:
            geom.contype, geom.conaffinity = 1, 0
            geom.material, geom.rgba = "skin", [0.5, 0.5, 0.5, 1]
            geom.group = 4 if geom.type == mujoco.mjtGeom.mjGEOM_BOX else 1
    for name, body, position, size in FLESH:
        spec.body(body).add_geom(
            name=name, type=mujoco.mjtGeom.mjGEOM_ELLIPSOID, pos=position, size=size, material="skin", contype=0,
            conaffinity=0, group=1,
        )  # fmt: skip
    profile = [(0, -0.9), (0.056, -0.9), (0.042, -0.2), (0.036, -0.06), (0.037, -0.03), (0.034, -0.022), (0, -0.022)]
    spec.add_mesh(name="sleeve", **lathe(profile))
    wrist.add_geom(
        name="V_sleeve", type=mujoco.mjtGeom.mjGEOM_MESH, meshname="sleeve", material="sleeve", contype=0,
        conaffinity=0, group=1,
    )  # fmt: skip


def model() -> mujoco.MjSpec:
    """Return the hand alone: wrist, palm and fingers, without motors, tendons and sensors."""
    folder = assets() / "adroit_hand"
    parts = ElementTree.parse(folder / "adroit_assets.xml").getroot()
    root = ElementTree.Element("mujoco")
    ElementTree.SubElement(root, "compiler", angle="radian", meshdir=str(folder / "resources" / "meshes"))
    for name in ("default", "asset"):
        part = parts.find(name)
        assert part is not None
        for geom in part.iter("geom"):
            geom.attrib.pop("material", None)
        for unused in [child for child in part if name == "asset" and child.tag != "mesh"]:
            part.remove(unused)
        root.append(part)
    world = ElementTree.SubElement(root, "worldbody")
    world.extend(ElementTree.parse(folder / "adroit_model.xml").getroot())
    spec = mujoco.MjSpec.from_string(ElementTree.tostring(root, encoding="unicode"))
    for joint in list(spec.joints):
        if joint.name.startswith("WR"):
            joint.delete()
        else:
            joint.armature = 100  # fingers push as if they were as heavy as the whole hand
    for site in list(spec.sites):
        site.delete()
    return spec
