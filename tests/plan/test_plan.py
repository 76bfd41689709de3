"""`fca plan`: the bytes that it names are the bytes that are written; rates and assumptions are said."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fca.artifacts.manifest import Manifest
from fca.artifacts.shards import write_shard
from fca.cli.main import main
from fca.config import Config, Layout, load
from fca.data.clip_record import ClipRecord, write_records
from fca.encode.shard import encode
from fca.plan import Plan, as_text, plan
from fca.plan.disk import Disk, readable
from fca.plan.networks import networks
from fca.plan.rates import Rates
from tests.conftest import CAPTIONS, small_config

CONFIG = Path(__file__).resolve().parents[2] / "config"


def rows(planned: Plan, step: str, dataset: str = "ssv2") -> dict:
    return {row.of: row for row in planned.rows if (row.step, row.dataset) == (step, dataset)}


def index(config: Config, dataset: str = "ssv2") -> None:
    """An index of the clips that `write_clips` writes."""
    records = [
        ClipRecord(f"clip{row}", dataset, split, caption, f"{row}.webm", None, 16)
        for split in ("train", "validation")
        for row, caption in enumerate(CAPTIONS)
    ]
    write_records(Layout(config).index(dataset), records)


def test_the_planned_bytes_are_those_of_the_files(project):
    index(project)
    layout, disk = Layout(project), Disk(project)
    own = networks(project.base)
    for shard in layout.shards("ssv2", "validation"):
        encode(project, "ssv2", "validation", shard)
    clips = sum(layout.clips("ssv2", "validation", number).stat().st_size for number in layout.shards("ssv2", "train"))
    latents = sum(layout.latents("ssv2", "validation", n).stat().st_size for n in layout.shards("ssv2", "validation"))
    assert disk.clips("ssv2", "validation") == pytest.approx(clips, rel=0.03)
    assert disk.latents("ssv2", "validation", own) == pytest.approx(latents, rel=0.05)


@pytest.mark.parametrize("clips", [1, 48, 77])
def test_a_pocket_shard_takes_what_is_planned(tmp_path, clips):
    """At the size of the pocket's shards, repeated captions and chunks that aren't full included."""
    config, own = load(CONFIG / "pocket.yaml"), networks(load(CONFIG / "pocket.yaml").base)
    captions = [CAPTIONS[row % 3] for row in range(clips)]
    arrays = {
        "mean": np.zeros((clips, 16, 4, 8, 12), np.float16),
        "logvar": np.zeros((clips, 16, 4, 8, 12), np.float16),
        "init_mean": np.zeros((clips, 16, 1, 8, 12), np.float16),
        "init_logvar": np.zeros((clips, 16, 1, 8, 12), np.float16),
        "vision": np.zeros((clips, own.vision_tokens, own.vision_width), np.float16),
        "prompt": np.zeros(clips, np.int32),
        "prompt_embeds": np.zeros((min(clips, 3) + 1, 16, own.prompt_width), np.float16),
        "text_embeds": np.zeros((min(clips, 3) + 1, 32, own.text_width), np.float16),
        "text_mask": np.zeros((min(clips, 3) + 1, 32), bool),
        "caption": captions,
    }
    write_shard(tmp_path / "s.h5", "latents", arrays, [f"a clip's id {row}" for row in range(clips)], {}, {})
    planned = Disk(config).latents_shard(captions, own)
    assert planned == pytest.approx((tmp_path / "s.h5").stat().st_size, rel=0.02 if clips > 1 else 0.1)


@pytest.mark.slow
def test_the_papers_plan_is_the_papers():
    planned = plan(load(CONFIG / "paper.yaml"))
    training = rows(planned, "train")["fca"]
    assert training.gpu_hours == pytest.approx(960)  # ten days on four GPUs
    assert rows(planned, "train", "bridge")["fca"].gpu_hours == pytest.approx(240)
    assert training.gpu_memory / 2**30 == pytest.approx(20.26, abs=0.05)  # docs/performance.md
    assert training.disk["models"] == pytest.approx(880.0e6 * 4, rel=1e-3)
    assert rows(planned, "sample")["fca"].gpu_hours == pytest.approx(2048 * 42 / 3600)
    # 2 x 691,200 B of mean and logvar, 2 x 172,800 of the initial frame, 257 x 1408 and 226 x 4096 float16, 32 x 768
    each = 2 * 691_200 + 2 * 172_800 + 2 * 257 * 1408 + 4 + 2 * 226 * 4096 + 32 * (2 * 768 + 1)
    assert rows(planned, "encode")["train, text"].disk["latents"] == pytest.approx(168_913 * each, rel=0.002)
    assert rows(planned, "encode")["train, text"].jobs == 165
    assert rows(planned, "encode")["train, text"].gpu_hours is None
    assert not any(row.step == "resample" and row.of == "train" for row in planned.rows)
    text = as_text(planned)
    for words in ("CogVideoX-2B as published", "the rate is unknown", "106 captions", "8.64 s", "unknown: raw"):
        assert words in text


def test_rates_are_measured_where_a_run_exists_and_given_ones_go_first(tmp_path):
    config = small_config(tmp_path, CONFIG / "pocket-base")
    layout = Layout(config)

    def training(**throughput: float) -> tuple[float | None, str]:
        return Rates(config, throughput).training("ssv2", "fca")

    assert training()[0] is None
    log = layout.run("ssv2", "fca") / "0123456789ab" / "log.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text('{"step": 1, "seconds_per_step": 9}\n{"step": 2, "seconds_per_step": 90}\n{"step": 3}\n')
    assert training()[0] == pytest.approx(4 * 90 / 3600)
    extra = {"seconds_per_step": 36.0}
    Manifest("model", 1, [], "0" * 64, {}, {}, [], extra).write(layout.model_manifest("ssv2", "fca"))
    hours, rate = training()
    assert hours == pytest.approx(4 * 36 / 3600)
    assert "models/fca.json" in rate
    assert training(train=2.0)[0] == pytest.approx(4 * 2 / 2 / 3600)  # four steps of two clips
    assert Rates(config, {"encode": 0.5}).of_clips("encode", 5)[0] == pytest.approx(5 / 0.5 / 3600)
    assert Rates(config, {}).of_clips("encode", 5)[0] is None


@pytest.mark.slow
def test_ablations_are_planned_where_they_are_trained(tmp_path):
    planned = plan(small_config(tmp_path, CONFIG / "pocket-base"), ablations=True)
    assert {"fca", "lora", "controlnet_zeros", "image_to_video_lora"} <= set(rows(planned, "train"))
    assert set(rows(planned, "train", "epic")) == {"fca"}
    assert "without activations" in rows(planned, "train")["lora"].memory_of
    assert "train, image" in rows(planned, "encode")
    assert "train, image" not in rows(planned, "encode", "epic")


def test_the_command(tmp_path, capsys):
    shutil.copytree(CONFIG / "variants", tmp_path / "variants")
    config = tmp_path / "pocket.yaml"
    config.write_text((CONFIG / "pocket.yaml").read_text() + f"data_dir: {tmp_path}\nrun_dir: {tmp_path}\n")
    assert main(["plan", "-c", str(config), "--json", "--clips-per-second", "sample=2"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["total"]["disk"]["clips"] > 0
    assert values["total"]["without_a_rate"] == ["encode", "score", "score-vae-roundtrip", "train"]
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("variants", "pocket.yaml")] == []


@pytest.mark.parametrize(
    "size, text", [(0, "0 B"), (999, "999 B"), (1e12, "1 TB"), (31.7e9, "31.7 GB"), (None, "unknown")]
)
def test_sizes_are_readable(size, text):
    assert readable(size) == text
