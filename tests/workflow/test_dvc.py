"""dvc.yaml: its stages parse, and what it names exists in the workflow and in the configuration."""

import csv
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from fca.artifacts.fingerprint import code as code_hash
from fca.artifacts.fingerprint.settings import settings_of
from fca.config import load
from fca.report.for_tools import COLUMNS
from tests.workflow.project import ROOT, Project


def stages() -> dict[str, dict]:
    """The stages, with variables and `foreach` written out."""
    text = (ROOT / "dvc.yaml").read_text()
    for variable in yaml.safe_load(text)["vars"]:
        for name, value in variable.items():
            text = text.replace(f"${{{name}}}", str(value))
    found = {}
    for name, stage in yaml.safe_load(text)["stages"].items():
        if "foreach" not in stage:
            found[name] = stage
            continue
        for item in stage["foreach"]:
            found[f"{name}@{item}"] = yaml.safe_load(yaml.safe_dump(stage["do"]).replace("${item}", item))
    return found


STEPS = {
    "prepare": ("fetch", "index", "verify", "resample", "encode"),
    "train": ("train",),
    "evaluate": ("sample", "sample_edited", "score", "score_vae_roundtrip"),
    "report": ("report",),
}


def up_to(name: str) -> list[dict]:
    """The stages of this name and of those before it."""
    before = list(STEPS)[: list(STEPS).index(name) + 1]
    return [its for stage, its in stages().items() if stage.partition("@")[0] in before]


@pytest.mark.parametrize("name", STEPS)
def test_dvc_knows_all_code_that_snakemake_compares(name) -> None:
    """Of its own or of a stage before it, which then runs and hands on what has changed."""
    known = {path for stage in up_to(name) for path in stage["deps"]}
    for step in STEPS[name]:
        for module, path in code_hash._modules(step).items():
            assert any((ROOT / place) in (path, *path.parents) for place in known), (module, known)


@pytest.mark.parametrize("name", STEPS)
def test_dvc_knows_all_settings_that_snakemake_compares(name) -> None:
    known = {
        key for stage in up_to(name) for parameters in stage["params"] for keys in parameters.values() for key in keys
    }
    config = load(ROOT / "config/pocket.yaml")
    for step in STEPS[name]:
        settings = [key for key in settings_of(config, step) if not key.startswith("training.")]  # of others together
        assert settings
        for key in settings:
            assert any(f"{key}.".startswith(f"{above}.") for above in known), (step, key)


def test_dvc_reads_the_stages(fresh) -> None:
    subprocess.run(["git", "init", "-q", fresh.folder], check=True)
    run = fresh.dvc("stage", "list", "--name-only")
    assert run.returncode == 0, run.stderr
    assert set(run.stdout.split()) == set(stages())


def test_another_model_card_makes_no_stage_outdated(fresh) -> None:
    subprocess.run(["git", "init", "-q", fresh.folder], check=True)
    for scale in ("pocket", "paper"):
        model = f"data/{scale}/ssv2/models/fca"
        assert fresh.dvc("check-ignore", f"{model}/README.md").returncode == 0
        assert fresh.dvc("check-ignore", f"{model}/model.json", f"{model}.json", "README.md").returncode == 1


def test_every_stage_asks_for_a_target_of_the_workflow(fresh) -> None:
    commands = [stage["cmd"].split() for stage in stages().values()]
    assert {(command[0], *command[2:]) for command in commands} == {
        ("snakemake", "--cores", "2", "--configfile", "config/pocket.yaml")
    }
    assert fresh.jobs(*(command[1] for command in commands))["report"] == 1


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
                for level in key.split("."):
                    value = value[level]
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


def exp_show() -> list[str]:
    """The command of docs/versioning.md."""
    lines = (ROOT / "docs/versioning.md").read_text().splitlines()
    (command,) = (line for line in lines if line.startswith("dvc exp show"))
    return shlex.split(command, comments=True)[1:]


