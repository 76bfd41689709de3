"""The paper's model as a whole against the slow one, in values and in gradients; and how a new one starts."""

import math

import pytest
import torch

from fca.model import FCA
from fca.model.attention import FCAAttention
from fca.model.text_conditioning import FramePreNorm
from tests.model.conftest import PATCHES_IN_TIME, ROTARY, small_adapter, small_transformer
from tests.model.reference import slow_alphas, slow_velocity
from tests.model.test_variants import VARIANTS


@pytest.mark.parametrize(
    "variant, base",
    [(variant, {}) for variant in VARIANTS] + [("fca", ROTARY), ("fca", PATCHES_IN_TIME), ("uniform_refined", ROTARY)],
)
def test_every_variant_equals_the_slow_model(world, variant, base):
    """Adapted transformer with one-step noise on the initial latent, three layers, clip by clip."""
    transformer, patch = small_transformer(3, **base), base.get("patch_size_t", 1)
    adapter = small_adapter(transformer, latent_frames=4 // patch, **VARIANTS[variant])
    model = FCA(transformer, adapter, slow_alphas().float(), t_ref=1)
    fast = model.prepare(world.initial_frames, world.whole_prompt)(world.noisy, world.timestep)
    alpha = slow_alphas()[1]
    noisy_initial = (alpha.sqrt() * world.initial + (1 - alpha).sqrt() * world.initial_noise).float()
    columns = {
        "prompt_embeds": world.prompt,
        "text_embeds": world.text,
        "text_mask": world.text_mask,
        "vision": world.vision,
    }
    bare = small_transformer(3, **base)
    slow = torch.stack(
        [
            slow_velocity(
                bare,
                adapter,
                world.noisy[row],
                int(world.timestep[row]),
                noisy_initial[row].repeat_interleave(patch, dim=0),
                {name: column[row] for name, column in columns.items()},
            )
            for row in range(len(world.noisy))
        ]
    )
    torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-5)
    weights = list(adapter.parameters())
    for mine, theirs in zip(
        torch.autograd.grad(fast.square().sum(), weights),
        torch.autograd.grad(slow.square().sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3)


def test_a_new_attention_starts_with_xaviers_weights_and_a_new_pre_norm_as_a_layer_norm():
    torch.manual_seed(0)
    attention, bound = FCAAttention(64, 4), math.sqrt(6 / 128)
    for name in ("to_q", "to_k", "to_v", "to_out"):
        linear = getattr(attention, name)
        assert not linear.bias.any()
        assert linear.weight.abs().max() <= bound
        assert linear.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    frames = torch.randn(2, 5, 16)
    found = FramePreNorm(16, 8)(frames, torch.randn(2, 8))
    torch.testing.assert_close(found, torch.nn.functional.layer_norm(frames, [16]))
