"""Tabletop scenes drawn from a random generator: the same generator state gives the same scene.

Only the kind of the motion (sideways, up or down, camera pan) decides what is drawn, not its direction: for `left` and
`right`, the same generator state gives the same scene except for `motion`.
"""

from typing import TypeVar

import numpy as np

from fca.data.tabletop.scene import (
    CAMERAS,
    COLOURS,
    SHAPES,
    STYLE_MOTIONS,
    TOP,
    Backdrop,
    Effector,
    Item,
    Poster,
    Scene,
)

Option = TypeVar("Option")

_WALLS = {
    "ssv2": ((222, 219, 210), (200, 210, 214), (214, 206, 188), (196, 206, 190), (206, 198, 206)),
    "bridge": ((206, 212, 214), (190, 198, 200), (216, 214, 206)),
    "epic": ((226, 226, 220), (208, 204, 190), (186, 200, 204), (214, 200, 186)),
}
_TABLES = {
    "ssv2": ((186, 158, 122), (164, 134, 100), (206, 196, 176), (150, 146, 140), (198, 178, 146)),
    "bridge": ((158, 166, 172), (176, 176, 172), (140, 150, 158), (186, 178, 162)),
    "epic": ((112, 96, 84), (142, 138, 132), (172, 150, 122), (96, 100, 104)),
}
_FLOORS = ((92, 84, 80), (74, 80, 86), (104, 98, 88))
_SKINS = ((232, 186, 156), (214, 164, 132), (176, 122, 90), (126, 84, 60))
_SLEEVES = (
    (60, 72, 92), (84, 112, 112), (108, 84, 88), (70, 74, 66), (220, 218, 214), (56, 54, 60),
)  # fmt: skip
_POSTERS = (
    (150, 170, 176), (176, 150, 140), (140, 156, 132), (236, 234, 228), (120, 124, 138), (196, 182, 140),
)  # fmt: skip


def _pick(rng: np.random.Generator, options: tuple[Option, ...]) -> Option:
    """One of the options, each as likely."""
    return options[int(rng.integers(len(options)))]


def _sample_backdrop(rng: np.random.Generator, style: str) -> Backdrop:
    """Wall, table, floor and posters of a style; posters reach far outside the frame, for the pans."""
    horizon = float(rng.uniform(0.30, 0.36))
    posters = []
    x = -2.0 + float(rng.uniform(0.0, 0.4))
    while x < 2.0:
        half_width = float(rng.uniform(0.09, 0.19))
        top = float(rng.uniform(-0.02, 0.08))
        bottom = horizon - float(rng.uniform(0.05, 0.12))
        posters.append(Poster(x, half_width, top, bottom, _pick(rng, _POSTERS)))
        x += half_width + float(rng.uniform(0.32, 0.62))
    return Backdrop(
        wall=_pick(rng, _WALLS[style]),
        table=_pick(rng, _TABLES[style]),
        floor=_pick(rng, _FLOORS),
        horizon=horizon,
        table_half_width=float(rng.uniform(0.95, 1.15)),
        seam=float(rng.uniform(0.34, 0.5)) if style != "bridge" and rng.random() < 0.7 else 0.0,
        basin=style == "bridge" and bool(rng.random() < 0.6),
        posters=tuple(posters),
    )


def _sample_effector(rng: np.random.Generator, style: str, verb: str) -> Effector:
    """A gripper for bridge, a hand for the others; in pans a resting hand at the bottom edge, or none."""
    skin, sleeve = _pick(rng, _SKINS), _pick(rng, _SLEEVES)
    side = -1.0 if rng.random() < 0.5 else 1.0
    if style == "bridge":
        return Effector("gripper", "top", (70, 72, 76), (46, 48, 52), side * float(rng.uniform(0.0, 0.05)))
    if verb == "pan":
        kind = "hand" if rng.random() < 0.4 else "none"
        return Effector(kind, "bottom", skin, sleeve, side * float(rng.uniform(0.0, 0.1)))
    from_top = style == "ssv2" and (verb == "hold" or bool(rng.random() < 0.5))
    reach = (0.30, 0.40) if verb == "hold" and not from_top else (0.04, 0.14)
    return Effector("hand", "top" if from_top else "bottom", skin, sleeve, side * float(rng.uniform(*reach)))


def _box(item: Item, reach_x: float = 0.0, reach_y: float = 0.0) -> tuple[float, float, float, float]:
    """Outline (left, right, top, bottom) of an item that may travel by the reaches either way."""
    left, right = item.x - item.half_width - reach_x, item.x + item.half_width + reach_x
    top = item.y + TOP[item.shape] * item.size - reach_y
    return left, right, top, item.y + 0.5 * item.size + reach_y


