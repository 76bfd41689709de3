"""Models on the way of a training: those of shorter trainings, bit for bit, however often it was interrupted."""

import shutil

import pytest

from fca.artifacts.atomic import sha256_tree
from fca.artifacts.manifest import Manifest
from fca.config import Config, Layout, load
from fca.errors import FcaError
from fca.pretrained.exported import FILE
from fca.runs.folder import checkpoints
from fca.train.checkpoint import checkpoint_path
from fca.train.loop import train
from tests.conftest import CONFIG
from tests.train.runs import run_folder
from tests.train.test_run import stopped

TRAIN = {"lengths": [1, 3], "schedule": "constant_with_warmup", "checkpoint_every": 2, "keep_checkpoints": 1}


def with_train(config: Config, steps: int, **own: object) -> Config:
    values = config.model_dump(mode="json")
    values["train"] |= {"keep_best": False, **own}
    values["datasets"]["ssv2"]["train_steps"] = values["datasets"]["ssv2"]["ablation_steps"] = steps
    values["datasets"] = {"ssv2": values["datasets"]["ssv2"]}
    values["ablations"] = {}
    return Config.model_validate(values)


def weights(config: Config, name: str) -> str:
    return sha256_tree(Layout(config).model("ssv2", name), without=[FILE, "README.md"])[1]


def test_a_length_is_the_model_of_a_shorter_training(encoded) -> None:
    config = with_train(encoded, 4, **TRAIN)
    stopped(config, 2)
    train(config, "ssv2", "fca")
    layout = Layout(config)
    found = {name: weights(config, name) for name in ("fca", "fca~1", "fca~3")}
    assert len(set(found.values())) == 3
    manifest = Manifest.read(layout.model_manifest("ssv2", "fca~3"))
    assert manifest.extra["steps"] == 3
    assert [entry["step"] for entry in manifest.extra["log"]] == [1, 2, 3]
    assert manifest.sha256 == found["fca~3"]

    shutil.rmtree(layout.runs)
    shorter = with_train(encoded, 3, **TRAIN | {"lengths": []})
    train(shorter, "ssv2", "fca")
    assert weights(shorter, "fca") == found["fca~3"]


def test_what_is_lost_is_exported_again_without_a_step(encoded) -> None:
    config = with_train(encoded, 4, **TRAIN)
    train(config, "ssv2", "fca")
    layout, run = Layout(config), run_folder(config, "ssv2", "fca")
    assert list(checkpoints(run)) == [1, 3, 4], "lengths are kept, and the newest"
    before = {name: weights(config, name) for name in ("fca", "fca~1", "fca~3")}
    shutil.rmtree(layout.model("ssv2", "fca~1"))
    layout.model_manifest("ssv2", "fca~3").unlink()
    train(config, "ssv2", "fca")
    assert {name: weights(config, name) for name in before} == before
    assert layout.model_manifest("ssv2", "fca~3").exists()

    shutil.rmtree(layout.model("ssv2", "fca~1"))
    checkpoint_path(run, 1).unlink()
    with pytest.raises(FcaError, match=r"checkpoint-0000001\.pt can't be read.*\n.*\n.*take 1 out of train\.lengths"):
        train(config, "ssv2", "fca")


def test_without_lengths_nothing_more_is_kept(encoded) -> None:
    config = with_train(encoded, 4, **TRAIN | {"lengths": []})
    train(config, "ssv2", "fca")
    assert list(checkpoints(run_folder(config, "ssv2", "fca"))) == [4]
    assert load(CONFIG).lengths("fca") == []
