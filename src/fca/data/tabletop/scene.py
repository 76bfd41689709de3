"""Descriptions of tiny tabletop videos: what stands where, and what moves.

`sample.py` draws a `Scene` from a random generator; `pose` gives the positions of the target, the hand or gripper and
the camera at a phase in [0, 1]; `draw.py` renders the pixels.

The unit of length is the frame height. `y` runs from 0 at the top to 1 at the bottom of the frame. `x` is measured from
the vertical centre line: a frame of native aspect `a` (width / height) shows `-a/2 <= x <= a/2`. Everything that
matters stays within a 4:3 frame.

At phase 0 a scene and its opposite (`dataclasses.replace(scene, motion=OPPOSITE[scene.motion])`) have the same pose:
the first frame does not tell which way things will move.
"""

import math
from dataclasses import dataclass

STYLES: tuple[str, ...] = ("ssv2", "bridge", "epic")
MOTIONS: tuple[str, ...] = ("left", "right", "up", "down", "pan_left", "pan_right")
OPPOSITE = dict(zip(MOTIONS, ("right", "left", "down", "up", "pan_right", "pan_left"), strict=True))
STYLE_MOTIONS: dict[str, tuple[str, ...]] = {"ssv2": MOTIONS, "bridge": MOTIONS[:4], "epic": MOTIONS}

Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "red": (208, 40, 44),
    "green": (38, 150, 70),
    "blue": (36, 84, 200),
    "yellow": (244, 208, 40),
    "purple": (134, 58, 168),
    "orange": (242, 124, 24),
}
SHAPES: tuple[str, ...] = ("block", "ball", "cup", "bowl")
HALF_WIDTH: dict[str, float] = {"block": 0.46, "ball": 0.48, "cup": 0.46, "bowl": 0.60}
"""Half of a shape's width, in units of the item's size."""
TOP: dict[str, float] = {"block": -0.46, "ball": -0.46, "cup": -0.46, "bowl": -0.16}
"""Upper end of a shape relative to the item's centre, in units of the item's size (the lower end is +0.5)."""

APPROACH = 0.15
"""Share of the phase in which a pushing hand goes from the top of the target to its side."""


@dataclass(frozen=True)
class Item:
    """One object: names of colour and shape; centre and size in frame heights, the foot at y + size / 2."""

    colour: str
    shape: str
    x: float
    y: float
    size: float

    @property
    def name(self) -> str:
        """What captions call it, e.g. `"red block"`."""
        return f"{self.colour} {self.shape}"

    @property
    def half_width(self) -> float:
        """Half of its width in frame heights."""
        return HALF_WIDTH[self.shape] * self.size


@dataclass(frozen=True)
class Poster:
    """A rectangle on the wall: centre x, half width, upper and lower end in frame heights; RGB colour."""

    x: float
    half_width: float
    top: float
    bottom: float
    colour: Colour


@dataclass(frozen=True)
class Backdrop:
    """Wall above `horizon`, table below it; colours are RGB in 0..255, lengths in frame heights.

    The table ends at `table_half_width` from the centre, which only a pan shows; beyond it lies the floor. `seam` is
    the spacing of board seams, 0 for none; `basin` draws a sink.
    """

    wall: Colour
    table: Colour
    floor: Colour
    horizon: float
    table_half_width: float
    seam: float
    basin: bool
    posters: tuple[Poster, ...]


@dataclass(frozen=True)
class Effector:
    """What moves things: kind `"hand"`, `"gripper"` or `"none"`; entry `"top"` or `"bottom"`.

    `skin` and `sleeve` are RGB; `lean` is the x at which the arm enters, relative to the finger tips.
    """

    kind: str
    entry: str
    skin: Colour
    sleeve: Colour
    lean: float


@dataclass(frozen=True)
class Camera:
    """A fixed view: zoom about the frame centre, then an offset (x, y) in frame heights. Never mirrored."""

    zoom: float = 1.0
    x: float = 0.0
    y: float = 0.0


CAMERAS: tuple[Camera, ...] = (Camera(), Camera(0.85, 0.05, 0.035), Camera(0.93, -0.04, -0.02))
"""The three views of the bridge style; the other styles use the first."""


@dataclass(frozen=True)
class Scene:
    """One clip. `verb` is the manner: `push` or `slide` (left, right), `hold` (up, down), `pan`.

    `extent`: how far the target (or, for pans, the world) travels. `haste` in [0.85, 1.2] bends time (below 1: fast
    first). `smoothness` in [0, 1] blends a steady speed with ease-in and ease-out. `sway`: x amplitude, y amplitude,
    cycles and offset of the smooth head motion. Lengths are in frame heights.
    """

    style: str
    motion: str
    verb: str
    items: tuple[Item, ...]
    target: int
    backdrop: Backdrop
    effector: Effector
    camera: Camera
    extent: float
    haste: float
    smoothness: float
    sway: tuple[float, float, float, float]


@dataclass(frozen=True)
class Pose:
    """Where things are at one phase, in frame heights: target centre, finger tips, shift of the world."""

    target: tuple[float, float]
    tips: tuple[float, float]
    shift: tuple[float, float]


def _smooth(value: float) -> float:
    """Ease-in/ease-out on [0, 1], clamped outside."""
    value = min(max(value, 0.0), 1.0)
    return value * value * (3.0 - 2.0 * value)


def progress(scene: Scene, phase: float) -> float:
    """Share of the way done at a phase: 0 at 0, 1 at 1, never falling. A push starts after the approach."""
    value = min(max(phase, 0.0), 1.0)
    if scene.verb == "push":
        value = max(value - APPROACH, 0.0) / (1.0 - APPROACH)
    value **= scene.haste
    return (1.0 - scene.smoothness) * value + scene.smoothness * _smooth(value)


def ground(scene: Scene) -> float:
    """Height (y) of the table point on which the target stands, or above which it is held."""
    item = scene.items[scene.target]
    return item.y + 0.5 * item.size + (scene.extent if scene.verb == "hold" else 0.0)


def pose(scene: Scene, phase: float) -> Pose:
    """Target, finger tips and camera at a phase in [0, 1]; at 0 the same for a scene and its opposite."""
    item = scene.items[scene.target]
    done = progress(scene, phase) * scene.extent
    x, y = item.x, item.y
    sign = -1.0 if scene.motion in ("left", "up", "pan_right") else 1.0
    amplitude_x, amplitude_y, cycles, offset = scene.sway
    angle = 2.0 * math.pi * (cycles * phase + offset)
    shift_x, shift_y = (amplitude_x * math.sin(angle), amplitude_y * math.cos(1.3 * angle))
    if scene.verb == "pan":
        rest_x = item.x + math.copysign(0.34, scene.effector.lean)
        return Pose((x, y), (rest_x, 0.86), (shift_x + sign * done, shift_y))
    if scene.verb == "hold":
        y += sign * done
    else:
        x += sign * done
    from_top = scene.effector.entry == "top"
    top = y + TOP[item.shape] * item.size
    tips_x, tips_y = x, top + 0.16 * item.size if from_top else y + 0.34 * item.size
    if scene.verb == "push" and phase > 0.0:
        aside = _smooth(phase / APPROACH)
        beside_y = y + 0.30 * item.size if from_top else y + 0.05 * item.size
        tips_x = x - sign * aside * (item.half_width + 0.055)
        tips_y += aside * (beside_y - tips_y) - (0.05 if from_top else -0.05) * math.sin(math.pi * aside)
    return Pose((x, y), (tips_x, tips_y), (shift_x, shift_y))
