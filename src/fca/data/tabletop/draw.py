"""Pixels of a tabletop `Scene`: flat colours, gentle gradients and antialiased edges, drawn with Pillow.

Everything is a polygon in scene coordinates (see `scene.py`), drawn supersampled and reduced by a box filter: a frame
is a pure function of the scene, the phase and the size. With `aspect`, x and y are scaled independently: a 96x64 render
with `aspect=4/3` looks like a 640x480 one stretched to 96x64.
"""

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from fca.data.tabletop.scene import COLOURS, Colour, Item, Pose, Scene, ground, pose

_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (0, 0, 0)
_Point = tuple[float, float]


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    """`one` with `share` in [0, 1] of `other`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _arc(x: float, y: float, radius_x: float, radius_y: float, start: float, stop: float, count: int) -> list[_Point]:
    """Points on an ellipse, angles in turns: 0 = right, 0.25 = down."""
    step = 2.0 * math.pi * (stop - start) / (count - 1)
    first = 2.0 * math.pi * start
    angles = [first + step * index for index in range(count)]
    return [(x + radius_x * math.cos(angle), y + radius_y * math.sin(angle)) for angle in angles]


class _Canvas:
    """A supersampled RGB picture addressed in scene coordinates."""

    def __init__(self, scene: Scene, at: Pose, width: int, height: int, aspect: float) -> None:
        self.oversampling = 4 if width * height <= 128 * 96 else (3 if width * height <= 480 * 272 else 2)
        self.size = (width * self.oversampling, height * self.oversampling)
        zoom, camera = scene.camera.zoom, scene.camera
        scale_x, scale_y = self.size[0] / aspect, float(self.size[1])
        self.scale = (zoom * scale_x, zoom * scale_y)
        self.origin = (
            (aspect / 2.0 + camera.x + at.shift[0]) * scale_x,
            (0.5 - 0.5 * zoom + camera.y + at.shift[1]) * scale_y,
        )
        half = (aspect / 2.0) / zoom
        centre = -(camera.x + at.shift[0]) / zoom
        self.left, self.right = centre - half, centre + half
        self.image = self._background(scene)
        self.draw = ImageDraw.Draw(self.image)

    def _background(self, scene: Scene) -> Image.Image:
        """Wall over table, with a gentle vertical gradient on each."""
        backdrop = scene.backdrop
        y = (np.arange(self.size[1]) + 0.5 - self.origin[1]) / self.scale[1]
        above = (y < backdrop.horizon)[:, None]
        share = np.clip(y / backdrop.horizon, 0.0, 1.0)[:, None]
        wall = np.asarray(backdrop.wall) * (0.93 + 0.07 * share)
        share = np.clip((y - backdrop.horizon) / (1.0 - backdrop.horizon), 0.0, 1.0)[:, None]
        table = np.asarray(backdrop.table) * (0.90 + 0.13 * share)
        column = np.where(above, wall, table).round().clip(0, 255).astype(np.uint8)
        return Image.fromarray(column[:, None, :]).resize(self.size, Image.Resampling.NEAREST)

    def polygon(self, points: Sequence[_Point], colour: Colour) -> None:
        """Fill a polygon in scene coordinates."""
        (scale_x, scale_y), (origin_x, origin_y) = self.scale, self.origin
        self.draw.polygon([(x * scale_x + origin_x, y * scale_y + origin_y) for x, y in points], fill=colour)

    def rectangle(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fill an upright rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def ellipse(self, x: float, y: float, radius_x: float, radius_y: float, colour: Colour) -> None:
        """Fill an upright ellipse."""
        self.polygon(_arc(x, y, radius_x, radius_y, 0.0, 1.0, 33), colour)

    def limb(self, start: _Point, end: _Point, start_radius: float, end_radius: float, colour: Colour) -> None:
        """Fill a tapered stick with round ends."""
        turn = math.atan2(end[1] - start[1], end[0] - start[0]) / (2.0 * math.pi)
        far = _arc(*end, end_radius, end_radius, turn - 0.25, turn + 0.25, 9)
        near = _arc(*start, start_radius, start_radius, turn + 0.25, turn + 0.75, 9)
        self.polygon(far + near, colour)

    def finish(self) -> np.ndarray:
        """The frame, reduced to its size: uint8 (height, width, 3)."""
        return np.asarray(self.image.reduce(self.oversampling))


def _draw_backdrop(canvas: _Canvas, scene: Scene) -> None:
    """Posters, board seams or sink, the table's back edge and, at the sides, the floor beyond the table."""
    backdrop = scene.backdrop
    horizon, half_width = backdrop.horizon, backdrop.table_half_width
    for poster in backdrop.posters:
        if poster.x + poster.half_width > canvas.left and poster.x - poster.half_width < canvas.right:
            box = (poster.x - poster.half_width, poster.top, poster.x + poster.half_width, poster.bottom)
            canvas.rectangle(*box, _mix(poster.colour, _BLACK, 0.12))
            canvas.rectangle(box[0] + 0.014, box[1] + 0.014, box[2] - 0.014, box[3] - 0.014, poster.colour)
    if backdrop.seam:
        colour = _mix(backdrop.table, _BLACK, 0.10)
        count = int(half_width / backdrop.seam)
        for index in range(-count, count + 1):
            x = index * backdrop.seam
            far, near = (x - 0.005, x + 0.005), (1.3 * x + 0.009, 1.3 * x - 0.009)
            canvas.polygon([*((end, horizon) for end in far), *((end, 1.2) for end in near)], colour)
    if backdrop.basin:
        colour = _mix(backdrop.table, _BLACK, 0.10)
        canvas.polygon([(-0.56, 0.50), (0.56, 0.50), (0.70, 1.3), (-0.70, 1.3)], _mix(backdrop.table, _WHITE, 0.22))
        canvas.polygon([(-0.53, 0.525), (0.53, 0.525), (0.66, 1.3), (-0.66, 1.3)], colour)
    for sign in (-1.0, 1.0):
        if max(-canvas.left, canvas.right) > half_width:
            inner = [(sign * 1.25 * half_width, 1.3), (sign * half_width, horizon)]
            canvas.polygon([*inner, (sign * 9.0, horizon), (sign * 9.0, 1.3)], backdrop.floor)
    canvas.rectangle(-half_width, horizon - 0.012, half_width, horizon + 0.012, _mix(backdrop.table, _BLACK, 0.28))


