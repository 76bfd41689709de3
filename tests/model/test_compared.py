"""The models that FCA is compared with: LoRA, ControlNet, image-to-video."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from fca.errors import FcaError
from fca.model import Denoiser
from fca.model.controlnet import CogVideoXControlNet, ControlNet
from fca.model.denoiser import TextToVideo
from fca.model.image_to_video import ImageToVideo, is_image_to_video
from fca.model.lora import WEIGHTS, Append, AppendedLatent, add_lora, load_lora, read_append
from tests.model.conftest import IMAGE_TO_VIDEO, ROTARY, World, make_world, small_transformer


def lora(append: Append = "front", **base) -> Denoiser:
    transformer = small_transformer(**base)
    torch.manual_seed(3)
    add_lora(transformer, rank=4, alpha=2)
    return AppendedLatent(transformer, append)


def controlnet(control: str = "repeated", **base) -> Denoiser:
    transformer = small_transformer(3, **base)
    torch.manual_seed(3)
    return ControlNet(transformer, CogVideoXControlNet.for_transformer(transformer, 2, control))


def image_to_video_lora() -> Denoiser:
    transformer = small_transformer(**IMAGE_TO_VIDEO)
    torch.manual_seed(3)
    add_lora(transformer, rank=4, alpha=2)
    return ImageToVideo(transformer)


MODELS = {
    "lora": lora,
    "lora_back": lambda: lora("back"),
    "controlnet": controlnet,
    "controlnet_zeros": lambda: controlnet("zeros"),
    "controlnet_rotary": lambda: controlnet(**ROTARY),
    "image_to_video_lora": image_to_video_lora,
}


@pytest.fixture
def world() -> World:
    return make_world(small_transformer(), None)


def run(model: Denoiser, world: World) -> torch.Tensor:
    return model.prepare(world.initial_frames, world.whole_prompt)(world.noisy, world.timestep)


def shaken(model: Denoiser) -> Denoiser:
    """Zero-initialised weights moved, so that every path counts."""
    torch.manual_seed(4)
    with torch.no_grad():
        for parameter in model.trained().values():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("name", MODELS)
def test_training_starts_from_the_base_and_moves_every_trained_weight_and_no_frozen_one(name, world):
    model = MODELS[name]()
    start = run(model, world)
    assert start.shape == world.noisy.shape
    frozen = {key: value.clone() for key, value in model.state_dict().items() if key not in model.trained()}
    shaken(model)
    output = run(model, world)
    assert not torch.allclose(output, start, atol=1e-4)
    output.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.trained().values())
    assert all(key.startswith("controlnet.") or ".lora_" in key for key in model.trained())
    assert all(parameter.grad is None for key, parameter in model.named_parameters() if key not in model.trained())
    assert all(torch.equal(model.state_dict()[key], value) for key, value in frozen.items())


def test_a_new_controlnet_adds_nothing_and_a_new_lora_is_the_base_with_one_more_latent_frame(world):
    assert torch.equal(run(controlnet(), world), run(TextToVideo(small_transformer(3)), world))
    for append, order, own in (("front", [0, 1], slice(1, None)), ("back", [1, 0], slice(None, -1))):
        longer = torch.cat([(world.initial, world.noisy)[part] for part in order], dim=1)
        expected = small_transformer()(longer, world.prompt, world.timestep, return_dict=False)[0][:, own]
        assert torch.equal(run(lora(append), world), expected)


def test_a_latent_in_front_shifts_the_positions_in_time_and_one_at_the_back_does_not(world):
    """The positions of x_t's tokens, as the transformer receives them from us (rotary ones)."""
    tokens = world.noisy.shape[1] * (world.noisy.shape[3] // 2) * (world.noisy.shape[4] // 2)
    found = {}
    for append, own in (("front", slice(-tokens, None)), ("back", slice(tokens)), ("none", slice(None))):
        model = TextToVideo(small_transformer(**ROTARY)) if append == "none" else lora(append, **ROTARY)
        seen = []
        model.transformer.register_forward_pre_hook(
            lambda _, __, named, seen=seen: seen.append(named["image_rotary_emb"][0]), with_kwargs=True
        )
        run(model, world)
        found[append] = seen[0][own]
    torch.testing.assert_close(found["back"], found["none"])
    frame = tokens // world.noisy.shape[1]
    torch.testing.assert_close(found["front"][:-frame], found["none"][frame:])
    assert not torch.allclose(found["front"], found["none"], atol=1e-3)


def test_low_rank_weights_have_the_rank_and_the_factor_that_were_asked_for(world):
    """alpha / rank times B A on each of the four projections of every block."""
    model = lora()
    names = [name.partition(".lora_A")[0] for name in model.trained() if ".lora_A" in name]
    expected = [
        f"transformer.transformer_blocks.{block}.attn1.{part}"
        for block in range(2)
        for part in ("to_q", "to_k", "to_v", "to_out.0")
    ]
    assert sorted(names) == sorted(expected)
    for name in names:
        layer = model.get_submodule(name)
        with torch.no_grad():
            layer.lora_B["default"].weight.normal_()
        inputs = torch.randn(3, layer.in_features)
        change = layer(inputs) - layer.base_layer(inputs)
        down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        assert down.shape[0] == 4
        torch.testing.assert_close(change, 2 / 4 * inputs @ down.T @ up.T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_sees_the_initial_frames(name, world):
    model = shaken(MODELS[name]())
    before = run(model, world)
    world.initial = world.initial + 1
    assert not torch.allclose(run(model, world), before, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_gradient_checkpointing_changes_no_gradient(name, world):
    model = shaken(MODELS[name]())

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        run(model, world).square().sum().backward()
        return [parameter.grad.clone() for parameter in model.trained().values()]

    expected = gradients()
    model.transformer.enable_gradient_checkpointing()
    for found, wanted in zip(gradients(), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("control", ["repeated", "zeros"])
def test_a_controlnet_is_a_copy_of_the_first_blocks_that_reads_the_control_and_adds_behind_each(control, world):
    """Written out: tokens of x_t plus the projected control through the copies, whose outputs enter the base."""
    model, bare = controlnet(control), small_transformer(3)
    for copied, block in zip(model.controlnet.blocks, bare.transformer_blocks[:2], strict=True):
        assert all(torch.equal(value, block.state_dict()[name]) for name, value in copied.state_dict().items())
    shaken(model)
    net = model.controlnet
    latents = [world.initial[:, 0]] + [world.initial[:, 0] * (control == "repeated")] * 3
    embedded = [net.control_embed(latent).flatten(2).transpose(1, 2) for latent in latents]  # (B, s, d) each
    tokens = bare.patch_embed(world.prompt, world.noisy)
    text, video = tokens[:, :5], tokens[:, 5:] + net.control_in(torch.cat(embedded, dim=1))
    time = bare.time_embedding(bare.time_proj(world.timestep))
    for copied, project, block in zip(net.blocks, net.control_out, bare.transformer_blocks[:2], strict=True):
        video, text = copied(video, text, time)
        addition = project(video)
        block.register_forward_hook(lambda _, args, output, addition=addition: (output[0] + addition, output[1]))
    expected = bare(world.noisy, world.prompt, world.timestep, return_dict=False)[0]
    torch.testing.assert_close(run(model, world), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("append", ["front", "back"])
def test_low_rank_weights_come_back_from_diffusers_own_file(world, tmp_path, append):
    model = shaken(lora(append))
    expected = run(model, world)
    model.save(tmp_path)
    loaded = small_transformer()
    load_lora(loaded, tmp_path)
    torch.testing.assert_close(
        run(AppendedLatent(loaded, read_append(tmp_path)), world), expected, rtol=1e-5, atol=1e-6
    )
    config = tmp_path / "config.json"
    for content in ("{", "{}", '{"append": "top"}'):
        config.write_text(content)
        with pytest.raises(FcaError, match=r"config.json can't be read"):
            read_append(tmp_path)
    config.unlink()
    assert read_append(tmp_path) == "front", "exported before there was a choice"


def test_low_rank_weights_of_another_transformer_or_a_damaged_file_are_refused(tmp_path):
    model = lora()
    model.save(tmp_path)
    path = tmp_path / WEIGHTS
    with pytest.raises(FcaError, match="doesn't fit"):
        load_lora(small_transformer(attention_head_dim=32), tmp_path)
    weights = load_file(path)
    missing = dict(list(weights.items())[1:])
    save_file(missing, path)
    with pytest.raises(FcaError, match="doesn't fit"):
        load_lora(small_transformer(), tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FcaError, match="doesn't fit"):
        load_lora(small_transformer(), tmp_path)


def test_a_saved_controlnet_predicts_as_before(world, tmp_path):
    model = shaken(controlnet())
    model.save(tmp_path)
    loaded = ControlNet(small_transformer(3), CogVideoXControlNet.from_pretrained(tmp_path))
    assert torch.equal(run(loaded, world), run(model, world))


def test_a_controlnet_for_a_base_it_does_not_know_is_refused():
    for transformer, layers in ((small_transformer(**IMAGE_TO_VIDEO), 1), (small_transformer(2), 3)):
        with pytest.raises(FcaError, match="no ControlNet"):
            CogVideoXControlNet.for_transformer(transformer, layers, "zeros")


def test_which_base_is_image_to_video():
    assert is_image_to_video(small_transformer(**IMAGE_TO_VIDEO))
    assert not is_image_to_video(small_transformer())
    odd = make_world(small_transformer(), None)
    odd.noisy = odd.noisy[:, :3]
    with pytest.raises(FcaError, match="patches of 2"):
        run(ImageToVideo(small_transformer(**IMAGE_TO_VIDEO)), odd)
