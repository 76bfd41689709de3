"""What a simulated clip is, and what a place (`arm`, `hand`, `kitchen`) has to offer to `simulation.render`.

A place is a module `simulation.PLACE` with

    TASKS: tuple[str, ...]
    def episode(task: str, seed: int, width: int, height: int, shown: range) -> Episode
    def replay(task: str, seed: int, path: Positions) -> bool

`episode` returns the same frames, bit for bit, for the same arguments on the same machine, and the same ones of them
for a narrower `shown`, in less time. The first frame depends on
the seed and on the task's scene only: a task and its `opposite_task` start from the same frame. `replay` drives the
simulator's own controller along effector positions, one for each frame of the clip and evenly spaced in time, and says
whether the task's success condition held at the end. Seeds from `VALIDATION_SEEDS` on are never trained on.
"""

import importlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

PLACES = ("arm", "hand", "kitchen")
WIDTH, HEIGHT = 192, 128
FRAMES = 48
ALL = range(FRAMES)
VALIDATION_SEEDS = 1_000_000
"""Seeds below are for training, the others for validation."""

Frames = NDArray[np.uint8]
Positions = NDArray[np.float64]


@dataclass(frozen=True)
class Episode:
    """A simulated clip with n frames. Positions are in metres in the simulator's world."""

    place: str
    task: str
    """Name of the task in this place's TASKS: with place and seed, it makes the clip again."""
    seed: int
    caption: str
    label: str
    """The class that the feature network learns: a task or a motion, without colours."""
    opposite: str | None
    """Another caption that makes sense from the same first frame."""
    opposite_task: str | None
    """The task that does what `opposite` says; its episode with the same seed has the same first frame."""
    succeeded: bool
    """Whether the task's success condition held at the end. `render` keeps no clip of a failure."""
    fps: float
    frames: Frames  # (n, height, width, 3)
    effector: Positions  # (n, 3)
    camera: (
        Positions  # (1 or n, 7): the point looked at, distance, azimuth, elevation, vertical field of view (degrees)
    )
    objects: dict[str, Positions] = field(default_factory=dict)  # (n, 3) each
    colours: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    """Name of an object in `objects` -> its colour, red, green and blue from 0 to 1, before light falls on it."""

    def __post_init__(self) -> None:
        count = len(self.frames)
        assert self.frames.dtype == np.uint8
        assert self.frames.shape[3:] == (3,), self.frames.shape
        assert self.effector.shape == (count, 3), self.effector.shape
        assert self.camera.shape in ((1, 7), (count, 7)), self.camera.shape
        assert all(path.shape == (count, 3) for path in self.objects.values())
        assert set(self.colours) <= set(self.objects)
        assert (self.opposite is None) == (self.opposite_task is None)

    def record(self) -> dict[str, Any]:
        """Everything but the frames, for a line of `clips.jsonl`; lengths to a tenth of a millimetre."""
        return {
            "place": self.place,
            "task": self.task,
            "seed": self.seed,
            "split": split_of(self.seed),
            "caption": self.caption,
            "label": self.label,
            "opposite": self.opposite,
            "opposite_task": self.opposite_task,
            "fps": self.fps,
            "frames": len(self.frames),
            "size": [self.frames.shape[2], self.frames.shape[1]],
            "camera": self.camera.round(4).tolist(),
            "effector": self.effector.round(4).tolist(),
            "objects": {name: path.round(4).tolist() for name, path in self.objects.items()},
            "colours": {name: [round(float(value), 3) for value in colour] for name, colour in self.colours.items()},
        }


class Place(Protocol):
    """What a module `simulation.PLACE` has."""

    TASKS: tuple[str, ...]

    def episode(self, task: str, seed: int, width: int = WIDTH, height: int = HEIGHT, shown: range = ALL) -> Episode:
        """Run the task's expert and render the frames in `shown`, evenly spaced numbers below FRAMES."""

    def replay(self, task: str, seed: int, path: Positions) -> bool:
        """Drive the task's controller along the effector's positions (n, 3); return whether the task was done."""


def place(name: str) -> Place:
    """Return the module of a place."""
    return cast(Place, importlib.import_module(f"simulation.{name}"))


def task_of(tasks: tuple[str, ...], seed: int) -> str:
    """Return the task that `render` gives a seed: each in turn, so that every run of seeds has all tasks equally."""
    return tasks[seed % len(tasks)]


def episodes(name: str, first_seed: int, count: int, width: int = WIDTH, height: int = HEIGHT) -> Iterator[Episode]:
    """Yield a place's clips of `count` seeds, failures of the expert included."""
    module = place(name)
    for seed in range(first_seed, first_seed + count):
        yield module.episode(task_of(module.TASKS, seed), seed, width, height)


def project(camera: Positions, positions: Positions, width: int, height: int) -> Positions:
    """Return where positions (..., 3) are seen (..., 3): pixels to the right, pixels down, metres before the camera.

    Args:
        camera: a row of `Episode.camera`.
    """
    target, (distance, azimuth, elevation, field_of_view) = camera[:3], camera[3:]
    azimuth, elevation = np.radians(azimuth), np.radians(elevation)
    right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
    forward = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    seen = (positions - (target - distance * forward)) @ np.stack([right, np.cross(right, forward), forward], axis=1)
    scale = height / 2 / np.tan(np.radians(field_of_view) / 2) / seen[..., 2]
    return np.stack([width / 2 + seen[..., 0] * scale, height / 2 - seen[..., 1] * scale, seen[..., 2]], axis=-1)


def split_of(seed: int) -> str:
    """Return "train" or "validation"."""
    return "validation" if seed >= VALIDATION_SEEDS else "train"


def generator(place: str, scene: str, seed: int) -> np.random.Generator:
    """Return the random numbers of a scene; tasks that start from the same frame use the same scene name."""
    return np.random.default_rng([zlib.crc32(f"{place}/{scene}".encode()), seed])
