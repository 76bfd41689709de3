"""The tables that the arm's tasks start from. Each function makes a scene from a seed's random numbers."""

from collections.abc import Callable

import numpy as np

from simulation.arm_world import COLOURS, Scene, add_object, base, paint

Colour = tuple[float, float, float]
HALF = 0.032
"""Half the width of a block."""


def colours(rng: np.random.Generator, count: int) -> list[tuple[str, Colour]]:
    """Draw different named colours, each a little lighter or darker, more or less of a kind."""
    names = rng.permutation(list(COLOURS))[:count]
    shades = np.clip([np.array(COLOURS[name]) * rng.uniform(0.85, 1.1) + rng.uniform(-0.03, 0.03, 3) for name in names],
                     0, 1)  # fmt: skip
    return [(str(name), tuple(map(float, shade))) for name, shade in zip(names, shades, strict=True)]


def above(rng: np.random.Generator, x: float, y: float, z: float, spread: float = 0.03) -> np.ndarray:
    """A start of the effector near a point."""
    return np.array([x, y, z]) + rng.uniform(-spread, spread, 3) * [1, 1, 0.7]


def blocks(rng: np.random.Generator) -> Scene:
    """A block or can to push or pick up, and another object that stays where it is."""
    spec = base("sawyer_pick_place_v3.xml", rng)
    spec.detach_body(spec.body("obj"))
    (name, colour), (_, other_colour) = colours(rng, 2)
    shape, other_shape = rng.choice(["block", "can"], 2)
    position = rng.uniform([-0.07, 0.58], [0.07, 0.66])
    side = np.array([(-1, -1), (1, -1), (1, 1)])[rng.integers(3)]  # not behind the gripper
    other = position + side * rng.uniform([0.17, 0.09], [0.2, 0.13])
    add_object(spec, "target", shape, HALF, colour, tuple(position))
    add_object(spec, "other", other_shape, HALF * 0.8, other_colour, tuple(other))
    start = above(rng, *(position - [0.0, 0.1]), 0.2, 0.02)
    return Scene(spec, start, {"target": "target", "other": "other"}, {"target": colour, "other": other_colour},
                 {"object": f"{name} {shape}"}, turned=True, look_at=(0.0, 0.63, 0.06),
                 view=(0.7, 108, -38))  # fmt: skip


def held(rng: np.random.Generator) -> Scene:
    """A block or can in the gripper above the table, and another object on it."""
    spec = base("sawyer_pick_place_v3.xml", rng)
    spec.detach_body(spec.body("obj"))
    (name, colour), (_, other_colour) = colours(rng, 2)
    shape, other_shape = rng.choice(["block", "can"], 2)
    position = rng.uniform([-0.1, 0.56], [0.1, 0.68])
    other = position + np.array([rng.choice([-1, 1]), -1]) * rng.uniform([0.1, 0.02], [0.15, 0.08])
    add_object(spec, "target", shape, HALF * 0.9, colour, tuple(position))
    add_object(spec, "other", other_shape, HALF * 0.9, other_colour, tuple(other))
    return Scene(spec, np.array([*position, rng.uniform(0.11, 0.14)]), {"target": "target", "other": "other"},
                 {"target": colour, "other": other_colour}, {"object": f"{name} {shape}"}, held="target", turned=True,
                 look_at=(0.0, 0.63, 0.13), view=(0.75, 115, -28))  # fmt: skip


def boxes(rng: np.random.Generator) -> Scene:
    """A block or can in the gripper above two boxes."""
    spec = base("sawyer_bin_picking.xml", rng)
    spec.detach_body(spec.body("obj"))
    (name, colour), (left, left_colour), (right, right_colour) = colours(rng, 3)
    shape = str(rng.choice(["block", "can"]))
    paint(spec, "bin_red", left_colour)
    x, y = rng.uniform([-0.02, 0.64], [0.02, 0.68])
    for box, side, box_colour in (("bin_start", -1, left_colour), ("bin_goal", 1, right_colour)):
        spec.body(box).pos = [x + side * 0.125, y, 0]
        for geom in spec.body(box).find_all("geom"):
            if geom.group != 4:
                geom.material, geom.rgba = "", [*box_colour, 1]
    add_object(spec, "target", shape, 0.027, colour, (0.0, 0.4))
    start = np.array([x, y, 0.17]) + rng.uniform(-0.02, 0.02, 3)
    return Scene(spec, start, {"target": "target", "left box": "bin_start", "right box": "bin_goal"},
                 {"target": colour, "left box": left_colour, "right box": right_colour},
                 {"object": f"{name} {shape}", "left": f"{left} box", "right": f"{right} box"}, held="target",
                 turned=True, look_at=(0.0, 0.66, 0.1), view=(0.78, 108, -40))  # fmt: skip


def drawer(rng: np.random.Generator) -> Scene:
    """A half open drawer."""
    spec = base("sawyer_drawer.xml", rng)
    (name, colour), *_ = colours(rng, 1)
    paint(spec, "drawer_beige", colour)
    x, y = rng.uniform([-0.08, 0.83], [0.08, 0.87])
    spec.body("drawer").pos = [x, y, 0]
    opened = rng.uniform(0.065, 0.095)
    start = above(rng, x, y - 0.27 - opened, 0.2)
    return Scene(spec, start, {"drawer": "geom objGeom"}, {"drawer": colour}, {"object": f"{name} drawer"},
                 {"goal_slidey": -opened}, look_at=(x * 0.8, 0.69, 0.08), view=(0.7, 135, -33))  # fmt: skip