def _draw_shadow(canvas: _Canvas, scene: Scene, item: Item, x: float, y: float, height: float) -> None:
    """Shadow on the table at (x, y) of an item held `height` above: the higher, the fainter and wider."""
    depth = 0.34 / (1.0 + 1.6 * height)
    radius = item.half_width * (1.06 + 0.25 * height)
    table = scene.backdrop.table
    canvas.ellipse(x, y, 1.12 * radius, 0.36 * radius, _mix(table, _BLACK, 0.5 * depth))
    canvas.ellipse(x, y, radius, 0.29 * radius, _mix(table, _BLACK, depth))


def _draw_item(canvas: _Canvas, item: Item, x: float, y: float) -> None:
    """An item with its centre at (x, y)."""
    size, main = item.size, COLOURS[item.colour]
    light, dark = _mix(main, _WHITE, 0.32), _mix(main, _BLACK, 0.30)
    foot = y + 0.5 * size

    if item.shape == "block":
        lid = y - 0.24 * size
        canvas.rectangle(x - 0.46 * size, lid, x + 0.46 * size, foot, main)
        corners = [(x - 0.46 * size, lid), (x - 0.34 * size, y - 0.46 * size)]
        canvas.polygon(corners + [(2 * x - a, b) for a, b in reversed(corners)], light)
    elif item.shape == "ball":
        canvas.ellipse(x, y + 0.02 * size, 0.48 * size, 0.48 * size, dark)
        canvas.ellipse(x, y - 0.02 * size, 0.46 * size, 0.44 * size, main)
        canvas.ellipse(x - 0.14 * size, y - 0.19 * size, 0.14 * size, 0.11 * size, light)
    elif item.shape == "cup":
        handle = _arc(x + 0.30 * size, y, 0.24 * size, 0.24 * size, -0.25, 0.25, 13)
        hollow = _arc(x + 0.30 * size, y, 0.13 * size, 0.13 * size, 0.25, -0.25, 13)
        canvas.polygon(handle + hollow, dark)
        body = _arc(x - 0.06 * size, foot - 0.07 * size, 0.27 * size, 0.07 * size, 0.0, 0.5, 9)
        body += [(x - 0.44 * size, y - 0.36 * size), (x + 0.32 * size, y - 0.36 * size)]
        canvas.polygon(body, main)
        canvas.ellipse(x - 0.06 * size, y - 0.36 * size, 0.38 * size, 0.10 * size, light)
        canvas.ellipse(x - 0.06 * size, y - 0.35 * size, 0.30 * size, 0.065 * size, dark)
    else:
        brim = y - 0.04 * size
        body = _arc(x, brim, 0.60 * size, 0.54 * size, 0.0, 0.5, 21)
        canvas.polygon(body, main)
        canvas.ellipse(x, brim, 0.60 * size, 0.13 * size, light)
        canvas.ellipse(x, brim + 0.01 * size, 0.50 * size, 0.09 * size, dark)


