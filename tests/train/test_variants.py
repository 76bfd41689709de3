"""Every variant of the paper's tables goes through the same steps: encode, train, export, sample, score."""

import numpy as np
import pytest

from fca.artifacts.manifest import Manifest
from fca.artifacts.shards import Shard
from fca.config import Config, Layout, load
from fca.model.build import load_denoiser
from fca.sample import FCAPipeline, sample
from fca.score import score
from fca.train.loop import train
from tests.conftest import CONFIG, encode_stored, small_config, write_clips

QUICK = ("no_ftc", "lora", "controlnet_zeros", "image_to_video_lora")
"""One of each kind; the others differ by settings whose effect the model's own tests show."""
ABLATIONS = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in load(CONFIG).ablations]


@pytest.fixture(scope="module")
def encoded(tmp_path_factory, random_base, random_image_base) -> Config:
    folder = tmp_path_factory.mktemp("variants")
    config = small_config(folder, random_base)
    config = config.model_copy(
        update={
            "image_base": config.image_base.model_copy(update={"model": str(random_image_base)}),
            "sample": config.sample.model_copy(update={"steps": 1}),
        }
    )
    write_clips(config)
    for base in ("text", "image"):
        for split in ("train", "validation"):
            for shard in (0, 1):
                encode_stored(config, split, shard, base)
    return config


@pytest.mark.parametrize("variant", ABLATIONS)
def test_every_ablation_trains_samples_and_is_scored(encoded, variant):
    layout, settings = Layout(encoded), encoded.ablations[variant]
    if settings.trained:
        train(encoded, "ssv2", variant)
        extra = Manifest.read(layout.model_manifest("ssv2", variant)).extra
        assert extra["steps"] == encoded.datasets["ssv2"].ablation_steps == 2
        assert extra["init_from"] is None
        pipeline = FCAPipeline.from_pretrained(layout.model("ssv2", variant))
        frames = [np.full((64, 96, 3), 90, np.uint8)] * (1 if settings.base == "image" else 2)
        pipeline.set_progress_bar_config(disable=True)
        assert len(pipeline(frames, "look left", num_inference_steps=1).frames[0]) == 16
    for shard in layout.shards("ssv2", "validation"):
        sample(encoded, "ssv2", variant, "validation", shard)
    with Shard(layout.samples("ssv2", variant, "validation", 0), kind="samples") as predicted:
        assert predicted.frames[:].std() > 0
    score(encoded, "ssv2", variant)
    assert layout.scores("ssv2", variant).is_file()


def test_an_appended_latent_stays_where_training_had_it(encoded, tmp_path):
    layout = Layout(encoded)
    changed = encoded.model_dump(mode="json") | {"run_dir": str(tmp_path)}
    for append in ("front", "back"):
        changed["ablations"]["lora"]["append"] = append
        train(Config.model_validate(changed), "ssv2", "lora")
        model, _ = load_denoiser(encoded.base, layout.model("ssv2", "lora"), "fp32")
        assert model.append == append


def test_an_image_base_starts_from_the_first_frame_alone(encoded):
    """ssv2 has two initial frames: the text base's latents see both, the image base's the first one."""
    layout = Layout(encoded)
    with (
        Shard(layout.latents("ssv2", "train", 0, "text"), kind="latents") as text,
        Shard(layout.latents("ssv2", "train", 0, "image"), kind="latents") as image,
    ):
        assert (text.meta["initial_frames"], image.meta["initial_frames"]) == (2, 1)
        assert not np.array_equal(text["init_mean"][:], image["init_mean"][:])