def door(rng: np.random.Generator) -> Scene:
    """A cabinet whose door is half open."""
    spec = base("sawyer_door_pull.xml", rng)
    (name, colour), *_ = colours(rng, 1)
    paint(spec, "dl_metal2", colour)
    x, y = rng.uniform([-0.02, 0.84], [0.1, 0.88])
    spec.body("door").pos = [x, y, 0.15]
    angle = rng.uniform(0.6, 0.85)
    start = above(rng, x - 0.1, y - 0.36, 0.24)
    return Scene(spec, start, {"door": "geom handle"}, {"door": colour}, {"object": f"{name} cabinet"},
                 {"doorjoint": -angle}, look_at=(0.05, 0.65, 0.12), view=(0.92, 125, -32))  # fmt: skip


def window(rng: np.random.Generator) -> Scene:
    """A sliding window, half open."""
    spec = base("sawyer_window_horizontal.xml", rng)
    (name, colour), *_ = colours(rng, 1)
    paint(spec, "window_red", colour)
    x, y = rng.uniform([-0.06, 0.76], [0.06, 0.82])
    spec.body("window").pos = [x, y, 0.202]
    opened = rng.uniform(0.085, 0.115)
    start = above(rng, x + opened, y - 0.2, 0.24)
    return Scene(spec, start, {"window": "windowb_a"}, {"window": colour}, {"object": f"{name} window"},
                 {"window_slide": opened}, look_at=(x * 0.7, 0.7, 0.17), view=(0.85, 115, -22))  # fmt: skip


def faucet(rng: np.random.Generator) -> Scene:
    """A faucet whose handle points to the robot."""
    spec = base("sawyer_faucet.xml", rng)
    (name, colour), *_ = colours(rng, 1)
    paint(spec, "faucet_red", colour)
    x, y = rng.uniform([-0.08, 0.74], [0.08, 0.8])
    for geom in spec.geoms:
        if geom.material == "faucet_red":
            geom.name = "faucet_handle"
    spec.body("faucetBase").pos = [x, y, 0]
    start = above(rng, x, y - 0.2, 0.24)
    return Scene(spec, start, {"handle": "geom faucet_handle"}, {"handle": colour},
                 {"object": f"{name} handle of the faucet"}, {"knob_Joint_1": rng.uniform(-0.12, 0.12)},
                 look_at=(x * 0.7, 0.68, 0.1), view=(0.66, 120, -38))  # fmt: skip


def laptop(rng: np.random.Generator) -> Scene:
    """A laptop whose lid is half open."""
    spec = base("sawyer_laptop.xml", rng)
    (name, colour), *_ = colours(rng, 1)
    paint(spec, "laptop_grey", colour)
    x, y = rng.uniform([-0.06, 0.7], [0.06, 0.76])
    hinge = spec.body("laptoplid_link").joints[0]
    hinge.name, hinge.frictionloss = "laptop_hinge", 0.25
    spec.body("laptop").pos = [x, y, 0]
    start = above(rng, x, y - 0.15, 0.36)
    return Scene(spec, start, {"lid": "site laptop_site"}, {"lid": colour}, {"object": f"{name} laptop"},
                 {"laptop_hinge": rng.uniform(0.65, 0.85)}, look_at=(x * 0.7, 0.7, 0.14),
                 view=(0.88, 130, -28))  # fmt: skip


def handle(rng: np.random.Generator) -> Scene:
    """A handle that slides up and down, half way."""
    spec = base("sawyer_handle_press.xml", rng)
    (name, colour), *_ = colours(rng, 1)
    paint(spec, "hdlprs_red", colour)
    x, y = rng.uniform([-0.08, 0.78], [0.08, 0.84])
    slide = spec.body("handle_link").joints[0]
    slide.name, slide.damping, slide.frictionloss = "handle_slide", 10, 0.5
    spec.body("handle_link").gravcomp = 1  # stays where it is
    for geom in spec.body("handle_link").geoms:
        geom.mass, geom.friction = 0.1, [2, 0.1, 0.002]
    spec.body("box").pos = [x, y, 0]
    start = above(rng, x, y - 0.2, 0.26)
    return Scene(spec, start, {"handle": "site handleStart"}, {"handle": colour}, {"object": f"{name} handle"},
                 {"handle_slide": -rng.uniform(0.045, 0.06)}, look_at=(x * 0.7, 0.68, 0.12),
                 view=(0.7, 128, -25))  # fmt: skip


def mug(rng: np.random.Generator) -> Scene:
    """A mug before a coffee machine."""
    spec = base("sawyer_coffee.xml", rng)
    (name, colour), (_, machine_colour) = colours(rng, 2)
    paint(spec, "cmwhite", colour)
    paint(spec, "cmred", machine_colour)
    x, y = rng.uniform([-0.08, 0.84], [0.08, 0.88])
    for geom in spec.body("mug").geoms:
        if geom.group == 4 and geom.size[0] == 0.028:
            geom.size[0] = 0.033  # as wide as it looks: fingers don't sink in
    spec.body("coffee_machine").pos = [x, y, 0]
    spec.body("obj").pos = [x + rng.uniform(-0.02, 0.02), y - 0.29, 0.003]
    start = above(rng, x, y - 0.29, 0.2, 0.02)
    return Scene(spec, start, {"mug": "obj", "machine": "coffee_machine"}, {"mug": colour, "machine": machine_colour},
                 {"object": f"{name} mug"}, look_at=(x * 0.8, 0.65, 0.1), view=(0.7, 128, -30))  # fmt: skip


SCENES: dict[str, Callable[[np.random.Generator], Scene]] = {
    function.__name__: function for function in (blocks, held, boxes, drawer, door, window, faucet, laptop, handle, mug)
}
