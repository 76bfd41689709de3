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
from fca.plan.rates import SAMPLED_CLIP, SAMPLING_SPEED, TRAINING_CLIP, TRAINING_SPEED, Rates
from fca.plan.work import Work, sampling, training
from tests.conftest import CAPTIONS, small_config, write_clips

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
    """At the pocket's size: what HDF5 adds weighs more in smaller clips."""
    clip = project.clip.model_copy(update={"width": 96, "height": 64})
    project = project.model_copy(update={"clip": clip})
    write_clips(project)
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
    assert training.gpu_memory / 2**30 == pytest.approx(23.23, abs=0.02)  # docs/performance.md
    assert training.job_hours == pytest.approx(1000 * 8.64 / 3600)  # a checkpoint every 1,000 steps
    # after 240 hours: the newest two, the best, one for each day, and the next while it is written
    assert training.disk["checkpoints"] == pytest.approx((2 + 1 + 10 + 1) * 12 * 880.0e6, rel=1e-3)
    assert training.disk["models"] == pytest.approx(880.0e6 * 4, rel=1e-3)
    assert rows(planned, "sample")["fca"].gpu_hours == pytest.approx(2048 * 42 / 3600)
    # 2 x 691,200 B of mean and logvar, 2 x 172,800 of the initial frame, 257 x 1408 and 226 x 4096 float16, 32 x 768
    each = 2 * 691_200 + 2 * 172_800 + 2 * 257 * 1408 + 4 + 2 * 226 * 4096 + 32 * (2 * 768 + 1)
    assert rows(planned, "encode")["train, text"].disk["latents"] == pytest.approx(168_913 * each, rel=0.002)
    assert rows(planned, "encode")["train, text"].jobs == 165
    predicting = rows(planned, "sample")["fca"]
    assert predicting.job_hours == pytest.approx((60 + 256 * 42) / 3600)
    assert predicting.gpu_memory / 2**30 == pytest.approx(19.75, abs=0.02)
    encoding = rows(planned, "encode")["train, text"]
    assert encoding.gpu_memory / 2**30 == pytest.approx(8.94, abs=0.03)  # T5: the VAE's 6.6 were there before
    assert encoding.job_hours == pytest.approx((60 + 1024 * 57.3 / 40.2) / 3600, rel=0.01)
    assert not any(row.step == "resample" and row.of == "train" for row in planned.rows)
    text = as_text(planned)
    for words in ("CogVideoX-2B as published", "40e12 a second", "106 captions", "8.64 a step", "unknown: raw"):
        assert words in text


@pytest.mark.slow
def test_the_counted_operations_are_those_of_the_closed_form():
    """docs/performance.md: 2,771.24e12 of a sampled clip, and the VAE's; 75.04e12 of a trained one, 27.59e12 and
    gamma's 0.66e12 again, but for its last projection (904 queries, 768 to 1,920, 30 layers), of which nothing needs
    the output."""
    config = load(CONFIG / "paper.yaml")
    own = networks(config.base)
    decoding, last = 102.51e12, 2 * 904 * 768 * 1920 * 30
    assert sampling(config, "fca", own).operations == pytest.approx(2771.24e12 + decoding, rel=1e-5)
    assert training(config, "fca", own).operations == pytest.approx((75.04 + 27.59 + 0.66) * 1e12 - last, rel=1e-4)
    assert pytest.approx(2771.24e12 + decoding, rel=1e-3) == SAMPLING_SPEED * SAMPLED_CLIP
    assert pytest.approx((75.04 + 27.59) * 1e12, rel=1e-3) == TRAINING_SPEED * TRAINING_CLIP


@pytest.mark.slow
@pytest.mark.parametrize("layers, gib", [(10, 34.75), (0, 39.81)])
def test_memory_with_fewer_checkpointed_layers(layers, gib):
    """The profiles' comments say these numbers."""
    config = load(CONFIG / "paper.yaml", {"train": {"checkpointed_layers": layers}})
    assert training(config, "fca", networks(config.base)).peak / 2**30 == pytest.approx(gib, abs=0.03)


