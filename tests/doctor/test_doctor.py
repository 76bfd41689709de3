"""`fca doctor`: healthy with the shipped configuration; every kind of problem is found and has a remedy."""

import json
import os
from importlib import metadata
from pathlib import Path

import av
import pytest
import torch

from fca.cli.main import main
from fca.config import Config, load
from fca.doctor import Finding, as_json, as_text, files, machine, problems

ROOT = Path(__file__).resolve().parents[2]
POCKET = ROOT / "config/pocket.yaml"


def config(**overrides: object) -> Config:
    return load(POCKET, overrides)


def found(findings: list[Finding], name: str) -> Finding:
    [one] = [one for one in findings if one.name == name]
    return one


def test_the_shipped_configuration_has_no_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "-c", str(POCKET), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["problems"] == 0
    names = {title: [one["name"] for one in rows] for title, rows in told["sections"].items()}
    assert list(names) == ["Versions", "Devices", "Videos", "Workflow", "Disk", "Weights", "Datasets"]
    assert names["Datasets"] == ["ssv2", "bridge", "epic"]
    assert {"base.model", "base.vision_model", "features.network", "positions.network"} <= {*names["Weights"]}
    assert f"torch {metadata.version('torch')}" in told["sections"]["Versions"][1]["found"]


def test_a_problem_is_marked_told_and_the_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        f"extends: {POCKET}\nfeatures: {{network: {POCKET.parent}/pocket-base/features, sha256: {'a' * 64}}}\n"
    )
    assert main(["doctor", "-c", str(file)]) == 1
    text = capsys.readouterr().out
    assert "! features.network" in text
    assert f"(expected: {'a' * 64} (features.sha256))" in text
    assert text.endswith("1 problem, marked with !\n")


def test_weights_that_are_missing_damaged_or_others_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    base = {"model": "THUDM/CogVideoX-2b", "vision_model": str(tmp_path / "nothing"), "text_tokens": 16}
    told = files.weights(config(base=base, positions={"network": str(tmp_path)}, train={"init_from": str(tmp_path)}))
    model = found(told, "base.model")
    assert "THUDM/CogVideoX-2b is not in the hub's cache" in model.problem
    assert "hf download THUDM/CogVideoX-2b" in model.remedy
    for name in ("base.vision_model", "positions.network", "train.init_from"):
        assert str(tmp_path) in found(told, name).problem
        assert found(told, name).remedy

    # A file that differs from its hash, and a folder that is incomplete.
    own = config().base
    pinned = own.model_copy(update={"sha256": {"vae/config.json": "0" * 64}})
    assert "has sha256" in found(files.weights(config().model_copy(update={"base": pinned})), "base.model").problem
    part = tmp_path / "part"
    part.mkdir()
    for name in ("vae", "text_encoder", "tokenizer", "scheduler"):
        (part / name).symlink_to(ROOT / "config/pocket-base" / name)
    lacking = config(base={**own.model_dump(), "model": str(part)})
    assert "has no folder transformer" in found(files.weights(lacking), "base.model").problem


def test_datasets_without_their_files_are_named(tmp_path: Path) -> None:
    shared = {
        "initial_frames": 1,
        "train_steps": 1,
        "train": {"clips": 2, "shard_clips": 2},
        "validation": {"clips": 2, "shard_clips": 2},
    }
    own = {"format": "folder", "source": "archive", "root": str(tmp_path / "videos"), **shared}
    epic = {"format": "epic", "source": "archive", "root": str(tmp_path / "epic"), "urls": ["https://example.org/"]}
    library = {"format": "ssv2", "source": "library", "library": {"folder": str(tmp_path), "train": 2, "validation": 2}}
    changed = config(datasets={"mine": own, "kitchen": epic | shared, "drawn": library | shared})
    told = files.datasets(changed)
    assert "videos" in found(told, "mine").problem
    assert "`fca fetch kitchen`" in found(told, "kitchen").remedy
    assert "clips.jsonl" in found(told, "drawn").problem
    assert all(found(told, name).remedy for name in ("mine", "kitchen", "drawn"))


def test_too_little_disk_and_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = config(data_dir=str(tmp_path / "data"), run_dir=str(tmp_path / "runs"))
    assert not any(one.problem for one in files.disk(changed))
    usage = type("Usage", (), {"free": 10 * 2**20})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    assert "still to be written" in found(files.disk(changed), "data_dir").problem
    large = tmp_path / "data/pocket/large"
    large.parent.mkdir(parents=True)
    with large.open("wb") as file:
        file.truncate(2**33)  # all of it is there
    assert not found(files.disk(changed), "data_dir").problem
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "can't be written to" in found(files.disk(changed), "run_dir").problem


def test_packages_of_other_versions_and_missing_ones_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["numpy>=99", "no-such-package", "pytest", "never-mind; extra == 'dev'"]
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    told = {one.name: one for one in machine.versions() if one.problem}
    assert set(told) == {"numpy", "no-such-package"}
    assert told["numpy"].remedy == "pip install 'numpy>=99'"
    assert told["no-such-package"].found == "not installed"


def test_decoders_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_version", lambda package: None)
    assert not problems({"Videos": machine.decoders("pyav")})
    assert found(machine.decoders("decord"), "decord").problem == "decode.decoder is decord"
    monkeypatch.setattr(av, "codecs_available", {"h264"})
    assert "its FFmpeg lacks hevc, vp9" in found(machine.decoders("pyav"), "PyAV").problem


def test_a_driver_without_a_gpu_for_torch_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(machine, "DRIVER", tmp_path / "version")
    assert not found(machine.devices(), "GPU").problem
    (tmp_path / "version").write_text("NVRM version")
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "built without CUDA" in found(machine.devices(), "GPU").problem
    assert found(machine.devices(), "attention").found.endswith("math on cpu")


def test_what_is_printed_is_in_the_json() -> None:
    sections = {"One": [Finding("a", "fine", remedy="good for b")], "Two": [Finding("b", "gone", "why", "do\nthis")]}
    assert as_text(sections).splitlines()[:5] == ["One", "  a  fine", "    note: good for b", "Two", "! b  gone"]
    assert "    remedy: do this" in as_text(sections).splitlines()
    assert as_json(sections)["sections"]["Two"] == [
        {"name": "b", "found": "gone", "problem": "why", "remedy": "do\nthis"}
    ]
