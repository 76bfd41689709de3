"""A copy of the project, its results made by a stand-in for `fca`: for real calls of Snakemake in seconds."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

from tests.workflow.forked import Forked

ROOT = Path(__file__).parents[2]

# Takes the place of src/fca/cli/main.py, which is part of no code hash, and writes what a step would.
STAND_IN = """
import json
import sys
from pathlib import Path

from fca.config import load
from fca.artifacts.fingerprint.settings import settings_of


def main():
    arguments = [item for item in sys.argv[1:] if not item.startswith("-")]
    if arguments[0] == "data":
        arguments = arguments[1:]
    step, file, *names = arguments
    config, root = load(file), Path("data/pocket")
    if step == "report" and names:
        path = Path("reports", names[0], "index.html")
        (path.parent / "assets").mkdir(parents=True)
        (path.parent / "assets" / "clip.webp").touch()
    elif step == "report":
        path = Path("reports/index.html")
        (path.parent / "assets").mkdir(parents=True, exist_ok=True)
        (path.parent / "assets" / "style.css").touch()
        (path.parent / "metrics.json").write_text("{}")
        for variant, fvd in (("fca", 100.0 / config.sample.steps), ("base", 9.0), ("repeat", 10.0)):
            row = path.parent / "metrics" / "ssv2" / f"{variant}.json"
            row.parent.mkdir(parents=True, exist_ok=True)
            row.write_text(json.dumps({"clips": 54, "fvd": fvd, "psnr": 20.0, "protocol": "3b658b5d"}))
        (path.parent / "plots").mkdir(exist_ok=True)
        for dataset in config.datasets:
            start = str(path.parent / "plots" / dataset)
            Path(f"{start}-loss.csv").write_text("step,fca\\n1,1.0\\n3,0.3333\\n")
            Path(f"{start}-psnr.csv").write_text("frame,fca,base,repeat\\n3,30.5,1,2\\n4,29.25,3,18.125\\n")
    else:
        dataset, *names = names
        folder = root / dataset
        path = {
            "fetch": lambda: folder / "raw.json",
            "index": lambda: folder / "index.json",
            "verify": lambda: folder / "verified.json",
            "resample": lambda: folder / "clips" / f"{names[0]}-{names[1]}.json",
            "encode": lambda: folder / "latents" / names[2] / f"{names[0]}-{names[1]}.json",
            "train": lambda: folder / "models" / f"{names[0]}.json",
            "sample": lambda: folder / "samples" / names[0] / f"{names[1]}-{names[2]}.json",
            "score": lambda: folder / "scores" / f"{names[0]}.json",
            "compare-variants": lambda: folder / "differences" / f"{names[0]}.json",
            "measure-vae-roundtrip": lambda: folder / "scores" / "vae_roundtrip" / f"{names[0]}.json",
            "score-vae-roundtrip": lambda: folder / "scores" / "vae_roundtrip.json",
        }[step]()
        if step == "score":
            names.append(str(settings_of(config, "sample")))
    path.parent.mkdir(parents=True, exist_ok=True)
    if step in ("resample", "encode", "sample"):
        path.with_suffix(".h5").write_text("licensed pictures")
    path.write_text(json.dumps({"step": step, "names": names}))
"""


@cache
def imported_snakemake() -> Forked:
    return Forked()


class Project:
    """A folder with the project's workflow, configuration and code."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def new(cls, folder: Path) -> "Project":
        """A copy of this project, without results and with stand-ins for the networks."""
        unwanted = shutil.ignore_patterns("__pycache__", ".*_cache", "pocket-*base")
        for name in ("workflow", "config", "src", "profiles"):
            shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
        (folder / "slurm").symlink_to(os.readlink(ROOT / "slurm"))
        shutil.copytree(ROOT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache"))
        for name in ("Snakefile", "dvc.yaml", ".dvcignore", ".gitignore"):
            shutil.copy(ROOT / name, folder)
        networks = "pocket-base/vae", "pocket-base/transformer", "pocket-base/features", "pocket-base/vision"
        for network in (*networks, "pocket-image-base/vae"):
            weights = folder / "config" / network / "weights.safetensors"
            weights.parent.mkdir(parents=True)
            weights.write_bytes(b"as shipped")
        (folder / "src" / "fca" / "cli" / "main.py").write_text(STAND_IN)
        return cls(folder)

    def copy(self, folder: Path) -> "Project":
        """The same with its results, times of files included."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    def snakemake(
        self, *arguments: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run Snakemake here or in `cwd`, with the code that is here; with an `environment`, imported anew."""
        if environment is None:
            return imported_snakemake().run([*arguments], cwd or self.folder, self._variables())
        return self._run("snakemake", *arguments, cwd=cwd, environment=environment)

    def dvc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run DVC here; its stages find this environment's `snakemake`."""
        return self._run("dvc", *arguments)

    def _run(
        self, module: str, *arguments: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        variables = self._variables() | (environment or {})
        command, folder = [sys.executable, "-m", module, *arguments], cwd or self.folder
        return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=600)

    def _variables(self) -> dict[str, str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return os.environ | {"PYTHONPATH": str(self.folder / "src"), "PATH": path}

    def jobs(
        self, *arguments: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> dict[str, int]:
        """How many jobs of each rule Snakemake would run."""
        run = self.snakemake("--quiet", "rules", "--dry-run", *arguments, cwd=cwd, environment=environment)
        output = run.stdout + run.stderr
        assert run.returncode == 0, output
        table = re.search(r"^-+  -+\n(.*?)^total ", output, re.MULTILINE | re.DOTALL)
        assert table or "Nothing to be done" in output, output
        counts = dict(line.split() for line in table[1].splitlines()) if table else {}
        return {rule: int(count) for rule, count in counts.items() if rule not in ("all", "default")}

    def keep_dataset(self, name: str) -> None:
        """Take the other datasets out of the pocket scale."""
        path = self.folder / "config" / "pocket.yaml"
        values = yaml.safe_load(path.read_text())
        values["datasets"] = {name: values["datasets"][name]}
        path.write_text(yaml.safe_dump(values, sort_keys=False))

    def replace(self, path: str, old: str, new: str) -> None:
        """Edit a file; `old` must be in it exactly once."""
        text = (self.folder / path).read_text()
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
        (self.folder / path).write_text(text.replace(old, new))
