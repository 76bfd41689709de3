"""The adapter on CogVideoX's own transformer: what it must leave alone, and what may reach it."""

import pytest
import torch

from fca.errors import FcaError
from fca.model import FCAAdapter
from fca.model.adapter import denoise
from tests.model.conftest import small_adapter, small_transformer
from tests.model.reference import slow_conditioning


def run(world, condition):
    return denoise(world.transformer, world.noisy, world.prompt, world.timestep, condition)


def test_without_a_condition_the_base_runs_bit_for_bit(world):
    untouched = small_transformer()
    expected = untouched(world.noisy, world.prompt, world.timestep, return_dict=False)[0]
    assert torch.equal(run(world, None), expected)


def test_scale_zero_equals_the_base_bit_for_bit_and_another_scale_does_not(world):
    expected = run(world, None)
    assert not torch.equal(run(world, world.condition()), expected)
    with torch.no_grad():
        for layer in world.adapter.layers:
            layer.attention.scale.zero_()
    assert torch.equal(run(world, world.condition()), expected)


def test_gradients_reach_every_trainable_weight_and_no_frozen_one(world):
    run(world, world.condition()).square().sum().backward()
    assert all(parameter.grad is None for parameter in world.transformer.parameters())
    silent = [
        name
        for name, parameter in world.adapter.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]
    # a bias on keys shifts every score of a query alike, which softmax ignores, unless a norm follows
    assert [name for name in silent if not name.endswith("key.bias")] == []


def test_gradient_checkpointing_changes_no_gradient(world):
    def gradients() -> dict[str, torch.Tensor]:
        world.adapter.zero_grad()
        run(world, world.condition()).square().sum().backward()
        return {name: parameter.grad.clone() for name, parameter in world.adapter.named_parameters()}

    expected = gradients()
    world.transformer.train().enable_gradient_checkpointing()
    found = gradients()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_bf16_base_under_autocast_trains_fp32_weights(world):
    """The paper's precision: frozen weights in bf16, autocast, trained weights and their gradients in fp32."""
    world.transformer.to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        output = run(world, world.condition())
    output.float().square().sum().backward()
    gradients = [parameter.grad for parameter in world.adapter.parameters() if parameter.grad is not None]
    assert all(gradient.dtype == torch.float32 and torch.isfinite(gradient).all() for gradient in gradients)
    assert len(gradients) > 20


def test_an_image_to_video_base_is_refused(world):
    with pytest.raises(FcaError, match="image-to-video"):
        world.adapter.attach(small_transformer(in_channels=2 * world.noisy.shape[2]))


def test_another_number_of_latent_frames_is_refused(world):
    condition = world.condition()
    world.noisy = world.noisy[:, :2]
    with pytest.raises(ValueError, match="2 latent frames"):
        run(world, condition)


def test_attaching_leaves_the_transformers_weights_and_their_names_as_they_were(world):
    expected = small_transformer().state_dict()
    found = world.transformer.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_conditioning_equals_the_slow_reference(world):
    module = world.adapter.layers[0].conditioning
    fast = module(world.text, world.text_mask, world.vision)
    for row in range(len(fast)):
        slow = slow_conditioning(module, world.text[row], world.text_mask[row], world.vision[row])
        torch.testing.assert_close(fast[row], slow, rtol=1e-5, atol=1e-5)


def test_padding_of_the_caption_changes_nothing(world):
    module = world.adapter.layers[0].conditioning
    text = torch.where(world.text_mask[..., None], world.text, 1000.0)
    torch.testing.assert_close(
        module(text, world.text_mask, world.vision), module(world.text, world.text_mask, world.vision)
    )


def test_the_initial_features_are_what_each_blocks_attention_receives(world):
    expected = []
    hooks = [
        block.attn1.register_forward_pre_hook(
            lambda module, args, kwargs: expected.append(kwargs["hidden_states"]), with_kwargs=True
        )
        for block in world.transformer.transformer_blocks
    ]
    features = world.features()
    for hook in hooks:
        hook.remove()
    assert len(features) == len(expected) == 2
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(features, expected, strict=True))
    assert features[0].shape == (2, 6, 32)  # one latent frame: 2 x 3 patches


def test_the_time_embedding_reaches_the_pre_norm_and_not_the_condition(world):
    condition = world.condition()
    assert condition.time_embedding is None
    early, late = (
        denoise(world.transformer, world.noisy, world.prompt, torch.full((2,), time), condition) for time in (10, 900)
    )
    assert not torch.equal(early, late)
    assert condition.time_embedding is None  # the same condition serves every step


def test_a_saved_adapter_loads_with_the_same_weights_and_settings(world, tmp_path):
    world.adapter.save_pretrained(tmp_path)
    loaded = FCAAdapter.from_pretrained(tmp_path)
    assert loaded.config.queries_per_frame == 3
    assert (tmp_path / "diffusion_pytorch_model.safetensors").is_file()
    for name, value in world.adapter.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_an_adapter_for_another_transformer_is_refused():
    with pytest.raises(FcaError, match="the transformer has"):
        small_adapter(small_transformer(layers=2)).attach(small_transformer(layers=3))


def test_without_frame_wise_text_there_are_no_such_weights(world):
    adapter = small_adapter(world.transformer, frame_wise_text="none")
    assert not any("conditioning" in name or "pre_norm" in name for name, _ in adapter.named_parameters())
    adapter.attach(world.transformer)
    condition = adapter.make_condition(world.features(), world.text, world.text_mask, world.vision)
    assert condition.frames is None
    assert run(world, condition).shape == world.noisy.shape
