"""The training loop on real small networks: resume, determinism, corruption, export."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import yaml

from fca.config import Layout
from fca.data.manifest import Manifest
from fca.data.shards import Shard, write_shard
from fca.errors import FcaError
from fca.model import FCAAdapter
from fca.train import train
from fca.train.checkpoint import checkpoint_path, load_newest, save_checkpoint
from fca.train.export import run_folder
from tests.conftest import encode_stored, small_config, write_clips


@pytest.fixture
def encoded(project):
    for shard in (0, 1):
        encode_stored(project, "train", shard)
    return project


def model_hash(config) -> str:
    return Manifest.read(Layout(config).model_manifest("ssv2", "fca")).sha256


def test_stopping_and_resuming_gives_the_same_bytes_as_not_stopping(encoded):
    train(encoded, "ssv2", "fca")
    expected, run = model_hash(encoded), run_folder(encoded, "ssv2", "fca")
    whole_log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    checkpoint_path(run, 4).unlink()  # as if it had been killed after step 2
    shutil.rmtree(Layout(encoded).model("ssv2", "fca"))
    train(encoded, "ssv2", "fca")
    assert model_hash(encoded) == expected
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [(entry["step"], entry["loss"]) for entry in log] == [(entry["step"], entry["loss"]) for entry in whole_log]


def test_a_killed_run_resumes_to_the_same_bytes(encoded, tmp_path):
    config = encoded.model_copy(
        update={"datasets": {"ssv2": encoded.datasets["ssv2"].model_copy(update={"train_steps": 30})}}
    )
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    command = [sys.executable, "-m", "fca.cli", "train", "-c", str(file), "ssv2", "fca"]
    run = run_folder(config, "ssv2", "fca")
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.time() + 120
    while not list(run.glob("checkpoint-*.pt")) and time.time() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL, "the run was over before it could be killed"
    resumed = subprocess.run(command, capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    assert "resuming" in resumed.stdout
    found = model_hash(config)
    shutil.rmtree(run)
    train(config, "ssv2", "fca")
    assert model_hash(config) == found


def test_the_exported_adapter_is_what_was_trained(encoded):
    train(encoded, "ssv2", "fca")
    layout = Layout(encoded)
    adapter = FCAAdapter.from_pretrained(layout.model("ssv2", "fca"))
    trained = load_newest(run_folder(encoded, "ssv2", "fca"))["trained"]
    assert all(torch.equal(value, trained[f"adapter.{name}"]) for name, value in adapter.state_dict().items())
    assert len(trained) == len(adapter.state_dict())
    extra = Manifest.read(layout.model_manifest("ssv2", "fca")).extra
    assert extra["steps"] == 4
    assert len(extra["log"]) == 4
    assert extra["trainable_parameters"] == sum(parameter.numel() for parameter in adapter.parameters())


def test_another_setting_starts_another_run_and_never_resumes_the_old(encoded, tmp_path, random_base):
    train(encoded, "ssv2", "fca")
    other = small_config(tmp_path, random_base, learning_rate=5e-4)
    assert run_folder(other, "ssv2", "fca") != run_folder(encoded, "ssv2", "fca")
    train(other, "ssv2", "fca")
    assert load_newest(run_folder(encoded, "ssv2", "fca"))["step"] == 4


def test_other_latents_start_another_run(encoded):
    before = run_folder(encoded, "ssv2", "fca")
    write_clips(encoded, change=3)
    for shard in (0, 1):
        encode_stored(encoded, "train", shard)
    assert run_folder(encoded, "ssv2", "fca") != before


def test_training_continues_an_exported_adapter(encoded, tmp_path, random_base):
    train(encoded, "ssv2", "fca")
    model = Layout(encoded).model("ssv2", "fca")
    kept = tmp_path / "kept"
    shutil.copytree(model, kept)
    config = small_config(tmp_path, random_base, init_from=str(kept), learning_rate=1e-12, weight_decay=0.0)
    train(config, "ssv2", "fca")
    before, after = (FCAAdapter.from_pretrained(folder).state_dict() for folder in (kept, model))
    for name, value in after.items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=1e-9)


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path, capsys):
    for step in (1, 2):
        save_checkpoint(tmp_path, step, {"value": torch.tensor([step])})
    path = checkpoint_path(tmp_path, 2)
    path.write_bytes(path.read_bytes()[:100])
    assert load_newest(tmp_path)["step"] == 1
    assert str(path) in capsys.readouterr().out
    checkpoint_path(tmp_path, 1).write_bytes(b"not a checkpoint")
    with pytest.raises(FcaError, match="none of the 2 checkpoints"):
        load_newest(tmp_path)


def test_a_checkpoint_that_would_run_code_is_not_loaded(tmp_path, capsys):
    class Harmful:
        def __reduce__(self):
            return (print, ("code was run",))

    tmp_path.mkdir(exist_ok=True)
    torch.save({"step": 1, "harm": Harmful()}, checkpoint_path(tmp_path, 1))
    with pytest.raises(FcaError):
        load_newest(tmp_path)
    assert "code was run\n" not in capsys.readouterr().out


def test_another_base_starts_another_run(encoded, tmp_path, random_base):
    before = run_folder(encoded, "ssv2", "fca")
    base = tmp_path / "base"
    shutil.copytree(random_base, base)
    other = small_config(tmp_path, base)
    assert run_folder(other, "ssv2", "fca") != before
    same = run_folder(other, "ssv2", "fca")
    path = base / "transformer/diffusion_pytorch_model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert run_folder(other, "ssv2", "fca") != same


def test_a_loss_that_is_not_finite_stops_before_a_weight_is_harmed(encoded):
    layout = Layout(encoded)
    for shard in layout.shards("ssv2", "train"):
        path = layout.latents("ssv2", "train", shard)
        with Shard(path) as source:
            arrays = {name: source[name][:] for name in source.names if name not in ("id", "caption")}
            arrays["mean"] = arrays["mean"] * np.float16(np.nan)
            arrays["caption"] = source.captions
            write_shard(path, "latents", arrays, source.ids, {}, {}, meta=source.meta)
    with pytest.raises(FcaError, match="not finite"):
        train(encoded, "ssv2", "fca")
    assert not layout.model_manifest("ssv2", "fca").exists()


def test_an_adapter_with_other_settings_is_not_continued(encoded, tmp_path, random_base):
    train(encoded, "ssv2", "fca")
    config = small_config(tmp_path, random_base, init_from=str(Layout(encoded).model("ssv2", "fca")))
    changed = config.model_copy(update={"adapter": config.adapter.model_copy(update={"queries_per_frame": 8})})
    with pytest.raises(FcaError, match="queries_per_frame 16"):
        train(changed, "ssv2", "fca")


def test_more_processes_than_run_are_refused(encoded, tmp_path, random_base):
    with pytest.raises(FcaError, match="1 processes are training"):
        train(small_config(tmp_path, random_base, processes=2), "ssv2", "fca")


@pytest.mark.slow
def test_two_processes_train_to_the_weights_of_one(encoded, tmp_path):
    """Two gloo processes of one clip and one process of two: the same steps, to the rounding of fp32."""

    def trained(processes: int, batch_size: int) -> dict[str, torch.Tensor]:
        values = encoded.model_dump(mode="json")
        values["run_dir"] = str(tmp_path / f"runs-{processes}")
        values["train"] |= {"processes": processes, "batch_size": batch_size}
        file = tmp_path / f"{processes}.yaml"
        file.write_text(yaml.safe_dump(values))
        command = [sys.executable, "-m", "fca.cli", "train", "-c", str(file), "ssv2", "fca"]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        assert done.returncode == 0, done.stderr
        return FCAAdapter.from_pretrained(Layout(encoded).model("ssv2", "fca")).state_dict()

    alone, together = trained(1, 2), trained(2, 1)
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-4, atol=1e-5)


def test_only_the_newest_checkpoints_are_kept(tmp_path):
    for step in range(1, 6):
        save_checkpoint(tmp_path, step, {})
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["checkpoint-0000004.pt", "checkpoint-0000005.pt"]
