"""`--sdm apptainer`, with a stand-in for apptainer that runs commands right here; the real one was not available."""

import sys
from pathlib import Path

import pytest

from tests.workflow.project import ROOT, Project

# As apptainer's own command line ends: exec OPTIONS IMAGE SHELL -c COMMAND. Only what is in the image is on the path.
APPTAINER = """#!/bin/sh
[ "$1" = --version ] && echo "apptainer version 1.3.4" && exit
echo "$@" >> {log}
while [ "$#" -gt 3 ]; do shift; done
export PATH={image}:/usr/bin:/bin
exec "$@"
"""

FCA = """#!/bin/sh
echo "fca $1 of the image" >> {log}
exec {python} -c "from fca.cli.main import main; main()" "$@"
"""


@pytest.fixture
def project(fresh: Project, tmp_path: Path) -> Project:
    """With stand-ins on the path: `host` has apptainer, `image` has what the image would have."""
    for folder, name, text in (("host", "apptainer", APPTAINER), ("image", "fca", FCA)):
        path = tmp_path / folder / name
        path.parent.mkdir()
        path.write_text(text.format(log=tmp_path / "log", image=tmp_path / "image", python=sys.executable))
        path.chmod(0o755)
    return fresh.copy(tmp_path / "project")


def in_container(project: Project):
    path = f"{project.folder.parent / 'host'}:/usr/bin:/bin"
    arguments = "--cores", "1", "--sdm", "apptainer", "--", "data/pocket/ssv2/raw.json"
    return project.snakemake(*arguments, environment={"PATH": path, "PYTHONPATH": str(project.folder / "src")})


def test_a_step_takes_its_packages_from_the_image_and_its_code_from_the_repository(project: Project) -> None:
    image = project.folder / "container.sif"
    image.touch()
    run = in_container(project)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (project.folder / "data/pocket/ssv2/raw.json").is_file()
    call, *_, inside = (project.folder.parent / "log").read_text().splitlines()
    assert call.startswith("exec")
    assert f" {image} bash -c " in call
    assert f"PYTHONPATH={project.folder / 'src'}" in call
    assert str(Path(sys.executable).parent) not in call
    assert inside == "fca fetch of the image"


def test_without_an_image_the_remedy_is_named_at_once(project: Project) -> None:
    run = in_container(project)
    assert run.returncode != 0
    assert (
        f"there is no container {project.folder / 'container.sif'}\nremedy: `make container`" in run.stdout + run.stderr
    )


def test_docker_and_apptainer_install_the_same_and_exactly_what_is_pinned() -> None:
    docker = (ROOT / "Dockerfile").read_text().splitlines()
    recipe = (ROOT / "workflow/envs/fca.def").read_text()
    commands = [line.removeprefix("RUN ") for line in docker if line.startswith("RUN ")]
    assert commands == [line.strip() for line in recipe.partition("%post\n")[2].splitlines()]
    assert "pip install --no-cache-dir -r /opt/constraints.txt" in commands
    [base] = [line.removeprefix("FROM ") for line in docker if line.startswith("FROM ")]
    assert f"From: {base}\n" in recipe
    assert (ROOT / ".dockerignore").read_text().split() == ["*", "!constraints.txt"]
