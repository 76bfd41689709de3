"""The VAE's floor: what is rebuilt, how it is scored, and that the report shows it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from fca.artifacts.shards import Shard, write_shard
from fca.config import Config, Layout, load
from fca.encode.shard import encode
from fca.encode.vae import load_vae, posterior
from fca.errors import FcaError
from fca.report.page import report
from fca.score.features import load_network
from fca.score.frechet import frechet_distance
from fca.score.pairs import with_initial_frames
from fca.score.pixels import psnr
from fca.score.roundtrips import RoundTrips, measure_vae_roundtrip, rebuild
from fca.score.vae_roundtrip import score_vae_roundtrip
from tests.conftest import small_config, write_clips


def small(folder: Path, base: Path) -> Config:
    config = small_config(folder, base)
    return config.model_copy(update={"score": config.score.model_copy(update={"bootstrap": 20})})


@pytest.fixture(scope="module")
def scored_once(tmp_path_factory, random_base) -> Config:
    """Small validation clips with their latents, by a VAE with random weights, and their round trips."""
    config = small(tmp_path_factory.mktemp("round-trips"), random_base)
    write_clips(config)
    for shard in Layout(config).shards("ssv2", "validation"):
        encode(config, "ssv2", "validation", shard)
    score_vae_roundtrip(config, "ssv2")
    return config


@pytest.fixture
def scored(tmp_path, random_base, scored_once) -> Config:
    """A copy of it to change."""
    config = small(tmp_path, random_base)
    shutil.copytree(scored_once.data_dir, config.data_dir)
    return config


@pytest.fixture
def encoded(scored) -> Config:
    """The same without the round trips."""
    shutil.rmtree(Layout(scored).vae_roundtrip("ssv2").parent)
    return scored


class Begun(Exception):
    """A measurement has."""


def batches(config: Config, size: int) -> list:
    vae = load_vae(config.base, "fp32")
    return list(RoundTrips(config, "ssv2").batches(vae, vae, size))


def test_both_round_trips_are_the_vaes_own(encoded):
    layout, vae = Layout(encoded), load_vae(encoded.base, "fp32")
    batch = batches(encoded, 2)[0]
    with Shard(layout.clips("ssv2", "validation", 0)) as clips:
        pixels = clips.frames[:2]
    np.testing.assert_array_equal(batch.truth, pixels)
    video = torch.from_numpy(pixels).permute(0, 4, 1, 2, 3).float() / 127.5 - 1
    with torch.no_grad():
        latent = vae.encode(video).latent_dist.mode()
        again = vae.decode(latent).sample
        longer = vae.decode(vae.encode(torch.cat([video[:, :, :1], video], 2)).latent_dist.mode()).sample[:, :, 1:]
    for rebuilt, expected in ((batch.rebuilt, again), (batch.doubled, longer)):
        wanted = ((expected / 2 + 0.5).clamp(0, 1) * 255).permute(0, 2, 3, 4, 1).numpy()
        assert rebuilt.shape == pixels.shape
        assert np.abs(rebuilt - wanted).max() < 1.5  # latents are stored as float16
    assert (batch.rebuilt != batch.doubled).any()


def test_seventeen_frames_become_five_latents_and_seventeen_again(encoded):
    vae = load_vae(encoded.base, "fp32")
    pixels = torch.randint(256, (1, 17, 32, 48, 3), dtype=torch.uint8)
    mean = posterior(vae, pixels)[0]
    assert mean.shape == (1, 16, 5, 4, 6)
    assert rebuild(vae, mean).shape == pixels.shape


def test_the_file_and_the_report(scored):
    encoded, path = scored, Layout(scored).vae_roundtrip("ssv2")
    first = path.read_bytes()
    shutil.rmtree(path.parent)
    assert score_vae_roundtrip(encoded, "ssv2").read_bytes() == first, "the same inputs make the same bytes"
    values = json.loads(first)
    assert list(values["round_trips"]) == ["16", "17"]
    reader = load_network(encoded.features.network)
    network = reader.name
    whole = batches(encoded, 100)  # the step took two clips at a time
    layout = Layout(encoded)
    for batch, shard in zip(whole, layout.shards("ssv2", "validation"), strict=True):
        with Shard(layout.clips("ssv2", "validation", shard)) as clips:
            np.testing.assert_array_equal(batch.truth, clips.frames[:])
    for name, trip in values["round_trips"].items():
        scores = trip["scores"]
        assert {f"fvd_{network}_5x16f_gt2", f"fvd_{network}_5x16f_raw", "psnr", "ssim"} <= set(scores)
        assert all(own["low"] <= own["value"] <= own["high"] for own in scores.values())
        made = [clip for batch in whole for clip in (batch.rebuilt if name == "16" else batch.doubled)]
        truth = [clip for batch in whole for clip in batch.truth]
        per_frame = np.mean([psnr(one, other) for one, other in zip(made, truth, strict=True)], axis=0)
        np.testing.assert_allclose(trip["psnr_per_frame"], per_frame, rtol=1e-4)
        rebuilt, true = np.stack(made), np.stack(truth)
        scored = with_initial_frames(rebuilt, true, 2)
        for kind, shown in (("gt2", scored), ("raw", rebuilt)):
            fvd = frechet_distance(reader.features(true), reader.features(shown))
            assert scores[f"fvd_{network}_5x16f_{kind}"]["value"] == pytest.approx(fvd, rel=1e-3)
        assert scores["psnr"]["value"] == pytest.approx(per_frame[2:].mean(), rel=1e-4)  # of the predicted frames
    assert set(values["parents"]) == {
        f"ssv2/{folder}-{number:04d}.h5"
        for folder in ("clips/validation", "latents/text/validation")
        for number in (0, 1)
    }
    page = report(encoded).read_text(encoding="utf-8")
    assert "VAE reconstruction bound</h2>" in page
    assert 'href="#vae"' in page
    assert "VAE, 17 frames" in page
    assert 'id="ssv2-vae-title"' in page
    assert "fca score-vae-roundtrip epic" in page  # not measured yet
    path.write_text('{"round_trips": {"16": {}}}')
    with pytest.raises(FcaError, match=r"vae_roundtrip\.json is not a score file"):
        report(encoded)


def test_what_was_measured_is_kept(scored, monkeypatch):
    """A job that was killed goes on at its shard, and other intervals or one more score need no network."""
    encoded, layout = scored, Layout(scored)
    path = layout.vae_roundtrip("ssv2")
    first, read = path.read_bytes(), []
    original = RoundTrips.batches
    monkeypatch.setattr(RoundTrips, "batches", lambda self, *args: read.extend(self.ids) or original(self, *args))
    last = layout.vae_roundtrip_shard("ssv2", 1)
    content = last.read_bytes()
    last.write_bytes(content[:-300])
    layout.manifest(last).unlink()
    assert score_vae_roundtrip(encoded, "ssv2").read_bytes() == first
    assert last.read_bytes() == content
    assert read == ["clip3", "clip4"]
    read.clear()
    more = encoded.score.model_copy(update={"confidence": 0.5})
    assert score_vae_roundtrip(encoded.model_copy(update={"score": more}), "ssv2").read_bytes() != first
    assert read == []

    def begun(self, *_):
        raise Begun(self.ids)

    monkeypatch.setattr(RoundTrips, "batches", begun)  # a processor without bf16 would take minutes
    clip = encoded.encode.model_copy(update={"precision": "bf16"})
    with pytest.raises(Begun, match=r"clip3.*clip4"):
        measure_vae_roundtrip(encoded.model_copy(update={"encode": clip}), "ssv2", 1)


def test_a_shard_without_clips_is_left_out(encoded):
    write_clips(encoded, empty=[0])
    for shard in (0, 1):
        encode(encoded, "ssv2", "validation", shard)
    values = json.loads(score_vae_roundtrip(encoded, "ssv2").read_text())
    assert values["count"] == 2
    assert [row["id"] for row in values["quarantine"]] == ["clip0", "clip1", "clip2"]
    truth = np.concatenate([batch.truth for batch in batches(encoded, 2)])
    rebuilt = np.concatenate([batch.rebuilt for batch in batches(encoded, 2)])
    per_frame = np.mean([psnr(one, other) for one, other in zip(rebuilt, truth, strict=True)], axis=0)
    np.testing.assert_allclose(values["round_trips"]["16"]["psnr_per_frame"], per_frame, rtol=1e-4)
    write_clips(encoded, empty=[0, 1])
    for shard in (0, 1):
        encode(encoded, "ssv2", "validation", shard)
    with pytest.raises(FcaError, match="ssv2 validation has 0 clips to score"):
        score_vae_roundtrip(encoded, "ssv2")


def test_without_a_round_trip_the_report_has_no_such_section(project):
    page = report(project).read_text(encoding="utf-8")
    assert "VAE reconstruction bound" not in page
    assert 'href="#vae"' not in page


def test_latents_of_other_clips_are_refused(encoded):
    path = Layout(encoded).latents("ssv2", "validation", 0)
    with Shard(path) as latents:
        arrays = {"mean": latents["mean"][:]}
    write_shard(path, "latents", arrays, ["x", "y", "z"], {}, {})
    with pytest.raises(FcaError, match="does not belong to"):
        score_vae_roundtrip(encoded, "ssv2")


def test_latents_of_the_same_clips_as_they_were_before_are_refused(encoded):
    write_clips(encoded, change=40)
    with pytest.raises(FcaError, match=r"was not made from the current .*clips/validation-0000\.h5"):
        score_vae_roundtrip(encoded, "ssv2")


def test_no_variant_can_take_its_name(tmp_path):
    own = load("config/pocket.yaml").model_dump(mode="json")
    own["variants"]["vae_roundtrip"] = own["variants"]["fca"] | {"name": "vae_roundtrip"}
    with pytest.raises(ValueError, match="can't be called vae_roundtrip"):
        Config.model_validate(own, strict=False)
