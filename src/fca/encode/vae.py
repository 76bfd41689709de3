"""The frozen VAE: loading it, and its two directions."""

from collections.abc import Sequence

import torch
from diffusers import AutoencoderKLCogVideoX
from torch import Tensor

from fca.artifacts.finite import finite
from fca.config.models import Base
from fca.pretrained.load import DTYPES, base_folder, device, load_pretrained


def load_vae(base: Base, precision: str) -> AutoencoderKLCogVideoX:
    """The frozen VAE on the device, in the given precision."""
    folder = base_folder(base, "vae")
    vae = load_pretrained(AutoencoderKLCogVideoX, folder / "vae", DTYPES[precision])
    return vae.requires_grad_(False).eval().to(device())


@torch.no_grad()
def posterior(vae: AutoencoderKLCogVideoX, pixels: Tensor, clips: Sequence[str] = ()) -> tuple[Tensor, Tensor]:
    """Clips (n, F, H, W, 3) uint8 -> mean and log variance of the VAE posterior, (n, C, F', H / 8, W / 8) float32.

    One or two frames give one latent frame, 16 give four, 17 five. They are unscaled: whoever draws a
    sample applies `vae.config.scaling_factor`. `clips`: their names.

    Raises:
        FcaError: a value isn't finite.
    """
    video = pixels.permute(0, 4, 1, 2, 3).to(vae.device, torch.float32) / 127.5 - 1
    found = vae.encode(video.to(vae.dtype)).latent_dist
    mean, logvar = found.mean.float().cpu(), found.logvar.float().cpu()
    return finite(mean, "the VAE's latents", clips), finite(logvar, "the VAE's log variances", clips)


@torch.no_grad()
def decode(vae: AutoencoderKLCogVideoX, latents: Tensor, clips: Sequence[str] = ()) -> Tensor:
    """Scaled latents (B, f, C, h, w) -> frames (B, F, H, W, 3) uint8, rounded; F = 4 f, or 4 f - 3 if f is odd.

    Raises:
        FcaError: a decoded pixel isn't finite (as uint8 it would be black); it names the rows as `clips` does.
    """
    unscaled = (1 / vae.config.scaling_factor * latents.transpose(1, 2)).to(vae.dtype)
    video = finite(vae.decode(unscaled).sample.float(), "the decoded pixels", clips)  # (B, 3, F, H, W) in [-1, 1]
    return ((video / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 4, 1).cpu()
