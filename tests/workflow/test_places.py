"""Working directories, links, profiles and homes: the workflow finds what is shipped, and writes where it is run."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.workflow.project import ROOT


@pytest.fixture
def elsewhere(tmp_path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def told(run: subprocess.CompletedProcess[str]) -> str:
    return run.stdout + run.stderr


def test_from_another_folder_results_are_written_there(fresh, elsewhere, tmp_path) -> None:
    """The Snakefile by `-s`, another working directory, and a configuration through a link."""
    (elsewhere / "mine.yaml").symlink_to(fresh.folder / "config/pocket.yaml")
    arguments = "-s", str(fresh.folder / "Snakefile"), "--configfile", "elsewhere/mine.yaml", "--directory", "elsewhere"
    target = "data/pocket/epic/index.json"
    assert fresh.jobs(*arguments, "--", target, cwd=tmp_path) == {"fetch": 1, "index_clips": 1}
    run = fresh.snakemake("--cores", "2", *arguments, "--", target, cwd=tmp_path)
    assert run.returncode == 0, told(run)
    assert (elsewhere / target).is_file()
    assert not (fresh.folder / target).exists()
    assert not fresh.jobs(*arguments, "--", target, cwd=tmp_path)


def test_data_runs_and_reports_may_be_links(fresh, tmp_path) -> None:
    project, scratch = fresh.copy(tmp_path / "project"), tmp_path / "scratch"
    for name in ("data", "runs", "reports"):
        (scratch / name).mkdir(parents=True)
        shutil.rmtree(project.folder / name, ignore_errors=True)
        (project.folder / name).symlink_to(scratch / name)
    target = "data/pocket/bridge/verified.json"
    run = project.snakemake("--cores", "2", "--quiet", "all", "--", target)
    assert run.returncode == 0, told(run)
    assert (scratch / target).is_file()
    assert not project.jobs("--", target)
    subprocess.run(["git", "init", "-q"], cwd=project.folder, check=True)
    (project.folder / "weights").symlink_to(scratch)
    status = subprocess.run(
        ["git", "status", "--short"], cwd=project.folder, check=True, capture_output=True, text=True
    )
    assert not re.search("weights|runs", status.stdout), status.stdout


MISSING = "mine.yaml, line 3: base.model: there is no folder config/pocket-bse\n"


def test_a_missing_folder_of_networks_is_found_by_a_dry_run_of_jobs_that_read_it(fresh, elsewhere) -> None:
    (elsewhere / "mine.yaml").write_text("extends: pocket.yaml\nbase:\n  model: config/pocket-bse\n")
    arguments = "-s", str(fresh.folder / "Snakefile"), "--configfile", "mine.yaml", "--cores", "1", "-n"
    for quiet in ([], ["--quiet", "all"]):
        run = fresh.snakemake(*arguments, *quiet, "--", "all", cwd=elsewhere)
        assert run.returncode != 0
        assert re.search(rf"\s{re.escape(MISSING)}\s+expected: ", told(run)), told(run)
    run = fresh.snakemake(*arguments, "--", "verify_ssv2", cwd=elsewhere)
    assert run.returncode == 0, told(run)


def test_networks_that_no_job_reads_may_be_missing(fresh) -> None:
    change = "--config", "image_base={'model': 'weights/5B'}"
    assert "report" in fresh.jobs("all", *change)
    run = fresh.snakemake("-n", "table2", *change)
    assert "overrides (--config): image_base.model: there is no folder weights/5B" in told(run)


TARGET = "--quiet", "rules", "--", "data/pocket/epic/raw.json"


@pytest.mark.parametrize("given", ["a100-80g", "mine", "own/config.yaml", "none"])
def test_a_workflow_profile_that_is_there(fresh, elsewhere, given) -> None:
    """Of the repository, or where Snakemake is started, which isn't its working directory."""
    for folder in ("profiles/mine", "own"):
        shutil.copytree(fresh.folder / "profiles/a100-80g", elsewhere / folder)
    arguments = "-s", str(fresh.folder / "Snakefile"), "--directory", "work", "--workflow-profile", given
    run = fresh.snakemake("-n", *arguments, *TARGET, cwd=elsewhere)
    assert run.returncode == 0, told(run)
    assert ("workflow specific profile" in told(run)) == (given != "none")


@pytest.mark.parametrize("given", ["--workflow-profile=a100-8g", "--workflow-profile profiles/a100-80g"])
def test_a_workflow_profile_that_is_not_there(fresh, elsewhere, given) -> None:
    """Snakemake itself would run without it. From another folder, the path below profiles/ is no path."""
    run = fresh.snakemake("-n", "-s", str(fresh.folder / "Snakefile"), *given.split(), cwd=elsewhere)
    assert run.returncode != 0
    assert f"there is no workflow profile {re.split('[= ]', given)[1]}\n" in told(run)
    assert "takes a100-40g, a100-80g, default, gpu-24g, slurm, workstation" in told(run)


def test_a_home_that_cannot_be_written(fresh, tmp_path) -> None:
    """Snakemake needs a cache before it reads a Snakefile; docs/cluster.md says what to set, and make sets it."""
    lost = {"HOME": "/proc/none"}
    run = fresh.snakemake("-n", *TARGET, environment=lost)
    assert run.returncode != 0
    run = fresh.snakemake("-n", *TARGET, environment=lost | {"XDG_CACHE_HOME": str(tmp_path)})
    assert run.returncode == 0, told(run)


@pytest.mark.parametrize("home, cache", [("/proc/none", str(ROOT / ".cache")), ("HERE", "")])
def test_make_takes_a_cache_of_its_own_if_the_home_cannot_be_written(tmp_path, home, cache) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "XDG_CACHE_HOME"}
    environment["HOME"] = home.replace("HERE", str(tmp_path))
    show = ["make", "-s", "--eval", "show: ; @echo $$XDG_CACHE_HOME", "show"]
    run = subprocess.run(show, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == cache
