"""What a variant's settings make: the model of `fca train`, as the paper's tables need it."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from fca.config import Config
from fca.model import FCA, Denoiser
from fca.model.build import load_base, new_denoiser
from tests.conftest import small_config


@dataclass(frozen=True)
class Expected:
    """An adapter: settings that differ from the paper's own, and the start of its scales."""

    settings: dict[str, Any] = field(default_factory=dict)
    scale: float = 0.1


PAPER = {
    "latent_frames": 4,
    "queries_per_frame": 16,
    "frame_wise_text": "layer_wise",
    "frame_mask": True,
    "pre_norm": True,
    "gate": "before",
}
VARIANTS = {
    "fca": Expected(),
    "no_ftc": Expected({"frame_wise_text": "none"}),
    "uniform": Expected({"frame_wise_text": "uniform", "frame_mask": False}),
    "uniform_refined": Expected({"frame_wise_text": "uniform_refined", "frame_mask": False}),
    "no_mask": Expected({"frame_mask": False}),
    "no_pre_norm": Expected({"pre_norm": False}),
    "scale_one": Expected(scale=1.0),
    "after_gate": Expected({"gate": "after"}),
}


@pytest.fixture(scope="module")
def config(tmp_path_factory, random_base) -> Config:
    return small_config(tmp_path_factory.mktemp("build"), random_base)


def made(config: Config, variant: str) -> Denoiser:
    return new_denoiser(config, variant, *load_base(config.base_of(variant), torch.float32), vision_width=64)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variants_settings_reach_its_adapter(config, variant):
    model, expected = made(config, variant), VARIANTS[variant]
    assert isinstance(model, FCA)
    found = {name: model.adapter.config[name] for name in PAPER}
    assert found == PAPER | expected.settings
    scales = [layer.attention.scale.item() for layer in model.adapter.layers]
    assert scales == pytest.approx([expected.scale] * 6)
    assert model.t_ref == 1


def test_new_weights_follow_from_the_seed(config):
    def weights(seed: int) -> torch.Tensor:
        model = made(config.model_copy(update={"seed": seed}), "fca")
        return torch.cat([weight.flatten() for weight in model.trained().values()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))
