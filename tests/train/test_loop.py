"""The training loop on real small networks: resume, determinism, corruption, export."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from fca.artifacts.manifest import Manifest
from fca.config import Layout
from fca.errors import FcaError
from fca.model import FCAAdapter
from fca.train.checkpoint import checkpoint_path, load_newest
from fca.train.loop import train
from fca.train.run import identity
from tests.conftest import encode_stored, small_config, write_clips
from tests.train.runs import run_folder


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


def test_without_any_clip_it_says_so_before_it_begins(project):
    write_clips(project, empty=[0, 1])
    for shard in (0, 1):
        encode_stored(project, "train", shard)
    with pytest.raises(FcaError, match=r"ssv2 train has no usable clip; the first, clip0: 0\.webm: gone") as caught:
        train(project, "ssv2", "fca")
    assert "fca data verify" in caught.value.remedy
    assert not run_folder(project, "ssv2", "fca").exists()


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


def test_an_adapter_with_other_settings_is_not_continued(encoded, tmp_path, random_base):
    train(encoded, "ssv2", "fca")
    config = small_config(tmp_path, random_base, init_from=str(Layout(encoded).model("ssv2", "fca")))
    changed = config.model_copy(update={"adapter": config.adapter.model_copy(update={"queries_per_frame": 8})})
    with pytest.raises(FcaError, match="queries_per_frame 16"):
        train(changed, "ssv2", "fca")


def test_what_decides_the_outcome_is_read_once(encoded, monkeypatch):
    """A manifest that changed between two reads would give the run another identity than its model's manifest."""
    read = []
    original = Manifest.read
    monkeypatch.setattr(Manifest, "read", lambda path: read.append(Path(path)) or original(path))
    identities = []
    monkeypatch.setattr("fca.train.loop.identity", lambda *args: identities.append(args) or identity(*args))
    train(encoded, "ssv2", "fca")
    layout = Layout(encoded)
    manifests = [layout.manifest(layout.latents("ssv2", "train", shard)) for shard in (0, 1)]
    assert sorted(path for path in read if "latents" in path.parts) == manifests
    assert len(identities) == 1
