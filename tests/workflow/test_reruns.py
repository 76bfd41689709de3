"""What runs again after a change, as Snakemake itself sees it."""

import os
import shutil
from collections import Counter

import pytest
import yaml

from tests.workflow.project import ROOT

ALL_FROM_SAMPLING = {"sample_clips": 6, "sample_edited": 1, "score_variant": 2, "report": 1}
FROM_TRAINING = {"train_adapter": 1, "sample_clips": 4, "sample_edited": 1, "score_variant": 1, "report": 1}


def test_finished_means_nothing_to_do(finished) -> None:
    assert finished.jobs() == {}


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("config/variants/fca.yaml", "init_scale: 0.1", "init_scale: 0.2", FROM_TRAINING),
        ("config/variants/fca.yaml", "title: FCA", "title: Ours", {"report": 1}),
        ("config/pocket.yaml", "steps: 25", "steps: 20", ALL_FROM_SAMPLING),
        (
            "config/pocket.yaml",
            "moving a yellow bottle away",
            "moving a blue bottle away",
            {"sample_edited": 1, "report": 1},
        ),
    ],
    ids=["training", "title", "sampling", "edited caption"],
)
def test_settings(project, path, old, new, expected) -> None:
    project.replace(path, old, new)
    assert project.jobs() == expected


def test_another_edited_clip_and_none_at_all(project) -> None:
    change = "datasets={'ssv2': {'edited_captions': {'384': ['Moving purple ball up']}}}"
    assert project.jobs("--config", change) == {"sample_edited": 1, "report": 1}
    path = project.folder / "config" / "pocket.yaml"
    values = yaml.safe_load(path.read_text())
    del values["datasets"]["ssv2"]["edited_captions"]
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    assert project.jobs() == {"report": 1}


def test_code_of_a_step(project) -> None:
    module = project.folder / "src" / "fca" / "sample" / "__init__.py"
    module.write_text(module.read_text() + "\n# a comment\n")
    assert project.jobs() == {}
    module.write_text(module.read_text() + "\nEDITED = True\n")
    assert project.jobs() == ALL_FROM_SAMPLING


def test_code_of_the_report(project) -> None:
    module = project.folder / "src" / "fca" / "report" / "__init__.py"
    module.write_text(module.read_text() + "\nEDITED = True\n")
    assert project.jobs() == {"report": 1}


def test_frozen_networks(project) -> None:
    (project.folder / "config/pocket-base/features/weights.safetensors").write_bytes(b"trained again")
    assert project.jobs() == {"score_variant": 3, "measure_vae_roundtrip": 2, "score_vae_roundtrip": 1, "report": 1}


def test_comments_pace_and_times_of_files_do_not_matter(project) -> None:
    project.replace("config/variants/fca.yaml", "# The paper's method", "# The method")
    project.replace("config/pocket.yaml", "log_every:", "log_every: 1 #")
    os.utime(project.folder / "data/pocket/ssv2/index.json")
    assert project.jobs() == {}


def test_one_rule_on_purpose(finished) -> None:
    expected = {rule: count for rule, count in ALL_FROM_SAMPLING.items() if rule != "sample_edited"}
    assert finished.jobs("--forcerun", "sample_clips") == expected


def test_a_removed_manifest_is_made_again_when_asked_for(project) -> None:
    """Snakemake doesn't miss a file in the middle while what was made from it is still there."""
    removed = "data/pocket/ssv2/samples/base/validation-0001.json"
    (project.folder / removed).unlink()
    assert project.jobs() == {}
    assert project.jobs(removed) == {"sample_clips": 1}


def test_a_shard_whose_manifest_was_lost_is_not_computed_again_and_nothing_behind_it(fresh, tmp_path) -> None:
    """With steps that write real shards: the content of the manifest is the same, and its time doesn't matter."""
    project = fresh.copy(tmp_path / "project")
    project.keep_dataset("ssv2")
    shutil.copy(ROOT / "tests/workflow/slurm_steps.py", project.folder / "src/fca/cli/main.py")
    lost, behind = (f"data/pocket/ssv2/{folder}/validation-0000.json" for folder in ("clips", "latents/text"))
    for _ in range(2):
        run = project.snakemake("--cores", "2", behind, lost)
        assert run.returncode == 0, run.stdout + run.stderr
        (project.folder / lost).unlink()
    run = project.snakemake("--cores", "2", lost)
    assert run.returncode == 0, run.stdout + run.stderr
    log = [line.split()[:2] for line in (project.folder / "executions.log").read_text().splitlines()]
    assert log.count(["reused", "resample-ssv2-validation-0000"]) == 2
    assert max(Counter(name for what, name in log if what == "end").values()) == 1
    assert project.jobs(behind) == {}


def test_values_on_the_command_line(project) -> None:
    """They are compared by value, and the command gets a file that holds them."""
    assert project.jobs("--config", "sample={'steps': 25}") == {}
    resolved = project.folder / "data/pocket/config.resolved.yaml"
    assert "steps: 25" in resolved.read_text()
    assert project.jobs("--config", "sample={'steps': 20}") == ALL_FROM_SAMPLING
    assert "steps: 20" in resolved.read_text()
