"""Every job of the paper's scale fits its GPU and ends in its time, by `fca plan --json` and the shipped profiles."""

import json
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml

from fca.cli.main import main
from fca.config import load
from tests.workflow.project import ROOT

GIB = 2**30
WORKSPACE = 3 * GIB
"""Of kernels, context and allocator, as docs/performance.md leaves it."""
RULES = {
    "fetch": "fetch",
    "index": "index_clips",
    "verify": "verify_clips",
    "resample": "resample_clips",
    "encode": "encode_latents",
    "train": "train_adapter",
    "sample": "sample_clips",
    "score": "score_variant",
    "measure-vae-roundtrip": "measure_vae_roundtrip",
    "score-vae-roundtrip": "score_vae_roundtrip",
    "vbench": "vbench_scores",
    "report": "report",
}
ALONE = {"train": {"processes": 1, "gradient_accumulation": 8}}
MACHINES = {
    "slurm": (39.4, {}),
    "a100-40g": (39.4, {}),
    "a100-80g": (79.1, {}),
    "workstation": (39.4, ALONE),
    "gpu-24g": (23.6, {}),
}
"""GiB of a GPU's memory that torch finds, and the settings that docs/cluster.md tells to add."""
WITHOUT_SLURM = ("workstation", "gpu-24g")
TOO_LARGE = {"gpu-24g": {("sample", "image_to_video"), ("sample", "image_to_video_lora")}}
"""Jobs of the ablations that docs/cluster.md says don't fit."""


def profile(name: str) -> dict:
    return yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())


@cache
def planned(folder: Path, name: str, ablations: bool) -> list[dict]:
    """The rows that `fca plan --json` prints with the settings of a profile, as the workflow passes them on."""
    overrides = dict(item.split("=", 1) for item in profile(name).get("config", ())) or MACHINES[name][1]
    values = load(ROOT / "config/paper.yaml", overrides).model_dump(mode="json")
    path, printed = folder / f"{name}.yaml", folder / f"{name}.json"
    path.write_text(yaml.safe_dump(values | {"data_dir": str(folder), "run_dir": str(folder)}))
    with printed.open("w") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", file)
        assert main(["plan", "-c", str(path), "--json", *["--ablations"] * ablations]) == 0
    return json.loads(printed.read_text())["rows"]


def hours(runtime: str | int) -> float:
    """A `runtime` of Snakemake, minutes if it has no unit."""
    text = str(runtime)
    return float(text.rstrip("hm")) / (1 if text.endswith("h") else 60)


def limits(name: str) -> tuple[dict[str, dict], dict]:
    """The resources of each rule and of the others. A machine's profile is used with Slurm's, which has the times."""
    resources = profile(name if name in WITHOUT_SLURM else "slurm")
    return resources["set-resources"], resources.get("default-resources", {})


def check(rows: list[dict], name: str) -> None:
    """Memory and time of every row."""
    usable = MACHINES[name][0] * GIB
    rules, default = limits(name)
    for row in rows:
        what = f"{row['step']} {row['dataset']} {row['of']} with {name}"
        resources = default | rules.get(RULES[row["step"]], {})
        assert (row["gpu_memory"] is not None) == bool(resources.keys() & {"gpu", "gres"}), what
        if row["gpu_memory"] is not None:
            fits = (row["step"], row["of"]) not in TOO_LARGE.get(name, ())
            assert (row["gpu_memory"] + WORKSPACE <= usable) == fits, f"{what}: {row['gpu_memory'] / GIB:.1f} GiB"
        assert row["job_hours"] is not None, what
        if limit := resources.get("runtime"):
            assert row["job_hours"] <= hours(limit), f"{what}: {row['job_hours']:.2f} h"
        else:
            assert name in WITHOUT_SLURM, what  # they stop no job


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("plans")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["slurm", "gpu-24g"])
def test_every_job_fits_its_gpu_and_its_time(folder, name) -> None:
    check(planned(folder, name, False), name)


@pytest.mark.slow
@pytest.mark.parametrize("name, ablations", [(name, ablations) for ablations in (False, True) for name in MACHINES])
def test_with_every_profile(folder, name, ablations) -> None:
    assert set(MACHINES) == {path.name for path in (ROOT / "profiles").iterdir()} - {"default"}
    rows = planned(folder, name, ablations)
    trained = {row["of"] for row in rows if row["step"] == "train"}
    assert trained == ({*load(ROOT / "config/paper.yaml").every_variant} - {"base", "repeat", "image_to_video"}
                       if ablations else {"fca"})  # fmt: skip
    check(rows, name)


def test_the_plan_has_the_workflows_jobs(folder, fresh) -> None:
    """No job is left out; VBench's are planned before it is installed."""
    jobs = fresh.jobs("all", "--configfile", "config/paper.yaml")
    counted: Counter[str] = Counter()
    for row in planned(folder, "slurm", False):
        counted[RULES[row["step"]]] += row["jobs"]
    assert counted.pop("vbench_scores") == 4
    assert counted == jobs
