"""Where points of a simulator's world are seen, and back: the pinhole camera of the clip library's `camera`."""

import torch
from torch import Tensor


def axes(camera: Tensor) -> tuple[Tensor, Tensor]:
    """The eye (n, 3) and the axes (n, 3, 3) of cameras: rows point right, up and forward.

    Args:
        camera: (n, 7), the point looked at, distance, azimuth, elevation, vertical field of view (m and degrees).
    """
    azimuth, elevation = torch.deg2rad(camera[:, 4]), torch.deg2rad(camera[:, 5])
    right = torch.stack([azimuth.sin(), -azimuth.cos(), torch.zeros_like(azimuth)], dim=1)
    level = elevation.cos()
    forward = torch.stack([level * azimuth.cos(), level * azimuth.sin(), elevation.sin()], dim=1)
    up = torch.linalg.cross(right, forward)
    return camera[:, :3] - camera[:, 3:4] * forward, torch.stack([right, up, forward], dim=1)


def project(camera: Tensor, positions: Tensor, width: int, height: int) -> Tensor:
    """Where positions (n, k, 3) in metres are seen (n, k, 3): pixels to the right, pixels down, metres forward."""
    eye, own = axes(camera)
    right, up, depth = ((positions - eye[:, None]) @ own.transpose(1, 2)).unbind(-1)
    scale = focal(camera, height) / depth
    return torch.stack([width / 2 + right * scale, height / 2 - up * scale, depth], dim=-1)


def unproject(camera: Tensor, seen: Tensor, width: int, height: int) -> Tensor:
    """The positions (n, k, 3) in metres that `project` shows at `seen` (n, k, 3)."""
    eye, own = axes(camera)
    column, row, depth = seen.unbind(-1)
    scale = depth / focal(camera, height)
    along = torch.stack([(column - width / 2) * scale, (height / 2 - row) * scale, depth], dim=-1)
    return eye[:, None] + along @ own


def focal(camera: Tensor, height: int) -> Tensor:
    """The focal length in pixels (n, 1)."""
    return height / 2 / torch.tan(torch.deg2rad(camera[:, 6:7]) / 2)
