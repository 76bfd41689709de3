"""VBench is part of the graph where its environment and weights are there, and nowhere else."""

from pathlib import Path

from tests.workflow.project import Project


def test_all_measures_vbench_where_its_environment_is(fresh: Project, tmp_path: Path) -> None:
    """Without it, all jobs are those of test_graph.py."""
    project = fresh.copy(tmp_path / "project")
    python = project.folder / ".venv-vbench" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert project.jobs()["vbench_scores"] == 4  # ssv2: fca, base, repeat, truth
    assert "vbench_scores" not in project.jobs("all", "--configfile", "config/paper.yaml")  # no weights


def test_asked_for_by_name_it_is_always_there(fresh: Project) -> None:
    assert fresh.jobs("vbench", "--configfile", "config/paper.yaml")["vbench_scores"] == 4
