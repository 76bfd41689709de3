"""The objective against closed forms and against diffusers' scheduler."""

import pytest
import torch

from fca.model.denoiser import TextToVideo
from fca.model.diffusion import diffuse
from fca.pocket.base import build_scheduler
from fca.train.objective import TrainingModel, epsilon_loss, v_loss
from tests.model.conftest import make_world, small_transformer

SHAPE = (3, 4, 2, 3, 5)


@pytest.fixture
def draws():
    random = torch.Generator().manual_seed(0)
    clean, noise, output = (torch.randn(SHAPE, generator=random, dtype=torch.float64) for _ in range(3))
    return clean, noise, output, torch.tensor([0, 500, 998])


def test_diffusion_equals_diffusers(draws):
    clean, noise, _, timestep = draws
    scheduler = build_scheduler()
    noisy, velocity = diffuse(scheduler.alphas_cumprod.double(), clean, noise, timestep)
    torch.testing.assert_close(noisy, scheduler.add_noise(clean, noise, timestep), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(velocity, scheduler.get_velocity(clean, noise, timestep), rtol=1e-6, atol=1e-6)


def test_v_loss_equals_cogvideox_weighted_clean_loss(draws):
    """CogVideoX's trainer: x_0 = get_velocity(output, x_t, t), weighted by 1 / (1 - a)."""
    clean, noise, output, timestep = draws
    alphas = build_scheduler().alphas_cumprod.double()
    noisy, velocity = diffuse(alphas, clean, noise, timestep)
    alpha = alphas[timestep].view(-1, 1, 1, 1, 1)
    predicted_clean = alpha.sqrt() * noisy - (1 - alpha).sqrt() * output
    weighted = ((predicted_clean - clean).square() / (1 - alpha)).mean()
    torch.testing.assert_close((output - velocity).square().mean(), weighted, rtol=1e-9, atol=0)
    assert v_loss(output, velocity).item() == pytest.approx(weighted.item(), rel=1e-5)


def test_the_last_step_holds_no_signal_and_the_papers_reference_step_little_noise():
    alphas = build_scheduler().alphas_cumprod
    assert alphas[999].item() == 0.0
    assert alphas[1].item() == pytest.approx(0.9948, abs=1e-4)  # t_ref, sigma 0.072


def test_the_epsilon_loss_is_the_error_of_the_noise_that_the_velocity_stands_for():
    """Eq. 4 directly: the noise solved from x_t and the predicted x_0, against the true noise."""
    alphas = build_scheduler().alphas_cumprod
    random = torch.Generator().manual_seed(3)
    clean, noise, error = (torch.randn(4, 2, 3, 2, 2, generator=random, dtype=torch.float64) for _ in range(3))
    timestep = torch.tensor([0, 300, 700, 999])
    noisy, velocity = diffuse(alphas, clean, noise, timestep)
    prediction = velocity + error
    alpha = alphas[timestep].double().view(-1, 1, 1, 1, 1)
    predicted_clean = alpha.sqrt() * noisy - (1 - alpha).sqrt() * prediction
    predicted_noise = (noisy - alpha.sqrt() * predicted_clean) / (1 - alpha).sqrt()
    expected = (predicted_noise - noise).square().mean()
    found = epsilon_loss(prediction, velocity, alphas[timestep])
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-7)
    assert epsilon_loss(prediction[3:], velocity[3:], alphas[timestep[3:]]) == 0  # no signal at the last step


def test_the_configured_loss_is_the_one_that_is_trained():
    """With alpha one half everywhere, the epsilon loss is half of the v loss."""
    world = make_world(small_transformer(), None)
    batch = world.batch(torch.randn(world.noisy.shape, generator=torch.Generator().manual_seed(4)))
    halves = torch.full((1000,), 0.5)
    losses = [TrainingModel(TextToVideo(world.transformer), halves, loss)(batch) for loss in ("v", "epsilon")]
    torch.testing.assert_close(losses[1], losses[0] / 2)
