"""The pipeline as users of diffusers expect it: pictures and a sentence in, a video out."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    CogVideoXDDIMScheduler,
    CogVideoXDPMScheduler,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
    PyramidAttentionBroadcastConfig,
)
from PIL import Image

from fca.encode.convolution import OneDNNConvolution
from fca.errors import FcaError
from fca.pretrained.exported import ExportedModel
from fca.sample import FCAPipeline
from tests.sample.exported import SHAPE, SIZE, picture, predict, seeded


@pytest.fixture(scope="module")
def pipeline(model):
    pipeline = FCAPipeline.from_pretrained(model)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.mark.filterwarnings("error:the prompt")
def test_a_video_of_the_models_size_from_pictures_of_any_size(pipeline):
    for size in ((320, 240), (50, 200), SIZE):
        assert predict(pipeline, picture(*size)).shape == (16, *SHAPE, 3)


def test_the_seed_decides_and_frames_and_prompt_matter(pipeline):
    video = predict(pipeline, seed=3)
    assert np.array_equal(video, predict(pipeline, seed=3))
    assert not np.array_equal(video, predict(pipeline, seed=4))
    assert not np.array_equal(video, predict(pipeline, seed=3, prompt="look left"))
    assert not np.array_equal(video, predict(pipeline, picture(320, 240, seed=9), seed=3))


def test_with_the_scales_at_zero_a_prompt_gives_diffusers_video_to_the_last_bit(model):
    """The whole way from the sentence to pixels: what is added does nothing, so the base is what is left."""
    ours = FCAPipeline.from_pretrained(model)
    with torch.no_grad():
        for layer in ours.adapter.layers:
            layer.attention.scale.zero_()
    video = predict(ours, prompt="lift blue cup", negative_prompt="look left", num_inference_steps=4, seed=1)

    height, width = SHAPE
    theirs = CogVideoXPipeline(
        tokenizer=ours.tokenizer,
        text_encoder=ours.text_encoder,
        vae=ours.vae,
        transformer=CogVideoXTransformer3DModel.from_config(ours.transformer.config).eval(),
        scheduler=ours.scheduler,
    )
    theirs.transformer.load_state_dict(ours.transformer.state_dict())
    random = seeded(1)
    for _ in range(2):  # the initial frame's latent, and its own noise
        torch.randn((1, 1, 16, height // 8, width // 8), generator=random)
    noise = torch.randn((1, 4, 16, height // 8, width // 8), generator=random)
    with OneDNNConvolution():  # ours takes it, too; torch's own loop rounds otherwise
        expected = theirs(
            "lift blue cup", "look left", height=height, width=width, num_frames=16, num_inference_steps=4,
            guidance_scale=ours.prediction.guidance_scale, latents=noise, max_sequence_length=16, output_type="np",
        ).frames[0]  # fmt: skip
    assert np.array_equal(video, expected)


def test_the_scheduler_may_be_dpm_solver(model):
    pipeline = FCAPipeline.from_pretrained(model)
    expected = predict(pipeline, num_inference_steps=3)
    pipeline.scheduler = CogVideoXDPMScheduler.from_config(pipeline.scheduler.config)
    video = predict(pipeline, num_inference_steps=3)
    assert np.array_equal(video, predict(pipeline, num_inference_steps=3)), "its noise is seeded, too"
    assert not np.array_equal(video, predict(pipeline, num_inference_steps=3, seed=1))
    assert not np.array_equal(video, expected)


def test_the_models_own_scheduler_is_the_default_and_a_given_one_replaces_it(model, tmp_path):
    shutil.copytree(model, tmp_path, dirs_exist_ok=True)
    ddim = FCAPipeline.from_pretrained(tmp_path).scheduler
    assert isinstance(ddim, CogVideoXDDIMScheduler)
    ExportedModel.read(tmp_path).model_copy(update={"scheduler": "dpm"}).write(tmp_path)
    pipeline = FCAPipeline.from_pretrained(tmp_path)
    assert isinstance(pipeline.scheduler, CogVideoXDPMScheduler)
    assert torch.equal(pipeline.scheduler.alphas_cumprod, ddim.alphas_cumprod)
    assert FCAPipeline.from_pretrained(tmp_path, scheduler=ddim).scheduler is ddim


def test_two_frames_may_be_arrays_or_pictures(pipeline):
    pictures = [picture(*SIZE, seed) for seed in (1, 2)]
    arrays = [np.asarray(frame) for frame in pictures]
    assert np.array_equal(predict(pipeline, pictures), predict(pipeline, arrays))
    assert np.array_equal(predict(pipeline, pictures), predict(pipeline, np.stack(arrays)))


def test_the_models_own_settings_are_the_default(pipeline):
    video = predict(pipeline)
    assert np.array_equal(video, predict(pipeline, num_inference_steps=2, guidance_scale=1.5, negative_prompt=""))
    assert not np.array_equal(video, predict(pipeline, guidance_scale=4.0, negative_prompt="look left"))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ([], "0 frames were given"),
        ([picture(8, 8)] * 3, "3 frames were given"),
        ("start.png", "image is a str"),
        (np.zeros((8, 8), np.uint8), "a frame is uint8 of shape"),
        (["start.png"], "a frame is a str"),
        ([np.zeros((8, 8, 3))], "a frame is float64"),
    ],
)
def test_what_is_no_frame_is_explained(pipeline, image, message):
    with pytest.raises(FcaError, match=message):
        pipeline(image, "push red block left")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prompt": 3}, "the prompt is 3"),
        ({"prompt": [3]}, "caption|prompt"),
        ({"prompt": None}, "there is no prompt"),
        ({"prompt": ["look left"], "image": [picture(8, 8)] * 2}, "2 pictures and 1 prompts"),
        ({"prompt": ["look left", "lift blue cup"], "negative_prompt": ["a"]}, "1 prompts for 2 videos"),
        ({"num_inference_steps": 0}, "0 sampling steps"),
        ({"guidance_scale": 0.5}, "the guidance is 0.5"),
        ({"output_type": "mp4"}, "output_type is 'mp4'"),
        ({"num_videos_per_prompt": 0}, "0 videos per prompt"),
        ({"num_frames": 1}, "1 frames were asked for"),
        ({"num_frames": 31, "next_prompts": ["a", "b"]}, "3 chunks need 32 frames"),
        ({"num_frames": 40, "next_prompts": "look left"}, "next_prompts is 'look left'"),
        ({"num_frames": 40, "output_type": "latent"}, "latents"),
        ({"latents": torch.zeros(1, 4, 16, 8, 8)}, "latents are"),
        ({"callback_on_step_end_tensor_inputs": ["noise"]}, "a callback can't be given noise"),
        ({"prompt_embeds": torch.zeros(1, 16, 64)}, "both a prompt and its embeddings"),
        ({"prompt": None, "prompt_embeds": torch.zeros(1, 16, 64)}, "all three of its embeddings"),
    ],
)
def test_other_wrong_values_are_explained(pipeline, settings, message):
    with pytest.raises(FcaError, match=message):
        pipeline(**{"image": picture(8, 8), "prompt": "look left", "num_inference_steps": 1} | settings)


def test_what_is_not_read_of_a_prompt_is_told(pipeline):
    with pytest.warns(UserWarning, match="T5 reads|BLIP-2 reads") as told:
        predict(pipeline, prompt="lift blue cup and then lower it again, slowly, to where it was")
    for name in ("T5 reads 16 of its", "BLIP-2 reads 32 of its"):
        assert any(name in str(warning.message) for warning in told)


@pytest.mark.filterwarnings("error:the prompt")
def test_an_empty_prompt_is_a_prompt(pipeline):
    assert predict(pipeline, prompt="").shape == (16, *SHAPE, 3)


def test_a_batch_is_its_videos_one_by_one(pipeline):
    """Each with its own start, prompt and generator; batches round differently."""
    starts, prompts = [picture(64, 64, seed) for seed in (1, 2)], ["lift blue cup", "look left"]
    settings = {"output_type": "np", "num_inference_steps": 2}
    together = pipeline(starts, prompts, generator=[seeded(5), seeded(6)], **settings).frames
    assert together.shape == (2, 16, *SHAPE, 3)
    for row, seed in enumerate((5, 6)):
        alone = pipeline(starts[row], prompts[row], generator=seeded(seed), **settings).frames[0]
        assert np.abs(together[row] - alone).max() < 1e-4
        other = pipeline(starts[1 - row], prompts[row], generator=seeded(seed), **settings).frames[0]
        assert np.abs(other - alone).max() > 1e-3, "the start counts"
    assert np.abs(together[0] - together[1]).max() > 0.1


def test_several_videos_of_a_prompt_differ_by_their_noise_alone(pipeline):
    settings = {"output_type": "np", "num_inference_steps": 2}
    generators = [seeded(seed) for seed in (5, 6, 5)]
    several = pipeline(picture(64, 64), "look left", num_videos_per_prompt=3, generator=generators, **settings).frames
    assert np.abs(several[0] - several[1]).max() > 0.05
    assert np.abs(several[0] - several[2]).max() < 1e-5


def test_output_types_are_one_video(pipeline):
    found = {kind: pipeline(picture(64, 64), "look left", generator=seeded(1), output_type=kind).frames
             for kind in ("np", "pt", "pil", "latent")}  # fmt: skip
    assert found["np"].dtype == np.float32
    assert torch.equal(found["pt"].permute(0, 1, 3, 4, 2), torch.from_numpy(found["np"]))
    assert np.array_equal(np.stack(found["pil"][0]), (255 * found["np"][0]).round())
    assert isinstance(found["pil"][0][0], Image.Image)
    assert found["latent"].shape == (1, 4, 16, SHAPE[0] // 8, SHAPE[1] // 8)
    (again,) = pipeline(picture(64, 64), "look left", generator=seeded(1), output_type="np", return_dict=False)
    assert np.array_equal(again, found["np"])


def test_embeddings_take_the_place_of_prompts(pipeline):
    expected = predict(pipeline, prompt="lift blue cup", negative_prompt="look left")
    embeds = pipeline.encode_prompt("lift blue cup", "look left")
    names = ("prompt_embeds", "caption_embeds", "caption_mask")
    given = dict(zip((*names, *(f"negative_{name}" for name in names)), embeds, strict=True))
    encoders = dict.fromkeys(("text_encoder", "tokenizer", "caption_embeddings", "caption_tokenizer"))
    without = FCAPipeline(**pipeline.components | encoders, prediction=pipeline.config.prediction)
    assert np.array_equal(predict(without, prompt=None, **given), expected)


def test_a_callback_sees_every_step_and_may_change_or_end_it(pipeline):
    seen = []

    def note(pipe, number, timestep, tensors):
        seen.append((number, timestep, tensors["latents"].clone()))
        assert pipe is pipeline
        assert pipe.current_timestep == timestep
        return {"latents": torch.zeros_like(tensors["latents"])} if number == 2 else {}

    settings = {"num_inference_steps": 3, "output_type": "latent"}
    zeros = predict(pipeline, callback_on_step_end=note, **settings)
    assert [number for number, _, _ in seen] == [0, 1, 2]
    assert [timestep for _, timestep, _ in seen] == pipeline.scheduler.timesteps.tolist()
    assert pipeline.num_timesteps == 3
    assert pipeline.current_timestep is None
    assert not zeros.any()

    def stop(pipe, number, timestep, tensors):
        pipe._interrupt = number == 1
        return tensors

    assert torch.equal(predict(pipeline, callback_on_step_end=stop, **settings), seen[1][2][0])
    assert not torch.equal(predict(pipeline, **settings), seen[1][2][0]), "the next call isn't interrupted"


def test_a_callback_that_returns_nothing_changes_nothing(pipeline):
    assert np.array_equal(predict(pipeline, callback_on_step_end=lambda *_: None), predict(pipeline))


def test_generators_are_one_for_each_video(pipeline):
    for count in (1, 3):
        with pytest.raises(FcaError, match=f"{count} generators for 2 videos"):
            pipeline(picture(8, 8), ["look left"] * 2, generator=[seeded(1)] * count)


def test_a_callback_may_change_the_guidance(pipeline):
    def more(pipe, number, timestep, tensors):
        pipe._guidance_scale += 1.0
        return tensors

    settings = {"num_inference_steps": 3, "guidance_scale": 2.0}
    changed = predict(pipeline, callback_on_step_end=more, **settings)
    assert pipeline.guidance_scale == 5.0
    assert not np.array_equal(changed, predict(pipeline, **settings))


def test_pyramid_attention_broadcast_may_ask_for_the_timestep(pipeline):
    """As diffusers' pages show it: also during the initial frames' own pass, which has a timestep of its own."""
    exact = predict(pipeline, num_inference_steps=4)
    seen = []

    def timestep():
        seen.append(pipeline.current_timestep)
        return seen[-1]

    pipeline.transformer.enable_cache(
        PyramidAttentionBroadcastConfig(spatial_attention_block_skip_range=2, current_timestep_callback=timestep)
    )
    video = predict(pipeline, num_inference_steps=4)
    pipeline.transformer.disable_cache()
    assert list(dict.fromkeys(seen)) == [pipeline.prediction.t_ref, *pipeline.scheduler.timesteps.tolist()]
    assert not np.array_equal(video, exact)
    assert np.array_equal(predict(pipeline, num_inference_steps=4), exact)


def test_given_latents_are_the_noise(pipeline):
    noise = torch.randn(1, 4, 16, SHAPE[0] // 8, SHAPE[1] // 8, generator=torch.Generator().manual_seed(1))
    videos = [predict(pipeline, latents=noise, seed=seed, guidance_scale=1.0) for seed in (1, 1, 2)]
    assert np.array_equal(videos[0], videos[1])
    assert not np.array_equal(videos[0], predict(pipeline, latents=-noise, seed=1, guidance_scale=1.0))


def test_a_longer_video_goes_on_from_its_last_frames(pipeline):
    """Chunk by chunk: the second is what the last two frames of the first predict with the next prompt."""
    start = [picture(64, 64, seed) for seed in (1, 2)]
    random = seeded(3)
    first = pipeline(start, "look left", generator=random, output_type="np").frames[0]
    last = [(255 * frame).round().astype(np.uint8) for frame in first[-2:]]
    second = pipeline(last, "lift blue cup", generator=random, output_type="np").frames[0]
    whole = predict(pipeline, start, prompt="look left", next_prompts=["lift blue cup"], num_frames=25, seed=3)
    assert np.array_equal(whole, np.concatenate([first, second[2:11]]))
    assert len(predict(pipeline, start, num_frames=7, seed=3)) == 7
    quick = {"num_frames": 44, "seed": 3, "num_inference_steps": 1}
    whole = predict(pipeline, start, next_prompts=["look left", "lift blue cup"], **quick)
    other = predict(pipeline, start, next_prompts=["look left"], **quick)  # it goes on
    assert len(whole) == len(other) == 44
    assert np.array_equal(whole[:30], other[:30])
    assert not np.array_equal(whole[30:], other[30:])


def test_a_folder_without_an_adapter_is_named(pipeline, model, tmp_path):
    with pytest.raises(FcaError, match=r"model.json is missing"):
        FCAPipeline.from_pretrained(tmp_path)
    (tmp_path / "model.json").write_text((Path(model) / "model.json").read_text())
    with pytest.raises(FcaError, match="holds no adapter"):
        FCAPipeline.from_pretrained(tmp_path)
    with pytest.raises(FcaError, match="no argument precision"):
        FCAPipeline.from_pretrained(model, precision="fp8")
