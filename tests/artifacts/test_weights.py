"""A step's hash of the frozen networks follows their content."""

import random
from pathlib import Path

import pytest

from fca.artifacts.fingerprint import weights as module
from fca.artifacts.fingerprint.weights import weights_hash
from fca.config import load

POCKET = Path(__file__).parents[2] / "config" / "pocket.yaml"


@pytest.fixture
def base(tmp_path):
    for name in ("vae", "transformer", "scheduler", "text_encoder", "tokenizer", "vision", "features", "adapter"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "weights.safetensors").write_bytes(b"weights")
    return tmp_path


@pytest.fixture
def config(base):
    local = {"base": {"model": str(base), "vision_model": str(base / "vision")}}
    return load(POCKET, local | {"features": {"network": str(base / "features")}})


@pytest.mark.parametrize(
    ("network", "steps"), [("vae", {"encode", "sample"}), ("transformer", {"train", "sample"}), ("features", {"score"})]
)
def test_a_network_concerns_the_steps_that_read_it(config, base, network, steps) -> None:
    every = ("fetch", "index", "resample", "encode", "train", "sample", "score", "report")
    before = {step: weights_hash(config, step) for step in every}
    (base / network / "weights.safetensors").write_bytes(b"WEIGHTS")
    assert {step for step in every if weights_hash(config, step) != before[step]} == steps


def test_the_library_concerns_the_steps_that_read_it(config, tmp_path) -> None:
    values = config.model_dump(mode="json")
    for dataset in values["datasets"].values():
        dataset["library"]["folder"] = str(tmp_path / "clips")
    config = type(config).model_validate(values)
    (tmp_path / "clips").mkdir()
    steps = ("fetch", "index", "encode", "train", "sample", "sample_edited", "score", "vbench")
    for file, concerned in (("clips.jsonl", {"fetch", "sample", "score"}), ("hand-1.webm", {"fetch"})):
        before = {step: weights_hash(config, step) for step in steps}
        (tmp_path / "clips" / file).write_bytes(b"clips")
        assert {step for step in steps if weights_hash(config, step) != before[step]} == concerned


def test_networks_from_the_hub_have_no_hash() -> None:
    paper = load(POCKET.with_name("paper.yaml"))
    assert weights_hash(paper, "encode") == {}


def test_a_large_file_of_the_same_size_and_other_content_has_another_hash(config, base, monkeypatch) -> None:
    """As two adapters of the same sizes have: the content is sampled."""
    monkeypatch.setattr(module, "LARGE", 2**20)
    weights = base / "transformer" / "weights.safetensors"
    content = bytearray(random.Random(0).randbytes(3 * 2**20))
    weights.write_bytes(content)
    before = weights_hash(config, "train")
    assert weights_hash(config, "train") == before
    weights.write_bytes(random.Random(1).randbytes(len(content)))
    assert weights_hash(config, "train") != before
    for place in (0, len(content) - 1):  # header and end
        changed = bytearray(content)
        changed[place] ^= 1
        weights.write_bytes(changed)
        assert weights_hash(config, "train") != before


def test_the_starting_adapter_concerns_the_variants_that_continue_it(config, base) -> None:
    continued = config.model_copy(
        update={"train": config.train.model_copy(update={"init_from": str(base / "adapter")})}
    )
    assert str(base / "adapter") in weights_hash(continued, "train", "fca")
    assert str(base / "adapter") not in weights_hash(continued, "train", "no_ftc")
    before = weights_hash(continued, "train", "fca")
    (base / "adapter" / "README.md").write_text("# a card")
    assert weights_hash(continued, "train", "fca") == before
    (base / "adapter" / "config.json").write_text("[]")
    assert weights_hash(continued, "train", "fca") != before
