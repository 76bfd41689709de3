"""The denoising loop against closed forms and a naive pipeline."""

import pytest
import torch

from fca.model import FCA, FCAAdapter, InitialFrames, Prompt
from fca.model.adapter import denoise, embed_initial_frames
from fca.model.denoiser import TextToVideo
from fca.model.diffusion import diffuse
from fca.pocket.base import build_scheduler, build_transformer
from fca.sample.ddim import predict_latents

BATCH = 2


@pytest.fixture
def networks():
    torch.manual_seed(0)
    transformer = build_transformer().requires_grad_(False).eval()
    adapter = FCAAdapter.for_transformer(
        transformer, latent_frames=4, queries_per_frame=16, text_width=64, vision_width=64, conditioning_heads=4
    ).requires_grad_(False)
    for parameter in [*transformer.parameters(), *adapter.parameters()]:
        parameter.add_(0.03 * torch.randn_like(parameter))
    scheduler = build_scheduler()
    return FCA(transformer, adapter, scheduler.alphas_cumprod, t_ref=1), scheduler


def inputs():
    random = torch.Generator().manual_seed(1)

    def normal(*shape):
        return torch.randn(shape, generator=random)

    mask = torch.ones(BATCH, 32, dtype=torch.bool)
    start = InitialFrames(normal(BATCH, 1, 16, 8, 12), normal(BATCH, 1, 16, 8, 12), normal(BATCH, 65, 64))
    prompt = Prompt(normal(BATCH, 16, 64), normal(BATCH, 32, 64), mask)
    empty = Prompt(normal(BATCH, 16, 64), normal(BATCH, 32, 64), mask)
    return start, prompt, empty, normal(BATCH, 4, 16, 8, 12)


def naive(model, scheduler, start, prompt, empty, noise, steps, guidance):
    """Nothing shared or computed once: two branches, each with its own reference pass, at every step."""
    transformer, adapter = model.transformer, model.adapter
    scheduler.set_timesteps(steps)
    latents = noise
    for timestep in scheduler.timesteps:
        velocities = []
        for branch in (prompt, empty):
            reference = torch.ones(BATCH, dtype=torch.long)
            noisy_initial, _ = diffuse(scheduler.alphas_cumprod, start.latent, start.noise, reference)
            features = embed_initial_frames(transformer, noisy_initial, branch.prompt_embeds, 1)
            condition = adapter.make_condition(features, branch.text_embeds, branch.text_mask, start.vision)
            velocities.append(denoise(transformer, latents, branch.prompt_embeds, timestep.expand(BATCH), condition))
        velocity = guidance * velocities[0] + (1 - guidance) * velocities[1]  # Eq. 2
        latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
    return latents


@pytest.mark.parametrize("guidance", [6.0, 1.0])
def test_what_is_computed_once_equals_the_naive_pipeline(networks, guidance):
    start, prompt, empty, noise = inputs()
    expected = naive(*networks, start, prompt, empty, noise, 4, guidance)
    found = predict_latents(*networks, start, prompt, empty, noise, 4, guidance)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_ddim_with_an_oracle_recovers_the_clean_latent():
    scheduler = build_scheduler()
    random = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn((1, 4, 2, 3, 3), generator=random, dtype=torch.float64) for _ in range(2))
    scheduler.set_timesteps(50)
    assert scheduler.timesteps.tolist() == list(range(999, 18, -20))
    latents = noise.clone()
    alphas = scheduler.alphas_cumprod.double()
    for timestep in scheduler.timesteps:
        alpha = alphas[timestep]
        residual = (latents - alpha.sqrt() * clean) / (1 - alpha).sqrt()
        velocity = alpha.sqrt() * residual - (1 - alpha).sqrt() * clean
        latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
    torch.testing.assert_close(latents, clean, rtol=1e-5, atol=1e-5)


def test_without_an_adapter_the_initial_frames_change_nothing(networks):
    model, scheduler = networks
    start, prompt, empty, noise = inputs()
    other = InitialFrames(start.latent + 1, start.noise, start.vision)
    runs = [
        predict_latents(TextToVideo(model.transformer), scheduler, frames, prompt, empty, noise, 2, 2.0)
        for frames in (start, other)
    ]
    assert torch.equal(*runs)
