"""The table compares what was measured with what was counted, and the plan uses the rates from then on."""

import json

import pytest

from fca.artifacts.measured import Job, conditions, measured_path
from fca.config.rehearsal import rehearsal
from fca.plan import Plan
from fca.plan.rates import Rate, Rates, seconds_a_clip
from fca.plan.steps import Row
from fca.plan.work import Work
from fca.rehearsal.table import GIB, as_text, lines, unmeasured, verdict, write


def job(config, step: str, of: str, part: str = "", **values) -> Job:
    """A measured job, written as the step writes it."""
    defaults = {"device": "CPU, 2 threads", "clips": 2, "seconds": 8.0, "before": GIB // 2, "host_peak": GIB,
              "memory": 24 * GIB}  # fmt: skip
    values = defaults | values
    found = Job(step, "ssv2", of, part, conditions(config, step, of), **values)
    found.write(measured_path(config, step, "ssv2", of, part))
    return found


@pytest.fixture
def small(project):
    return rehearsal(project, variants=["fca"])


def test_steps_of_denoising_scale_and_the_rest_does_not():
    jobs = [Job(step="sample", clips=2, seconds=14.0, repeated=8.0, steps=2) for _ in range(2)]
    assert seconds_a_clip(jobs) == 7.0
    assert seconds_a_clip(jobs, 50) == pytest.approx((14 - 8 + 8 * 25) / 2)


def test_a_training_counts_steps_alone_and_all_its_gpus():
    jobs = [Job(step="train", clips=16, seconds=100.0, repeated=32.0, steps=2, processes=4)]
    assert seconds_a_clip(jobs) == pytest.approx(32 * 4 / 16)


def test_the_plan_takes_a_rehearsals_rates_until_the_scale_has_its_own(project, small):
    work = Work(peak=0, operations=1.0)

    def encoding(**settings) -> Rate:
        return Rates(project, **{"throughput": {}} | settings).encoding("text", work)

    assert encoding().source == "the rate is unknown: add --clips-per-second encode=RATE"
    job(small, "encode", "text", "train-0000")
    job(small, "encode", "text", "train-0001", clips=1, seconds=1.0)
    job(small, "encode", "image", "train-0000", seconds=100.0)
    assert encoding().seconds == 3.0
    assert encoding().source.startswith("3 s a clip, measured on CPU, 2 threads")
    assert "-rehearsal" in encoding().source
    assert encoding(measured=False).seconds is None
    assert encoding(throughput={"encode": 5.0}).source == "5 clips per second, as requested"
    job(project, "encode", "text", "train-0000", seconds=2.0)
    assert encoding().seconds == 1.0
    assert "-rehearsal" not in encoding().source


def test_every_step_has_its_measured_rate(project, small):
    job(small, "sample", "fca", "validation-0000", repeated=6.0, steps=2)
    job(small, "train", "fca", repeated=3.0, clips=1)
    job(small, "score", "fca", seconds=4.0)
    job(small, "vae-roundtrip", "", "0000", seconds=10.0)
    rates, work = Rates(project, {}), Work(peak=0, operations=1.0)
    assert rates.sampling("fca", work).seconds == pytest.approx((8 - 6 + 6 * project.sample.steps / 2) / 2)
    assert rates.training("ssv2", "fca", work).seconds == 3.0
    assert rates.scoring(work, 14).seconds == pytest.approx(2 + rates.bootstrap())
    assert rates.round_trip(work, work).seconds == 5.0
    assert rates.sampling("base", work).seconds is None, "of another variant"


