"""The report's VBench section: values, separate cited rows, and what is missing."""

import json
from pathlib import Path

import pytest

from fca.config import Config, Layout
from fca.config.vbench import DIMENSIONS, WEIGHTS
from fca.errors import FcaError
from fca.report.page import report
from fca.report.sections.vbench import vbench_section
from tests.report.project import make_config, make_project

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make_config(tmp_path, score={"vbench": {"environment": str(tmp_path / "none")}})


def write(config: Config, row: str, dimensions: dict[str, float]) -> Path:
    path = Layout(config).vbench("ssv2", row)
    path.parent.mkdir(parents=True, exist_ok=True)
    scores = {name: {"value": value, "low": value - 0.01, "high": value + 0.01} for name, value in dimensions.items()}
    path.write_text(json.dumps({"count": 6, "scores": scores, "protocol": {"codec": HOSTILE}, "parents": {}}))
    return path


def test_results_of_files_that_have_changed_are_not_shown(config: Config) -> None:
    make_project(config)
    path = write(config, "truth", {"temporal_flickering": 0.9876})
    assert "0.9876" in report(config).read_text(encoding="utf-8")
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"parents": {"ssv2/clips/validation-0000.h5": "5" * 64}}))
    page = report(config).read_text(encoding="utf-8")
    assert "0.9876" not in page
    assert "measured on files that have changed since" in page


def test_it_is_no_part_of_the_report_unless_it_is_configured(config: Config) -> None:
    without = config.model_copy(update={"score": config.score.model_copy(update={"vbench": None})})
    assert vbench_section(without, "x.yaml") is None


def test_measured_truth_and_cited_rows_stand_apart(config: Config) -> None:
    write(config, "fca", dict.fromkeys(DIMENSIONS, 0.87654))
    write(config, "truth", {"temporal_flickering": 0.9})
    shown = vbench_section(config, "x.yaml")
    rows = {row.title: row for row in shown.tables[0].rows}
    assert [cell.text for cell in rows["FCA"].cells] == ["0.8765"] * 6
    assert rows["FCA"].cells[0].interval == "0.8665 to 0.8865"
    assert [cell is None for cell in rows["Ground truth"].cells] == [True] * 5 + [False]
    assert [row.missing for row in rows.values() if not row.cells] == [
        f"not measured: `fca vbench` has not run for ssv2 {name}" for name in ("base", "repeat")
    ]
    cited = {title: [cell.text for cell in row.cells] for title, row in rows.items() if row.cited}
    assert cited == {
        "Seer, as the paper cites it": ["0.8655", "0.3765", "0.9172", "0.1038", "0.7301", "0.8955"],
        "FCA, as the paper cites it": ["0.8769", "0.4279", "0.9570", "0.1965", "0.8098", "0.9461"],
    }
    assert not any(row.cited for table in shown.tables[1:] for row in table.rows)


def test_the_page_says_what_is_missing_and_where_it_is(config: Config) -> None:
    make_project(config)
    page = report(config).read_text(encoding="utf-8")
    assert "make vbench-env" in page
    for file in WEIGHTS:
        assert file.url.replace("_", "_<wbr>").replace("/", "/<wbr>") in page
    write(config, "fca", {"temporal_flickering": 0.87654})
    page = report(config).read_text(encoding="utf-8")
    assert "0.8765" in page
    assert "make vbench-env" not in page
    assert HOSTILE not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_a_damaged_result_is_named(config: Config) -> None:
    path = write(config, "fca", {"temporal_flickering": 0.9})
    path.write_text(path.read_text()[:-20])
    with pytest.raises(FcaError, match=str(path)):
        vbench_section(config, "x.yaml")
