"""Every array of a latents shard from its clips' pixels and captions, by the networks' own classes, one by one."""

import json

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLCogVideoX
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoTokenizer, Blip2Config, Blip2VisionModel, T5EncoderModel

from fca.artifacts.shards import Shard
from fca.config import BaseKind, Layout
from fca.encode.shard import encode
from fca.encode.vae import decode, load_vae
from tests.conftest import CAPTIONS, CLIPS

MEAN = np.array([0.48145466, 0.4578275, 0.40821073])  # CLIP's
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711])


@pytest.fixture
def project(project, random_base, random_image_base):
    networks = {"model": str(random_image_base), "vision_model": str(random_base / "vision")}
    return project.model_copy(update={"image_base": project.image_base.model_copy(update=networks)})


def vae_posterior(vae: AutoencoderKLCogVideoX, pixels: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mean and log variance (C, f, h, w) of frames (F, H, W, 3)."""
    video = torch.from_numpy(np.moveaxis(pixels, 3, 0) / 255 * 2 - 1).float()[None]
    with torch.no_grad():
        mean, logvar = vae.encode(video).latent_dist.parameters[0].chunk(2)
    return mean, logvar.clamp(-30, 20)


def vision_tokens(folder, picture: np.ndarray) -> Tensor:
    """ViT tokens (v, w) of a picture (H, W, 3), prepared as BLIP-2's image processor does."""
    config = Blip2Config.from_pretrained(folder).vision_config
    network = Blip2VisionModel(config).eval()
    weights = load_file(folder / "model.safetensors")
    prefix = "vision_model."
    network.load_state_dict({key.removeprefix(prefix): weights[key].float() for key in weights if prefix in key})
    size = (config.image_size, config.image_size)
    resized = np.asarray(Image.fromarray(picture).resize(size, Image.BICUBIC)) / 255
    prepared = torch.from_numpy(np.moveaxis((resized - MEAN) / DEVIATION, 2, 0)).float()[None]
    with torch.no_grad():
        return network(prepared).last_hidden_state[0]


def text_tokens(folder, caption: str) -> tuple[Tensor, Tensor]:
    """BERT's word and position embeddings after their layer norm (32, w), and which of them are tokens."""
    weights = {name: value.double() for name, value in load_file(folder / "model.safetensors").items()}
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer(caption).input_ids
    padded = torch.tensor(tokens + [tokenizer.pad_token_id] * (32 - len(tokens)))
    words, positions = (weights[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position"))
    states = words[padded] + positions[:32]
    states = states - states.mean(1, keepdim=True)
    states = states / (states.square().mean(1, keepdim=True) + 1e-12).sqrt()
    normed = states * weights["qformer.layernorm.weight"] + weights["qformer.layernorm.bias"]
    return normed, torch.arange(32) < len(tokens)


def prompt_tokens(folder, caption: str) -> Tensor:
    """T5's embeddings (16, w), with the padding and without a mask, as in CogVideoX."""
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    network = T5EncoderModel.from_pretrained(folder / "text_encoder", dtype=torch.float32).eval()
    tokens = tokenizer(caption).input_ids
    padded = torch.tensor([tokens + [tokenizer.pad_token_id] * (16 - len(tokens))])
    with torch.no_grad():
        return network(padded).last_hidden_state[0]


def assert_half(found: np.ndarray, expected: Tensor, name: str) -> None:
    """Equal up to the rounding of float16 and of a batch."""
    assert found.dtype == np.float16, name
    np.testing.assert_allclose(found.astype(np.float64), expected.numpy(), rtol=2e-3, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("base, initial_frames", [("text", 2), ("image", 1)])
def test_the_arrays_of_each_clip(project, random_base, base: BaseKind, initial_frames: int) -> None:
    vae = AutoencoderKLCogVideoX.from_pretrained(random_base / "vae").eval()
    seen = 0
    for number in (0, 1):
        encode(project, "ssv2", "validation", number, base)
        clips = Layout(project).clips("ssv2", "validation", number)
        latents = Layout(project).latents("ssv2", "validation", number, base)
        with Shard(clips) as pixels, Shard(latents, kind="latents") as shard:
            shard.verify()
            factor = json.loads((random_base / "vae/config.json").read_text())["scaling_factor"]
            assert dict(shard.meta) == {
                "scaling_factor": factor,
                "initial_scaling_factor": factor,
                "initial_frames": initial_frames,
            }
            assert shard.ids == pixels.ids
            for row, frames in enumerate(pixels.frames[:]):
                mean, logvar = vae_posterior(vae, frames)
                assert_half(shard["mean"][row], mean, "mean")
                assert_half(shard["logvar"][row], logvar, "logvar")
                mean, logvar = vae_posterior(vae, frames[:initial_frames])
                assert mean.shape[1] == 1
                assert_half(shard["init_mean"][row], mean, "init_mean")
                assert_half(shard["init_logvar"][row], logvar, "init_logvar")
                assert_half(shard["vision"][row], vision_tokens(random_base / "vision", frames[0]), "vision")
                caption = CAPTIONS[seen]
                seen += 1
                assert shard.captions[row] == caption
                for line, text in ((shard["prompt"][row], caption), (0, "")):
                    assert_half(shard["prompt_embeds"][line], prompt_tokens(random_base, text), "prompt_embeds")
                    embeds, mask = text_tokens(random_base / "vision", text)
                    assert_half(shard["text_embeds"][line], embeds, "text_embeds")
                    np.testing.assert_array_equal(shard["text_mask"][line], mask)
            assert len(shard["prompt_embeds"]) == 1 + len(shard), "distinct captions, and the empty one"
    assert seen == CLIPS


def test_pixels_of_scaled_latents(project, random_base) -> None:
    vae = AutoencoderKLCogVideoX.from_pretrained(random_base / "vae").eval()
    latents = torch.randn(2, 4, 16, 8, 12, generator=torch.Generator().manual_seed(0))
    found = decode(load_vae(project.base, "fp32"), latents).numpy()
    assert found.shape == (2, 16, 64, 96, 3)
    for row in range(2):
        with torch.no_grad():
            video = vae.decode((latents[row] / vae.config.scaling_factor).transpose(0, 1)[None]).sample[0]
        expected = np.rint((np.moveaxis(video.double().numpy(), 0, 3) + 1).clip(0, 2) * 127.5)
        assert np.abs(found[row] - expected).max() <= 1, "rounded; a batch may round the other way"
        assert np.mean(found[row] == expected) > 0.999
