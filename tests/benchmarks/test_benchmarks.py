"""The benchmarks' rival computes the same as what it is compared with, and the scripts run."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from benchmarks.drift import LIBRARY, centre, colour_of, measured, reversible, seen, there_and_back
from benchmarks.naive import NaiveFCA, dense_mask, naive_latents
from fca.data.library.clips import read_clips
from fca.pocket.base import build_scheduler
from fca.sample.ddim import predict_latents
from tests.model import reference
from tests.model.test_variants import make


def test_the_dense_mask_is_the_references():
    assert torch.equal(dense_mask(3, 4, 5, 6, 2, torch.device("cpu")), reference.dense_mask(3, 4, 5, 6, 2))


def test_the_naive_model_gives_the_same_velocity_and_gradients():
    model, world = make("fca")

    def gradients(velocity) -> list[torch.Tensor]:
        model.zero_grad()
        velocity.square().sum().backward()
        return [weight.grad.clone() for weight in model.trained().values()]

    expected = model.prepare(world.initial_frames, world.whole_prompt)(world.noisy, world.timestep)
    wanted = gradients(expected)
    naive = NaiveFCA(model)
    naive.attach()
    found = naive(world.initial_frames, world.whole_prompt, world.noisy, world.timestep)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    for one, other in zip(gradients(found), wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * max(1.0, other.abs().max().item()))


def test_the_naive_sampler_gives_the_same_latents():
    model, world = make("fca")
    model.requires_grad_(False)
    empty = world.whole_prompt.to(torch.float32)
    inputs = (build_scheduler(), world.initial_frames, world.whole_prompt, empty, world.noisy, 2, 2.0)
    expected = predict_latents(model, *inputs)
    naive = NaiveFCA(model)
    naive.attach()
    torch.testing.assert_close(naive_latents(naive, *inputs), expected, rtol=1e-4, atol=1e-4)


def test_the_truth_of_the_drift_goes_there_and_back():
    for clip in reversible(read_clips(LIBRARY))[:4]:
        truth = there_and_back(seen(clip))
        assert len(truth) == 61
        assert all(np.array_equal(truth[0], truth[frame]) for frame in (30, 60))
        assert np.array_equal(truth[15], truth[45])
        assert np.abs(truth[0].astype(int) - truth[15]).max() > 50


def test_the_drift_of_a_video_is_its_distance_from_the_truth():
    """A thing that a hand moves, moved by three pixels, blurred and painted over."""
    clip = next(clip for clip in reversible(read_clips(LIBRARY)) if clip.task == "move-up")
    truth, colour = seen(clip)[:15], colour_of(clip)
    decibels, detail, apart, visible = measured(truth, truth, colour)
    assert (decibels, detail, apart, visible) == (100, 1, 0, 1)
    moved = np.roll(truth, 3, axis=2)
    assert measured(moved, truth, colour)[2] == pytest.approx(3, abs=0.5)
    blurred = ((truth.astype(int) + moved) // 2).astype(np.uint8)
    assert measured(blurred, truth, colour)[1] < 0.97
    grey = np.repeat(truth.mean(-1, keepdims=True).astype(np.uint8), 3, axis=-1)
    assert centre(grey[-1], colour) is None
    assert np.isnan(measured(grey, truth, colour)[2])


@pytest.mark.slow
def test_samplers_are_compared_with_fifty_steps_of_ddim(tmp_path):
    out = tmp_path / "measured.json"
    command = [sys.executable, "-m", "benchmarks.samplers", "--clips", "2", "--drift-clips", "1", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    measured = json.loads(out.read_text())
    first, *others = measured["rows"]
    assert (first["name"], first["ratio"], first["fvd_difference"]) == ("ddim, 50 steps", 1, [0, 0, 0])
    assert len(others) == 13
    assert all(row["last_block"] <= 50 and row["ratio"] < 2 for row in others)
    assert [row["chunk"] for row in measured["drift"]] == [1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.slow
def test_resampling_is_faster_than_seers_way_and_equal_within_rounding(tmp_path):
    out = tmp_path / "measured.json"
    command = [sys.executable, "-m", "benchmarks.resample", "--repetitions", "2", "--clips", "300", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(out.read_text())
    assert [row["largest_difference"] for row in measured["rows"]] == [1, 1]
    assert all(row["ratio"] >= 4 for row in measured["rows"])
    for memory in (measured["memory_mib"]["job"], measured["memory_mib"]["decoder"]):
        assert memory[-1] - memory[0] < 10


@pytest.mark.parametrize(
    "name, options", [("train_step", ["--batch-size", "1", "--checkpointed-layers", "2"]), ("sample", ["--steps", "1"])]
)
@pytest.mark.slow
def test_a_benchmark_writes_what_it_measured(name, options, tmp_path):
    out = tmp_path / "measured.json"
    command = [sys.executable, "-m", f"benchmarks.{name}", "--device", "cpu", "--repetitions", "1", "--out", str(out)]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text())["rows"]
    assert [row["version"] for row in rows] == ["ours", "naive"]
    assert all(row["seconds"] > 0 and row["counted_flops"] >= row["model_flops"] for row in rows)
