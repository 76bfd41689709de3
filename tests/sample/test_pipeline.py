"""The pipeline for people: pictures and a sentence in, a video out."""

import numpy as np
import pytest
from PIL import Image

from fca.errors import FcaError
from fca.model import FCAAdapter
from fca.sample import FCAPipeline
from fca.sample.pipeline import load_denoiser


@pytest.fixture(scope="module")
def pipeline(random_base, tmp_path_factory):
    from fca.config.models import Base

    transformer, _ = load_denoiser(Base(model=str(random_base), vision_model="", text_tokens=16), "fp32")
    sizes = {"latent_frames": 4, "queries_per_frame": 16, "text_width": 64, "vision_width": 64}
    adapter = FCAAdapter.for_transformer(transformer, conditioning_heads=4, **sizes)
    folder = tmp_path_factory.mktemp("adapter")
    adapter.save_pretrained(folder)
    return FCAPipeline.from_pretrained(random_base, adapter=folder)


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((width, height))


def predict(pipeline, frames=None, prompt="push red block left", **settings) -> np.ndarray:
    return pipeline(frames=frames or [picture(320, 240)], prompt=prompt, num_inference_steps=2, **settings)


def test_a_video_of_the_models_size_from_pictures_of_any_size(pipeline):
    for size in ((320, 240), (50, 200), (96, 64)):
        video = predict(pipeline, [picture(*size)])
        assert video.shape == (16, 64, 96, 3)
        assert video.dtype == np.uint8


def test_the_seed_decides_and_frames_and_prompt_matter(pipeline):
    video = predict(pipeline, seed=3)
    assert np.array_equal(video, predict(pipeline, seed=3))
    assert not np.array_equal(video, predict(pipeline, seed=4))
    assert not np.array_equal(video, predict(pipeline, seed=3, prompt="lift blue cup"))
    assert not np.array_equal(video, predict(pipeline, [picture(320, 240, seed=9)], seed=3))


def test_two_frames_may_be_arrays_or_pictures(pipeline):
    pictures = [picture(96, 64, seed) for seed in (1, 2)]
    arrays = [np.asarray(frame) for frame in pictures]
    assert np.array_equal(predict(pipeline, pictures), predict(pipeline, arrays))


@pytest.mark.parametrize("frames", [[], [np.zeros((8, 8), np.uint8)], [np.zeros((8, 8, 3))]])
def test_what_is_no_frame_is_refused(pipeline, frames):
    with pytest.raises(FcaError, match="frame"):
        pipeline(frames=frames, prompt="push red block left")


def test_a_folder_without_an_adapter_is_named(random_base, tmp_path):
    with pytest.raises(FcaError, match="holds no adapter"):
        FCAPipeline.from_pretrained(random_base, adapter=tmp_path)
