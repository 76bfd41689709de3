"""A project that has come as far as sampling."""

import pytest

from fca.train.loop import train
from tests.conftest import encode_stored


@pytest.fixture
def trained(project):
    for split in ("train", "validation"):
        for shard in (0, 1):
            encode_stored(project, split, shard)
    train(project, "ssv2", "fca")
    return project
