"""What a hand is to do: where it is, how it is turned, how far it is closed and whether it holds, at each frame."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from simulation.drive import Drive, rotation
from simulation.episode import FRAMES, Positions
from simulation.scene import Array

FPS = 12.0
STEPS = 30  # of the simulation, for each frame
TIMESTEP = 1 / FPS / STEPS
FASTEST = 0.12  # metres a frame, for paths that were read from a clip


@dataclass(frozen=True)
class Move:
    """The hand on its way: where and how it is at a frame."""

    frame: float
    position: Array
    angles: tuple[float, float, float]
    """Yaw, pitch and roll in degrees, see `drive.rotation`."""
    closed: float = 0.0
    """0: open; 1: every finger closes until it touches something."""
    hold: bool = False
    """Whether it holds the thing within its reach from this frame on."""

    def then(self, frames: float, by: tuple[float, float, float] | Array = (0, 0, 0), **changes: object) -> "Move":
        """Return the next move: `frames` later, shifted, with changes."""
        moved = replace(self, frame=self.frame + frames, position=self.position + np.asarray(by))
        return replace(moved, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Plan:
    """Moves by frame; between two of them the hand speeds up and slows down smoothly."""

    moves: list[Move]

    def path(self) -> Positions:
        """Return the hand's positions (FRAMES, 3)."""
        return np.stack([self.at(frame)[0] for frame in range(FRAMES)])

    def at(self, frame: float) -> tuple[Array, Array, float, bool]:
        """Return position, quaternion, closed and hold."""
        later = next((number for number, move in enumerate(self.moves) if move.frame > frame), len(self.moves))
        before, after = self.moves[max(later - 1, 0)], self.moves[min(later, len(self.moves) - 1)]
        span = after.frame - before.frame
        share = np.clip((frame - before.frame) / span, 0, 1) if span else 1.0
        smooth = share**3 * (10 - 15 * share + 6 * share**2)
        position = before.position + smooth * (after.position - before.position)
        angles = np.asarray(before.angles) + smooth * (np.asarray(after.angles) - np.asarray(before.angles))
        closed = before.closed + share * (after.closed - before.closed)
        return position, rotation(*angles), float(closed), before.hold


def follow(drive: Drive, plan: Plan, path: Positions | None, look: Callable[[int], None]) -> None:
    """Run the simulation for the plan's frames, along `path` instead of the plan's positions if there is one.

    `look` is called with the number of each frame when the simulation has reached it. The first position is always the
    plan's: it belongs to the start.
    """
    wanted = plan.path() if path is None else resample(path)
    wanted[0] = plan.at(0)[0]
    steps = np.diff(wanted, axis=0)
    lengths = np.linalg.norm(steps, axis=1, keepdims=True)
    if path is not None:
        wanted[1:] = wanted[0] + np.cumsum(steps * np.minimum(1, FASTEST / np.maximum(lengths, 1e-9)), axis=0)
    start = plan.at(0)
    drive.place(start[0], start[1], start[2])
    for _ in range(STEPS):
        drive.step(start[0], start[1], start[2], start[3])
    for frame in range(FRAMES):
        look(frame)
        for step in range(STEPS if frame + 1 < FRAMES else 0):
            share = (step + 1) / STEPS
            _, quaternion, closed, hold = plan.at(frame + share)
            drive.step((1 - share) * wanted[frame] + share * wanted[frame + 1], quaternion, closed, hold)


def resample(path: Positions) -> Positions:
    """Return positions at FRAMES times, evenly spaced over the path's duration."""
    path = np.asarray(path, float)
    old, new = np.linspace(0, 1, len(path)), np.linspace(0, 1, FRAMES)
    return np.stack([np.interp(new, old, path[:, axis]) for axis in range(3)], axis=1)
