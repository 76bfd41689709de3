"""Every array of a latents shard from its clips' pixels and captions, by the networks' own classes, one by one."""

import json

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLCogVideoX
from torch import Tensor

from fca.artifacts.shards import Shard
from fca.config import BaseKind, Layout
from fca.encode.shard import encode
from fca.encode.vae import decode, load_vae
from tests.conftest import CAPTIONS, CLIPS
from tests.encode.reference import prompt_tokens, text_tokens, vae_pixels, vae_posterior, vision_tokens


@pytest.fixture
def project(project, random_base, random_image_base):
    networks = {"model": str(random_image_base), "vision_model": str(random_base / "vision")}
    return project.model_copy(update={"image_base": project.image_base.model_copy(update=networks)})


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
    latents = torch.randn(2, 4, 16, 4, 6, generator=torch.Generator().manual_seed(0))
    found = decode(load_vae(project.base, "fp32"), latents).numpy()
    assert found.shape == (2, 16, 32, 48, 3)
    for row in range(2):
        expected = vae_pixels(vae, latents[row])
        assert np.abs(found[row] - expected).max() <= 1, "rounded; a batch may round the other way"
        assert np.mean(found[row] == expected) > 0.999
