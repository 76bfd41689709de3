"""A shard that the job at hand has made is not computed again; any other, or a damaged one, is."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fca.artifacts.manifest import Manifest
from fca.artifacts.quarantine import Quarantine
from fca.artifacts.shards import MANIFEST, reused, write_shard
from fca.config import Config, Layout
from fca.data.resample import resample
from fca.encode.shard import encode
from fca.sample.shard import sample
from tests.conftest import encode_stored, write_clips
from tests.data.test_resample import ssv2

PARENTS = {"ssv2/index.jsonl": "ab" * 32}
MADE_BY = {"config": "1" * 64, "code": "2" * 64, "weights": "3" * 64, "fca": "0.1.0"}
ROW = Quarantine("ssv2", "train", "7", "verify", "videos/7.webm", "the file is empty")


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    frames = np.random.default_rng(0).integers(0, 256, (3, 4, 8, 8, 3), dtype=np.uint8)
    write_shard(tmp_path / "train-0000.h5", "clips", {"frames": frames}, ["1", "2", "3"], PARENTS, MADE_BY, [ROW])
    return tmp_path / "train-0000.h5"


def reuse(path: Path, **changes: Any) -> Manifest | None:
    job = {"kind": "clips", "parents": PARENTS, "made_by": MADE_BY, "quarantine": [ROW]}
    return reused(path, **job | changes)


@pytest.mark.parametrize("version", ["0.1.0", "9.9.9"])
def test_a_lost_manifest_comes_back_as_it_was(shard: Path, version: str) -> None:
    """Also in another version of the package, if the step's code is the same."""
    before = Layout.manifest(shard).read_bytes()
    Layout.manifest(shard).unlink()
    assert reuse(shard, made_by=MADE_BY | {"fca": version}) == Manifest.read(Layout.manifest(shard))
    assert Layout.manifest(shard).read_bytes() == before


@pytest.mark.parametrize(
    "changes",
    [
        *({"made_by": MADE_BY | {name: "4" * 64}} for name in ("config", "code", "weights")),
        {"parents": {"ssv2/index.jsonl": "cd" * 32}},
        {"parents": PARENTS | {"ssv2/models/fca.json": "cd" * 32}},
        {"quarantine": []},
        {"quarantine": [ROW, Quarantine("ssv2", "train", "9", "exclude", "", "blurred")]},
        {"kind": "samples"},
    ],
)
def test_another_job_makes_its_own(shard: Path, changes: dict[str, Any]) -> None:
    Layout.manifest(shard).unlink()
    assert reuse(shard, **changes) is None
    assert not Layout.manifest(shard).exists()


def test_what_lies_under_another_name_is_another_shard(shard: Path) -> None:
    """Two shards of one split have the same inputs and the same fingerprint."""
    shutil.copy(shard, shard.with_name("train-0001.h5"))
    assert reuse(shard.with_name("train-0001.h5")) is None


def test_a_shard_of_before_that_holds_no_manifest_is_none(shard: Path) -> None:
    with h5py.File(shard, "r+") as file:
        del file[MANIFEST]
    assert reuse(shard) is None
    assert reuse(shard.with_name("none.h5")) is None


def test_a_damaged_one_is_never_reused(shard: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Cut off, and with a byte changed wherever one counts: at worst the right content comes back."""
    content, before = shard.read_bytes(), Layout.manifest(shard).read_bytes()
    Layout.manifest(shard).unlink()
    refused = 0
    for size in (0, 100, len(content) // 2, len(content) - 1):
        shard.write_bytes(content[:size])
        assert reuse(shard) is None
    assert "can't be reused and is recomputed" in caplog.text
    for position in range(0, len(content), 97):
        changed = bytearray(content)
        changed[position] ^= 0x55
        shard.write_bytes(changed)
        if reuse(shard) is None:
            refused += 1
            assert not Layout.manifest(shard).exists()
        else:
            assert Layout.manifest(shard).read_bytes() == before
            Layout.manifest(shard).unlink()
    assert refused > len(content) / 97 / 3


def untouched(step: Callable[[], Manifest], path: Path) -> None:
    """The manifest comes back as it was, and the shard is not written."""
    before, inode = Layout.manifest(path).read_bytes(), path.stat().st_ino
    Layout.manifest(path).unlink()
    step()
    assert (Layout.manifest(path).read_bytes(), path.stat().st_ino) == (before, inode)


class NetworksLoadedError(Exception):
    """Raised instead of loading them."""


def refuse(*_: object, **__: object) -> None:
    raise NetworksLoadedError


def test_resample_decodes_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, _ = ssv2(tmp_path, 48, 32)
    path = Layout(config).clips("ssv2", "train", 0)
    resample(config, "ssv2", "train", 0)
    with monkeypatch.context() as patch:
        patch.setattr("fca.data.clip_source.call_apart", refuse)
        untouched(lambda: resample(config, "ssv2", "train", 0), path)
        other = config.model_copy(update={"clip": config.clip.model_copy(update={"resize": "crop"})})
        with pytest.raises(NetworksLoadedError):
            resample(other, "ssv2", "train", 0)


def test_clips_lost_to_decoding_are_tried_again(tmp_path: Path) -> None:
    config, raw = ssv2(tmp_path, 48, 32)
    video = next(raw.rglob("1.webm"))
    content = video.read_bytes()
    video.write_bytes(content[:200])
    assert [row.id for row in resample(config, "ssv2", "train", 0).quarantine] == ["1"]
    video.write_bytes(content)
    assert resample(config, "ssv2", "train", 0).ids == ["0", "1"]


def test_encode_and_sample_load_no_networks_again(project: Config, random_base, monkeypatch) -> None:
    layout = Layout(project)
    for shard in (0, 1):
        encode_stored(project, "validation", shard)
    sample(project, "ssv2", "base", "validation", 0)
    latents, samples = layout.latents("ssv2", "validation", 0), layout.samples("ssv2", "base", "validation", 0)
    monkeypatch.setattr("fca.encode.shard.check_networks", refuse)
    monkeypatch.setattr("fca.sample.shard.load_networks", refuse)
    untouched(lambda: encode(project, "ssv2", "validation", 0), latents)
    untouched(lambda: sample(project, "ssv2", "base", "validation", 0), samples)

    other = project.model_copy(update={"sample": project.sample.model_copy(update={"steps": 4})})
    untouched(lambda: encode(other, "ssv2", "validation", 0), latents)
    with pytest.raises(NetworksLoadedError):
        sample(other, "ssv2", "base", "validation", 0)
    write_clips(project, change=3)
    with pytest.raises(NetworksLoadedError):
        encode(project, "ssv2", "validation", 0)
    write_clips(project)
    weights = random_base / "vae" / "config.json"
    text = weights.read_text()
    try:
        weights.write_text(text + " ")
        with pytest.raises(NetworksLoadedError):
            encode(project, "ssv2", "validation", 0)
    finally:
        weights.write_text(text)
    untouched(lambda: encode(project, "ssv2", "validation", 0), latents)
    with monkeypatch.context() as patch:
        patch.setattr("fca.artifacts.fingerprint.code_hash", lambda step: "0" * 64)
        with pytest.raises(NetworksLoadedError):
            sample(project, "ssv2", "base", "validation", 0)
