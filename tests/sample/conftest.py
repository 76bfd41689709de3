"""What the tests of prediction share."""

import pytest

from fca.train.loop import train
from tests.conftest import encode_stored
from tests.sample.exported import write_model


@pytest.fixture
def trained(project):
    """A project that has come as far as sampling."""
    for split in ("train", "validation"):
        for shard in (0, 1):
            encode_stored(project, split, shard)
    train(project, "ssv2", "fca")
    return project


@pytest.fixture(scope="session")
def model(random_base, tmp_path_factory):
    """The folder of an exported model with random weights."""
    folder = tmp_path_factory.mktemp("adapter")
    write_model(folder, random_base)
    return folder
