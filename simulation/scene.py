"""What the hand's places share: an empty scene, textures, turned meshes, and a camera that films."""

import mujoco
import numpy as np
from numpy.typing import NDArray

from simulation.episode import Frames, Positions

Array = NDArray[np.float64]
FINER = 2
"""Frames are rendered this many times wider and higher, then averaged: on a CPU cheaper than multisampling."""
SHADOWED = 1.0  # metres around the point that the sun shines to
FLAGS_OFF = (mujoco.mjtRndFlag.mjRND_REFLECTION, mujoco.mjtRndFlag.mjRND_SKYBOX, mujoco.mjtRndFlag.mjRND_HAZE)


def empty(timestep: float) -> mujoco.MjSpec:
    """Return an empty scene with soft light from the camera."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    furnish(spec, timestep)
    return spec


def furnish(spec: mujoco.MjSpec, timestep: float) -> None:
    """Set the time step, light, and how fine shadows and round shapes are, which is most of the cost."""
    spec.option.timestep, spec.option.iterations = timestep, 30
    quality, near = spec.visual.quality, spec.visual.map
    quality.shadowsize, quality.offsamples = 768, 0
    quality.numslices, quality.numstacks, quality.numquads = 20, 10, 2
    near.znear, near.zfar, near.shadowclip = 0.02, 12, SHADOWED
    spec.visual.headlight.ambient = [0.38] * 3
    spec.visual.headlight.diffuse = [0.28] * 3
    spec.visual.headlight.specular = [0.0] * 3
    spec.stat.extent = 1.0


def add_sun(spec: mujoco.MjSpec, position: Array, towards: Array, strength: float) -> None:
    """Add the light that casts shadows, for a metre around the point it shines to."""
    ray = np.asarray(towards, float) - np.asarray(position, float)
    spec.worldbody.add_light(
        name="sun", directional=True, pos=np.asarray(towards) - 1.2 * ray / np.linalg.norm(ray), dir=ray,
        diffuse=[strength] * 3, specular=[0.15] * 3, castshadow=True,
    )  # fmt: skip


class Camera:
    """A free camera. Use it as a context manager: it holds memory of the graphics library."""

    def __init__(self, model: mujoco.MjModel, width: int, height: int) -> None:
        model.vis.global_.offwidth, model.vis.global_.offheight = FINER * width, FINER * height
        self.model = model
        self.renderer = mujoco.Renderer(model, FINER * height, FINER * width)
        self.view = mujoco.MjvCamera()

    def __enter__(self) -> "Camera":
        return self

    def __exit__(self, *_: object) -> None:
        self.renderer.close()

    def frame(self, data: mujoco.MjData, view: Positions) -> Frames:
        """Render what is seen from (point looked at, distance, azimuth, elevation, vertical field of view)."""
        self.view.lookat[:] = view[:3]
        self.view.distance, self.view.azimuth, self.view.elevation = view[3:6]
        self.model.vis.global_.fovy = view[6]
        self.renderer.update_scene(data, self.view)
        for flag in FLAGS_OFF:
            self.renderer.scene.flags[flag] = 0
        fine = self.renderer.render().astype(np.uint16)
        height, width = fine.shape[0] // FINER, fine.shape[1] // FINER
        blocks = fine.reshape(height, FINER, width, FINER, 3).sum(axis=(1, 3))
        return ((blocks + FINER**2 // 2) // FINER**2).astype(np.uint8)


def lathe(profile: list[tuple[float, float]], sides: int = 32) -> dict[str, list[float] | list[int]]:
    """Return vertices and faces, for `MjSpec.add_mesh`, of a profile (radius, height) turned about the z axis.

    The profile runs so that the outside is at its right hand, like (0, 0), (r, 0), (r, h), (0, h).
    """
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    vertices = np.concatenate(
        [np.column_stack([circle * max(radius, 1e-5), np.full(sides, height)]) for radius, height in profile]
    )
    faces = []
    for ring in range(len(profile) - 1):
        for side in range(sides):
            a, b = ring * sides + side, ring * sides + (side + 1) % sides
            faces += [(a, b, b + sides), (a, b + sides, a + sides)]
    return {"uservert": vertices.ravel().tolist(), "userface": np.array(faces).ravel().tolist()}


def add_surface(spec: mujoco.MjSpec, name: str, size: int = 256) -> None:
    """Add a material with a texture whose pixels `paint` sets in the compiled model."""
    spec.add_texture(
        name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT, width=size,
        height=size, rgb1=[1, 1, 1], rgb2=[1, 1, 1],
    )  # fmt: skip
    material = spec.add_material(name=name, specular=0.1, shininess=0.1)
    material.textures[int(mujoco.mjtTextureRole.mjTEXROLE_RGB)] = name


def paint(model: mujoco.MjModel, name: str, pixels: Frames) -> None:
    """Set a texture's pixels."""
    texture = model.texture(name).id
    start = model.tex_adr[texture]
    model.tex_data[start : start + pixels.size] = pixels.ravel()


def wood(random: np.random.Generator, colour: Array, size: int = 256) -> Frames:
    """Return pixels of planks: grain along the first axis, seams across the second."""
    across = np.arange(size)
    grain = sum(
        random.uniform(0.3, 1) * np.sin(2 * np.pi * (across * k / size + random.uniform()))
        for k in random.integers(3, 40, 12)
    )
    along = np.arange(size)[:, None] / size
    wave = 0.5 * np.sin(2 * np.pi * (2 * along + random.uniform())) + 0.3 * np.sin(2 * np.pi * 5 * along)
    columns = (across[None, :] + 3 * wave).astype(int) % size
    tone = 1 + 0.022 * grain[columns]
    planks = np.repeat(random.uniform(0.94, 1.06, 4), size // 4)
    seams = np.where(across % (size // 4) < 1, 0.8, 1.0)
    return np.clip(colour * 255 * (tone * planks * seams)[:, :, None], 0, 255).astype(np.uint8)


def speckle(random: np.random.Generator, colour: Array, size: int = 256) -> Frames:
    """Return pixels of a plain surface with soft blotches, like cloth or stone."""
    coarse = random.normal(size=(16, 16))
    at = np.arange(size) * 16 / size
    low, share = at.astype(int), (at % 1)
    high = (low + 1) % 16
    rows = coarse[low] * (1 - share)[:, None] + coarse[high] * share[:, None]
    soft = rows[:, low] * (1 - share) + rows[:, high] * share
    return np.clip(colour * 255 * (1 + 0.03 * soft)[:, :, None], 0, 255).astype(np.uint8)
