"""Training in processes of its own: signals, several processes, one of them dying."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
import yaml

from fca.artifacts.atomic import sha256_tree
from fca.config import Config, Layout
from fca.errors import INTERRUPTED, KILLED
from fca.model import FCAAdapter
from fca.runs.folder import checkpoints, read_lines
from fca.train.loop import train
from tests.train.runs import run_folder

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def changed(config: Config, folder: Path, steps: int = 4, **train: object) -> tuple[Config, list[str]]:
    """The configuration with other settings and a run_dir of its own, and the command that trains it."""
    values = config.model_dump(mode="json") | {"run_dir": str(folder / "runs")}
    values["train"] |= train
    values["datasets"]["ssv2"]["train_steps"] = steps
    folder.mkdir(exist_ok=True)
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(values))
    return Config(**values), [sys.executable, "-m", "fca.cli", "train", "-c", str(file), "ssv2", "fca"]


def wait_for_steps(process: subprocess.Popen, config: Config, steps: int) -> None:
    log = run_folder(config, "ssv2", "fca") / "log.jsonl"
    deadline = time.monotonic() + 120
    while len(read_lines(log)) < steps:
        assert process.poll() is None, "it ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def of_rank(process: subprocess.Popen, rank: int) -> int:
    """The one of its processes that has this rank."""
    every = psutil.Process(process.pid).children(recursive=True)
    [found] = [child for child in every if child.environ().get("RANK") == str(rank)]
    return found.pid


def adapter(config: Config) -> dict[str, torch.Tensor]:
    return FCAAdapter.from_pretrained(Layout(config).model("ssv2", "fca")).state_dict()


def test_a_signal_saves_and_ends_with_75_although_nobody_reads_what_is_said(encoded, tmp_path):
    """As when Slurm signals a whole job: the `tee` behind the pipe is gone when the training is about to save."""
    config, command = changed(encoded, tmp_path / "a", steps=10_000, checkpoint_every=10_000)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT)
    wait_for_steps(process, config, 2)
    process.stdout.close()
    process.send_signal(signal.SIGUSR1)
    assert process.wait(60) == INTERRUPTED
    [step] = checkpoints(run_folder(config, "ssv2", "fca"))
    assert step >= 2
    config, command = changed(encoded, tmp_path / "a", steps=10_000, checkpoint_every=10_000, loader_workers=2)
    again = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT, start_new_session=True
    )
    wait_for_steps(again, config, step + 1)
    os.killpg(again.pid, signal.SIGTERM)  # the loader's workers get it, too
    said, _ = again.communicate(timeout=60)
    assert again.returncode == INTERRUPTED
    assert f"resuming {run_folder(config, 'ssv2', 'fca')} at step {step}" in said
    assert "fca train: stopped after step" in said
    assert "SIGTERM" in said
    steps = [entry["step"] for entry in read_lines(run_folder(config, "ssv2", "fca") / "log.jsonl")]
    assert steps == list(range(1, len(steps) + 1))


def test_a_signal_that_comes_again_while_it_ends_changes_no_status(encoded, tmp_path):
    config, command = changed(encoded, tmp_path / "a", steps=10_000, checkpoint_every=10_000)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    wait_for_steps(process, config, 1)
    process.send_signal(signal.SIGTERM)
    assert any("stopped after step" in line for line in process.stderr)
    while process.poll() is None:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.001)
    assert process.returncode == INTERRUPTED


@pytest.mark.slow
def test_two_processes_train_to_the_weights_of_one_however_they_are_interrupted(encoded, tmp_path):
    """Two clips a step: in a batch, in two passes, in two gloo processes, in two and then one; to fp32's rounding."""
    models = {}
    for name, settings in {
        "alone": {"batch_size": 2},
        "passes": {"batch_size": 1, "gradient_accumulation": 2},
        "together": {"batch_size": 1, "processes": 2},
    }.items():
        config, command = changed(encoded, tmp_path / name, **settings)
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr
        models[name] = adapter(config)

    config, command = changed(encoded, tmp_path / "elastic", batch_size=1, processes=2, hours=1e-9)
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == INTERRUPTED, done.stderr
    assert done.stderr.count("fca train: stopped after step 1 of 4") == 1, "one process speaks for all"
    config, command = changed(encoded, tmp_path / "elastic", batch_size=1, gradient_accumulation=2)
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert "resuming" in done.stdout
    models["elastic"] = adapter(config)

    for name, value in models.pop("alone").items():
        for other in models.values():
            torch.testing.assert_close(other[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_four_processes_and_two_passes_are_eight_clips(encoded, tmp_path):
    """The paper's shape: batch 1 x 4 processes x accumulation 2."""
    whole, _ = changed(encoded, tmp_path / "whole", steps=2, batch_size=8)
    train(whole, "ssv2", "fca")
    expected = adapter(whole)
    config, command = changed(encoded, tmp_path / "four", steps=2, batch_size=1, processes=4, gradient_accumulation=2)
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    for name, value in adapter(config).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_signal_to_one_process_stops_all_in_the_same_step(encoded, tmp_path, rank):
    config, command = changed(encoded, tmp_path, steps=10_000, batch_size=1, processes=2, checkpoint_every=10_000)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    wait_for_steps(process, config, 2)
    os.kill(of_rank(process, rank), signal.SIGUSR1)
    _, said = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, said
    [step] = checkpoints(run_folder(config, "ssv2", "fca"))
    assert f"fca train: stopped after step {step} of 10000" in said


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_no_process_hangs_when_another_dies_and_the_run_continues(encoded, tmp_path, rank):
    config, command = changed(encoded, tmp_path / "a", steps=8, batch_size=1, processes=2, checkpoint_every=1)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    wait_for_steps(process, config, 2)
    os.kill(of_rank(process, rank), signal.SIGKILL)
    _, said = process.communicate(timeout=300)
    assert process.returncode == KILLED
    assert f"process {rank} of 2 was killed (SIGKILL)" in said
    assert "fca train: a process of this step was killed (SIGKILL, see above), most likely for memory" in said
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert "resuming" in done.stdout
    undisturbed, command = changed(encoded, tmp_path / "b", steps=8, batch_size=1, processes=2)
    found = sha256_tree(Layout(config).model("ssv2", "fca"))
    assert subprocess.run(command, env=ENVIRONMENT).returncode == 0
    assert sha256_tree(Layout(undisturbed).model("ssv2", "fca")) == found


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGBUS])
def test_a_loaders_worker_that_dies_is_named(encoded, tmp_path, number):
    """SIGBUS: /dev/shm is full."""
    config, command = changed(encoded, tmp_path, steps=10_000, loader_workers=2, checkpoint_every=10_000)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    wait_for_steps(process, config, 2)
    [training] = psutil.Process(process.pid).children()
    workers = [child for child in training.children() if child.cmdline() == training.cmdline()]
    assert len(workers) == 2
    workers[1].send_signal(number)
    _, said = process.communicate(timeout=300)
    assert f"fca train: a process that loads latents ({workers[1].pid}) was killed (" in said
    assert "Traceback" not in said
    assert process.returncode == (KILLED if number == signal.SIGKILL else 1)
    assert ("most likely for memory" in said) == (number == signal.SIGKILL)
