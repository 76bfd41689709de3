"""What the tests of prediction share."""

import shutil

import pytest

from fca.config import Config
from fca.data.library.clips import Clip
from fca.train.loop import train
from tests.conftest import OPPOSITES, encode_stored, small_config
from tests.library import clip
from tests.sample.exported import write_model


@pytest.fixture(autouse=True)
def opposites(monkeypatch: pytest.MonkeyPatch) -> dict[str, Clip]:
    """What the library would know of the project's clips: id -> clip. A test may change it."""
    records = {f"clip{row}": clip(opposite=caption) for row, caption in enumerate(OPPOSITES)}
    monkeypatch.setattr("fca.sample.shard.records_of", lambda settings: records)
    return records


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory, encoded_once, random_base) -> Config:
    """A project as `trained`; not to be changed."""
    config = small_config(tmp_path_factory.mktemp("trained"), random_base)
    shutil.copytree(encoded_once.data_dir, config.data_dir)
    for shard in (0, 1):
        encode_stored(config, "validation", shard)
    train(config, "ssv2", "fca")
    return config


@pytest.fixture
def trained(project, trained_once) -> Config:
    """A project that has come as far as sampling."""
    shutil.copytree(trained_once.data_dir, project.data_dir, dirs_exist_ok=True)
    return project


@pytest.fixture(scope="session")
def model(random_base, tmp_path_factory):
    """The folder of an exported model with random weights."""
    folder = tmp_path_factory.mktemp("adapter")
    write_model(folder, random_base)
    return folder
