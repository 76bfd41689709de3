"""Executed paths in the report: shares with intervals, the ground truth last, and nothing without a file."""

import json
from pathlib import Path

import pytest

from fca.config import Config, Layout
from fca.errors import FcaError
from fca.report.page import report
from fca.report.sections.executed import executed
from fca.score.interval import wilson_interval
from tests.report.project import make_config, make_project


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make_config(tmp_path)


def write(config: Config, **done: list[bool]) -> Path:
    path = Layout(config).executed("ssv2")
    path.parent.mkdir(parents=True, exist_ok=True)
    variants = {name: [{"id": str(row), "done": own} for row, own in enumerate(rows)] for name, rows in done.items()}
    path.write_text(json.dumps({"dataset": "ssv2", "variants": variants}))
    return path


def test_shares_have_wilsons_interval_and_the_ground_truth_comes_last(config: Config) -> None:
    write(config, fca=[True, False, True, True], **{"ground truth, read": [True] * 4}, repeat=[False] * 4, other=[])
    (found,) = executed(config)
    assert [row[0] for row in found.rows] == ["FCA", config.variants["repeat"].title, "Ground truth, read"]
    _, cell, clips = found.rows[0]
    share = wilson_interval(3, 4, config.score.confidence)
    assert clips == "3 of 4"
    assert cell.text.startswith("75")
    assert cell.interval.startswith(f"{100 * share.low:.0f}")


def test_the_page_shows_them_only_if_they_are_there(config: Config) -> None:
    make_project(config)
    assert 'id="executed"' not in report(config).read_text(encoding="utf-8")
    write(config, fca=[True, False], **{"<i>": [True]})
    page = report(config).read_text(encoding="utf-8")
    assert 'id="executed"' in page
    assert "1 of 2" in page
    assert "&lt;i&gt;" in page


def test_a_damaged_file_is_named(config: Config) -> None:
    path = write(config)
    path.write_text("{}")
    with pytest.raises(FcaError, match=r"executed\.json"):
        executed(config)
