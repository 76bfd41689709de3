"""The step `vbench`: which clips, which frames, stored rows, and the means."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from fca.artifacts.quarantine import Quarantine
from fca.artifacts.shards import write_shard
from fca.config import Config, Layout, load
from fca.config.vbench import VBench
from fca.errors import FcaError
from fca.score.pairs import Pairs
from fca.score.protocol import protocol_sha256
from fca.vbench.step import clips_of, measure, protocol, stored_rows, summary, vbench

ROOT = Path(__file__).parents[2]
ENVIRONMENT = Path(os.environ.get("FCA_VBENCH", ROOT / ".venv-vbench"))
CLIPS, SHARD, FRAMES, HEIGHT, WIDTH, GIVEN = 5, 3, 8, 32, 64, 2
ODD = "<img src=x onerror=alert(1)> 🤖 \u202e\n"

needs_package = [
    pytest.mark.vbench,
    pytest.mark.skipif(not (ENVIRONMENT / "bin/python").exists(), reason="no VBench environment: make vbench-env"),
]


def make(folder: Path, **settings: object) -> Config:
    overrides = {
        "data_dir": str(folder / "data"),
        "run_dir": str(folder / "runs"),
        "clip": {"frames": FRAMES, "width": WIDTH, "height": HEIGHT},
        "datasets": {"ssv2": {"validation": {"clips": CLIPS, "shard_clips": SHARD}, "initial_frames": GIVEN}},
        "score": {"vbench": {"environment": str(ENVIRONMENT)} | settings},
    }
    return load(ROOT / "config" / "pocket.yaml", overrides)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Clips whose truth is noise and whose prediction is its negative, in shards of three and two."""
    config = make(tmp_path)
    layout = Layout(config)
    lost = [Quarantine("ssv2", "validation", "clip-9", "resample", "9.webm", "cut short")]
    for number in layout.shards("ssv2", "validation"):
        rows = layout.shard_rows("ssv2", "validation", number)
        ids = [f"clip-{row}" for row in rows]
        arrays = {"frames": np.stack([truth(row) for row in rows]), "caption": [ODD + str(row) for row in rows]}
        write_shard(layout.clips("ssv2", "validation", number), "clips", arrays, ids, {}, {}, lost)
        arrays["frames"] = 255 - arrays["frames"]
        write_shard(layout.samples("ssv2", "fca", "validation", number), "samples", arrays, ids, {}, {}, lost)
    return config


def truth(row: int) -> np.ndarray:
    return np.random.default_rng(row).integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)


def flicker(frames: np.ndarray) -> float:
    return 1 - np.abs(np.diff(frames.astype(np.float64), axis=0)).mean() / 255


def test_initial_frames_are_from_the_ground_truth_or_the_model(config: Config) -> None:
    clips = list(clips_of(Pairs(config, "ssv2", "fca", "validation", [1]), "truth"))
    assert [(name, caption) for name, caption, _ in clips] == [("clip-3", ODD + "3"), ("clip-4", ODD + "4")]
    for row, (_, _, frames) in zip((3, 4), clips, strict=True):
        assert np.array_equal(frames[:GIVEN], truth(row)[:GIVEN])
        assert np.array_equal(frames[GIVEN:], 255 - truth(row)[GIVEN:])
    raw = [frames for _, _, frames in clips_of(Pairs(config, "ssv2", "fca", "validation", [0]), "model")]
    assert all(np.array_equal(frames, 255 - truth(row)) for row, frames in enumerate(raw))
    real = [frames for _, _, frames in clips_of(Pairs(config, "ssv2", None, "validation", [0]), "truth")]
    assert all(np.array_equal(frames, truth(row)) for row, frames in enumerate(real))


def shard(config: Config, values: list[float], **changes: object) -> dict:
    stated = protocol(config, config.score.vbench, "ssv2")
    rows = [{"id": f"c{value}", "caption": "x", "temporal_flickering": value} for value in values]
    stored = {
        "rows": rows,
        "package_means": {"temporal_flickering": 0.0},
        "weights": {},
        "versions": {"vbench": "0.1.5"},
        "inputs": {"protocol": stated, "parents": {str(values[0]): "0" * 64}},
        "quarantine": [],
    }
    return stored | changes


