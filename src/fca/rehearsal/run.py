"""Run every step of a small scale by Snakemake, as the full scale runs it, and name the first step that fails."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import yaml

from fca.artifacts.atomic import write_text
from fca.config import BaseKind, Config, Layout
from fca.config.settings import Split
from fca.config.shipped import REPOSITORY
from fca.errors import FcaError
from fca.runs.watched import die_with_parent
from fca.train.checkpoint import checkpoint_path

HEAVY = (
    *("resample_clips", "encode_latents", "train_adapter", "sample_clips", "sample_edited", "score_variant"),
    *("measure_vae_roundtrip", "score_vae_roundtrip"),
)
"""Rules whose jobs take all cores on one machine, so that two of them never share its memory."""
FAILED = re.compile(r"^Error in rule (\w+)(?:, jobid: \d+)?:")
LOG = re.compile(r"^\s+log: (\S+)")


def run_rehearsal(small: Config, part: Config, cores: int, arguments: Sequence[str] = (), kill: bool = False) -> None:
    """Run all steps of a rehearsal's configuration. Finished steps aren't run again.

    Args:
        part: the datasets with models (`fca.config.rehearsal.with_models_on`); the others end with their latents.
        cores: of this machine, used by each heavy job alone unless `arguments` name a profile.
        arguments: more for Snakemake, such as `--profile slurm`.
        kill: kill the first training after its first checkpoint, and let it resume.

    Raises:
        FcaError: a step failed; it is named, with its log.
    """
    options = ["-s", str(_snakefile())]
    if not any(word.startswith(("--profile", "--workflow-profile")) for word in arguments):
        options += ["--cores", str(cores), "--set-threads", *(f"{rule}={cores}" for rule in HEAVY)]
    options += arguments

    everything = _written(small, Layout(small).root / "rehearsal.yaml")
    models = _written(part, Layout(part).rehearsed)
    if data_only := [name for name in small.datasets if name not in part.datasets]:
        bases = sorted({variant.base for variant in part.every_variant.values()})
        latents = [path for name in data_only for base in bases for split in get_args(Split)
                   for path in _latents(small, name, split, base)]  # fmt: skip
        _snakemake(latents, [*options, "--configfile", str(everything)])
    options += ["--configfile", str(models)]
    if kill and (trained := _first_trained(part)):
        dataset, variant = trained
        _snakemake(_latents(part, dataset, "train", part.variant(variant).base), options)
        _kill_once(part, models, dataset, variant, cores)
        # Its checkpoint takes room on the disk, so no other training begins before it has ended.
        _snakemake([str(Layout(part).model_manifest(dataset, variant))], options)
    _snakemake(["all", *_scores_of_ablations(part)], options)


def _snakefile() -> Path:
    """The workflow, which a wheel doesn't hold, and Snakemake are there."""
    path = REPOSITORY / "Snakefile"
    if not path.is_file() or find_spec("snakemake") is None:
        raise FcaError(
            f"there is no {path.name}" if not path.is_file() else "Snakemake is not installed",
            "a clone of the repository, with `make install` or `pip install -e '.[workflow]'`",
            "make one, and rehearse from there",
        )
    return path


def _written(config: Config, file: Path) -> Path:
    write_text(file, yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
    return file


def _latents(small: Config, dataset: str, split: Split, base: BaseKind) -> list[str]:
    """The manifests of a split's latents."""
    layout = Layout(small)
    return [
        str(layout.manifest(layout.latents(dataset, split, shard, base))) for shard in layout.shards(dataset, split)
    ]


def _first_trained(small: Config) -> tuple[str, str] | None:
    dataset = next(iter(small.datasets))
    return next(((dataset, name) for name, variant in small.variants.items() if variant.trains), None)


def _scores_of_ablations(small: Config) -> list[str]:
    """What `all` doesn't ask for, on the datasets that train ablations."""
    datasets = [name for name, settings in small.datasets.items() if settings.ablation_steps is not None]
    return [str(Layout(small).scores(dataset, variant)) for dataset in datasets for variant in small.ablations]


def _snakemake(targets: Sequence[str], options: Sequence[str]) -> None:
    """Run Snakemake; show what it says, and remember the first rule that failed."""
    command = [sys.executable, "-m", "snakemake", *targets, *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace")
    failed, log, locked = "", "", False
    with process, _passing_on(process):  # which waits for it, after Ctrl-C, too
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.write(line)
            locked |= "cannot be locked" in line
            if not failed and (found := FAILED.match(line)):
                failed = found[1]
            if failed and not log and (found := LOG.match(line)):
                log = found[1]

    if locked:
        raise FcaError(
            "another Snakemake works in this folder, or was killed here and left its lock",
            "one at a time",
            f"if none is running, `snakemake --unlock --configfile {options[options.index('--configfile') + 1]}`, then"
            " the same command again",
        )
    if process.returncode != 0:
        raise FcaError(
            f"the rehearsal stopped at {failed or 'Snakemake itself'}{f', see {log}' if log else ''}",
            "every step of the configuration to run here",
            _remedy(Path(log)) or "fix what its log says, then run the same command again: finished steps are kept",
        )


@contextmanager
def _passing_on(process: subprocess.Popen) -> Iterator[None]:
    """Pass SIGTERM on, so that Snakemake ends in order and leaves no lock."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: process.send_signal(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _remedy(log: Path) -> str | None:
    """The remedy that a step's log ends with."""
    try:
        found = [line.strip() for line in log.read_text(errors="replace").splitlines() if "remedy:" in line]
    except OSError:
        return None
    return f"{found[-1].removeprefix('remedy:').strip()}; then run the same command again" if found else None


def _kill_once(small: Config, file: Path, dataset: str, variant: str, cores: int) -> None:
    """Start a training, and kill it (SIGKILL) after its first checkpoint; what follows resumes it."""
    folder = Layout(small).run(dataset, variant)
    if Layout(small).model_manifest(dataset, variant).is_file() or any(folder.glob("*/checkpoint-*")):
        return
    command = [sys.executable, "-m", "fca.cli", "train", "-c", str(file), dataset, variant]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": str(cores)}, preexec_fn=die_with_parent)
    while process.poll() is None and not any(folder.glob(f"*/{checkpoint_path(Path(), 1).name}")):
        time.sleep(0.2)
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
        print(f"rehearse: killed the training of {variant} on {dataset} after a checkpoint; it resumes", flush=True)
    elif process.returncode != 0:
        raise FcaError(
            f"the rehearsal stopped at train_adapter: `{' '.join(command[2:])}` ended with {process.returncode}",
            "every step of the configuration to run here",
            "fix what it says above, then run the same command again: finished steps are kept",
        )
    process.wait()
