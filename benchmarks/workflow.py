"""What the workflow itself costs: the whole graph of a big scale, with steps that do nothing.

    python -m benchmarks.workflow [--shards 1000] [--cores 2] [--out workflow.json]

In a temporary copy of the project, `fca` is a shell script that writes a manifest of the usual size. Three datasets
have the given number of clip shards together; to each belongs a latents shard, and to each of validation the samples
of two variants. Timed are Snakemake from nothing to the report, Snakemake and DVC when nothing is to be done, and,
apart, what starting the real `fca` costs a job.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
SHARE = {"ssv2": 0.55, "bridge": 0.12, "epic": 0.33}
"""Each dataset's part of the shards, about as at the paper's scale."""
VALIDATION = 0.2
NOTHING = """#!/bin/sh
# fca STEP -c CONFIG DATASET ...: writes the manifest that the step would write, 1,024 ids in it.
[ "$1" = data ] && shift
step=$1 dataset=$4
case $step in
fetch) out=$dataset/raw ;;
index) out=$dataset/index ;;
verify) out=$dataset/verified ;;
resample) out=$dataset/clips/$5-$7 ;;
encode) out=$dataset/latents/$9/$5-$7 ;;
train) out=$dataset/models/$5 ;;
sample) out=$dataset/samples/$5/$7-$9 ;;
score) out=$dataset/scores/$5 ;;
score-vae-roundtrip) out=$dataset/scores/vae_roundtrip ;;
report)
    mkdir -p reports/assets reports/plots
    for file in index.html metrics.json assets/style.css plots/ssv2-loss.csv; do echo '{}' >reports/$file; done
    exit
    ;;
esac
out=data/pocket/$out.json
mkdir -p "${out%/*}"
{ echo "$@"; seq 1 1024; } >"$out.aside" && mv "$out.aside" "$out"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=1000, help="clip shards of all datasets together")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder) / "project", arguments.shards, arguments.cores)
    print(json.dumps(figures, indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


def measure(project: Path, shards: int, cores: int) -> dict[str, float]:
    """Seconds of each command, and of one job."""
    copy_project(project, shards)
    run(project, "git", "init", "-q")
    figures: dict[str, float] = {"cores": cores, "load_before": round(os.getloadavg()[0], 1)}
    figures["dry_run"], _ = run(project, "snakemake", "-n", "all", "--quiet")
    figures["run"], output = run(project, "snakemake", "all", "--cores", str(cores))
    figures["jobs"] = output.count("Finished jobid")
    figures["seconds_a_job"] = figures["run"] / figures["jobs"]
    figures["allowed"] = figures["jobs"] + 60
    figures["nothing_to_do"], output = run(project, "snakemake", "-n", "all")
    assert "Nothing to be done" in output, output[-2000:]
    figures["dvc_repro_of_what_is_made"], _ = run(project, "dvc", "repro")
    figures["dvc_status"], output = run(project, "dvc", "status")
    assert "up to date" in output, output
    figures["start_python_for_resample"], _ = run(
        project, sys.executable, "-c", "import fca.cli.main, fca.data.resample"
    )
    figures["start_python_for_sample"], _ = run(project, sys.executable, "-c", "import fca.cli.main, fca.sample.shard")
    return {name: round(value, 3) for name, value in figures.items()}


def copy_project(project: Path, shards: int) -> None:
    """The workflow, its configuration with `shards` clip shards, and `fca` that does nothing."""
    unwanted = shutil.ignore_patterns("__pycache__", "tmp", "cache")
    for name in ("workflow", "config", "src", "profiles", ".dvc"):
        shutil.copytree(ROOT / name, project / name, ignore=unwanted)
    for name in ("Snakefile", "dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, project)
    file = project / "config/pocket.yaml"
    config = yaml.safe_load(file.read_text())
    for name, share in SHARE.items():
        validation = round(shards * share * VALIDATION)
        training = round(shards * share) - validation
        dataset = config["datasets"][name]
        dataset["source"] = "archive"
        dataset.pop("library")
        dataset["root"] = f"datasets/{name}"
        dataset["train"] = {"clips": 1024 * training, "shard_clips": 1024}
        dataset["validation"] = {"clips": 256 * validation, "shard_clips": 256}
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    nothing = project / "workflow/scripts/fca"
    nothing.write_text(NOTHING)
    nothing.chmod(0o755)


def run(project: Path, *command: str) -> tuple[float, str]:
    """Seconds that a command takes, and what it says."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PYTHONPATH": str(project / "src"), "PATH": path}
    start = time.perf_counter()
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    print(f"{seconds:8.1f} s  {' '.join(command)}", file=sys.stderr, flush=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return seconds, done.stdout + done.stderr


if __name__ == "__main__":
    main()