def test_rates_are_measured_where_a_run_exists_and_given_ones_go_first(tmp_path):
    config = small_config(tmp_path, CONFIG / "pocket-base")
    layout, work = Layout(config), Work(peak=1, operations=8e12)

    def step(**throughput: float) -> tuple[float | None, str]:
        """Seconds of a step, of two clips."""
        rate = Rates(config, throughput).training("ssv2", "fca", work)
        return rate.seconds and 2 * rate.seconds, rate.source

    assert step()[0] is None
    log = layout.run("ssv2", "fca") / "0123456789ab" / "log.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text('{"step": 1, "seconds_per_step": 9}\n{"step": 2, "seconds_per_step": 90}\n{"step": 3}\n')
    assert step()[0] == pytest.approx(90)
    extra = {"seconds_per_step": 36.0}
    Manifest("model", 1, [], "0" * 64, {}, {}, [], extra).write(layout.model_manifest("ssv2", "fca"))
    seconds, source = step()
    assert seconds == pytest.approx(36)
    assert "models/fca.json" in source
    assert step(train=2.0)[0] == pytest.approx(1)
    assert Rates(config, {"encode": 0.5}).encoding("text", work).hours(5) == pytest.approx(5 / 0.5 / 3600)
    assert Rates(config, {}).encoding("text", work).hours(5) is None


def test_what_the_paper_has_no_time_of_takes_its_operations_at_a_published_speed():
    rates, work = Rates(load(CONFIG / "paper.yaml"), {}), Work(peak=1, operations=80e12)
    assert rates.encoding("text", work).seconds == pytest.approx(80 / 40.16)
    assert rates.training("ssv2", "lora", work).seconds == pytest.approx(80 / 23.75)
    assert rates.training("ssv2", "no_ftc", work).seconds == pytest.approx(4.32)
    assert rates.sampling("image_to_video", work).seconds == pytest.approx(80 / 68.43, rel=1e-3)
    assert rates.sampling("base", work).seconds == 42
    features = Work(peak=1, operations=1e12)
    assert rates.scoring(features, 14).seconds == pytest.approx(3 / 2.51 + 14 * 0.17 / 1.9 + 2000 * 1.2e-4, rel=1e-3)
    assert rates.round_trip(work, features).seconds == pytest.approx(80 / 40.16 + 5 / 2.51 + 32 * 0.17 / 1.9, rel=1e-3)


@pytest.mark.slow
def test_ablations_are_planned_where_they_are_trained(tmp_path):
    planned = plan(small_config(tmp_path, CONFIG / "pocket-base"), ablations=True)
    assert {"fca", "lora", "controlnet_zeros", "image_to_video_lora"} <= set(rows(planned, "train"))
    assert set(rows(planned, "train", "epic")) == {"fca"}
    assert all(row.gpu_memory > 0 for row in rows(planned, "train").values())
    assert "train, image" in rows(planned, "encode")
    assert "train, image" not in rows(planned, "encode", "epic")


def test_every_training_of_a_variant_is_planned(tmp_path):
    one = load(CONFIG / "paper.yaml")
    three = load(CONFIG / "paper.yaml", {"train": {"replicates": 3}})
    before, after = plan(one), plan(three)
    for step in ("train", "sample", "score"):
        mine, theirs = rows(before, step)["fca"], rows(after, step)["fca"]
        assert (theirs.jobs, theirs.job_hours) == (3 * mine.jobs, mine.job_hours)
        assert theirs.gpu_hours == pytest.approx(3 * mine.gpu_hours)
        assert theirs.disk == {kind: 3 * size for kind, size in mine.disk.items()}
        for name in ("base", "repeat"):
            assert rows(after, step).get(name) == rows(before, step).get(name), "nothing is trained"
    assert rows(after, "score-replicates").keys() == {"fca"}
    assert rows(before, "score-replicates") == {}


def test_the_command(tmp_path, capsys):
    shutil.copytree(CONFIG / "variants", tmp_path / "variants")
    shutil.copy(CONFIG / "pocket.yaml", tmp_path)
    config = tmp_path / "mine.yaml"
    one = "encode: {batch_size: 1}\nsample: {batch_size: 1}\ntrain: {batch_size: 1}\n"
    config.write_text(f"extends: pocket.yaml\ndata_dir: {tmp_path}\nrun_dir: {tmp_path}\n{one}")
    assert main(["plan", "-c", str(config), "--json", "--clips-per-second", "sample=2"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["total"]["disk"]["clips"] > 0
    assert values["total"]["without_a_rate"] == ["encode", "measure-vae-roundtrip", "score", "train", "vbench"]
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("variants", "pocket.yaml", "mine.yaml")] == []


@pytest.mark.parametrize(
    "size, text", [(0, "0 B"), (999, "999 B"), (1e12, "1 TB"), (31.7e9, "31.7 GB"), (None, "unknown")]
)
def test_sizes_are_readable(size, text):
    assert readable(size) == text
