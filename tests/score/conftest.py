"""A tiny feature network with random weights, and a configuration that scores tiny clips with it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from fca.config import Config, load
from fca.score.i3d import InceptionI3d
from fca.score.positions import PositionNetwork
from tests.score.project import CLIPS, FRAMES, HEIGHT, INITIAL, LABELS, REPOSITORY, SHARD, WIDTH

NETWORK_WIDTH = 1 / 16


def tiny_i3d() -> InceptionI3d:
    """Random weights with batch statistics that keep the activations alive."""
    torch.manual_seed(1)
    network = InceptionI3d(len(LABELS), NETWORK_WIDTH)
    network.train()
    with torch.no_grad():
        for _ in range(20):
            network(torch.rand(4, 3, 8, 32, 48) * 2 - 1)
    return network.eval()


@pytest.fixture(scope="session")
def tiny_weights() -> dict[str, torch.Tensor]:
    return tiny_i3d().state_dict()


@pytest.fixture
def write_network(tmp_path: Path, tiny_weights: dict[str, torch.Tensor]) -> Callable[..., Path]:
    """`write_network(**changes of config.json)` -> the folder of the network."""

    def write(**changes: Any) -> Path:
        folder = tmp_path / "network"
        folder.mkdir(exist_ok=True)
        config = {
            "name": "tiny-i3d",
            "width": NETWORK_WIDTH,
            "classes": list(LABELS),
            "short_side": 32,
            "crop": None,
            "frames": 8,
            "features": "pooled",
        }
        (folder / "config.json").write_text(json.dumps(config | changes))
        save_file(tiny_weights, folder / "model.safetensors")
        return folder

    return write


@pytest.fixture
def reader_folder(tmp_path: Path) -> Path:
    """A position reader with random weights."""
    torch.manual_seed(1)
    folder = tmp_path / "reader"
    folder.mkdir()
    config = {"name": "tiny-reader", "width": WIDTH, "height": HEIGHT, "places": ["hand"]}
    (folder / "config.json").write_text(json.dumps(config))
    save_file(PositionNetwork().state_dict(), folder / "model.safetensors")
    return folder


@pytest.fixture
def config(tmp_path: Path, write_network) -> Config:
    overrides = {
        "data_dir": str(tmp_path / "data"),
        "clip": {"frames": FRAMES, "width": WIDTH, "height": HEIGHT},
        "features": {"network": str(write_network())},
        "positions": {"network": None},
        "datasets": {"ssv2": {"validation": {"clips": CLIPS, "shard_clips": SHARD}, "initial_frames": INITIAL}},
        "score": {"bootstrap": 20, "batch_size": 3},
    }
    return load(REPOSITORY / "config" / "pocket.yaml", overrides)
