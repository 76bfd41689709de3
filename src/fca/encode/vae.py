"""The frozen VAE: loading it, and its two directions."""

from collections.abc import Iterator, Sequence

import torch
from diffusers import AutoencoderKLCogVideoX
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor

from fca.artifacts.finite import finite
from fca.config.models import Base
from fca.encode.convolution import OneDNNConvolution
from fca.pretrained.load import DTYPES, base_folder, device, load_pretrained


def load_vae(base: Base, precision: str) -> AutoencoderKLCogVideoX:
    """The frozen VAE on the device, in the given precision."""
    folder = base_folder(base, "vae")
    vae = load_pretrained(AutoencoderKLCogVideoX, folder / "vae", DTYPES[precision])
    return vae.requires_grad_(False).eval().to(device())


def initial_scaling_factor(vae: AutoencoderKLCogVideoX, image_to_video: bool) -> float:
    """Scaling factor of the initial frames' latents: the VAE's, or its inverse in CogVideoX 1.5 image-to-video.

    From diffusers' CogVideoXImageToVideoPipeline (`invert_scale_latents`); text-to-video never inverts it.
    """
    factor = float(vae.config.scaling_factor)
    return 1 / factor if image_to_video and vae.config.invert_scale_latents else factor


@torch.no_grad()
def encoded(vae: AutoencoderKLCogVideoX, pixels: Tensor) -> Iterator[DiagonalGaussianDistribution]:
    """The posterior of each clip (n, F, H, W, 3) uint8, on the VAE's device.

    One clip at a time goes through the VAE, as with diffusers' `enable_slicing`: 16 frames of 720x480 take 6 GiB in
    bf16, and no other clip changes a bit.
    """
    for clip in pixels.split(1):
        video = clip.permute(0, 4, 1, 2, 3).to(vae.device, torch.float32) / 127.5 - 1
        with OneDNNConvolution():
            latent = vae.encode(video.to(vae.dtype)).latent_dist
        yield latent


@torch.no_grad()
def decoded(vae: AutoencoderKLCogVideoX, latents: Tensor) -> Iterator[Tensor]:
    """The video (1, 3, F, H, W) float32 in [-1, 1] of each of the scaled latents (B, f, C, h, w).

    One at a time, as in `encoded`: 14.5 GiB for 16 frames of 720x480 in bf16.
    """
    for latent in latents.split(1):
        unscaled = (1 / vae.config.scaling_factor * latent.transpose(1, 2)).to(vae.dtype)
        with OneDNNConvolution():
            video = vae.decode(unscaled).sample
        yield video.float()


def posterior(vae: AutoencoderKLCogVideoX, pixels: Tensor, clips: Sequence[str] = ()) -> tuple[Tensor, Tensor]:
    """Clips (n, F, H, W, 3) uint8 -> mean and log variance of the VAE posterior, (n, C, F', H / 8, W / 8) float32.

    One or two frames give one latent frame, 16 give four, 17 five. They are unscaled: whoever draws a
    sample applies `vae.config.scaling_factor`. `clips`: their names.

    Raises:
        FcaError: a value isn't finite.
    """
    found = [(each.mean.float().cpu(), each.logvar.float().cpu()) for each in encoded(vae, pixels)]
    mean, logvar = (torch.cat(parts) for parts in zip(*found, strict=True))
    return finite(mean, "the VAE's latents", clips), finite(logvar, "the VAE's log variances", clips)


def decode(vae: AutoencoderKLCogVideoX, latents: Tensor, clips: Sequence[str] = ()) -> Tensor:
    """Scaled latents (B, f, C, h, w) -> frames (B, F, H, W, 3) uint8, rounded; F = 4 f, or 4 f - 3 if f is odd.

    Raises:
        FcaError: a decoded pixel isn't finite (as uint8 it would be black); it names the row as `clips` does.
    """
    return torch.cat([levels(video).cpu() for video in finite_videos(vae, latents, clips)])


def finite_videos(vae: AutoencoderKLCogVideoX, latents: Tensor, clips: Sequence[str] = ()) -> Iterator[Tensor]:
    """`decoded`, checked: an error names the row as `clips` does."""
    for row, video in enumerate(decoded(vae, latents)):
        yield finite(video, "the decoded pixels", clips[row : row + 1])


def levels(video: Tensor) -> Tensor:
    """Videos (B, 3, F, H, W) in [-1, 1] -> (B, F, H, W, 3) uint8, rounded."""
    return ((video / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 4, 1)
