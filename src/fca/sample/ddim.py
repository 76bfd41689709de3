"""From initial frames and caption to latents: the denoising loop (paper section 3.4, Eq. 2)."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import torch
from diffusers import (
    CogVideoXDPMScheduler,
    CogVideoXTransformer3DModel,
    FirstBlockCacheConfig,
    MagCacheConfig,
    PyramidAttentionBroadcastConfig,
)
from torch import Tensor

from fca.artifacts.finite import finite
from fca.errors import FcaError
from fca.model import Denoiser, InitialFrames, Prompt
from fca.model.build import Scheduler

CACHES = (FirstBlockCacheConfig, MagCacheConfig, PyramidAttentionBroadcastConfig)
"""diffusers' caches that work with FCA."""
CLEAN = -1  # the timestep after the last one: for it, diffusers' schedulers take `final_alpha_cumprod`


@torch.no_grad()
def predict_latents(
    denoiser: Denoiser,
    scheduler: Scheduler,
    initial_frames: InitialFrames,
    prompt: Prompt,
    empty: Prompt,
    noise: Tensor,
    steps: int,
    guidance_scale: float | Callable[[], float],
    progress: Callable[[Iterable[Any]], Iterable[Any]] = lambda timesteps: timesteps,
    random: torch.Generator | list[torch.Generator] | None = None,
    clips: Sequence[str] = (),
    after_step: Callable[[int, int, Tensor], Tensor] = lambda number, timestep, latents: latents,
    stopped: Callable[[], bool] = lambda: False,
) -> Tensor:
    """`noise` (B, f, C, h, w) to scaled latents of the same shape, in float32 from step to step.

    Guidance follows Eq. 2: guidance_scale * v(caption) + (1 - guidance_scale) * v(empty caption); the initial frames
    are kept in both branches, which run as one batch. A scale of 1 runs the caption's branch alone. What doesn't
    depend on the noise level is computed once (`Denoiser.prepare`).

    Args:
        guidance_scale: a number, or what tells it before each step; it turns guidance off only from the start.
        random: of the noise that DPM-Solver++ adds, one or one for each clip; DDIM adds none.
        clips: names of the B clips.
        after_step: is given the step's number (0 is the first), its timestep and the latents, and returns the latents.
        stopped: whether to leave out the steps that remain; asked before each.

    Raises:
        FcaError: a latent isn't finite; it names the step and the clips.
    """
    scale = guidance_scale if callable(guidance_scale) else lambda: guidance_scale
    guided = scale() != 1
    dtype = denoiser.transformer.dtype
    copies = 2 if guided else 1
    transformer = denoiser.transformer
    check_cache(transformer)
    with transformer.cache_context("initial frames"):
        velocity_of = denoiser.prepare(
            initial_frames.repeated(copies), (empty.joined(prompt) if guided else prompt).to(dtype)
        )
    transformer._reset_stateful_cache()  # a cache must not take the initial frames for a step
    latents, before, clean = noise.float() * scheduler.init_noise_sigma, None, None
    for number, (timestep, following) in enumerate(progress(transitions(scheduler, steps))):
        if stopped():
            break
        repeated = latents.to(dtype).repeat(copies, 1, 1, 1, 1)
        with transformer.cache_context("clip"):
            velocity = velocity_of(repeated, torch.full((len(repeated),), timestep, device=noise.device)).float()
        if guided:
            without, with_caption = velocity.chunk(2)
            velocity = without + scale() * (with_caption - without)

        # Both schedulers step to `timestep - num_train_timesteps // num_inference_steps`: make it `following`.
        scheduler.num_inference_steps = Fraction(scheduler.config.num_train_timesteps, timestep - following)
        if isinstance(scheduler, CogVideoXDPMScheduler):
            latents, clean = scheduler.step(velocity, clean, timestep, before, latents, generator=random)
        else:
            latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
        finite(latents, f"the latents after step {number + 1} of {steps} (timestep {timestep})", clips)
        latents, before = after_step(number, timestep, latents), timestep
    return latents


def check_cache(transformer: CogVideoXTransformer3DModel) -> None:
    """Refuse those of diffusers' caches (`enable_cache`) that take a condition for a part of the batch.

    Raises:
        FcaError: such a cache is on.
    """
    config = getattr(transformer, "_cache_config", None)
    if config is not None and not isinstance(config, CACHES):
        raise FcaError(
            f"{type(config).__name__} doesn't work with frame-wise conditions",
            " or ".join(each.__name__ for each in CACHES),
            "transformer.disable_cache(), or enable one of these",
        )


def transitions(scheduler: Scheduler, steps: int) -> list[tuple[int, int]]:
    """Each timestep of a schedule with the one that follows it; the last one is followed by `CLEAN`.

    diffusers' own steps have the length 1000 // steps. That is wrong unless `steps` divides 1000: 501 steps of length 1
    cover half of the noise. Its rounding also gives one timestep too many, -1, for 61, 103, 121, ... steps.
    """
    scheduler.set_timesteps(steps)
    return list(pairwise([*scheduler.timesteps[:steps].tolist(), CLEAN]))
