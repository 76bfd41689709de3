"""Encoding on real small networks: shapes, and what the future of a clip may touch."""

import numpy as np
import pytest
import torch

from fca.config import Layout
from fca.data.shards import Shard
from fca.encode import encode
from fca.encode.blip2 import preprocess
from fca.encode.networks import Encoders
from fca.encode.shard import half
from fca.errors import FcaError
from tests.conftest import CAPTIONS, write_clips

CONDITIONS = ("init_mean", "init_logvar", "vision", "prompt", "prompt_embeds", "text_embeds", "text_mask")


def arrays(config) -> dict[str, np.ndarray]:
    encode(config, "ssv2", "validation", 0)
    with Shard(Layout(config).latents("ssv2", "validation", 0), kind="latents") as shard:
        shard.verify()
        return {name: shard[name][:] for name in ("mean", "logvar", *CONDITIONS)}


def test_shapes_and_the_table_of_captions(project):
    found = arrays(project)
    assert found["mean"].shape == found["logvar"].shape == (3, 16, 4, 8, 12)
    assert found["init_mean"].shape == (3, 16, 1, 8, 12)  # two initial frames, one latent frame
    assert found["vision"].shape == (3, 65, 64)
    captions = sorted(CAPTIONS[:3])
    assert found["prompt_embeds"].shape == (4, 16, 64)  # the empty caption first
    assert [captions[row - 1] for row in found["prompt"]] == CAPTIONS[:3]


def test_future_frames_cannot_change_condition(project):
    before = arrays(project)
    write_clips(project, change=91)
    after = arrays(project)
    assert not np.array_equal(before["mean"], after["mean"])
    for name in CONDITIONS:
        assert np.array_equal(before[name], after[name]), name


def test_the_same_clips_give_the_same_bytes_and_any_batch_size_the_same_numbers(project):
    before = arrays(project)
    path = Layout(project).latents("ssv2", "validation", 0)
    content = path.read_bytes()
    arrays(project)
    assert path.read_bytes() == content
    single = project.model_copy(update={"encode": project.encode.model_copy(update={"batch_size": 1})})
    for name, value in arrays(single).items():
        np.testing.assert_allclose(value.astype(np.float32), before[name].astype(np.float32), rtol=5e-3, atol=2e-3)


def test_latents_are_the_vaes_posterior(project):
    found = arrays(project)
    encoders = Encoders(project.base, "fp32")
    with Shard(Layout(project).clips("ssv2", "validation", 0)) as shard:
        frames = torch.from_numpy(shard.frames[1:2])
    video = frames.permute(0, 4, 1, 2, 3).float() / 127.5 - 1
    with torch.no_grad():
        posterior = encoders.vae.encode(video).latent_dist
    np.testing.assert_allclose(found["mean"][1], posterior.mean[0].numpy(), rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(found["logvar"][1], posterior.logvar[0].numpy(), rtol=2e-3, atol=1e-3)


def test_blip2_preprocessing_equals_the_image_processor():
    """transformers' own BLIP processor in its Pillow form, with BLIP-2's settings."""
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    processor = BlipImageProcessorPil(size={"height": 64, "width": 64})
    pixels = np.random.default_rng(0).integers(0, 256, (2, 48, 80, 3), dtype=np.uint8)
    expected = processor(list(pixels), return_tensors="pt").pixel_values
    torch.testing.assert_close(preprocess(torch.from_numpy(pixels), 64), expected, rtol=1e-5, atol=1e-5)


def test_a_missing_checkpoint_is_named(project):
    base = project.base.model_copy(update={"model": "weights/none"})
    with pytest.raises(FcaError, match="weights/none"):
        Encoders(base.model_copy(update={"model": "./weights/none"}), "fp32")


def test_what_float16_cannot_hold_is_refused():
    assert half("mean", torch.tensor([65504.0])).dtype == np.float16
    for value in (7e4, float("nan"), float("inf")):
        with pytest.raises(FcaError, match="mean has values"):
            half("mean", torch.tensor([1.0, value]))
