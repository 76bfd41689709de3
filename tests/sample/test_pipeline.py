"""The pipeline for people: pictures and a sentence in, a video out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import CogVideoXDPMScheduler, CogVideoXPipeline, CogVideoXTransformer3DModel
from PIL import Image

from fca.errors import FcaError
from fca.model import FCAAdapter
from fca.pretrained.exported import ExportedModel
from fca.sample import FCAPipeline
from fca.seeds import generator

SHIPPED = Path(__file__).resolve().parents[2] / "config/pocket-base/adapter"


@pytest.fixture(scope="module")
def model(random_base, tmp_path_factory):
    """An exported model with random weights: the adapter and its model.json."""
    transformer = CogVideoXTransformer3DModel.from_pretrained(random_base / "transformer", torch_dtype=torch.float32)
    sizes = {"latent_frames": 4, "queries_per_frame": 16, "text_width": 64, "vision_width": 64}
    folder = tmp_path_factory.mktemp("adapter")
    FCAAdapter.for_transformer(transformer, conditioning_heads=4, **sizes).save_pretrained(folder)
    networks = {"base": str(random_base), "vision_model": str(random_base / "vision")}
    ExportedModel.read(SHIPPED).model_copy(update=networks | {"steps": 2}).write(folder)
    return folder


@pytest.fixture(scope="module")
def pipeline(model):
    return FCAPipeline.from_pretrained(model)


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((width, height))


def predict(pipeline, frames=None, prompt="lift blue cup", **settings) -> np.ndarray:
    return pipeline(frames=frames or [picture(320, 240)], prompt=prompt, progress=False, **settings)


@pytest.mark.filterwarnings("error:the prompt")
def test_a_video_of_the_models_size_from_pictures_of_any_size(pipeline):
    for size in ((320, 240), (50, 200), (96, 64)):
        video = predict(pipeline, [picture(*size)])
        assert video.shape == (16, 64, 96, 3)
        assert video.dtype == np.uint8


def test_the_seed_decides_and_frames_and_prompt_matter(pipeline):
    video = predict(pipeline, seed=3)
    assert np.array_equal(video, predict(pipeline, seed=3))
    assert not np.array_equal(video, predict(pipeline, seed=4))
    assert not np.array_equal(video, predict(pipeline, seed=3, prompt="look left"))
    assert not np.array_equal(video, predict(pipeline, [picture(320, 240, seed=9)], seed=3))


def test_with_the_scales_at_zero_a_prompt_gives_diffusers_video_to_the_last_bit(model):
    """The whole way from the sentence to pixels: what is added does nothing, so the base is what is left."""
    ours = FCAPipeline.from_pretrained(model)
    with torch.no_grad():
        for layer in ours.denoiser.adapter.layers:
            layer.attention.scale.zero_()
    video = predict(ours, prompt="lift blue cup", negative_prompt="look left", num_inference_steps=4, seed=1)

    base = Path(ExportedModel.read(model).base)
    theirs = CogVideoXPipeline(
        tokenizer=ours.encoders.tokenizer,
        text_encoder=ours.encoders.text_encoder,
        vae=ours.encoders.vae,
        transformer=CogVideoXTransformer3DModel.from_pretrained(base / "transformer").eval(),
        scheduler=ours.scheduler,
    )
    theirs.set_progress_bar_config(disable=True)
    random = generator(1, "predict")
    for _ in range(2):  # the initial frame's latent, and its own noise
        torch.randn((1, 1, 16, 8, 12), generator=random)
    noise = torch.randn((1, 4, 16, 8, 12), generator=random)
    expected = theirs(
        "lift blue cup", "look left", height=64, width=96, num_frames=16, num_inference_steps=4,
        guidance_scale=ours.exported.guidance_scale, latents=noise, max_sequence_length=16, output_type="np",
    ).frames[0]  # fmt: skip
    assert np.array_equal(video, (torch.from_numpy(expected) * 255).round().to(torch.uint8).numpy())


def test_the_scheduler_may_be_dpm_solver(model):
    pipeline = FCAPipeline.from_pretrained(model)
    expected = predict(pipeline, num_inference_steps=3)
    pipeline.scheduler = CogVideoXDPMScheduler.from_config(pipeline.scheduler.config)
    video = predict(pipeline, num_inference_steps=3)
    assert np.array_equal(video, predict(pipeline, num_inference_steps=3)), "its noise is seeded, too"
    assert not np.array_equal(video, predict(pipeline, num_inference_steps=3, seed=1))
    assert not np.array_equal(video, expected)


def test_two_frames_may_be_arrays_or_pictures(pipeline):
    pictures = [picture(96, 64, seed) for seed in (1, 2)]
    arrays = [np.asarray(frame) for frame in pictures]
    assert np.array_equal(predict(pipeline, pictures), predict(pipeline, arrays))


def test_the_models_own_settings_are_the_default(pipeline):
    video = predict(pipeline)
    assert np.array_equal(video, predict(pipeline, num_inference_steps=2, guidance_scale=2.0, seed=42))
    assert not np.array_equal(video, predict(pipeline, guidance_scale=4.0, negative_prompt="look left"))


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "0 frames were given"),
        ([picture(8, 8)] * 3, "3 frames were given"),
        (picture(8, 8), "frames is a Image"),
        ("start.png", "frames is a str"),
        (np.zeros((8, 8, 3), np.uint8), r"array of shape \(8, 8, 3\)"),
        (["start.png"], "a frame is a str"),
        ([np.zeros((8, 8), np.uint8)], "a frame is uint8 of shape"),
        ([np.zeros((8, 8, 3))], "a frame is float64"),
    ],
)
def test_what_is_no_frame_is_explained(pipeline, frames, message):
    with pytest.raises(FcaError, match=message):
        pipeline(frames=frames, prompt="push red block left")


def test_other_wrong_values_are_explained(pipeline):
    for settings in ({"prompt": 3}, {"negative_prompt": None}, {"seed": -1}, {"num_inference_steps": 0}):
        with pytest.raises(FcaError, match=r"prompt|seed|steps"):
            predict(pipeline, **settings)


def test_what_is_not_read_of_a_prompt_is_told(pipeline):
    with pytest.warns(UserWarning, match="T5 reads|BLIP-2 reads") as told:
        predict(pipeline, prompt="lift blue cup and then lower it again, slowly, to where it was")
    for name in ("T5 reads 16 of its", "BLIP-2 reads 32 of its"):
        assert any(name in str(warning.message) for warning in told)


@pytest.mark.filterwarnings("error:the prompt")
def test_an_empty_prompt_is_a_prompt(pipeline):
    assert predict(pipeline, prompt="").shape == (16, 64, 96, 3)


def test_a_folder_without_an_adapter_is_named(pipeline, tmp_path):
    with pytest.raises(FcaError, match=r"model.json is missing"):
        FCAPipeline.from_pretrained(tmp_path)
    pipeline.exported.write(tmp_path)
    with pytest.raises(FcaError, match="holds no adapter"):
        FCAPipeline.from_pretrained(tmp_path)
    with pytest.raises(FcaError, match="precision"):
        FCAPipeline.from_pretrained(tmp_path, precision="fp8")