def test_means_are_over_clips_not_over_shards(config: Config) -> None:
    result = summary(config, "ssv2", "fca", [shard(config, [0.1, 0.2, 0.3]), shard(config, [0.8])])
    score = result["scores"]["temporal_flickering"]
    assert score["value"] == pytest.approx(0.35)
    assert score["low"] < 0.35 < score["high"]
    assert set(result["scores"]) == {"temporal_flickering"}
    assert [row["temporal_flickering"] for row in result["clips"]] == [0.1, 0.2, 0.3, 0.8]
    assert result["protocol_sha256"] == protocol_sha256(result["protocol"])
    assert result["protocol"]["clips"] == result["count"] == 4
    assert set(result["parents"]) == {"0.1", "0.8"}


def test_shards_of_different_versions_are_not_averaged(config: Config) -> None:
    other = shard(config, [0.8], versions={"vbench": "0.1.6"})
    with pytest.raises(FcaError, match="different versions"):
        summary(config, "ssv2", "fca", [shard(config, [0.1]), other])


def empty_shard(config: Config, number: int) -> list[Quarantine]:
    """Take all clips from a shard and its predictions."""
    layout = Layout(config)
    rows = layout.shard_rows("ssv2", "validation", number)
    lost = [Quarantine("ssv2", "validation", f"clip-{row}", "verify", f"{row}.webm", "gone") for row in rows]
    arrays = {"frames": np.empty((0, FRAMES, HEIGHT, WIDTH, 3), np.uint8), "caption": []}
    write_shard(layout.clips("ssv2", "validation", number), "clips", arrays, [], {}, {}, lost)
    write_shard(layout.samples("ssv2", "fca", "validation", number), "samples", arrays, [], {}, {}, lost)
    return lost


@pytest.mark.parametrize("row", ["truth", "fca", "repeat"])
def test_a_shard_without_clips_needs_no_package(config: Config, tmp_path: Path, row: str) -> None:
    lost = empty_shard(config, 0)
    pairs = Pairs(config, "ssv2", None if row == "truth" else row, "validation", [0])
    assert list(clips_of(pairs, "truth")) == []
    assert pairs.quarantine == lost
    inputs = {"protocol": protocol(config, config.score.vbench, "ssv2"), "parents": pairs.parents}
    stored = measure(config, config.score.vbench, pairs, tmp_path / "0000.json", inputs)
    stored["quarantine"] = [asdict(item) for item in pairs.quarantine]
    result = summary(config, "ssv2", row, [stored, shard(config, [0.1, 0.3])])
    alone = summary(config, "ssv2", row, [shard(config, [0.1, 0.3])])
    assert result["scores"] == alone["scores"]
    assert (result["count"], result["quarantine"]) == (2, stored["quarantine"])
    assert set(result["parents"]) == {*pairs.parents, "0.1"}
    with pytest.raises(FcaError, match="has 0 clips"):
        summary(config, "ssv2", row, [stored])


def test_one_clip_has_no_interval(config: Config) -> None:
    with pytest.raises(FcaError, match="1 clips"):
        summary(config, "ssv2", "fca", [shard(config, [0.1])])


def test_rows_are_reused_for_the_same_inputs_only(tmp_path: Path) -> None:
    path = tmp_path / "0000.json"
    assert stored_rows(path, {"a": 1}) is None
    path.write_text(json.dumps({"inputs": {"a": 1}, "rows": []}))
    assert stored_rows(path, {"a": 1}) == {"inputs": {"a": 1}, "rows": []}
    assert stored_rows(path, {"a": 2}) is None
    path.write_text(path.read_text()[:-5])
    assert stored_rows(path, {"a": 1}) is None


def test_the_protocol_states_codec_and_frames(tmp_path: Path) -> None:
    config = make(tmp_path)

    def stated(**settings: object) -> dict:
        return protocol(config, VBench(**settings), "ssv2")

    assert "without loss" in stated()["codec"]
    assert stated(crf=18)["codec"] != stated()["codec"]
    assert stated(given_frames="model")["scored"] != stated()["scored"]
    assert stated()["initial_frames"] == GIVEN


