"""The trained model as others load it: safetensors, configuration and card, and a manifest of what made it."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fca.artifacts.atomic import sha256_tree, write_aside
from fca.artifacts.fingerprint import made_by
from fca.artifacts.manifest import Manifest
from fca.config import Config, Layout
from fca.config.layout import CARD
from fca.config.names import RunName
from fca.errors import FcaError
from fca.model import Denoiser
from fca.pretrained.exported import FILE, ExportedModel
from fca.pretrained.hub.card import Training, write_card

PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "numpy", "h5py")
MANIFEST = "manifest.json"


def kept_manifest(run: Path, name: str) -> Path:
    """The copy that a run keeps of a model's manifest: at its end, or on its way (`fca~500`)."""
    steps = RunName.of(name).steps
    return run / (MANIFEST if steps is None else f"manifest-{steps:07d}.json")


def export(
    config: Config,
    dataset: str,
    variant: str,
    denoiser: Denoiser,
    parents: dict[str, str],
    run: Path,
    summary: dict[str, Any],
) -> None:
    """Write what was trained (safetensors), then its manifest with the run's `summary`, of which `run` keeps a copy."""
    layout, steps = Layout(config), config.train_steps(dataset, variant)
    model = layout.model(dataset, variant)
    with write_aside(model) as aside:
        denoiser.save(aside)
        _, sha256 = sha256_tree(aside)  # of the weights: training doesn't read model.json, which has sampling settings
        manifest = Manifest(
            kind="model",
            count=1,
            ids=[],
            sha256=sha256,
            parents=parents,
            made_by=made_by(config, "train", dataset, variant),
            quarantine=[],
            extra={
                "steps": steps,
                "seconds_per_step": round(summary["seconds"] / steps, 4),
                "peak_memory_gib": max((entry["peak_memory_gib"] for entry in summary["log"]), default=None),
                "trainable_parameters": sum(parameter.numel() for parameter in denoiser.trained().values()),
                "init_from": str(start) if (start := config.init_from(variant)) else None,
                "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
                "git_commit": git_commit(),
            }
            | summary,
        )

        ExportedModel.of(config, dataset, variant).write(aside)
        write_card(aside, Training.of(config, dataset, variant))
        manifest.write(kept_manifest(run, variant))
        layout.model_manifest(dataset, variant).unlink(missing_ok=True)  # never an old manifest next to a new model
    manifest.write(layout.model_manifest(dataset, variant))


def restore_manifest(config: Config, dataset: str, variant: str, parents: dict[str, str], run: Path) -> bool:
    """Restore the manifest of a model if it is intact and this run has exported it before; whether it was restored.

    Every process of a training gets the same answer, because none changes what is read here.
    """
    layout = Layout(config)
    model = layout.model(dataset, variant)
    try:
        manifest = Manifest.read(kept_manifest(run, variant))
        if (
            not manifest.is_of(parents, made_by(config, "train", dataset, variant))
            or sha256_tree(model, without=[FILE, CARD])[1] != manifest.sha256
            or ExportedModel.read(model) != ExportedModel.of(config, dataset, variant)
        ):
            return False
    except FcaError:
        return False
    manifest.write(layout.model_manifest(dataset, variant))
    print(f"{model} is complete: nothing to train, its manifest is written", flush=True)
    return True


def git_commit() -> str | None:
    """The commit of the working directory, with `-dirty` if files differ from it; None outside a repository."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
