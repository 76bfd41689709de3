"""Two runs compared: what they share is compared, and incomparable runs are refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fca.cli.main import main
from fca.config import Config, Layout
from fca.errors import FcaError
from fca.report import compare as module
from fca.report.collect import collect
from fca.report.compare import UNDECIDED, changes, compare, paired
from fca.report.page import report
from fca.score.interval import Interval
from fca.score.protocol import require_same_protocol
from tests.report.project import make_clips, make_config, make_dataset, score_values, write_json
from tests.report.test_report import Page

FILES = ("a.yaml", "b/<b>.yaml")


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Config, Config]:
    """Two runs of ssv2: B has another learning rate and a worse FCA."""
    a = make_config(tmp_path / "a", report={"clips": 3})
    b = make_config(tmp_path / "b", report={"clips": 3}, train={"learning_rate": 1e-3})
    clips = make_clips(a, 0)
    for config in (a, b):
        make_dataset(config, "ssv2", clips)
    write_json(Layout(b).scores("ssv2", "fca"), score_values(b, "ssv2", "fca", clips, 40.0, 23.9))
    return a, b


def edit(path: Path, **values: Any) -> None:
    write_json(path, json.loads(path.read_text()) | values)


def test_scores_clips_and_settings_are_compared(runs: tuple[Config, Config], tmp_path: Path) -> None:
    page_path = compare(*runs, FILES, tmp_path / "page")
    source = page_path.read_text(encoding="utf-8")
    page = Page(source)
    assert "On ssv2 FCA has FVD 12.3 in A and 40.0 in B: A is better." in page.text
    assert "b/<b>.yaml" in page.text.replace("b/ <", "b/<")
    assert "every score is equal" in page.text  # base and repeat
    assert "train.learning_rate" in page.text.replace("learning_ rate", "learning_rate")
    for title in ("A: FCA", "B: FCA"):
        assert page.text.count(f"{title} found") == 3
    assert "B: FCA, opposite" in page.text
    assert "Made by fca compare a.yaml" in page.text
    files = {file.relative_to(page_path.parent).as_posix() for file in page_path.parent.rglob("*") if file.is_file()}
    assert page.references() == files - {"index.html"}
    first = page_path.read_bytes()
    assert compare(*runs, FILES, tmp_path / "page").read_bytes() == first


def test_pairing_tells_apart_what_intervals_do_not(runs: tuple[Config, Config]) -> None:
    """PSNR is 0.1 dB lower on every clip: far within either interval, and still sure."""
    a, b = (collect(config)[0].variants[0].scores for config in runs)
    assert a
    assert b
    difference = paired("psnr", a.clips, b.clips, runs[0])
    assert difference
    assert difference.value == pytest.approx(-0.1)
    assert difference.high < 0
    assert paired("fvd", a.clips, b.clips, runs[0]) is None


def test_clips_of_the_first_training_do_not_decide_for_several(runs: tuple[Config, Config]) -> None:
    """A mean of trainings has an interval for clips and trainings; that of the first one's clips is another's."""
    a, b = (collect(config)[0].variants[0] for config in runs)
    assert a.scores
    several = replace(a, scores=replace(a.scores, replicates=("fca", "fca@2")))
    for mine, theirs, decided in ((a, b, True), (several, b, False), (b, several, False)):
        [psnr] = [score for score in module._scores(mine, theirs, runs[0]) if score.metric.stem == "psnr"]
        assert (psnr.verdict != UNDECIDED) == decided
        assert bool(psnr.interval) == decided


def test_an_interval_that_ends_at_zero_decides_nothing(
    runs: tuple[Config, Config], tmp_path: Path, monkeypatch
) -> None:
    said = {}
    for low in (0.0, 1e-6):
        monkeypatch.setattr(module, "paired", lambda *_, low=low: Interval(0.5, low, 1.0))
        page = compare(*runs, FILES, tmp_path / f"{low}").read_text(encoding="utf-8")
        said[low] = Page(page).text.count(UNDECIDED)
    assert said[0.0] > said[1e-6]


def test_settings_that_differ_are_listed_and_no_others(runs: tuple[Config, Config]) -> None:
    found = {change.key: (change.a, change.b) for change in changes(*runs)}
    assert found.pop("train.learning_rate") == ("0.0003", "0.001")
    assert set(found) == {"data_dir", "run_dir", "report_dir"}


@pytest.mark.parametrize(
    "changed, named",
    [
        ({"protocol": {"frames": 12, "interval": {"confidence": 0.95, "method": "bootstrap"}}}, "frames: 16 in"),
        ({"protocol": {"frames": 16, "interval": {"confidence": 0.9, "method": "bootstrap"}}}, "interval.confidence"),
        ({"feature_network": {"name": "pocket_i3d", "sha256": "cd" * 32}}, "feature_network_sha256"),
        ({"parents": {"ssv2/clips/validation-0000.h5": "0" * 64}}, "truth.ssv2/clips/validation-0000.h5"),
    ],
)
def test_numbers_of_different_protocols_are_not_compared(
    runs: tuple[Config, Config], changed: dict[str, Any], named: str, tmp_path: Path
) -> None:
    path = Layout(runs[1]).scores("ssv2", "fca")
    edit(path, **changed)
    with pytest.raises(FcaError) as raised:
        compare(*runs, FILES, tmp_path / "page")
    assert named in str(raised.value)
    assert str(path) in str(raised.value)
    assert not (tmp_path / "page").exists()


def test_other_clips_are_another_protocol(runs: tuple[Config, Config], tmp_path: Path) -> None:
    path = Layout(runs[1]).scores("ssv2", "base")
    edit(path, clips=json.loads(path.read_text())["clips"][::-1])
    with pytest.raises(FcaError, match="clip_ids_sha256"):
        compare(*runs, FILES, tmp_path / "page")


def test_scores_of_files_that_have_changed_are_not_compared(runs: tuple[Config, Config], tmp_path: Path) -> None:
    path = Layout(runs[1]).samples("ssv2", "fca", "validation", 0)
    edit(Layout(runs[1]).scores("ssv2", "fca"), parents={path.relative_to(Layout(runs[1]).root).as_posix(): "5" * 64})
    with pytest.raises(FcaError, match="scores of FCA were measured on files that have changed since"):
        compare(*runs, FILES, tmp_path / "page")


def test_a_protocol_may_differ_in_the_seed_of_its_interval_alone() -> None:
    one = {"frames": 16, "interval": {"seed": 1, "confidence": 0.95}}
    require_same_protocol(one, {"frames": 16, "interval": {"seed": 2, "confidence": 0.95}})
    with pytest.raises(FcaError) as raised:
        require_same_protocol(one, {"interval": {"seed": 1, "confidence": 0.9}, "split": "all"}, ("mine", "yours"))
    for line in ("frames: 16 in mine, nothing in yours", "split: nothing in mine, all in yours", "confidence: 0.95 in"):
        assert line in str(raised.value)
    assert "seed" not in str(raised.value)


def test_one_run_and_strangers_are_refused(runs: tuple[Config, Config], tmp_path: Path) -> None:
    with pytest.raises(FcaError, match="name the same run"):
        compare(runs[0], runs[0], FILES, tmp_path / "page")
    with pytest.raises(FcaError, match="no scores of the same dataset and variant"):
        compare(runs[0], make_config(tmp_path / "empty"), FILES, tmp_path / "page")


def test_a_report_is_not_written_over(runs: tuple[Config, Config]) -> None:
    for config in runs:
        report(config)
        before = Layout(config).report.read_bytes()
        with pytest.raises(FcaError, match=r"contains index\.html"):
            compare(*runs, FILES, Path(config.report_dir))
        assert Layout(config).report.read_bytes() == before


@pytest.mark.parametrize(
    "names", [["assets/photo.png", "notes.txt"], ["assets/photo.png", "index.html"], ["index.html"]]
)
def test_a_folder_of_other_things_stays_as_it_is(runs: tuple[Config, Config], tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / name).write_text("mine")
    with pytest.raises(FcaError, match=rf"site contains {names[-1]}, which is not part of this page"):
        compare(*runs, FILES, tmp_path / "site")
    assert all((tmp_path / "site" / name).read_text() == "mine" for name in names)


def test_the_command_names_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "config/pocket.yaml", "config/no.yaml"]) == 2
    assert "no such file" in capsys.readouterr().err
