"""From conditions to pixels: the denoising loop and the decoder (paper section 3.4, Eq. 2)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXTransformer3DModel
from torch import Tensor

from fca.model import Condition, FCAAdapter, denoise, embed_initial_frames
from fca.model.diffusion import diffuse


@dataclass(frozen=True)
class Prompt:
    """A caption as the two frozen text sides give it: T5 (B, l_t, width); BLIP-2 (B, m, width) with mask (B, m)."""

    prompt_embeds: Tensor
    text_embeds: Tensor
    text_mask: Tensor

    def joined(self, other: "Prompt") -> "Prompt":
        """Both along the batch."""
        return Prompt(
            torch.cat([self.prompt_embeds, other.prompt_embeds]),
            torch.cat([self.text_embeds, other.text_embeds]),
            torch.cat([self.text_mask, other.text_mask]),
        )


@dataclass(frozen=True)
class Given:
    """What a clip starts from: latent of the initial frames and its noise (B, 1, C, h, w); ViT tokens (B, v, w)."""

    initial: Tensor
    initial_noise: Tensor
    vision: Tensor


@torch.no_grad()
def predict_latents(
    transformer: CogVideoXTransformer3DModel,
    adapter: FCAAdapter | None,
    scheduler: CogVideoXDDIMScheduler,
    given: Given,
    prompt: Prompt,
    empty: Prompt,
    noise: Tensor,
    steps: int,
    guidance_scale: float,
    t_ref: int,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = lambda timesteps: timesteps,
) -> Tensor:
    """DDIM from `noise` (B, f, C, h, w) to scaled latents of the same shape, in float32.

    Guidance follows Eq. 2: guidance_scale * v(caption) + (1 - guidance_scale) * v(empty caption); the initial frames
    are kept in both branches. A scale of 1 runs the caption's branch alone. Without an adapter the base predicts from
    text only. What doesn't depend on the noise level (X_init, its keys and values, y_frames) is computed once.
    """
    guided = guidance_scale != 1
    branches = empty.joined(prompt) if guided else prompt
    copies = 2 if guided else 1
    dtype = transformer.dtype
    prompt_embeds = branches.prompt_embeds.to(dtype)
    condition: Condition | None = None
    if adapter is not None:
        reference = torch.full((given.initial.shape[0],), t_ref)
        noisy_initial, _ = diffuse(scheduler.alphas_cumprod, given.initial, given.initial_noise, reference)
        noisy_initial = noisy_initial.to(dtype).repeat(copies, 1, 1, 1, 1)
        features = embed_initial_frames(transformer, noisy_initial, prompt_embeds, t_ref)
        vision = given.vision.to(dtype).repeat(copies, 1, 1)
        condition = adapter.condition(features, branches.text_embeds.to(dtype), branches.text_mask, vision)
    scheduler.set_timesteps(steps, device=noise.device)
    latents = noise.float() * scheduler.init_noise_sigma
    for timestep in progress(scheduler.timesteps):
        repeated = latents.to(dtype).repeat(copies, 1, 1, 1, 1)
        times = timestep.expand(repeated.shape[0])
        velocity = denoise(transformer, repeated, prompt_embeds, times, condition).float()
        if guided:
            without, with_caption = velocity.chunk(2)
            velocity = without + guidance_scale * (with_caption - without)
        latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
    return latents


@torch.no_grad()
def decode(vae: AutoencoderKLCogVideoX, latents: Tensor) -> Tensor:
    """Scaled latents (B, f, C, h, w) -> frames (B, 4 f, H, W, 3) uint8, rounded."""
    unscaled = (latents.transpose(1, 2) / vae.config.scaling_factor).to(vae.dtype)
    video = vae.decode(unscaled).sample.float()  # (B, 3, F, H, W) in [-1, 1]
    return ((video / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 4, 1).cpu()
