"""Clip shards: the cast on real files of all three formats, short clips, broken clips."""

from pathlib import Path

import numpy as np
import psutil
import pytest

from fca.artifacts.manifest import Manifest
from fca.artifacts.shards import Shard
from fca.config import Config, Layout
from fca.data.clip_source import IndexedClips
from fca.data.index import build_index
from fca.data.resample import resample
from fca.data.verify import verify
from fca.errors import FcaError
from tests.data.corpora import config_for, pretend_fetched, write_bridge, write_epic, write_ssv2

TASK = "toykitchen1/flip_pot/2021-06-02_16-36-21/raw/traj_group0"


def ssv2(tmp_path: Path, *lengths: int) -> tuple[Config, Path]:
    """An indexed dataset whose training clips have these lengths."""
    config = config_for(tmp_path, "ssv2", len(lengths), 1)
    raw = pretend_fetched(config, "ssv2")
    clips = [(str(number), f"caption {number}", length) for number, length in enumerate(lengths)]
    write_ssv2(raw, clips, clips[:1])
    build_index(config, "ssv2")
    return config, raw


def brightness(clip: np.ndarray) -> np.ndarray:
    """Frame numbers of the ramp (a blend lies between), from a uint8 clip."""
    return clip.reshape(len(clip), -1).mean(1) / 4


def test_videos_are_cast_to_sixteen_frames(tmp_path: Path) -> None:
    config, _ = ssv2(tmp_path, 48, 32, 16)
    manifest = resample(config, "ssv2", "train", 0)
    with Shard(Layout(config).clips("ssv2", "train", 0), kind="clips") as shard:
        shard.verify()
        assert shard.manifest == manifest
        assert shard.captions == ["caption 0", "caption 1", "caption 2"]
        assert shard.frames.shape == (3, 16, 64, 96, 3)
        assert shard.frames.dtype == np.uint8
        expected = [3 * np.arange(16) + 1, 2 * np.arange(16) + 0.5, np.arange(16)]
        for row in range(3):
            np.testing.assert_allclose(brightness(shard.frames[row]), expected[row], atol=0.51)
        assert list(shard["padded"][:]) == [0, 0, 0]


def test_short_clips_end_in_grey_and_say_so(tmp_path: Path) -> None:
    config, _ = ssv2(tmp_path, 1, 12)
    resample(config, "ssv2", "train", 0)
    with Shard(Layout(config).clips("ssv2", "train", 0)) as shard:
        assert list(shard["padded"][:]) == [15, 4]
        assert (shard.frames[0][1:] == 127).all()
        assert (shard.frames[1][12:] == 127).all()
        np.testing.assert_allclose(brightness(shard.frames[1][:12]), np.arange(12), atol=0.51)


def test_folders_of_frames(tmp_path: Path) -> None:
    config = config_for(tmp_path, "bridge", 4, 1)
    views = {f"{TASK}/traj{number}/images0": 20 for number in range(5)}
    write_bridge(pretend_fetched(config, "bridge"), views, [f"flip_pot/{number}" for number in range(5)])
    build_index(config, "bridge")
    resample(config, "bridge", "validation", 0)
    with Shard(Layout(config).clips("bridge", "validation", 0)) as shard:
        assert shard.ids == ["flip_pot/4"], "of its own split"
        np.testing.assert_allclose(brightness(shard.frames[0]), (np.arange(16) + 0.5) * 20 / 16 - 0.5, atol=0.5)

    config = config_for(tmp_path, "epic", 1, 1)
    segments = {"train": [("P01_01", 31, 55, "take")], "validation": [("P01_01", 1, 20, "put")]}
    write_epic(pretend_fetched(config, "epic"), segments, {"P01_01": 58})
    build_index(config, "epic")
    resample(config, "epic", "train", 0)
    with Shard(Layout(config).clips("epic", "train", 0)) as shard:
        positions = (np.arange(16) + 0.5) * 25 / 16 - 0.5
        np.testing.assert_allclose(brightness(shard.frames[0]), 30 + positions, atol=0.5)


def test_shards_are_ranges_of_the_index_and_can_be_made_in_any_order(tmp_path: Path) -> None:
    config, _ = ssv2(tmp_path, 2, 3, 4, 5, 6, 7)
    assert resample(config, "ssv2", "train", 1).ids == ["4", "5"]
    assert resample(config, "ssv2", "train", 0).ids == ["0", "1", "2", "3"]
    path = Layout(config).clips("ssv2", "train", 1)
    first = path.read_bytes(), path.with_suffix(".json").read_bytes()
    resample(config, "ssv2", "train", 1)
    assert first == (path.read_bytes(), path.with_suffix(".json").read_bytes())
    with pytest.raises(FcaError, match="no shard 2"):
        resample(config, "ssv2", "train", 2)


