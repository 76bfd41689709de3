"""From initial frames and caption to latents: the denoising loop (paper section 3.4, Eq. 2)."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from diffusers import CogVideoXDDIMScheduler
from torch import Tensor

from fca.model import Denoiser, InitialFrames, Prompt


@torch.no_grad()
def predict_latents(
    denoiser: Denoiser,
    scheduler: CogVideoXDDIMScheduler,
    initial_frames: InitialFrames,
    prompt: Prompt,
    empty: Prompt,
    noise: Tensor,
    steps: int,
    guidance_scale: float,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = lambda timesteps: timesteps,
) -> Tensor:
    """DDIM from `noise` (B, f, C, h, w) to scaled latents of the same shape, in float32.

    Guidance follows Eq. 2: guidance_scale * v(caption) + (1 - guidance_scale) * v(empty caption); the initial frames
    are kept in both branches, which run as one batch. A scale of 1 runs the caption's branch alone. What doesn't
    depend on the noise level is computed once (`Denoiser.prepare`).
    """
    guided = guidance_scale != 1
    dtype = denoiser.transformer.dtype
    copies = 2 if guided else 1
    velocity_of = denoiser.prepare(
        initial_frames.repeated(copies), (empty.joined(prompt) if guided else prompt).to(dtype)
    )
    scheduler.set_timesteps(steps, device=noise.device)
    latents = noise.float() * scheduler.init_noise_sigma
    timesteps = scheduler.timesteps[:steps]  # rounding gives diffusers one too many, -1, for some numbers of steps
    for timestep in progress(timesteps):
        repeated = latents.to(dtype).repeat(copies, 1, 1, 1, 1)
        velocity = velocity_of(repeated, timestep.expand(len(repeated))).float()
        if guided:
            without, with_caption = velocity.chunk(2)
            velocity = without + guidance_scale * (with_caption - without)
        latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
    return latents