def _draw_hand(canvas: _Canvas, scene: Scene, at: Pose) -> None:
    """An arm that enters at the top or bottom edge and ends in four fingers and a thumb at the tips."""
    effector = scene.effector
    tip_x, tip_y = at.tips
    rest_x = scene.items[scene.target].x if scene.verb != "pan" else tip_x
    base = (rest_x + effector.lean + 0.85 * (tip_x - rest_x), -0.25 if effector.entry == "top" else 1.25)
    length = math.hypot(tip_x - base[0], tip_y - base[1])
    along = ((tip_x - base[0]) / length, (tip_y - base[1]) / length)
    thumb_side = 1.0 if effector.lean < 0.0 else -1.0

    def point(back: float, side: float) -> _Point:
        """A point `back` behind the tips and `side` to the side of the arm's axis."""
        return tip_x - back * along[0] - side * along[1], tip_y - back * along[1] + side * along[0]

    skin, seam = effector.skin, _mix(effector.skin, _BLACK, 0.16)
    cuff = 0.20 if scene.style == "epic" else 0.30
    canvas.limb(base, point(0.16, 0.0), 0.060, 0.048, skin)
    canvas.limb(base, point(cuff, 0.0), 0.085, 0.066, effector.sleeve)
    hem = _mix(effector.sleeve, _BLACK, 0.2)
    canvas.limb(point(cuff + 0.01, -0.052), point(cuff + 0.01, 0.052), 0.014, 0.014, hem)
    canvas.limb(point(0.115, thumb_side * 0.04), point(0.045, thumb_side * 0.082), 0.022, 0.017, seam)
    canvas.limb(point(0.135, 0.0), point(0.085, 0.0), 0.052, 0.058, skin)
    for side, back in ((-0.045, 0.020), (-0.015, 0.004), (0.015, 0.0), (0.045, 0.016)):
        canvas.limb(point(0.08, side), point(back + 0.014, side), 0.016, 0.014, skin)
    for side in (-0.030, 0.0, 0.030):
        canvas.limb(point(0.085, side), point(0.022, side), 0.004, 0.004, seam)


def _draw_gripper(canvas: _Canvas, scene: Scene, at: Pose) -> None:
    """A dark two-finger gripper on a straight wrist from above: around a held item, else nearly closed."""
    effector, item = scene.effector, scene.items[scene.target]
    tip_x, tip_y = at.tips
    opening, reach = 0.028, 0.11
    if scene.verb == "hold":
        opening, reach = item.half_width + 0.012, 0.16
        tip_y += 0.22 * item.size
    light = _mix(effector.skin, _WHITE, 0.25)
    palm = tip_y - reach
    base = (item.x + effector.lean + 0.9 * (tip_x - item.x), -0.4)
    canvas.limb(base, (tip_x, palm - 0.10), 0.075, 0.060, effector.sleeve)
    canvas.limb((tip_x, palm - 0.15), (tip_x, palm - 0.05), 0.052, 0.052, light)
    half = max(opening + 0.022, 0.075)
    canvas.limb((tip_x - half + 0.03, palm - 0.01), (tip_x + half - 0.03, palm - 0.01), 0.036, 0.036, effector.skin)
    for sign in (-1.0, 1.0):
        x = tip_x + sign * opening
        canvas.limb((x, palm), (x, tip_y - 0.016), 0.022, 0.017, effector.sleeve)


def render(scene: Scene, phase: float, width: int, height: int, aspect: float | None = None) -> np.ndarray:
    """One frame at a phase in [0, 1]: uint8 (height, width, 3) RGB.

    `aspect` is the native width / height; by default that of the frame. Another value stretches x to fit.
    """
    at, target, foot = pose(scene, phase), scene.items[scene.target], ground(scene)
    canvas = _Canvas(scene, at, width, height, width / height if aspect is None else aspect)
    _draw_backdrop(canvas, scene)
    feet = [foot if item is target else item.y + 0.5 * item.size for item in scene.items]
    centres = [at.target if item is target else (item.x, item.y) for item in scene.items]
    for item, (x, _), y in zip(scene.items, centres, feet, strict=True):
        lift = foot - at.target[1] - 0.5 * item.size if item is target else 0.0
        _draw_shadow(canvas, scene, item, x, y - 0.02 * item.size, lift)

    from_top = scene.effector.entry == "top"
    draw_effector = {"hand": _draw_hand, "gripper": _draw_gripper}.get(scene.effector.kind)
    for index in sorted(range(len(feet)), key=feet.__getitem__):
        _draw_item(canvas, scene.items[index], *centres[index])
        if index == scene.target and draw_effector and from_top:
            draw_effector(canvas, scene, at)
    if draw_effector and not from_top:
        draw_effector(canvas, scene, at)
    return canvas.finish()


def jpeg_bytes(frame: np.ndarray, quality: int) -> bytes:
    """A uint8 (height, width, 3) RGB frame as a JPEG file; the same frame, the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
