"""A lost manifest of a model comes back as it was, because the run holds a copy; for no other training."""

import json
from pathlib import Path

import pytest

from fca.config import Layout
from fca.config.layout import CARD
from fca.pretrained.hub.card import Training, write_card
from fca.train.loop import train
from tests.conftest import encode_stored, small_config, write_clips


class TrainingError(Exception):
    """Raised instead of training."""


def refuse(*_: object, **__: object) -> None:
    raise TrainingError


@pytest.fixture
def trained(encoded, monkeypatch):
    train(encoded, "ssv2", "fca")
    monkeypatch.setattr("fca.train.loop.Trainer", refuse)
    return encoded


def test_a_lost_manifest_comes_back_without_training(trained) -> None:
    path = Layout(trained).model_manifest("ssv2", "fca")
    before, model = path.read_bytes(), path.with_suffix("").stat().st_ino
    path.unlink()
    train(trained, "ssv2", "fca")
    assert (path.read_bytes(), path.with_suffix("").stat().st_ino) == (before, model)


def write_another_card(folder: Path) -> None:
    write_card(folder, None)


def write_a_card_by_hand(folder: Path) -> None:
    (folder / CARD).write_text("# mine")


def remove_card(folder: Path) -> None:
    (folder / CARD).unlink()


@pytest.mark.parametrize("change", [write_another_card, write_a_card_by_hand, remove_card])
def test_a_card_is_written_and_changing_it_trains_nothing_again(trained, change) -> None:
    layout = Layout(trained)
    folder, path = layout.model("ssv2", "fca"), layout.model_manifest("ssv2", "fca")
    assert Training.recorded(folder) == Training.of(trained, "ssv2", "fca")
    before, exported = path.read_bytes(), (folder / CARD).read_bytes()
    change(folder)
    path.unlink()
    train(trained, "ssv2", "fca")
    assert path.read_bytes() == before
    assert not (folder / CARD).exists() or (folder / CARD).read_bytes() != exported


def spoil_weights(config) -> None:
    folder = Layout(config).model("ssv2", "fca")
    (path,) = folder.glob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def remove_copy(config) -> None:
    (path,) = Layout(config).run("ssv2", "fca").glob("*/manifest.json")
    path.unlink()


def change_sampling(config) -> None:
    path = Layout(config).model("ssv2", "fca") / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"steps": 7}))


@pytest.mark.parametrize("damage", [spoil_weights, remove_copy, change_sampling])
def test_a_model_that_is_not_what_was_exported_is_exported_again(trained, damage) -> None:
    path = Layout(trained).model_manifest("ssv2", "fca")
    damage(trained)
    path.unlink()
    with pytest.raises(TrainingError):
        train(trained, "ssv2", "fca")


def test_another_training_is_another_model(trained, tmp_path, random_base) -> None:
    with pytest.raises(TrainingError):
        train(small_config(tmp_path, random_base, weight_decay=0.5), "ssv2", "fca")
    write_clips(trained, change=3)
    for shard in (0, 1):
        encode_stored(trained, "train", shard)
    with pytest.raises(TrainingError):
        train(trained, "ssv2", "fca")