def test_metrics_are_one_row_for_each_dataset_and_variant(fresh, tmp_path) -> None:
    project = fresh.copy(tmp_path / "project")
    subprocess.run(["git", "init", "-q", project.folder], check=True)
    row = dict.fromkeys(COLUMNS, 0.1234) | {"clips": 54, "protocol": "3b658b5d"}
    for dataset in ("ssv2", "bridge", "epic"):
        for variant in ("fca", "repeat"):
            path = project.folder / f"reports/metrics/{dataset}/{variant}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(row))
    head, *rows = dvc(project, "metrics", "show").splitlines()
    assert len(rows) == 6
    assert {*head.split()} == {"Path", *row}
    assert max(map(len, [head, *rows])) <= 160


def git(project: Project, *arguments: str) -> None:
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@localhost"]
    subprocess.run(["git", *identity, *arguments], cwd=project.folder, check=True, capture_output=True)


def dvc(project: Project, *arguments: str) -> str:
    run = project.dvc(*arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def nothing_to_do(project: Project) -> None:
    """Both tools agree that all is made."""
    assert json.loads(dvc(project, "status", "--json")) == {}
    assert project.jobs() == {}


def times(project: Project, pattern: str) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (project.folder / "data/pocket").glob(pattern)}


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory) -> Project:
    """A repository with ssv2 alone, made by `dvc repro`, committed and pushed; not to be changed."""
    project = Project.new(tmp_path_factory.mktemp("reproduced") / "project")
    project.keep_dataset("ssv2")
    path = project.folder / "dvc.yaml"
    text = path.read_text().replace("[ssv2, bridge, epic]", "[ssv2]")
    path.write_text("".join(line for line in text.splitlines(True) if not re.search("(bridge|epic)[-/]", line)))
    git(project, "init", "-q")
    dvc(project, "remote", "add", "--default", "store", str(project.folder.parent / "store"))
    git(project, "add", "-A")
    git(project, "commit", "-qm", "project")
    dvc(project, "repro")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "results")
    dvc(project, "push")
    return project


@pytest.fixture
def pulled(reproduced, tmp_path) -> Project:
    """A clone elsewhere, with what docs/versioning.md says to do after `dvc pull`."""
    subprocess.run(["git", "clone", "-q", reproduced.folder, tmp_path / "clone"], check=True)
    project = Project(tmp_path / "clone")
    dvc(project, "pull")
    run = project.snakemake("--touch", "--forceall", "all", "--cores", "1")
    assert run.returncode == 0, run.stdout + run.stderr
    return project


@pytest.mark.slow
def test_reproduced_means_nothing_to_do(reproduced) -> None:
    nothing_to_do(reproduced)


@pytest.mark.slow
def test_pulled_elsewhere_means_nothing_to_do(reproduced, pulled) -> None:
    nothing_to_do(pulled)
    for name in ("reports/index.html", "reports/assets/style.css", "data/pocket/ssv2/models/fca.json"):
        assert (pulled.folder / name).read_bytes() == (reproduced.folder / name).read_bytes()


@pytest.mark.slow
def test_clips_made_again_after_a_pull_make_nothing_else_run(pulled) -> None:
    run = pulled.snakemake("--cores", "2", "--forcerun", "fetch", "--", "prepare_ssv2")
    assert run.returncode == 0, run.stdout + run.stderr
    assert list((pulled.folder / "data/pocket/ssv2/latents").rglob("*.h5"))
    nothing_to_do(pulled)


@pytest.mark.slow
def test_pictures_never_go_to_a_remote(reproduced, pulled) -> None:
    assert len(list((reproduced.folder / "data/pocket").rglob("*.h5"))) > 5
    stored = [path for path in (reproduced.folder.parent / "store").rglob("*") if path.is_file()]
    assert len(stored) > 5
    assert not any(b"licensed" in path.read_bytes() for path in stored)
    assert not list(pulled.folder.rglob("*.h5"))


@pytest.mark.slow
def test_one_changed_parameter_is_seen_alike_and_no_more_is_run(reproduced, tmp_path) -> None:
    project = reproduced.copy(tmp_path / "project")
    project.replace("config/pocket.yaml", "steps: 25", "steps: 20")
    assert set(json.loads(dvc(project, "status", "--json"))) == {"evaluate@ssv2"}  # `report` follows if scores change
    assert set(project.jobs()) == {"sample_clips", "sample_edited", "score_variant", "report"}
    kept, made = times(project, "ssv2/[!s]*/**/*.json"), times(project, "ssv2/s*/**/*.json")
    assert len(kept) > 5
    assert len(made) > 5
    dvc(project, "repro")
    nothing_to_do(project)
    assert times(project, "ssv2/[!s]*/**/*.json") == kept
    same = {path.relative_to(project.folder / "data/pocket/ssv2/scores").as_posix()
            for path, time in times(project, "ssv2/s*/**/*.json").items() if time == made[path]}  # fmt: skip
    without_samples = {"repeat.json", "vae_roundtrip.json", "vae_roundtrip/0000.json", "vae_roundtrip/0001.json"}
    assert same == without_samples


