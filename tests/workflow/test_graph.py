"""The whole graph of both scales, wrong configurations, and the linter."""

import re
import resource
import subprocess
import sys

import pytest

from fca.config import Layout, load
from tests.workflow.project import ROOT


def cpu_seconds() -> float:
    """Processor time of finished child processes: unlike elapsed time, the same on a busy machine."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


ECHO = "import sys\n\n\ndef main():\n    print(sys.argv, flush=True)\n    return 75\n"


def test_pocket_is_the_default_and_complete(fresh) -> None:
    config = load(ROOT / "config" / "pocket.yaml")
    layout = Layout(config)
    shards = {
        split: sum(len(layout.shards(name, split)) for name in config.datasets) for split in ("train", "validation")
    }
    predicted = sum(
        len(layout.sample_shards(name, kind))
        for name in config.datasets
        for variant in config.variants
        for kind in layout.sample_kinds(name, variant)
        if kind != "edited"
    )
    assert fresh.jobs() == {
        "fetch": 3,
        "index_clips": 3,
        "verify_clips": 3,
        "resample_clips": shards["validation"],  # train goes from videos to latents in one step
        "encode_latents": shards["train"] + shards["validation"],
        "train_adapter": 3,
        "sample_clips": predicted,
        "sample_edited": 3,
        "score_variant": 9,
        "measure_vae_roundtrip": shards["validation"],
        "score_vae_roundtrip": 3,
        "report": 1,
    }


def test_paper_is_complete_quick_and_without_torch(fresh) -> None:
    before = cpu_seconds()
    jobs = fresh.jobs("all", "--configfile", "config/paper.yaml", environment={})
    assert cpu_seconds() - before < 10
    assert jobs == {
        "fetch": 3,
        "index_clips": 3,
        "verify_clips": 3,
        "resample_clips": 66,  # validation: 8, 20, 38
        "encode_latents": 317,  # train as well: 165, 20, 66
        "train_adapter": 3,
        "sample_clips": 132,  # 66 x 2 variants
        "score_variant": 9,
        "measure_vae_roundtrip": 66,
        "score_vae_roundtrip": 3,
        "report": 1,
    }


@pytest.mark.parametrize("config", ["pocket", "paper"])
def test_a_table_asks_for_its_rows_and_no_more(fresh, config) -> None:
    jobs = fresh.jobs("table3", "--configfile", f"config/{config}.yaml")
    assert (jobs["train_adapter"], jobs["score_variant"], jobs["table3"]) == (6, 8, 1)
    assert jobs["fetch"] == 1
    assert "report" not in jobs
    jobs = fresh.jobs("table2", "table4", "figure5", "figure6", "figure7", "--configfile", f"config/{config}.yaml")
    assert jobs["train_adapter"] == 10  # fca, lora, image_to_video_lora, fca_ablation, and six more ablations


def test_the_workflow_imports_no_torch() -> None:
    code = """
