"""Train the position reader (`fca.score.positions`) on clips of the simulator, whose positions it knows.

Predictions are softer than renderings, so later frames are blurred, smeared in time, tinted and noisy; the first frame,
which is never predicted, is only tinted.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from fca.pocket.features import blur
from fca.pocket.fit import write_record
from fca.score.camera import axes, project
from fca.score.positions import (
    PositionNetwork,
    PositionReader,
    ReaderConfig,
    in_world,
    is_readable,
    load_reader,
    marks_at,
    to_planes,
)

BATCH = 48
PEAK_LEARNING_RATE = 3e-3
CENTIMETRES = 100.0
SHIFT = 6
"""Pixels by which clips are moved at most, as if the camera turned"""


@dataclass(frozen=True)
class Clips:
    """n simulated clips of F frames; positions in metres in the simulator's world."""

    pixels: NDArray[np.uint8]
    """(n, F, H, W, 3)"""
    places: NDArray[np.str_]
    """(n,)"""
    effector: NDArray[np.float64]
    """(n, F, 3)"""
    first_object: NDArray[np.float64]
    """(n, F, 3)"""
    camera: NDArray[np.float64]
    """(n, F, 7), see `fca.score.camera.axes`"""

    def __len__(self) -> int:
        return len(self.pixels)

    @classmethod
    def of_records(cls, pixels: NDArray[np.uint8], records: Sequence[dict[str, Any]]) -> Self:
        """Clips (n, F, H, W, 3) with what the simulator wrote of the same F frames of each (`Episode.record`)."""
        shape = (pixels.shape[1], 7)
        return cls(
            pixels,
            np.array([record["place"] for record in records]),
            np.array([record["effector"] for record in records]),
            np.array([next(iter(record["objects"].values())) for record in records]),
            np.array([np.broadcast_to(record["camera"], shape) for record in records]),
        )

    @property
    def positions(self) -> NDArray[np.float64]:
        """(n, F, 2, 3), of effector and object."""
        return np.stack([self.effector, self.first_object], axis=2)

    def readable(self) -> NDArray[np.int64]:
        """Rows of the clips in which positions can be read."""
        known = zip(self.places.tolist(), self.camera, strict=True)
        return np.flatnonzero([is_readable(place, camera) for place, camera in known])


def augment(frames: Tensor, before: Tensor, first: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Change how frames and first frames (n, 3, H, W) in [-1, 1] look, and keep where things are.

    Args:
        before: the frame before each one, up to half of which is mixed in.
    """
    count = len(frames)

    def draw(low: float, high: float, *shape: int) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, shape).astype(np.float32))

    smear = draw(0, 0.5, count, 1, 1, 1) * (draw(0, 1, count, 1, 1, 1) < 0.4)
    frames = torch.lerp(frames, before, smear)
    softness = draw(0.3, 1, count, 1, 1, 1) * (draw(0, 1, count, 1, 1, 1) < 0.6)
    frames = torch.lerp(frames, blur(frames, float(rng.uniform(0.5, 2.5))), softness)

    # One contrast and tint for the clip, another small one for the frame.
    contrast, tint = draw(0.8, 1.2, count, 1, 1, 1), draw(-0.15, 0.15, count, 3, 1, 1)
    frames = (frames * contrast + tint) * draw(0.92, 1.08, count, 1, 1, 1) + draw(-0.06, 0.06, count, 3, 1, 1)
    noise = torch.randn(frames.shape) * draw(0, 0.06, count, 1, 1, 1)
    return (frames + noise).clamp(-1, 1), (first * contrast + tint).clamp(-1, 1)


def shifted(pictures: Tensor, shifts: NDArray[np.int64]) -> Tensor:
    """Pictures (n, c, H, W), each moved by `shifts` (n, 2), columns and rows of at most SHIFT; the border repeats."""
    height, width = pictures.shape[2:]
    padded = F.pad(pictures, (SHIFT,) * 4, mode="replicate")
    corners = zip(padded, SHIFT - shifts, strict=True)
    return torch.stack([picture[:, y : y + height, x : x + width] for picture, (x, y) in corners])


def train(clips: Clips, held_out: Clips, output: Path, steps: int, seed: int) -> None:
    """Train for `steps` batches of 48 frames and write the folder `output`.

    The folder has `model.safetensors` (float16), `config.json` (for `fca.score.positions.load_reader`) and
    `training.json` (held-out errors of the float16 weights by place, curve, seed).
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = PositionNetwork().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_LEARNING_RATE, betas=(0.9, 0.99), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=steps, pct_start=0.1)
    usable, positions = clips.readable(), clips.positions
    places, counts = np.unique(clips.places[usable], return_counts=True)
    share = (1 / counts / len(places))[np.searchsorted(places, clips.places[usable])]
    frame_count, height, width = clips.pixels.shape[1:4]

    curve, recent, started = [], [], time.time()
    for step in (bar := tqdm(range(steps), desc="position reader")):
        # Draw frames, each with the start of its clip, and move both pictures.
        rows, times = rng.choice(usable, BATCH, p=share), rng.integers(1, frame_count, BATCH)
        frames, before, first = (to_planes(clips.pixels[rows, moments]) for moments in (times, times - 1, 0 * times))
        shifts = rng.integers(-SHIFT, SHIFT + 1, (BATCH, 2))
        frames, first = (shifted(each, shifts) for each in augment(frames, before, first, rng))
        cameras = torch.from_numpy(clips.camera[rows, 0]).float()
        wanted = torch.from_numpy(positions[rows, times]).float()
        offset = F.pad(torch.from_numpy(shifts).float(), (0, 1))[:, None]  # (batch, 1, 3)
        starts = project(cameras, torch.from_numpy(positions[rows, 0]).float(), width, height) + offset
        marks = marks_at(starts, width, height)

        # Take one optimizer step on the mean distance, rounded at a quarter of a centimetre.
        frames, first = (each.contiguous(memory_format=torch.channels_last) for each in (frames, first))
        with torch.autocast("cpu", torch.bfloat16):
            found = network(frames, first, marks)
        error = CENTIMETRES * (in_world(found - offset, starts[..., 2], cameras, width, height) - wanted)
        distance = (error.square().sum(-1) + 0.25**2).sqrt()
        distance.mean().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 20.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)

        recent.append(distance.detach().mean(0).tolist())
        if step % 100 == 99 or step == steps - 1:
            effector, thing = np.mean(recent, axis=0).round(3)
            curve.append({"step": step + 1, "effector_cm": effector, "object_cm": thing})
            curve[-1]["seconds"] = round(time.time() - started, 1)
            bar.set_postfix(effector=effector, object=thing)
            recent.clear()
    save(network, held_out, output, curve, {"steps": steps, "seed": seed, "clips": len(usable)})