@pytest.mark.slow
def test_what_snakemake_made_alone_dvc_takes_over(reproduced, tmp_path) -> None:
    project = reproduced.copy(tmp_path / "project")
    project.replace("config/variants/fca.yaml", "init_scale: 0.1", "init_scale: 0.2")
    run = project.snakemake("all", "--cores", "2")
    assert run.returncode == 0, run.stdout + run.stderr
    before = times(project, "**/*.json")
    dvc(project, "repro")
    nothing_to_do(project)
    assert times(project, "**/*.json") == before


@pytest.mark.slow
def test_an_experiment_with_its_metrics_and_plots(reproduced, tmp_path) -> None:
    project = reproduced.copy(tmp_path / "project")
    dvc(project, "exp", "run", "--name", "fewer", "--set-param", "config/pocket.yaml:sample.steps=20")
    nothing_to_do(project)
    diff = json.loads(dvc(project, "metrics", "diff", "--json"))
    assert diff["reports/metrics/ssv2/fca.json"]["fvd"] == {"old": 4.0, "new": 5.0, "diff": 1.0}
    head, *rows = csv.reader(dvc(project, *exp_show(), "--csv", "--no-pager").splitlines())
    [fewer] = [row for row in rows if "fewer" in row]
    assert len(head) < 9
    shown = dict(zip(head, fewer, strict=True))
    assert shown["reports/metrics/ssv2/fca.json:fvd"] == "5.0"
    assert shown["sample.steps"] == "20"
    dvc(project, "plots", "show", "--out", "plots")
    page = (project.folder / "plots/index.html").read_text()
    assert "0.3333" in page  # the loss of the third step
    assert "29.25" in page
    assert "18.125" in page  # of another variant
    dvc(project, "plots", "diff", "HEAD", "--out", "plots")


@pytest.mark.slow
def test_on_a_scratch_disk_the_whole_clone_or_what_dvc_does_not_store(reproduced, tmp_path) -> None:
    """As docs/versioning.md says: `data` itself can't be a link."""
    reproduced.copy(tmp_path / "scratch/clone")
    (tmp_path / "clone").symlink_to("scratch/clone")
    project = Project(tmp_path / "clone")
    for name in ("runs", "data/pocket/ssv2/raw"):
        target = tmp_path / "scratch" / Path(name).name
        target.mkdir()
        (project.folder / name).symlink_to(target)
    project.replace("config/pocket.yaml", "steps: 25", "steps: 20")
    dvc(project, "repro")
    nothing_to_do(project)

    (project.folder / "data").rename(tmp_path / "scratch/data")
    (project.folder / "data").symlink_to(tmp_path / "scratch/data")
    project.replace("config/pocket.yaml", "\n  steps: 20", "\n  steps: 15")
    run = project.dvc("repro")
    assert run.returncode != 0
    assert "is outside of git repository" in run.stderr


def test_turned_to_a_licensed_scale_only_models_are_pushed() -> None:
    """The command of docs/versioning.md, run on dvc.yaml."""
    text = (ROOT / "docs/versioning.md").read_text()
    (command,) = (line.strip() for line in text.splitlines() if line.strip().startswith("sed "))
    script = command.replace("sed -i ", "sed ")
    turned = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    loaded = yaml.safe_load(turned)
    assert loaded["vars"] == [{"config": "config/paper.yaml"}, {"data": "data/paper"}, {"reports": "reports/paper"}]
    outs = {}
    for stage in loaded["stages"].values():
        for out in stage.get("do", stage)["outs"]:
            outs |= out
    assert {path for path, options in outs.items() if options.get("push", True)} == {
        "${data}/${item}/models",
        "${reports}/plots",
        "${reports}/metrics.json",
    }
