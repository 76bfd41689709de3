"""The trained model as others load it: one safetensors file, its configuration, and a manifest of what made it."""

import hashlib
import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fca.config import Config, Layout
from fca.data.files import sha256_tree, write_aside
from fca.data.manifest import Manifest, made_by
from fca.model import Denoiser
from fca.model_facts import ModelFacts
from fca.weights_hash import weights_hash

PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "numpy", "h5py")


def run_folder(config: Config, dataset: str, variant: str) -> Path:
    """Where a run keeps its checkpoints: named by what decides its outcome, so that no two runs are ever mixed.

    Other settings, training code, latents, frozen networks or starting adapter give another folder, and training
    starts there from the beginning.
    """
    layout, base = Layout(config), config.variant(variant).base
    identity = made_by(config, "train", dataset, variant) | weights_hash(config, "train", variant)
    identity |= {
        f"latents {shard}": Manifest.read(layout.manifest(layout.latents(dataset, "train", shard, base))).sha256
        for shard in layout.shards(dataset, "train")
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return layout.run(dataset, variant) / digest[:12]


def export(
    config: Config,
    dataset: str,
    variant: str,
    denoiser: Denoiser,
    parents: dict[str, str],
    log: list[dict[str, Any]],
    seconds: float,
) -> None:
    """Write what was trained (safetensors), then its manifest."""
    layout = Layout(config)
    model = layout.model(dataset, variant)
    layout.model_manifest(dataset, variant).unlink(missing_ok=True)  # never an old manifest beside a new model
    with write_aside(model) as aside:
        denoiser.save(aside)
        sha256 = sha256_tree(aside)[1]  # of the weights: the facts hold sampling settings, which training doesn't read
        ModelFacts.of(config, dataset, variant).write(aside)
    steps = config.train_steps(dataset, variant)
    Manifest(
        kind="model",
        count=1,
        ids=[],
        sha256=sha256,
        parents=parents,
        made_by=made_by(config, "train", dataset, variant),
        quarantine=[],
        extra={
            "steps": steps,
            "seconds": round(seconds, 1),
            "seconds_per_step": round(seconds / steps, 4),
            "peak_memory_gib": max((entry["peak_memory_gib"] for entry in log), default=None),
            "trainable_parameters": sum(parameter.numel() for parameter in denoiser.trained().values()),
            "log": log,
            "init_from": str(start) if (start := config.init_from(variant)) else None,
            "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
            "git_commit": git_commit(),
        },
    ).write(layout.model_manifest(dataset, variant))


def git_commit() -> str | None:
    """The commit of the working directory, with `-dirty` where files differ from it; None outside a repository."""
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