def save(network: PositionNetwork, held_out: Clips, output: Path, curve: Sequence[Any], run: dict[str, Any]) -> None:
    """Round the weights to float16, measure them on the held-out clips, and write the three files."""
    height, width = held_out.pixels.shape[2:4]
    places = sorted(set(held_out.places.tolist()))
    config = ReaderConfig(name="position-reader", width=width, height=height, places=places)
    state = {
        name: tensor.half().contiguous() if tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }
    output.mkdir(parents=True, exist_ok=True)
    save_file(state, output / "model.safetensors", {"format": "pt"})
    (output / "config.json").write_text(json.dumps(config.model_dump(), indent=1) + "\n")

    reader = load_reader(output)
    measured = {name: errors_by_place(reader, held_out, sigma) for name, sigma in (("sharp", 0.0), ("blurred", 1.5))}
    write_record(output, network, held_out_clips=len(held_out.readable()), held_out_error=measured, **run, curve=curve)
    for name, found in measured.items():
        print(name, json.dumps(found), flush=True)


def errors_by_place(reader: PositionReader, clips: Clips, sigma: float) -> dict[str, dict[str, Any]]:
    """Mean error in centimetres of effector and object by place, after a blur of `sigma` pixels (0: none).

    `path`: of all frames but the first; `end`: of the last; `end_in_plane`: of the last, across the line of sight;
    `end_of_start`: of the last, if the reader answered with the start.
    """
    by_place: dict[str, dict[str, Any]] = {}
    for place in sorted(set(clips.places.tolist())):
        rows = [row for row in clips.readable() if clips.places[row] == place]
        true = clips.positions[rows]
        found = np.stack([read(reader, clips, row, sigma) for row in rows])
        error = CENTIMETRES * (found - true)
        eye = axes(torch.from_numpy(clips.camera[rows, 0]))[0].numpy()[:, None]
        sight = true[:, -1] - eye
        sight /= np.linalg.norm(sight, axis=-1, keepdims=True)
        across = error[:, -1] - (error[:, -1] * sight).sum(-1, keepdims=True) * sight
        values = {
            "path": np.linalg.norm(error[:, 1:], axis=-1).mean((0, 1)),
            "end": np.linalg.norm(error[:, -1], axis=-1).mean(0),
            "end_in_plane": np.linalg.norm(across, axis=-1).mean(0),
            "end_of_start": CENTIMETRES * np.linalg.norm(true[:, 0] - true[:, -1], axis=-1).mean(0),
        }
        by_place[place] = {"clips": len(rows)} | {
            target: {name: round(float(value[column]), 3) for name, value in values.items()}
            for column, target in enumerate(("effector", "object"))
        }
    return by_place


def read(reader: PositionReader, clips: Clips, row: int, sigma: float) -> NDArray[np.float64]:
    """Read a clip (F, 2, 3), all frames but the first after a blur."""
    frames = clips.pixels[row].copy()
    if sigma:
        soft = blur(to_planes(frames[1:]), sigma).permute(0, 2, 3, 1)
        frames[1:] = ((soft + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    return reader.read(frames, clips.pixels[row, 0], clips.positions[row, 0], clips.camera[row, 0])