def _apart(one: tuple[float, float, float, float], other: tuple[float, float, float, float], gap: float) -> bool:
    """Whether two outlines keep a gap, sideways or in height."""
    sideways = one[1] + gap < other[0] or other[1] + gap < one[0]
    return sideways or one[3] + gap < other[2] or other[3] + gap < one[2]


def _sample_items(
    rng: np.random.Generator, style: str, verb: str, extent: float, entry: str
) -> tuple[tuple[Item, ...], int]:
    """2 or 3 items of distinct colours and the target's index.

    They keep clear of each other, of the target's whole path in both directions and, for sideways motions, of the
    spot where the arm enters.
    """
    count = int(rng.integers(2, 4))
    colours = [list(COLOURS)[int(index)] for index in rng.permutation(len(COLOURS))[:count]]
    shapes = [SHAPES[int(rng.integers(len(SHAPES)))] for _ in range(count)]
    sizes = [float(rng.uniform(0.24 if style == "bridge" else 0.225, 0.265)) for _ in range(count)]
    sideways = verb in ("push", "slide")
    half, (low, high) = {"hold": (0.10, (0.49, 0.51)), "pan": (0.08, (0.52, 0.76))}.get(verb, (0.04, (0.57, 0.60)))
    target = Item(colours[0], shapes[0], float(rng.uniform(-half, half)), float(rng.uniform(low, high)), sizes[0])
    reach = (extent if sideways else 0.0, extent if verb == "hold" else 0.0)
    items, boxes = [target], [_box(target, *reach)]
    while len(items) < count:
        index = len(items)
        x, y = float(rng.uniform(-0.50, 0.50)), float(rng.uniform(0.42, 0.84))
        if sideways:
            in_front = bool(rng.random() < 0.5)
            y = float(rng.uniform(0.83, 0.85) if in_front else rng.uniform(0.31, 0.33))
            if in_front == (entry == "bottom") and abs(x) < 0.28:
                continue
        item = Item(colours[index], shapes[index], x, y, sizes[index])
        if all(_apart(_box(item), box, 0.0 if sideways else 0.03) for box in boxes):
            items.append(item)
            boxes.append(_box(item))
    order = [int(index) for index in rng.permutation(count)]
    return tuple(items[index] for index in order), order.index(0)


def sample_scene(rng: np.random.Generator, style: str, motion: str | None = None) -> Scene:
    """A scene of a style (one of `STYLES`), with the requested motion or any that the style has."""
    if motion is None:
        motion = str(_pick(rng, STYLE_MOTIONS[style]))
    if motion not in STYLE_MOTIONS[style]:
        raise ValueError(f"style {style!r} has no motion {motion!r}; one of {STYLE_MOTIONS[style]}")
    if motion in ("pan_left", "pan_right"):
        verb, extents = "pan", (0.46, 0.54) if style == "epic" else (0.40, 0.50)
    elif motion in ("up", "down"):
        verb, extents = "hold", (0.26, 0.30)
    else:
        verb = "push" if style == "ssv2" or rng.random() < 0.5 else "slide"
        extents = (0.45, 0.54) if style == "epic" else (0.38, 0.46)

    # The order of the draws is part of the result.
    extent = float(rng.uniform(*extents))
    effector = _sample_effector(rng, style, verb)
    items, target = _sample_items(rng, style, verb, extent, effector.entry)
    sway = (0.0, 0.0, 0.0, 0.0)
    if style == "epic":
        x, y = float(rng.uniform(0.005, 0.014)), float(rng.uniform(0.004, 0.010))
        sway = (x, y, float(rng.uniform(0.6, 1.4)), float(rng.uniform(0.0, 1.0)))
    return Scene(
        style=style,
        motion=motion,
        verb=verb,
        items=items,
        target=target,
        backdrop=_sample_backdrop(rng, style),
        effector=effector,
        camera=CAMERAS[int(rng.integers(len(CAMERAS)))] if style == "bridge" else CAMERAS[0],
        extent=extent,
        haste=float(rng.uniform(0.85, 1.2)),
        smoothness=float(rng.uniform(0.4, 1.0)),
        sway=sway,
    )


def even_motions(rng: np.random.Generator, style: str, count: int) -> list[str]:
    """`count` motions of a style in random order, each as often as any other, give or take one."""
    motions = STYLE_MOTIONS[style]
    whole = [motions[index % len(motions)] for index in range(count)]
    return [whole[int(index)] for index in rng.permutation(count)]


def lengths(
    rng: np.random.Generator, count: int, usual: tuple[int, int], long: tuple[int, int], extremes: tuple[bool, bool]
) -> list[int]:
    """`count` numbers of frames within `usual`, but if `extremes` ask for them one of 12 and one within `long`."""
    found = [int(length) for length in rng.integers(usual[0], usual[1] + 1, size=count)]
    order = rng.permutation(count)
    if extremes[0]:
        found[order[0]] = 12
    if extremes[1]:
        found[order[1]] = int(rng.integers(long[0], long[1] + 1))
    return found
