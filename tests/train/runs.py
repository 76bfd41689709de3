"""Where a training's run is, from outside of it."""

from pathlib import Path

from fca.artifacts.manifest import Manifest
from fca.config import Config, Layout
from fca.train import run


def identity(config: Config, dataset: str = "ssv2", variant: str = "fca") -> run.Identity:
    """What a training that starts now would have."""
    layout, base = Layout(config), config.variant(variant).base
    paths = [layout.latents(dataset, "train", shard, base) for shard in layout.shards(dataset, "train")]
    hashes = [Manifest.read(layout.manifest(path)).sha256 for path in paths]
    return run.identity(config, dataset, variant, hashes)


def run_folder(config: Config, dataset: str = "ssv2", variant: str = "fca") -> Path:
    return run.run_folder(config, dataset, variant, identity(config, dataset, variant))
