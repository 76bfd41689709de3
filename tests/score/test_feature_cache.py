"""The feature cache: no clip goes through the network twice, and only a valid cache is used."""

import shutil

import numpy as np
import pytest

from fca.artifacts.shards import Shard
from fca.config import Config, Layout
from fca.score.features import ClipFeatures, FeatureNetwork
from fca.score.score import score
from tests.score.project import CLIPS, scored, write_clips, write_samples


def test_no_clip_goes_through_the_network_twice(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clips(config)
    write_samples(config)
    write_samples(config, "opposite")
    read: list[int] = []
    original = FeatureNetwork.extract

    def counted(self: FeatureNetwork, frames: np.ndarray, *others: object) -> ClipFeatures:
        read.append(len(frames))
        return original(self, frames, *others)

    monkeypatch.setattr(FeatureNetwork, "extract", counted)
    first = score(config, "ssv2", "fca").read_bytes()
    assert sum(read) == 4 * CLIPS  # truth, predictions, raw, opposite
    read.clear()
    assert score(config, "ssv2", "fca").read_bytes() == first, "cached features give the same bytes"
    assert read == []
    scored(config, "repeat")
    assert sum(read) == 2 * CLIPS  # the ground truth is cached
    read.clear()
    write_samples(config, noise=30.0)
    assert score(config, "ssv2", "fca").read_bytes() != first, "other predictions are not cached"
    assert sum(read) == 2 * CLIPS


def test_a_killed_job_goes_on_at_its_shard(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clips(config)
    write_samples(config)
    write_samples(config, "opposite")
    first = score(config, "ssv2", "fca").read_bytes()
    read: list[str] = []
    original = FeatureNetwork.extract

    def counted(self: FeatureNetwork, frames: np.ndarray, batch_size: int, clips: list[str]) -> ClipFeatures:
        read.extend(clips)
        return original(self, frames, batch_size, clips)

    monkeypatch.setattr(FeatureNetwork, "extract", counted)
    lost = Layout(config).feature_cache("ssv2", "fca-validation-raw", 1)
    lost.unlink()
    assert score(config, "ssv2", "fca").read_bytes() == first
    with Shard(Layout(config).clips("ssv2", "validation", 1)) as clips:
        assert read == clips.ids


def test_damaged_caches_are_recomputed(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    write_clips(config)
    first = score(config, "ssv2", "repeat").read_bytes()
    for name in ("truth", "repeat-validation-raw"):
        path = Layout(config).feature_cache("ssv2", name, 0)
        path.write_bytes(path.read_bytes()[:-300])
    assert score(config, "ssv2", "repeat").read_bytes() == first
    assert "recomputed" in caplog.text


def test_a_cache_of_other_initial_frames_or_of_a_network_used_otherwise_is_invalid(
    config: Config, write_network
) -> None:
    write_clips(config)

    def with_and_without_cache(config: Config) -> tuple[dict, dict]:
        found = scored(config, "repeat")
        shutil.rmtree(Layout(config).feature_cache("ssv2", "truth", 0).parent)
        return found, scored(config, "repeat")

    first = scored(config, "repeat")
    one = config.datasets["ssv2"].model_copy(update={"initial_frames": 1})
    cached, fresh = with_and_without_cache(config.model_copy(update={"datasets": {"ssv2": one}}))
    assert cached == fresh != first, "the last initial frame is another one"
    assert scored(config, "repeat") == first
    write_network(short_side=24)
    cached, fresh = with_and_without_cache(config)
    assert cached == fresh != first, "the weights are the same, the frames are resized to another size"


def test_swapped_caches_are_recomputed(config: Config) -> None:
    write_clips(config)
    write_samples(config)
    write_samples(config, "opposite")
    first = score(config, "ssv2", "fca").read_bytes()
    one, other = (
        Layout(config).feature_cache("ssv2", f"fca-validation-{name}", 0) for name in ("raw", "initial_from_truth")
    )
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert score(config, "ssv2", "fca").read_bytes() == first
