"""A model to try the page on."""

import pytest

from tests.sample.exported import write_model


@pytest.fixture(scope="session")
def model(random_base, tmp_path_factory):
    """The folder of an exported model with random weights."""
    folder = tmp_path_factory.mktemp("adapter")
    write_model(folder, random_base)
    return folder
