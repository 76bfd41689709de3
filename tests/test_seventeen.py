"""Clips of 17 frames, 4k + 1, for which CogVideoX's VAE is made: from fetch to scores and report."""

import json

from fca.artifacts.shards import Shard
from fca.config import Config, Layout, load
from fca.config.shipped import REPOSITORY
from fca.plan import plan
from fca.pretrained.exported import ExportedModel
from tests.test_empty_shards import chain, configured, run

FRAMES, LATENT_FRAMES = 17, 5


def test_from_fetch_to_the_report(tmp_path, random_base) -> None:
    edited = {"1000000": ["rolling an orange can"]}
    values = configured(tmp_path, random_base, 6, edited_captions=edited).model_dump(mode="json")
    values["clip"]["frames"] = FRAMES
    values["variants"] = {name: values["variants"][name] for name in ("fca", "repeat")}
    config = Config.model_validate(values)
    run(config, "fetch", "ssv2")
    run(config, "index", "ssv2")
    chain(config)
    layout = Layout(config)
    run(config, "report")

    with Shard(layout.latents("ssv2", "train", 0), kind="latents") as latents:
        assert latents["mean"].shape[2] == LATENT_FRAMES
    with Shard(layout.samples("ssv2", "fca", "validation", 0), kind="samples") as samples:
        first = samples.frames[0]
        assert len(first) == FRAMES
        assert (first[0] != first[1]).any(), "the first latent frame is one picture"
    assert ExportedModel.read(layout.model("ssv2", "fca")).frames == FRAMES
    found = json.loads(layout.scores("ssv2", "fca").read_text())
    assert len(found["psnr_per_frame"]) == FRAMES - config.datasets["ssv2"].initial_frames
    assert any(f"x{FRAMES}f" in name for name in found["scores"])
    bound = json.loads(layout.vae_roundtrip("ssv2").read_text())["round_trips"]
    assert list(bound) == [str(FRAMES)], "no frame is doubled"
    assert len(bound[str(FRAMES)]["psnr_per_frame"]) == FRAMES
    assert "17 frames" in layout.report.read_text()


def test_the_shipped_configuration_is_trained_from_scratch() -> None:
    config = load(REPOSITORY / "config/pocket-17.yaml")
    assert (config.clip.frames, config.clip.latent_frames) == (FRAMES, LATENT_FRAMES)
    assert all(config.init_from(name) is None for name in config.every_variant)
    assert plan(config, ablations=True).rows
