"""Profiles of machines: what they ask for exists, and they change nothing that is computed."""

import math
import subprocess
from pathlib import Path

import pytest
import yaml

from fca.artifacts.fingerprint.settings import STEPS, settings_of
from fca.config import Layout, load
from tests.workflow.project import ROOT

PROFILES = ROOT / "profiles"


def profile(name: str) -> dict:
    return yaml.safe_load((PROFILES / name / "config.yaml").read_text())


def test_rules_of_profiles_exist(fresh) -> None:
    run = fresh.snakemake("--list-rules")
    rules = set(run.stdout.split())
    for path in PROFILES.iterdir():
        named = profile(path.name).get("set-resources", {}).keys() | profile(path.name).get("groups", {}).keys()
        assert named <= rules, path


@pytest.mark.parametrize("name", ["a100-40g", "a100-80g", "gpu-24g"])
def test_a_machine_changes_no_result(name) -> None:
    values = profile(name)
    if name != "gpu-24g":  # a workflow profile replaces these keys of --profile slurm whole
        assert not {"default-resources", "set-resources", "groups"} & values.keys()
    overrides = dict(item.split("=", 1) for item in values["config"])
    path = ROOT / "config/paper.yaml"
    ours, theirs = load(path), load(path, overrides)
    assert ours != theirs
    for step in STEPS:
        assert settings_of(ours, step) == settings_of(theirs, step)
    for name, variant in ours.every_variant.items():
        if variant.trained:
            assert settings_of(ours, "train", "ssv2", name) == settings_of(theirs, "train", "ssv2", name)


def test_hundreds_of_shards_are_some_submissions() -> None:
    config = load(ROOT / "config/paper.yaml")
    layout, of = Layout(config), {}
    resample, encode, sample, round_trip = profile("slurm")["group-components"].values()
    for dataset in config.datasets:
        for split in ("train", "validation"):
            count = len(layout.shards(dataset, split))
            of[dataset, split] = math.ceil(count / encode)
        of[dataset, "clips"] = math.ceil(len(layout.shards(dataset, "validation")) / resample)
        of[dataset, "round trip"] = math.ceil(len(layout.shards(dataset, "validation")) / round_trip)
        for variant in config.variants:
            for kind in layout.sample_kinds(dataset, variant):
                of[dataset, variant, kind] = math.ceil(len(layout.shards(dataset, "validation")) / sample)
    assert sum(of.values()) < 125


def test_one_gpu_is_shared_in_the_same_way_by_both_profiles_without_slurm() -> None:
    ours, theirs = profile("gpu-24g"), profile("workstation")
    assert ours["resources"] == theirs["resources"] == {"gpu": 1}
    assert ours["set-resources"] == theirs["set-resources"]
    assert "executor" not in ours


@pytest.mark.slow
def test_on_a_workstation_one_job_at_a_time_has_the_gpu(fresh, tmp_path) -> None:
    project = fresh.copy(tmp_path / "project")
    project.keep_dataset("ssv2")
    steps = ROOT / "tests/workflow/slurm_steps.py"
    (project.folder / "src/fca/cli/main.py").write_text(steps.read_text())
    (project.folder / "pause").mkdir()
    for step in ("encode", "sample", "score", "train"):
        (project.folder / "pause" / step).write_text("0.3")
    run = project.snakemake("all", "--profile", "profiles/workstation", "--cores", "4")
    assert run.returncode == 0, run.stdout + run.stderr
    busy, seen = 0, 0
    for line in (project.folder / "executions.log").read_text().splitlines():
        what, name, _ = line.split()
        if what in ("start", "end") and name.partition("-")[0] in ("encode", "sample", "score", "train"):
            busy += 1 if what == "start" else -1
            seen = max(seen, busy)
    assert seen == 1
    assert Path(project.folder / "reports/index.html").exists()


@pytest.mark.parametrize(("status", "expected"), [(75, 75), (143, 75), (1, 1), (137, 137)])
def test_what_was_told_to_stop_is_told_apart_from_what_failed(status, expected, monkeypatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    run = subprocess.run([ROOT / "workflow/scripts/interrupted.sh", str(status)], capture_output=True, text=True)
    assert run.returncode == expected
    assert ("run the same command again" in run.stderr) == (expected == 75)
