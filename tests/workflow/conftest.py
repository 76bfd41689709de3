import pytest

from tests.workflow.project import Project


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Project:
    """The project without results; not to be changed."""
    return Project.new(tmp_path_factory.mktemp("fresh") / "project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """The project cut down to ssv2, with all results; not to be changed."""
    project = Project.new(tmp_path_factory.mktemp("finished") / "project")
    project.keep_dataset("ssv2")
    run = project.snakemake("--cores", "4", "all")
    assert run.returncode == 0, run.stdout + run.stderr
    return project


@pytest.fixture
def project(finished, tmp_path) -> Project:
    """A copy of `finished` to change."""
    return finished.copy(tmp_path / "project")
