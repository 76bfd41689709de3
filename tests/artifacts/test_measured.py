"""What a job took is kept beside the runs, and only of work that was done."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fca.artifacts.cores import own_cores
from fca.artifacts.measured import Job, host_peak, loading, measured, measured_path, read_measured
from fca.artifacts.shards import Shard
from fca.config import Layout
from fca.encode.shard import encode
from fca.errors import FcaError
from fca.model.denoiser import TextToVideo
from fca.sample import sample
from fca.score import score
from fca.score.roundtrips import measure_vae_roundtrip
from fca.train.loop import train
from tests.conftest import encode_stored


def only(config, step: str) -> Job:
    [found] = read_measured(config, step)
    return found


def test_loading_and_repeated_work_are_counted_apart(project):
    with measured(project, "sample", "ssv2", "base", "validation-0000") as work:
        with loading():
            time.sleep(0.1)
            with loading():
                time.sleep(0.1)
        for _ in range(2):
            with work.repeating(4):
                time.sleep(0.1)
        time.sleep(0.1)
        work.clips = 2
    found = only(project, "sample")
    assert found.loading == pytest.approx(0.2, abs=0.05)
    assert found.seconds == pytest.approx(0.3, abs=0.1)
    assert found.repeated == pytest.approx(0.2, abs=0.08)
    assert found.repeated < found.seconds
    assert (found.clips, found.steps) == (2, 4)
    assert found.host_peak >= found.before > 2**20


def test_work_that_failed_or_was_not_needed_leaves_nothing(project):
    def breaks():
        with measured(project, "encode", "ssv2", "text") as work:
            work.clips = 3
            raise FcaError("it broke")

    with pytest.raises(FcaError):
        breaks()
    with measured(project, "encode", "ssv2", "text"):
        pass
    assert read_measured(project) == []


def test_a_peak_is_of_the_job_and_not_of_what_the_process_did_before(project, tmp_path):
    """In a process of its own: what others leave in this one, the system may take out of memory meanwhile."""
    (tmp_path / "project.json").write_text(project.model_dump_json())
    script = """
import sys
from fca.artifacts.measured import measured, read_measured
from fca.config import Config

project = Config.model_validate_json(open(sys.argv[1]).read())
bytearray(b"x" * (200 * 2**20))
for size in (0, 300 * 2**20):
    with measured(project, "score", "ssv2", "base") as work:
        bytearray(b"x" * size)
        work.clips = 1
    [found] = read_measured(project, "score")
    print(found.host_peak - found.before)
"""
    run = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "project.json"], capture_output=True, text=True, check=True
    )
    nothing, much = map(int, run.stdout.split())
    assert nothing < 100 * 2**20
    assert much > 500 * 2**20


def test_every_step_measures_itself(encoded):
    """From latents to scores; a step that finds its result changes nothing."""
    train(encoded, "ssv2", "fca")
    for shard in (0, 1):
        encode_stored(encoded, "validation", shard)
        measured_path(encoded, "encode", "ssv2", "text", f"validation-{shard:04d}").unlink()
        sample(encoded, "ssv2", "base", "validation", shard)
    score(encoded, "ssv2", "base")
    measure_vae_roundtrip(encoded, "ssv2", 0)
    found = {(each.step, each.of, each.part): each for each in read_measured(encoded)}
    assert set(found) == {
        ("train", "fca", ""),
        ("sample", "base", "validation-0000"),
        ("sample", "base", "validation-0001"),
        ("score", "base", ""),
        ("vae-roundtrip", "", "0000"),
    }
    trained = found["train", "fca", ""]
    steps = encoded.train_steps("ssv2", "fca")
    assert (trained.steps, trained.clips) == (steps, steps * encoded.train.clips_per_step)
    assert 0 < trained.repeated < trained.seconds
    assert trained.loading > 0, "it began before the networks were in memory"
    assert trained.written > 100_000, "the model"
    clips = found["sample", "base", "validation-0000"]
    assert clips.clips == len(Shard(Layout(encoded).samples("ssv2", "base", "validation", 0)))
    assert (clips.steps, clips.written) == (
        encoded.sample.steps,
        Layout(encoded).samples("ssv2", "base", "validation", 0).stat().st_size,
    )
    assert clips.loading > 0
    assert found["score", "base", ""].clips == 5

    sample(encoded, "ssv2", "base", "validation", 0)
    assert {(each.step, each.of, each.part): each for each in read_measured(encoded)} == found


def test_what_is_swapped_out_counts_in_a_peak(monkeypatch):
    status = "Name:\tfca\nVmHWM:\t  2000 kB\nVmRSS:\t  500 kB\nVmSwap:\t  300 kB\nThreads:\t1\n"
    monkeypatch.setattr(Path, "read_text", lambda path: status)
    assert host_peak() == 2300 * 1024


def test_cores_without_affinity_are_the_machines(monkeypatch):
    here = own_cores()
    assert here == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    assert own_cores() == os.cpu_count()


def test_what_a_prediction_does_once_does_not_count_as_its_steps(encoded, monkeypatch):
    encode_stored(encoded, "validation", 0)
    prepare = TextToVideo.prepare

    def slow(*args):
        time.sleep(1)
        return prepare(*args)

    monkeypatch.setattr(TextToVideo, "prepare", slow)
    sample(encoded, "ssv2", "base", "validation", 0)
    found = only(encoded, "sample")
    assert found.steps == encoded.sample.steps
    assert 0 < found.repeated < found.seconds - 1


def test_encoding_measures_itself(project):
    encode_stored(project, "validation", 0)
    found = only(project, "encode")
    assert (found.of, found.part) == ("text", "validation-0000")
    assert found.clips == len(Shard(Layout(project).latents("ssv2", "validation", 0)))
    found.write(path := measured_path(project, "encode", "ssv2", "text", "validation-0000"))
    before = path.read_bytes()
    encode(project, "ssv2", "validation", 0)
    assert path.read_bytes() == before, "it was complete"


def test_a_full_disk_costs_the_measurement_and_not_the_step(project):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with measured(project, "encode", "ssv2", "text") as work:
            work.clips = 1
            resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert read_measured(project) == []


def test_other_settings_are_other_rates_and_foreign_files_are_none(project):
    with measured(project, "encode", "ssv2", "text", "train-0000") as work:
        work.clips = 1
    other = project.model_copy(update={"encode": project.encode.model_copy(update={"precision": "bf16"})})
    assert read_measured(other) == []
    path = measured_path(project, "encode", "ssv2", "text", "train-0001")
    for text in ("{", json.dumps({"clips": 1, "unknown": 2}), "[]", '{"step": "encode"}', '{"clips": "x"}'):
        path.write_text(text)
        assert len(read_measured(project)) == 1