@pytest.mark.parametrize(
    "settings, told", [(None, "not configured"), ({"datasets": ["bridge"]}, "not measured on ssv2")]
)
def test_what_is_not_configured_is_not_measured(tmp_path: Path, settings: dict | None, told: str) -> None:
    config = make(tmp_path, **(settings or {}))
    if settings is None:
        config = config.model_copy(update={"score": config.score.model_copy(update={"vbench": None})})
    with pytest.raises(FcaError, match=told):
        vbench(config, "ssv2", "truth")


def test_an_unknown_dataset_is_refused_when_the_configuration_is_read(tmp_path: Path) -> None:
    with pytest.raises(FcaError, match="there is no dataset ssv3"):
        make(tmp_path, datasets=["ssv3"])


def test_a_missing_environment_is_said_before_anything_is_read(tmp_path: Path) -> None:
    config = make(tmp_path, environment=str(tmp_path / "none"))
    with pytest.raises(FcaError, match="make vbench-env"):
        vbench(config, "ssv2", "truth")


class TestWithThePackage:
    """From shards to the result, through the official function that needs no weights."""

    pytestmark = needs_package

    def test_temporal_flickering_of_variant_truth_and_repeat(self, config: Config) -> None:
        for row in ("fca", "truth", "repeat"):
            path = vbench(config, "ssv2", row)
            result = json.loads(path.read_text())
            for number, clip in enumerate(result["clips"]):
                frames = truth(number)
                if row == "fca":
                    frames = np.concatenate([frames[:GIVEN], 255 - frames[GIVEN:]])
                if row == "repeat":
                    frames = np.concatenate([frames[:GIVEN], np.repeat(frames[GIVEN - 1 :][:1], FRAMES - GIVEN, 0)])
                assert clip["temporal_flickering"] == pytest.approx(flicker(frames), rel=1e-6)
                assert (clip["id"], clip["caption"]) == (f"clip-{number}", ODD + str(number))
            mean = np.mean([clip["temporal_flickering"] for clip in result["clips"]])
            assert result["scores"]["temporal_flickering"]["value"] == pytest.approx(mean, rel=1e-12)
            assert len(result["clips"]) == CLIPS
            assert [item["id"] for item in result["quarantine"]] == ["clip-9"] * 2

    def test_a_shard_without_clips_is_left_out(self, config: Config) -> None:
        whole = json.loads(vbench(config, "ssv2", "fca").read_text())
        empty_shard(config, 0)
        result = json.loads(vbench(config, "ssv2", "fca").read_text())
        assert result["clips"] == whole["clips"][SHARD:]
        assert result["count"] == CLIPS - SHARD

    def test_a_killed_run_goes_on_with_the_next_shard(self, config: Config) -> None:
        layout = Layout(config)
        first, second = (layout.vbench_shard("ssv2", "fca", number) for number in (0, 1))
        before = vbench(config, "ssv2", "fca").read_bytes()
        left_over = second.with_name("0001-videos") / "000000.mp4"
        left_over.parent.mkdir()
        left_over.write_bytes(b"half a video")
        second.unlink()
        times = first.stat().st_mtime_ns
        assert vbench(config, "ssv2", "fca").read_bytes() == before
        assert first.stat().st_mtime_ns == times
        assert second.is_file()
        assert not left_over.parent.exists()

    def test_another_codec_measures_again(self, config: Config, tmp_path: Path) -> None:
        lossless = json.loads(vbench(config, "ssv2", "truth").read_text())
        lossy = json.loads(vbench(make(tmp_path, crf=40), "ssv2", "truth").read_text())
        assert lossy["protocol_sha256"] != lossless["protocol_sha256"]
        assert lossy["scores"] != lossless["scores"]

    def test_a_damaged_shard_is_said_and_no_video_stays(self, config: Config) -> None:
        layout = Layout(config)
        path = layout.samples("ssv2", "fca", "validation", 0)
        damaged = bytearray(path.read_bytes())
        middle = len(damaged) // 2
        damaged[middle : middle + 64] = bytes(64)
        path.write_bytes(damaged)
        with pytest.raises(FcaError, match=r"validation-0000\.h5"):
            vbench(config, "ssv2", "fca")
        assert not list(layout.vbench_shard("ssv2", "fca", 0).parent.glob("*-videos"))
        assert not layout.vbench("ssv2", "fca").exists()
