"""Latents and noise: a sample of the VAE's posterior, and the forward process with its velocity."""

import numpy as np
import torch
from torch import Tensor


def draw_posterior(mean: np.ndarray, logvar: np.ndarray, random: torch.Generator, scale: float) -> Tensor:
    """A sample of the VAE posterior, scaled and with time first: (C, f, H, W) arrays -> (f, C, H, W) float32."""
    noise = torch.randn(mean.shape, generator=random)
    return posterior_sample(torch.from_numpy(mean).float(), torch.from_numpy(logvar).float(), noise, scale)


def posterior_sample(mean: Tensor, logvar: Tensor, noise: Tensor, scale: float) -> Tensor:
    """The sample that `noise` leads to: (..., C, f, H, W) each -> (..., f, C, H, W)."""
    deviation = torch.exp(0.5 * logvar.clamp(-30, 20))
    return ((mean + deviation * noise) * scale).transpose(-4, -3)


def diffuse(alphas_cumprod: Tensor, clean: Tensor, noise: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
    """x_t = sqrt(a) x_0 + sqrt(1 - a) noise and v = sqrt(a) noise - sqrt(1 - a) x_0, with a = alphas_cumprod[t].

    clean, noise (B, f, C, H, W) float32; timestep (B,) int64; both results are shaped like `clean`.
    """
    alpha = alphas_cumprod.to(clean.device)[timestep.to(clean.device)].to(clean).view(-1, 1, 1, 1, 1)
    return alpha.sqrt() * clean + (1 - alpha).sqrt() * noise, alpha.sqrt() * noise - (1 - alpha).sqrt() * clean
