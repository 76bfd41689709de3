"""Encoding on real small networks: shapes, and what the future of a clip may touch."""

import shutil

import numpy as np
import pytest
import torch

from fca.artifacts.manifest import Manifest
from fca.artifacts.shards import Shard
from fca.config import Config, Layout
from fca.data.clip_record import read_records
from fca.data.fetch import fetch
from fca.data.index import build_index
from fca.data.resample import resample
from fca.encode.blip2 import preprocess
from fca.encode.captions import half
from fca.encode.shard import check_networks, encode
from fca.encode.vae import decode, load_vae
from fca.errors import FcaError
from tests.conftest import encode_stored, small_config, write_clips

CONDITIONS = ("init_mean", "init_logvar", "vision", "prompt", "prompt_embeds", "text_embeds", "text_mask")


def arrays(config) -> dict[str, np.ndarray]:
    encode(config, "ssv2", "validation", 0)
    with Shard(Layout(config).latents("ssv2", "validation", 0), kind="latents") as shard:
        shard.verify()
        return {name: shard[name][:] for name in ("mean", "logvar", *CONDITIONS)}


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


def test_train_goes_from_videos_to_the_same_latents_as_in_two_steps(tmp_path, random_base):
    """One clip can't be decoded; nothing is written but the latents."""
    values = small_config(tmp_path, random_base).model_dump(mode="json")
    values["datasets"]["ssv2"] |= {"library": {"train": 5, "validation": 5}}
    config = Config.model_validate(values)
    layout = Layout(config)
    fetch(config, "ssv2")
    build_index(config, "ssv2")
    records = read_records(layout.index("ssv2"), "train")
    broken = layout.raw("ssv2") / records[1].media
    broken.write_bytes(broken.read_bytes()[:200])
    for shard in (0, 1):
        manifest = encode(config, "ssv2", "train", shard)
        path = layout.latents("ssv2", "train", shard)
        with Shard(path) as latents:
            content = {name: np.asarray(latents[name][:]) for name in latents.names}
        assert manifest.parents == {"ssv2/index.jsonl": Manifest.read(layout.index_manifest("ssv2")).sha256}
        assert not layout.clips("ssv2", "train", shard).parent.exists()
        clips = resample(config, "ssv2", "train", shard)
        assert manifest.quarantine == clips.quarantine
        assert [row.id for row in clips.quarantine] == ([records[1].id] if shard == 0 else [])
        encode_stored(config, "train", shard)
        assert Manifest.read(layout.manifest(path)).sha256 == manifest.sha256
        with Shard(path) as latents:
            assert all(np.array_equal(latents[name][:], value) for name, value in content.items())
            assert latents.ids == list(clips.ids) == list(manifest.ids)
        shutil.rmtree(layout.clips("ssv2", "train", shard).parent)
    for record in records:
        (layout.raw("ssv2") / record.media).write_text("no video")
    manifest = encode(config, "ssv2", "train", 1)
    assert (manifest.count, manifest.ids) == (0, [])
    assert [(row.id, row.step) for row in manifest.quarantine] == [(record.id, "resample") for record in records[3:]]


@pytest.mark.parametrize("base", ["text", "image"])
def test_a_shard_without_clips_differs_from_others_in_its_rows_alone(project, random_base, random_image_base, base):
    networks = {"model": str(random_image_base), "vision_model": str(random_base / "vision")}
    project = project.model_copy(update={"image_base": project.image_base.model_copy(update=networks)})
    write_clips(project, empty=[0])
    layout = Layout(project)
    manifests = [encode(project, "ssv2", "validation", shard, base) for shard in (0, 1)]
    assert [manifest.count for manifest in manifests] == [0, 2]
    assert [row.id for row in manifests[0].quarantine] == ["clip0", "clip1", "clip2"]
    path, full = (layout.latents("ssv2", "validation", shard, base) for shard in (0, 1))
    with Shard(path, kind="latents") as none, Shard(full, kind="latents") as some:
        none.verify()
        assert (none.names, none.meta) == (some.names, some.meta)
        for name in set(none.names) - {"id", "caption"}:
            table = name in ("prompt_embeds", "text_embeds", "text_mask")
            assert none[name].shape == (int(table), *some[name].shape[1:]), name
            assert none[name].dtype == some[name].dtype
            if table:
                np.testing.assert_allclose(none[name][0], some[name][0], rtol=5e-3, atol=2e-3)  # the empty caption
    content = path.read_bytes(), path.with_suffix(".json").read_bytes()
    encode(project, "ssv2", "validation", 0, base)
    assert (path.read_bytes(), path.with_suffix(".json").read_bytes()) == content


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
        check_networks(base.model_copy(update={"model": "./weights/none"}))


def test_of_sixteen_frames_the_first_four_are_one_picture(project):
    """A property of CogVideoX's decoder, whatever its weights: docs/scores.md, VAE floor."""
    vae = load_vae(project.base, "fp32")
    latents = torch.randn(1, 5, vae.config.latent_channels, 4, 6, generator=torch.Generator().manual_seed(0))
    video = decode(vae, latents[:, :4])[0]
    assert len(video) == 16
    assert [bool((picture == video[0]).all()) for picture in video[:5]] == [True, True, True, True, False]
    odd = decode(vae, latents)[0]
    assert len(odd) == 17
    assert not (odd[1] == odd[0]).all()


def test_what_float16_cannot_hold_is_refused():
    assert half("mean", torch.tensor([65504.0])).dtype == np.float16
    for value in (7e4, float("nan"), float("inf")):
        with pytest.raises(FcaError, match="mean in float16"):
            half("mean", torch.tensor([1.0, value]))
