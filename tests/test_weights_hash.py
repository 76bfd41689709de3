"""A step's hash of the frozen networks follows their content."""

from pathlib import Path

import pytest

from fca import weights_hash as module
from fca.config import load
from fca.weights_hash import weights_hash

POCKET = Path(__file__).parents[1] / "config" / "pocket.yaml"


@pytest.fixture
def base(tmp_path):
    for name in (
        "vae",
        "transformer",
        "scheduler",
        "text_encoder",
        "tokenizer",
        "vision",
        "features",
        "adapter",
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "weights.safetensors").write_bytes(b"weights")
    return tmp_path


@pytest.fixture
def config(base):
    local = {"base": {"model": str(base), "vision_model": str(base / "vision")}}
    return load(POCKET, local | {"features": {"network": str(base / "features")}})


@pytest.mark.parametrize(
    ("network", "steps"),
    [("vae", {"encode", "sample"}), ("transformer", {"train", "sample"}), ("features", {"score"})],
)
def test_a_network_concerns_the_steps_that_read_it(config, base, network, steps) -> None:
    every = ("fetch", "index", "resample", "encode", "train", "sample", "score", "report")
    before = {step: weights_hash(config, step) for step in every}
    (base / network / "weights.safetensors").write_bytes(b"WEIGHTS")
    assert {step for step in every if weights_hash(config, step) != before[step]} == steps


def test_networks_from_the_hub_have_no_hash() -> None:
    paper = load(POCKET.with_name("paper.yaml"))
    assert weights_hash(paper, "encode") == {}


def test_large_files_stand_with_their_size(config, base, monkeypatch) -> None:
    monkeypatch.setattr(module, "LARGE", 3)
    before = weights_hash(config, "score")
    (base / "features" / "weights.safetensors").write_bytes(b"WEIGHTS")
    assert weights_hash(config, "score") == before
    (base / "features" / "weights.safetensors").write_bytes(b"longer weights")
    assert weights_hash(config, "score") != before