def test_broken_clips_are_left_out_and_named(tmp_path: Path) -> None:
    """One is known from the index, one breaks afterwards, one has changed its length."""
    config, raw = ssv2(tmp_path, 5, 5, 5, 5)
    (raw / "videos/1.webm").unlink()
    build_index(config, "ssv2")
    (raw / "videos/2.webm").write_text("not a video")
    _, other_raw = ssv2(tmp_path / "other", 9)
    (raw / "videos/3.webm").write_bytes((other_raw / "videos/0.webm").read_bytes())
    manifest = resample(config, "ssv2", "train", 0)
    assert manifest.ids == ["0"]
    assert manifest.count == 1
    assert [(row.id, row.step) for row in manifest.quarantine] == [("1", "index"), ("2", "resample"), ("3", "resample")]
    assert "9 frames, the index says 5" in manifest.quarantine[2].reason
    assert Manifest.read(Layout(config).clips("ssv2", "train", 0).with_suffix(".json")) == manifest


@pytest.mark.parametrize("known", [False, True])
def test_a_shard_of_broken_clips_is_empty_and_names_them(tmp_path: Path, known: bool) -> None:
    """Whether they are found while they are decoded or were before."""
    config, raw = ssv2(tmp_path, 5, 5)
    for number in range(2):
        (raw / f"videos/{number}.webm").write_text("not a video")
    if known:
        verify(config, "ssv2")
    manifest = resample(config, "ssv2", "train", 0)
    assert manifest.count == 0
    assert [(row.id, row.step) for row in manifest.quarantine] == [
        (name, "verify" if known else "resample") for name in ("0", "1")
    ]
    assert all("not a readable video" in row.reason for row in manifest.quarantine)
    path = Layout(config).clips("ssv2", "train", 0)
    with Shard(path, kind="clips") as shard:
        shard.verify()
        assert (shard.frames.shape, shard.frames.dtype) == ((0, 16, 64, 96, 3), np.uint8)
        assert (shard.ids, shard.captions, shard["padded"].shape) == ([], [], (0,))
    assert sorted(found.name for found in path.parent.iterdir()) == ["train-0000.h5", "train-0000.json"]
    content = path.read_bytes()
    resample(config, "ssv2", "train", 0)
    assert path.read_bytes() == content


def test_a_decoder_that_hangs_costs_one_clip(tmp_path: Path) -> None:
    """It is stopped for good in the middle of the shard; another goes on."""
    config, _ = ssv2(tmp_path, 5, 5, 5, 5)
    config = config.model_copy(update={"decode": config.decode.model_copy(update={"processes": 1, "seconds": 1.5})})
    source = IndexedClips(config, "ssv2", "train", 0)
    clips = iter(source)
    found = [next(clips).id]
    (decoder,) = (child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline()))
    decoder.suspend()
    found += [clip.id for clip in clips]
    (row,) = source.quarantine
    assert sorted([*found, row.id]) == ["0", "1", "2", "3"]
    assert (row.step, row.file) == ("resample", f"videos/{row.id}.webm")
    assert row.reason == "decoding it takes more than 1.5 s"
    assert not decoder.is_running() or decoder.status() == psutil.STATUS_ZOMBIE


def test_the_bytes_are_the_same_from_any_number_of_processes(tmp_path: Path) -> None:
    config, raw = ssv2(tmp_path, 30, 3, 17, 60)
    (raw / "videos/1.webm").write_text("not a video")
    path, content = Layout(config).clips("ssv2", "train", 0), set()
    for processes in (1, 2, 4):
        decode = config.decode.model_copy(update={"processes": processes})
        resample(config.model_copy(update={"decode": decode}), "ssv2", "train", 0)
        content.add((path.read_bytes(), path.with_suffix(".json").read_bytes()))
    assert len(content) == 1


def test_crop(tmp_path: Path) -> None:
    config, _ = ssv2(tmp_path, 4)
    cropped = config.model_copy(update={"clip": config.clip.model_copy(update={"resize": "crop"})})
    resample(cropped, "ssv2", "train", 0)
    with Shard(Layout(config).clips("ssv2", "train", 0)) as shard:
        assert shard.meta["resize"] == "crop"
        assert shard.frames.shape == (1, 16, 64, 96, 3)
