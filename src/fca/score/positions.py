"""The position reader: where hand or gripper and the first object are in the simulator's world, from frames alone.

It knows what is known before anything is predicted, which is the start: the first frame, its camera, and where both
are in it. It then finds both again in every later frame, so it isn't told what to look for by the ground truth. The
network answers in the first frame's view: column, row and depth, which the camera turns into metres. A small network of
the pocket scale (`fca.pocket.positions` trains it); there is none for real videos, whose positions nobody knows.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from fca.artifacts.atomic import sha256_file
from fca.artifacts.finite import finite
from fca.config.shipped import located
from fca.errors import FcaError
from fca.pretrained.files import read_tensors
from fca.score.camera import project, unproject

REMEDY = "set positions.network to the folder config/pocket-base/positions, or to null"
CELL = 4
"""Pixels of a cell of the grid on which the network looks for things"""
MARK = 1.5
"""Pixels: the standard deviation of the marks at the start"""


class ReaderConfig(BaseModel):
    """`config.json` of a position reader."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    width: Annotated[int, Field(gt=0)]
    """Columns of the frames that it was trained on"""
    height: Annotated[int, Field(gt=0)]
    """Rows of them"""
    places: list[str]
    """The library's places that it was trained on"""


class Block(nn.Module):
    """Two convolutions around which the input is added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *convolution(channels, channels), nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, h, w)."""
        return F.relu(hidden + self.layers(hidden))


def convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
    """A convolution, batch normalisation and ReLU."""
    return [nn.Conv2d(inputs, outputs, size, stride, size // 2), nn.BatchNorm2d(outputs), nn.ReLU()]


class PositionNetwork(nn.Module):
    """0.5 M parameters; frame, first frame and marks -> column, row and log of relative depth of two points."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(*convolution(10, 32, 5, 2), *convolution(32, 48, 3, 2), Block(48), Block(48))
        self.coarse = nn.Sequential(*convolution(48, 96, 3, 2), Block(96), Block(96), nn.Conv2d(96, 48, 1))
        self.both = Block(48)
        self.head = nn.Conv2d(48, 8, 1)

    def forward(self, frames: Tensor, first: Tensor, marks: Tensor) -> Tensor:
        """Find the effector and the object in the view of the first frame.

        Args:
            frames, first: (n, 3, H, W) in [-1, 1].
            marks: (n, 2, H, W) in [0, 1], where both are in the first frame.

        Returns:
            (n, 2, 3): column and row in pixels, and the log of depth over the depth at the start.
        """
        height, width = frames.shape[2:]
        rows, columns = torch.meshgrid(
            torch.linspace(-1, 1, height, device=frames.device),
            torch.linspace(-1, 1, width, device=frames.device),
            indexing="ij",
        )
        grid = torch.stack([rows, columns]).expand(len(frames), -1, -1, -1)
        fine = self.fine(torch.cat([frames, first, marks, grid], dim=1))  # (n, 48, H / 4, W / 4)
        coarse = F.interpolate(self.coarse(fine), size=fine.shape[2:], mode="nearest")
        found = self.head(self.both(fine + coarse)).float()
        found = found.unflatten(1, (2, 4)).flatten(3)  # (n, 2, 4, cells)

        # Each cell votes for itself plus an offset, with a softmax over cells as the weight.
        weight = found[:, :, :1].softmax(dim=-1)
        rows, columns = torch.meshgrid(
            CELL * (torch.arange(fine.shape[2], device=frames.device) + 0.5),
            CELL * (torch.arange(fine.shape[3], device=frames.device) + 0.5),
            indexing="ij",
        )
        cells = torch.stack([columns.flatten(), rows.flatten(), torch.zeros_like(rows.flatten())])
        scale = torch.tensor([CELL, CELL, 0.1], device=frames.device)[:, None]
        return (weight * (cells + scale * found[:, :, 1:])).sum(dim=-1)


def marks_at(seen: Tensor, width: int, height: int) -> Tensor:
    """Marks (n, 2, H, W) in [0, 1] at two points (n, 2, 3) of a picture: columns, rows and depths."""
    rows, columns = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    down = torch.exp(-((rows - seen[..., 1:2]) ** 2) / (2 * MARK**2))
    across = torch.exp(-((columns - seen[..., 0:1]) ** 2) / (2 * MARK**2))
    return down[..., :, None] * across[..., None, :]


def in_world(found: Tensor, depths: Tensor, cameras: Tensor, width: int, height: int) -> Tensor:
    """What the network found (n, 2, 3), with the depths at the start (n, 2), as positions (n, 2, 3) in metres."""
    seen = torch.cat([found[..., :2], (depths * found[..., 2].exp())[..., None]], dim=-1)
    return unproject(cameras, seen, width, height)


def to_planes(frames: NDArray[np.uint8]) -> Tensor:
    """(n, H, W, 3) uint8 -> (n, 3, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 127.5 - 1


class PositionReader:
    """A loaded position network with frozen weights, on the CPU in float32."""

    def __init__(self, config: ReaderConfig, module: PositionNetwork, sha256: str) -> None:
        self.config, self.sha256 = config, sha256
        self.module = module.eval().requires_grad_(False)

    @torch.inference_mode()
    def read(
        self,
        frames: NDArray[np.uint8],
        first: NDArray[np.uint8],
        starts: NDArray[np.float64],
        camera: NDArray[np.float64],
        name: str = "a clip",
    ) -> NDArray[np.float64]:
        """Read a clip: frames (F, H, W, 3) uint8 -> (F, 2, 3), metres of effector and object in the world.

        Args:
            first: (H, W, 3), the ground truth's first frame.
            starts: (2, 3), where effector and object are in it, in metres.
            camera: (7,), of the first frame, see `fca.score.camera.axes`.

        Raises:
            FcaError: frames have another size, or a position isn't finite.
        """
        width, height = self.config.width, self.config.height
        if frames.shape[1:] != (height, width, 3):
            found = f"{frames.shape[2]}x{frames.shape[1]}"
            raise FcaError(
                f"{name}: the position reader {self.config.name} can't read frames of {found}",
                f"{width}x{height}, as it was trained on",
                "set clip.width and clip.height to these, or positions.network to null",
            )
        count = len(frames)
        cameras = torch.from_numpy(camera).float().expand(count, -1)
        seen = project(cameras, torch.from_numpy(starts).float().expand(count, -1, -1), width, height)
        before = to_planes(first[None]).expand(count, -1, -1, -1)
        found = self.module(to_planes(frames), before, marks_at(seen, width, height))
        positions = in_world(found, seen[..., 2], cameras, width, height)
        return finite(positions.double().numpy(), f"positions in {name}")


def is_readable(place: str, camera: NDArray[np.float64]) -> bool:
    """Whether positions can be read in a place's clip with cameras (n, 7): not if its task is done by the camera.

    In the kitchen the camera always moves, as on a head, and the reader has learned that.
    """
    return place == "kitchen" or bool((camera == camera[0]).all())


def load_reader(path: Path | str) -> PositionReader:
    """A position reader from its folder.

    Raises:
        FcaError: it is missing, unreadable, or not a position reader.
    """
    path = located(path)
    weights, description = path / "model.safetensors", path / "config.json"
    try:
        config = ReaderConfig.model_validate(json.loads(description.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise FcaError(f"there is no {description}", "the description of the position reader", REMEDY) from None
    except (ValidationError, ValueError) as error:
        raise FcaError(f"{description} does not describe a position reader: {error}", remedy=REMEDY) from error

    if not weights.is_file():
        raise FcaError(f"there is no {weights}", "the weights of the position reader", REMEDY)
    module = PositionNetwork()
    try:
        state = read_tensors([weights], lambda name: True)
        module.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    except (FcaError, RuntimeError) as error:
        problem = " ".join(str(error).split())[:400]
        raise FcaError(f"{weights} can't be read: {problem}", "the weights of a position reader", REMEDY) from error
    return PositionReader(config, module, sha256_file(weights))