import sys
from snakemake.cli import main
sys.argv = ["snakemake", "--dry-run", "--quiet", "all", "--configfile", "config/paper.yaml"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert "fca.config" in sys.modules
assert "torch" not in sys.modules
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_slurm_profile_gives_training_its_gpus(fresh) -> None:
    target = "data/paper/bridge/models/fca.json"
    run = fresh.snakemake(target, "--profile", "slurm", "--configfile", "config/paper.yaml", "--dry-run")
    output = run.stdout + run.stderr
    assert run.returncode == 0, output
    job = output.partition("rule train_adapter:")[2].partition("\n\n")[0]
    assert "gres=gpu:a100:4" in job
    assert "--signal=TERM@300" in job


def test_wrong_configuration_file_is_refused_at_once(fresh) -> None:
    text = (ROOT / "config" / "pocket.yaml").read_text()
    (fresh.folder / "config" / "wrong.yaml").write_text(text.replace("initial_frames: 2", "initial_frame: 2"))
    before = cpu_seconds()
    run = fresh.snakemake("-n", "all", "--configfile", "config/wrong.yaml", environment={})
    assert cpu_seconds() - before < 3
    assert run.returncode != 0
    message = run.stdout + run.stderr
    assert re.search(r"config/wrong\.yaml, line \d+: datasets\.ssv2\.initial_frame: unknown key", message)
    assert "did you mean 'initial_frames'?" in message


def test_several_configuration_files_are_merged_in_order(fresh, tmp_path) -> None:
    project = fresh.copy(tmp_path / "project")
    (project.folder / "mine.yaml").write_text("scale: mine\nseed: 5\ndatasets: {bridge: null}\n")
    (project.folder / "last.yaml").write_text("seed: 6\n")
    run = project.snakemake("all", "-n", "-p", "--configfile", "config/pocket.yaml", "mine.yaml", "last.yaml")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "fca report -c data/mine/config.resolved.yaml" in run.stdout + run.stderr
    resolved = load(project.folder / "data/mine/config.resolved.yaml")
    assert (resolved.seed, list(resolved.datasets)) == (6, ["ssv2", "epic"])
    (project.folder / "last.yaml").write_text("seed: 6\nsample: {steps: 0}\n")
    run = project.snakemake("all", "-n", "--configfile", "config/pocket.yaml", "mine.yaml", "last.yaml")
    assert "last.yaml, line 2: sample.steps: must be greater than 0" in run.stdout + run.stderr


def test_wrong_value_on_the_command_line_is_refused_at_once(fresh) -> None:
    before = cpu_seconds()
    run = fresh.snakemake("-n", "all", "--config", "train={'precision': 'fp8'}", environment={})
    assert cpu_seconds() - before < 3
    assert run.returncode != 0
    message = run.stdout + run.stderr
    assert "overrides (--config): train.precision: 'fp8' isn't allowed" in message
    assert "allowed: fp32, bf16" in message


def test_the_linter_finds_nothing(fresh) -> None:
    run = fresh.snakemake("--lint")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Congratulations, your workflow is in a good condition!" in run.stdout + run.stderr


def test_no_document_names_a_target_after_configfile() -> None:
    """`--configfile` takes every word after it for a file, so a target there is read as one."""
    texts = [path for folder in ("docs", "src", "workflow") for path in (ROOT / folder).rglob("*") if path.is_file()]
    texts = [path for path in texts if path.suffix in (".md", ".py", ".j2", ".yaml", ".smk")] + [ROOT / "README.md"]
    assert len(texts) > 50
    for path in texts:
        wrong = re.findall(r"--configfile (?:\S+\.yaml|\{\{ \w+ \}\}) +\w+", path.read_text(encoding="utf-8"))
        assert wrong == [], path


def test_edited_captions_wait_for_all_latents_of_validation(fresh) -> None:
    run = fresh.snakemake("data/pocket/ssv2/samples/fca/edited-0000.json", "--dry-run")
    output = run.stdout + run.stderr
    job = output.partition("rule sample_edited:")[2].partition("\n\n")[0]
    assert "latents/text/validation-0000.json, data/pocket/ssv2/latents/text/validation-0001.json" in job, output
    assert "data/pocket/ssv2/models/fca.json" in job
    assert "samples/fca/validation" not in output


def test_a_list_of_excluded_clips_is_an_input_of_verify(fresh) -> None:
    change = "datasets={'ssv2': {'exclude': 'out.tsv'}}"
    run = fresh.snakemake("verify_ssv2", "--dry-run", "--config", change)
    assert "MissingInputException" in run.stdout + run.stderr
    (fresh.folder / "out.tsv").touch()
    run = fresh.snakemake("verify_ssv2", "--dry-run", "--config", change)
    (fresh.folder / "out.tsv").unlink()
    assert "input: data/pocket/ssv2/index.json, out.tsv\n" in run.stdout + run.stderr


def test_a_folder_of_ones_own_videos(fresh, tmp_path) -> None:
    project = fresh.copy(tmp_path / "project")
    arguments = "--configfile", "config/pocket-folder.yaml"
    jobs = project.jobs("all", *arguments)
    assert jobs["fetch"] == jobs["index_clips"] == jobs["train_adapter"] == jobs["report"] == 1
    assert (jobs["resample_clips"], jobs["encode_latents"]) == (1, 2)
    assert project.jobs("preview_mine", *arguments) == {"fetch": 1, "index_clips": 1, "preview": 1, "preview_mine": 1}
    run = project.snakemake("all", *arguments, "--dry-run")
    assert "captions.csv" not in run.stdout  # `fca fetch` says what to write
    captions = project.folder / "datasets" / "mine" / "captions.csv"
    captions.parent.mkdir(parents=True)
    captions.write_text("file,caption\n")
    run = project.snakemake("all", *arguments, "--dry-run")
    output = run.stdout + run.stderr
    assert "input: datasets/mine/captions.csv\n" in output
    assert "input: data/pocket_folder/mine/raw.json, datasets/mine/captions.csv\n" in output


def test_replicates_are_jobs_of_their_own_and_change_nothing_else(fresh, tmp_path) -> None:
    project = fresh.copy(tmp_path / "project")
    one = project.jobs("all")
    three = project.jobs("all", "--config", "train={'replicates': 3}")
    trained = one["train_adapter"]
    assert three["train_adapter"] == 3 * trained
    assert three["score_replicates"] == trained
    assert three["score_variant"] == one["score_variant"] + 2 * trained
    assert {name: count for name, count in three.items() if name in ("encode_latents", "resample_clips", "vbench")} == {
        name: count for name, count in one.items() if name in ("encode_latents", "resample_clips", "vbench")
    }


def test_a_table_compares_its_variants(fresh, tmp_path) -> None:
    project = fresh.copy(tmp_path / "project")
    one = project.jobs("table3")
    assert one["compare_variants"] == 1
    three = project.jobs("table3", "--config", "train={'replicates': 3}")
    assert (three["compare_variants"], three["train_adapter"]) == (1, 3 * one["train_adapter"])


def test_a_step_that_fails_in_front_of_tee_has_failed(fresh, tmp_path) -> None:
    project = fresh.copy(tmp_path / "project")
    (project.folder / "src" / "fca" / "cli" / "main.py").write_text("def main():\n    raise SystemExit('broken')\n")
    run = project.snakemake("--cores", "1", "data/pocket/ssv2/raw.json")
    assert run.returncode != 0
    assert "returned non-zero exit status 1" in run.stdout + run.stderr


def test_folders_may_have_spaces_in_their_names(fresh, tmp_path) -> None:
    project = fresh.copy(tmp_path / "a project")
    (project.folder / "src" / "fca" / "cli" / "main.py").write_text(ECHO)
    data = tmp_path / "my data"
    layout = Layout(load(ROOT / "config/pocket.yaml", {"data_dir": str(data)}))
    shards = [layout.latents("ssv2", "train", shard) for shard in layout.shards("ssv2", "train")]
    for path in (layout.index_manifest("ssv2"), layout.verified("ssv2"), *map(layout.manifest, shards[1:])):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    targets = {"encode_latents": layout.manifest(shards[0]), "train_adapter": layout.model_manifest("ssv2", "fca")}
    for rule, target in targets.items():
        run = project.snakemake(
            *("--cores", "1", "--config", f"data_dir={data}", "--allowed-rules", rule, "-f", "--", str(target))
        )
        [log] = (layout.root / "logs" / rule.split("_")[0]).glob("*.log")
        assert f"'{data}/pocket/config.resolved.yaml', 'ssv2'" in log.read_text(), run.stdout + run.stderr
        assert "exit status 75" in run.stdout + run.stderr
        layout.manifest(shards[0]).touch()