def test_a_line_for_each_step_with_its_ratio(small, tmp_path):
    job(small, "encode", "text", "train-0000")
    job(small, "encode", "text", "validation-0000", host_peak=2 * GIB, written=5_000)
    job(small, "sample", "fca", "validation-0000", steps=2, repeated=6.0, loading=1.5)
    job(small, "vae-roundtrip", "", "0000", device_peak=3 * GIB, memory=30 * GIB, device="NVIDIA A100")
    rows = [("fetch", ""), ("encode", "train, text"), ("encode", "validation, text"), ("sample", "fca"),
            ("measure-vae-roundtrip", "validation"), ("score", "fca")]  # fmt: skip

    def planned(memory: int, hours: float) -> Plan:
        return Plan(
            "x", "data", [Row(step, "ssv2", of, 1, gpu_hours=hours, gpu_memory=memory) for step, of in rows], []
        )

    every = lines(small, planned(GIB, 1.0), planned(10 * GIB, 50.0), planned(10 * GIB, 20.0))
    assert [(line.step, line.of) for line in every] == rows[1:5]
    train, validation, sample, on_gpu = every
    assert train.counted == GIB + GIB // 2, "with what the program took before"
    assert train.ratio == pytest.approx(1 / 1.5)
    assert train.full_need == 10.5 * GIB
    assert validation.full_need == pytest.approx(10.5 * GIB * 2 / 1.5), "what was above the count is so at full scale"
    assert (sample.clips, sample.seconds, sample.loading) == (2, 4.0, 1.5)
    assert on_gpu.counted == GIB
    assert (on_gpu.ratio, on_gpu.full_need) == (3.0, 30 * GIB)
    assert on_gpu.verdict.startswith("doesn't fit: 30.0 of 2"), "CUDA takes some of a GPU's memory itself"
    assert train.verdict == "fits, 2.50 times as long as on an A100"
    assert unmeasured(every, planned(GIB, 1.0), ["ssv2"]) == ["score ssv2 fca"]
    assert unmeasured(every, planned(GIB, 1.0), ["bridge"]) == [], "it has latents alone, which are there"
    assert unmeasured(every[1:], planned(GIB, 1.0), ["bridge"]) == ["encode ssv2 train, text"]
    assert "Not measured, as a kill lost it or nothing was to compute: score ssv2 fca." in as_text(
        every, ["score ssv2 fca"]
    )

    text = as_text(every).splitlines()
    assert text[0].split()[0] == "step"
    assert "0.67" in text[1]
    assert "5 kB" in text[2]
    write(tmp_path / "table.json", every)
    assert len(json.loads((tmp_path / "table.json").read_text())["rows"]) == 4


def test_pixels_on_the_host_count_where_the_device_is_the_host(small):
    job(small, "score", "fca")
    job(small, "score", "base", device_peak=GIB, memory=30 * GIB, device="NVIDIA A100")
    rows = [Row("score", "ssv2", of, 1, gpu_memory=GIB, host_memory=2 * GIB) for of in ("fca", "base")]
    here, there = lines(small, *[Plan("x", "data", rows, [])] * 3)
    assert (here.counted, there.counted) == (3 * GIB + GIB // 2, GIB)
    assert (here.full_need, there.full_need) == (3 * GIB + GIB // 2, GIB)


def test_the_jobs_of_a_step_make_one_line(small):
    job(small, "encode", "text", "train-0000", host_peak=3 * GIB, written=5_000, loading=1.0)
    job(small, "encode", "text", "train-0001", host_peak=GIB, written=2_000, loading=2.0, seconds=4.0)
    plan = Plan("x", "data", [Row("encode", "ssv2", "train, text", 2, gpu_memory=GIB)], [])
    (line,) = lines(small, plan, plan, plan)
    assert (line.host, line.written, line.clips, line.loading, line.seconds) == (3 * GIB, 7_000, 4, 2.0, 3.0)


def test_processes_of_a_training_share_the_memory_of_a_machine_without_gpu(small):
    job(small, "train", "fca", host_peak=GIB + GIB // 2)
    plan = Plan("x", "data", [Row("train", "ssv2", "fca", 1, gpu_memory=GIB)], [])
    assert [lines(small, plan, plan, plan, processes)[0].full_need for processes in (1, 4)] == [1.5 * GIB, 6 * GIB]
    job(small, "train", "fca", device_peak=GIB)
    assert lines(small, plan, plan, plan, 4)[0].full_need == GIB, "each has a GPU"


def test_verdicts():
    assert verdict(10 * GIB, 9 * GIB, 1.0, 1.0) == "doesn't fit: 10.0 of 9.0 GiB"
    assert verdict(8 * GIB, 9 * GIB, 1.4, 1.0) == "fits"
    assert verdict(8 * GIB, 9 * GIB, 30.0, 10.0) == "fits, 3.00 times as long as planned"
    assert verdict(8 * GIB, 9 * GIB, 30.0, 10.0, on_gpu=False) == "fits, 3.00 times as long as on an A100"
    assert verdict(None, 9 * GIB, None, None) == "done"
