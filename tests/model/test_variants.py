"""The variants of the adapter: each does what its name says, and every one trains."""

import pytest
import torch

from fca.model import FCA, InitialFrames
from fca.model.adapter import denoise
from fca.pocket.base import build_scheduler
from fca.sample.ddim import predict_latents
from fca.train.objective import TrainingModel
from tests.model.conftest import PATCHES_IN_TIME, ROTARY, World, make_world, small_adapter, small_transformer

VARIANTS = {
    "fca": {},
    "no_ftc": {"frame_wise_text": "none"},
    "uniform": {"frame_wise_text": "uniform", "frame_mask": False},
    "uniform_masked": {"frame_wise_text": "uniform"},
    "uniform_refined": {"frame_wise_text": "uniform_refined", "frame_mask": False},
    "no_mask": {"frame_mask": False},
    "no_pre_norm": {"pre_norm": False},
    "uniform_refined_no_pre_norm": {"frame_wise_text": "uniform_refined", "frame_mask": False, "pre_norm": False},
    "after_gate": {"gate": "after"},
}
ALPHAS = build_scheduler().alphas_cumprod


def make(variant: str, layers: int = 3, **base) -> tuple[FCA, World]:
    transformer = small_transformer(layers, **base)
    frames = 4 // base.get("patch_size_t", 1)
    adapter = small_adapter(transformer, **VARIANTS[variant] | {"latent_frames": frames})
    return FCA(transformer, adapter, ALPHAS, t_ref=1), make_world(transformer, adapter)


def run(model: FCA, world: World) -> torch.Tensor:
    return model.prepare(world.initial_frames, world.whole_prompt)(world.noisy, world.timestep)


