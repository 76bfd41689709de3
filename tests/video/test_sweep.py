"""Every frame of every kind of video is right, or the video is refused in words."""

import pytest

pytest.importorskip("decord")  # the table says which videos it may read
from tests.video.sweep import DOCUMENT, MARK, recipes, table


def test_the_table_of_the_documentation() -> None:
    found = table()
    assert len(recipes()) >= 40
    assert found.count("| right") == len(recipes())
    assert DOCUMENT.read_text().partition(MARK)[2] == found
