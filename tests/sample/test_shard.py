"""The sampling step: the same videos whatever the shards and batches."""

import shutil

import numpy as np
import pytest

from fca.artifacts.shards import Shard
from fca.config import Layout
from fca.encode.shard import encode
from fca.errors import FcaError
from fca.sample import sample
from tests.conftest import CAPTIONS, OPPOSITES, write_clips
from tests.library import clip


def videos(config, kind="validation", variant="fca") -> dict[str, np.ndarray]:
    """Every clip's video, computed now: what the shards held before is not reused."""
    layout, found = Layout(config), {}
    for number in layout.shards("ssv2", "validation"):
        layout.samples("ssv2", variant, kind, number).unlink(missing_ok=True)
        sample(config, "ssv2", variant, kind, number)
        with Shard(layout.samples("ssv2", variant, kind, number), kind="samples") as shard:
            found |= dict(zip(shard.ids, shard.frames[:], strict=True))
    return found


def load_again(config, updates):
    values = config.model_dump(mode="json")
    for name, change in updates.items():
        values[name] |= change
    return type(config).model_validate(values)


def test_every_shard_and_batch_order_gives_the_same_videos(trained, tmp_path):
    expected = videos(trained)
    assert sorted(expected) == [f"clip{row}" for row in range(5)]
    single = load_again(trained, {"sample": {"batch_size": 1}})
    for name, frames in videos(single).items():
        difference = np.abs(frames.astype(int) - expected[name].astype(int))
        assert difference.max() <= 1, name  # batches of another size round differently in the last bit
    again = videos(trained)
    assert all(np.array_equal(again[name], frames) for name, frames in expected.items())

    values = trained.model_dump(mode="json")
    values["data_dir"] = str(tmp_path / "elsewhere")
    values["datasets"]["ssv2"]["validation"]["shard_clips"] = 5
    other = type(trained).model_validate(values)
    write_clips(other)
    encode(other, "ssv2", "validation", 0)
    shutil.copytree(Layout(trained).model_manifest("ssv2", "fca").parent, Layout(other).model("ssv2", "fca").parent)
    for name, frames in videos(other).items():
        assert np.abs(frames.astype(int) - expected[name].astype(int)).max() <= 1, name


def test_dpm_is_another_video_and_its_noise_is_the_clips_own(project):
    """DPM-Solver++ adds noise in every step: each clip draws it from its own generator, in batches of any size."""
    for shard in (0, 1):
        encode(project, "ssv2", "validation", shard)
    ddim = videos(project, variant="base")
    dpm = load_again(project, {"sample": {"scheduler": "dpm", "batch_size": 3}})
    expected = videos(dpm, variant="base")
    for name, frames in videos(load_again(dpm, {"sample": {"batch_size": 2}}), variant="base").items():
        assert np.abs(frames.astype(int) - expected[name].astype(int)).max() <= 1, name
        assert np.abs(frames.astype(int) - ddim[name].astype(int)).max() > 5, name


def test_opposite_captions_start_from_the_same_noise_and_differ_in_the_caption(trained):
    videos(trained, "opposite")
    layout = Layout(trained)
    with (
        Shard(layout.samples("ssv2", "fca", "opposite", 0)) as opposite,
        Shard(layout.latents("ssv2", "validation", 0)) as source,
    ):
        assert opposite.ids == source.ids
        assert opposite.captions == OPPOSITES[:3]
        seeds = opposite["seed"][:]
    videos(trained)
    with Shard(layout.samples("ssv2", "fca", "validation", 0)) as asked:
        assert np.array_equal(asked["seed"][:], seeds)


def test_clips_without_an_opposite_caption_are_left_out(trained, opposites):
    expected = videos(trained, "opposite")
    none = clip(opposite=None, opposite_task=None)
    opposites |= dict.fromkeys(["clip0", "clip3", "clip4"], none)
    found = videos(trained, "opposite")  # the second shard has none at all
    assert sorted(found) == ["clip1", "clip2"]
    for name, frames in found.items():
        assert np.abs(frames.astype(int) - expected[name].astype(int)).max() <= 1, name
    del opposites["clip1"]
    with pytest.raises(FcaError, match="the clip clip1 isn't one that the library makes"):
        videos(trained, "opposite")


def test_a_shard_without_clips_has_no_videos_and_the_others_theirs(trained):
    expected = videos(trained)
    write_clips(trained, empty=[0])
    layout = Layout(trained)
    for shard in (0, 1):
        encode(trained, "ssv2", "validation", shard)
    for kind in ("validation", "opposite"):
        found = videos(trained, kind)
        assert sorted(found) == ["clip3", "clip4"]
        path = layout.samples("ssv2", "fca", kind, 0)
        with Shard(path, kind="samples") as none, Shard(layout.samples("ssv2", "fca", kind, 1)) as some:
            none.verify()
            assert none.names == some.names
            assert none.frames.shape == (0, *some.frames.shape[1:])
            assert all(none[name].dtype == some[name].dtype for name in ("frames", "seed"))
            assert [row.id for row in none.manifest.quarantine] == ["clip0", "clip1", "clip2"]
        content = path.read_bytes()
        sample(trained, "ssv2", "fca", kind, 0)
        assert path.read_bytes() == content
    found = videos(trained)
    assert all(np.array_equal(found[name], expected[name]) for name in found)


def test_the_base_needs_no_model(project):
    for shard in (0, 1):
        encode(project, "ssv2", "validation", shard)
    assert len(videos(project, variant="base")) == len(CAPTIONS)


def test_a_variant_without_a_trained_model_says_so(project):
    encode(project, "ssv2", "validation", 0)
    with pytest.raises(FcaError, match=r"no manifest .*models/fca\.json"):
        sample(project, "ssv2", "fca", "validation", 0)