@pytest.mark.parametrize("base", [{}, ROTARY, PATCHES_IN_TIME], ids=["2b", "5b", "1.5"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_starts_from_the_base_at_scale_zero_and_trains_on_every_kind_of_base(variant, base):
    model, world = make(variant, **base)
    bare = make_bare(base, world)
    output = run(model, world)
    assert output.shape == world.noisy.shape
    assert not torch.equal(output, bare)
    output.square().sum().backward()
    silent = [
        name for name, weight in model.trained().items() if weight.grad is None or not weight.grad.abs().sum() > 0
    ]
    assert [name for name in silent if not name.endswith("key.bias")] == []  # softmax ignores a bias on keys
    assert all(weight.grad is None for weight in model.transformer.parameters())
    with torch.no_grad():
        for layer in model.adapter.layers:
            layer.attention.scale.zero_()
    assert torch.equal(run(model, world), bare)


def make_bare(base: dict, world: World) -> torch.Tensor:
    """What the untouched transformer gives, with positions made by diffusers' own pipeline."""
    from diffusers import CogVideoXPipeline

    transformer = small_transformer(3, **base)
    rotary = None
    if base:
        pipeline = CogVideoXPipeline.__new__(CogVideoXPipeline)
        pipeline.register_modules(transformer=transformer)
        pipeline.vae_scale_factor_spatial = 8
        frames, _, height, width = world.noisy.shape[1:]
        device = world.noisy.device
        rotary = pipeline._prepare_rotary_positional_embeddings(8 * height, 8 * width, frames, device)
    with torch.no_grad():
        return transformer(world.noisy, world.prompt, world.timestep, image_rotary_emb=rotary, return_dict=False)[0]


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradient_checkpointing_changes_no_gradient_of_any_variant(variant):
    model, world = make(variant)

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        run(model, world).square().sum().backward()
        return [weight.grad.clone() for weight in model.trained().values() if weight.grad is not None]

    expected = gradients()
    model.transformer.enable_gradient_checkpointing()
    found = gradients()
    assert len(found) == len(expected)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_the_mask_alone_makes_the_difference_between_rows_five_and_six():
    """Same weights, same names: without the mask the output is another, and the parameters are as many."""
    masked, world = make("fca")
    open_, _ = make("no_mask")
    open_.adapter.load_state_dict(masked.adapter.state_dict())
    assert not torch.allclose(run(masked, world), run(open_, world), atol=1e-4)


def test_uniform_gives_every_layer_the_same_embeddings_and_far_fewer_parameters():
    model, world = make("uniform")
    condition = model.adapter.make_condition(world.features(), world.text, world.text_mask, world.vision)
    assert all(torch.equal(frames, condition.frames[0]) for frames in condition.frames)
    assert sum("conditioning.queries" in name for name in model.trained()) == 1
    assert sum("conditioning.queries" in name for name in make("fca")[0].trained()) == 3


def test_refined_embeddings_change_from_layer_to_layer_and_equal_uniform_where_nothing_is_added():
    refined, world = make("uniform_refined")
    uniform, _ = make("uniform")
    uniform.adapter.load_state_dict(refined.adapter.state_dict())
    assert not torch.allclose(run(refined, world), run(uniform, world), atol=1e-5)
    # layer 0 of both receives the same embeddings: with every other layer's scale at zero they agree
    with torch.no_grad():
        for model in (refined, uniform):
            for layer in model.adapter.layers[1:]:
                layer.attention.scale.zero_()
    torch.testing.assert_close(run(refined, world), run(uniform, world), rtol=1e-5, atol=1e-6)


def test_without_the_pre_norm_keys_of_the_frames_are_made_once_for_all_noise_levels():
    model, world = make("no_pre_norm")
    condition = model.adapter.make_condition(world.features(), world.text, world.text_mask, world.vision)
    keys, values = condition.frame_keys_values[1]
    layer = model.adapter.layers[1].attention
    expected = layer.keys_values(condition.frames[1])
    assert torch.equal(keys, expected[0])
    assert torch.equal(values, expected[1])
    assert not any("pre_norm" in name for name in model.trained())


def test_after_the_gate_the_addition_is_not_scaled_by_it():
    """With all gates at zero, nothing that is added before them arrives; what is added after them does."""
    for variant, arrives in (("fca", False), ("after_gate", True)):
        model, world = make(variant, layers=1)
        width = 32
        with torch.no_grad():
            linear = model.transformer.transformer_blocks[0].norm1.linear
            for gate in (2, 5):  # shift, scale, gate of the video; then of the text
                linear.weight[gate * width : (gate + 1) * width] = 0
                linear.bias[gate * width : (gate + 1) * width] = 0
        with_condition = run(model, world)
        model.adapter.layers[0].attention.scale.data.zero_()
        assert torch.allclose(with_condition, run(model, world), atol=1e-6) != arrives


@pytest.mark.parametrize("base", [ROTARY, PATCHES_IN_TIME], ids=["5b", "1.5"])
def test_a_rotary_base_trains_and_samples(base):
    model, world = make("fca", layers=2, **base)
    training = TrainingModel(model, ALPHAS)
    noise = torch.randn(world.noisy.shape, generator=torch.Generator().manual_seed(5))
    batch = world.batch(noise)
    optimizer = torch.optim.AdamW(model.trained().values(), lr=1e-2)
    losses = []
    for _ in range(8):
        loss = training(batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]

    def predicted(start: InitialFrames) -> torch.Tensor:
        prompt = world.whole_prompt
        return predict_latents(model, build_scheduler(), start, prompt, prompt, noise, steps=3, guidance_scale=2.0)

    latents = predicted(world.initial_frames)
    assert torch.isfinite(latents).all()
    assert torch.equal(latents, predicted(world.initial_frames))
    moved = InitialFrames(world.initial + 1, world.initial_noise, world.vision)
    assert not torch.allclose(latents, predicted(moved), atol=1e-3)


def test_an_adapter_can_be_attached_again_and_replaced_by_another():
    """Whatever was attached before, without a condition the base runs bit for bit, and an adapter acts as alone."""
    model, world = make("after_gate")
    alone, bare = run(model, world), make_bare({}, world)
    model.adapter.attach(model.transformer)
    assert torch.equal(run(model, world), alone)
    before = small_adapter(model.transformer)
    before.attach(model.transformer)
    assert torch.equal(denoise(model.transformer, world.noisy, world.prompt, world.timestep, None), bare)
    assert not torch.equal(run(FCA(model.transformer, before, ALPHAS, t_ref=1), world), alone)


def test_a_setting_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="layerwise"):
        small_adapter(small_transformer(), frame_wise_text="layerwise")
