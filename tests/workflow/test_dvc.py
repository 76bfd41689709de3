"""dvc.yaml: its stages parse, and what it names exists in the workflow and in the configuration."""

import shutil
import subprocess

import pytest
import yaml

from fca.config import load
from tests.workflow.project import ROOT, Project


def stages() -> dict[str, dict]:
    """The stages, with `foreach` written out."""
    found = {}
    for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items():
        if "foreach" not in stage:
            found[name] = stage
            continue
        for item in stage["foreach"]:
            text = yaml.safe_dump(stage["do"]).replace("${item}", item)
            found[f"{name}@{item}"] = yaml.safe_load(text)
    return found


def test_dvc_reads_the_stages(fresh) -> None:
    subprocess.run(["git", "init", "-q", fresh.folder], check=True)
    run = fresh.dvc("stage", "list", "--name-only")
    assert run.returncode == 0, run.stderr
    assert set(run.stdout.split()) == set(stages())


def test_every_stage_asks_for_a_target_of_the_workflow(fresh) -> None:
    commands = [stage["cmd"].split() for stage in stages().values()]
    assert all(command[:3] == ["snakemake", "--cores", "2"] for command in commands)
    assert fresh.jobs(*(target for command in commands for target in command[3:]))["report"] == 1


def test_every_dataset_has_its_stages() -> None:
    for name in load(ROOT / "config/pocket.yaml").datasets:
        assert {f"prepare@{name}", f"train@{name}", f"evaluate@{name}"} <= set(stages())


@pytest.mark.parametrize("name", stages())
def test_parameters_and_sources_exist(name) -> None:
    stage = stages()[name]
    for parameters in stage["params"]:
        for file, keys in parameters.items():
            for key in keys:
                value = yaml.safe_load((ROOT / file).read_text())
                for part in key.split("."):
                    value = value[part]
    made = {
        path
        for other in stages().values()
        for kind in ("outs", "metrics")
        for out in other.get(kind, [])
        for path in out
    }
    for path in stage["deps"]:
        assert (ROOT / path).exists() or path == "config/pocket-base" or any(out.startswith(path) for out in made), path


def test_snakemake_keeps_what_it_finds() -> None:
    for stage in stages().values():
        for kind in ("outs", "metrics"):
            assert all(options["persist"] for out in stage.get(kind, []) for options in out.values())


@pytest.mark.slow
def test_reproduce_then_check_out_elsewhere(tmp_path) -> None:
    """`dvc repro` runs the pipeline once; results that DVC brings back are good for Snakemake, too."""
    project = Project.new(tmp_path / "project")
    subprocess.run(["git", "init", "-q", project.folder], check=True)
    run = project.dvc("repro")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Data and pipelines are up to date" in project.dvc("repro").stdout
    assert project.jobs() == {}

    for name in ("data", "reports", ".snakemake"):
        shutil.rmtree(project.folder / name)
    run = project.dvc("checkout")
    assert run.returncode == 0, run.stdout + run.stderr
    run = project.snakemake("--cores", "2", "--touch", "all")
    assert run.returncode == 0, run.stdout + run.stderr
    assert project.jobs() == {}
    assert "Data and pipelines are up to date" in project.dvc("repro").stdout

    project.replace("config/variants/fca.yaml", "title: FCA", "title: Ours")
    run = project.dvc("status")
    assert "report" in run.stdout
