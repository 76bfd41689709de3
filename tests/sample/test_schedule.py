"""Any number of steps follows the schedule: against closed forms, and against diffusers where its steps are right."""

from itertools import pairwise
from math import exp, log, sqrt

import numpy as np
import pytest
import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXDPMScheduler
from torch import Tensor

from fca.model import Denoiser, InitialFrames, Prompt
from fca.pocket.base import build_scheduler, build_transformer
from fca.sample.ddim import predict_latents, transitions

SPREAD = 0.5  # standard deviation of the oracle's data
SHAPE = (1, 4, 4, 8, 8)
FAULTY = (60, 333, 450, 501, 667, 999)  # diffusers' own steps have another length than the schedule's
SCHEDULERS = [CogVideoXDDIMScheduler, CogVideoXDPMScheduler]


class GaussianOracle(Denoiser):
    """The exact velocity if the data are normal with the deviation `SPREAD`: E[v | x_t] is linear in x_t."""

    def __init__(self, alphas_cumprod: Tensor):
        super().__init__(build_transformer())
        self.alphas_cumprod = alphas_cumprod

    def prepare(self, initial_frames, prompt):
        def velocity(noisy: Tensor, timestep: Tensor) -> Tensor:
            a = self.alphas_cumprod[timestep].view(-1, 1, 1, 1, 1)
            clean = a.sqrt() * SPREAD**2 / (a * SPREAD**2 + 1 - a) * noisy.double()
            return (a.sqrt() * noisy.double() - clean) / (1 - a).sqrt()

        return velocity


@pytest.fixture(scope="module")
def noise():
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))


def sampled(kind, steps: int, noise: Tensor) -> Tensor:
    scheduler = kind.from_config(build_scheduler().config)
    frames = InitialFrames(*[torch.zeros(1)] * 3)
    prompt = Prompt(*[torch.zeros(1)] * 3)
    model = GaussianOracle(scheduler.alphas_cumprod)
    random = torch.Generator().manual_seed(1)
    return predict_latents(model, scheduler, frames, prompt, prompt, noise, steps, 1.0, random=random)


def signal(steps: int) -> list[float]:
    """The signal sqrt(abar) at each trailing timestep, the largest first, and 1 at the end: CogVideoX's schedule."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    shifted = np.cumprod(1 - betas)
    shifted = shifted / (3 - 2 * shifted)  # the shift of the SNR
    root = np.sqrt(shifted)
    root = (root - root[-1]) * root[0] / (root[0] - root[-1])  # no signal at the last timestep
    return [*(float(root[round(1000 - number * 1000 / steps) - 1]) for number in range(steps)), 1.0]


def oracle(alpha: float) -> float:
    return alpha * SPREAD**2 / (alpha**2 * SPREAD**2 + 1 - alpha**2)


@pytest.mark.parametrize("steps", [1, 25, 50, 61, *FAULTY, 1000])
def test_ddim_is_the_closed_form(steps, noise):
    factor = 1.0
    alphas = signal(steps)
    for here, after in pairwise(alphas):
        clean = oracle(here)
        epsilon = (1 - here * clean) / sqrt(1 - here**2)
        factor *= after * clean + sqrt(1 - after**2) * epsilon
    torch.testing.assert_close(sampled(CogVideoXDDIMScheduler, steps, noise), factor * noise, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("steps", [50, 60, 333, 501, 999])
def test_dpm_is_the_closed_form(steps, noise):
    """SDE-DPM-Solver++(2M) (Lu et al. 2022, section 5): x0 is extrapolated from the step before, in log SNR."""
    random = torch.Generator().manual_seed(1)
    alphas = signal(steps)
    x, old, last = noise.double(), None, None
    for number, (here, after) in enumerate(pairwise(alphas)):
        clean = oracle(here) * x
        first = torch.randn(SHAPE, generator=random)
        if after == 1:
            x = clean
            break
        sigma = sqrt(1 - after**2)
        before = log(here / sqrt(1 - here**2)) if here else -np.inf
        h = log(after / sigma) - before
        data, fresh = clean, first
        if number:
            slope = (clean - old) * h / (2 * (before - last))
            data, fresh = clean + slope, torch.randn(SHAPE, generator=random)
        decay = exp(-h)
        x = sigma / sqrt(1 - here**2) * decay * x + after * (1 - decay**2) * data + sigma * sqrt(1 - decay**2) * fresh
        old, last = clean, before
    torch.testing.assert_close(sampled(CogVideoXDPMScheduler, steps, noise).double(), x, rtol=1e-3, atol=1e-3)


def test_more_steps_come_closer_to_the_exact_flow(noise):
    """The probability flow of the oracle takes noise to SPREAD times itself, exactly."""
    errors = [
        (sampled(CogVideoXDDIMScheduler, steps, noise) / noise - SPREAD).abs().max().item()
        for steps in (50, 60, 450, 500, 501, 667, 1000)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < 0.07
    assert errors[-1] < 0.006


@pytest.mark.parametrize(("steps", "within"), [(60, 0.1), (450, 0.02), (500, 0.02), (501, 0.02), (667, 0.02)])
def test_dpm_ends_with_the_spread_of_the_data(steps, within):
    noise = torch.randn((1, 4, 16, 32, 32), generator=torch.Generator().manual_seed(0))
    assert sampled(CogVideoXDPMScheduler, steps, noise).std().item() == pytest.approx(SPREAD, rel=within)


@pytest.mark.parametrize("kind", SCHEDULERS)
@pytest.mark.parametrize("steps", [1, 2, 5, 25, 50, 100, 500, 1000])
def test_a_number_that_divides_1000_gives_diffusers_own_bits(kind, steps, noise):
    scheduler = kind.from_config(build_scheduler().config)
    model = GaussianOracle(scheduler.alphas_cumprod)
    velocity = model.prepare(None, None)
    scheduler.set_timesteps(steps)
    latents, clean, random = noise, None, torch.Generator().manual_seed(1)
    for number, timestep in enumerate(scheduler.timesteps):
        v = velocity(latents, timestep.expand(1)).float()
        if kind is CogVideoXDDIMScheduler:
            latents = scheduler.step(v, timestep, latents, return_dict=False)[0]
        else:
            before = scheduler.timesteps[number - 1] if number else None
            latents, clean = scheduler.step(v, clean, timestep, before, latents, generator=random)
    assert torch.equal(sampled(kind, steps, noise), latents)


def test_every_schedule_falls_to_the_clean_end():
    """diffusers' trailing spacing yields a last timestep of -1 for 61, 103, 121, ... steps: it must not be taken."""
    scheduler = build_scheduler()
    for steps in range(1, 1001):
        pairs = transitions(scheduler, steps)
        assert len(pairs) == steps
        assert pairs[0][0] == 999
        assert pairs[-1][1] == -1
        assert all(here > after for here, after in pairs)
        assert [after for _, after in pairs[:-1]] == [here for here, _ in pairs[1:]]
