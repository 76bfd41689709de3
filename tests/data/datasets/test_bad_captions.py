"""Captions that are none, in every format and on the command line: quarantined or refused by name, no traceback."""

import csv
import json
from pathlib import Path

import pytest

from fca.cli.main import main
from fca.config import ConfigError, Layout, load
from fca.config.captions import LONGEST, caption_problem
from fca.data.clip_record import read_records
from fca.data.index import build_index
from fca.data.verify import verify
from fca.errors import FcaError
from tests.data.corpora import config_for, pretend_fetched, write_bridge, write_epic, write_ssv2

BAD = [
    (None, "its caption is null"),
    (3, "its caption is not a text: 3"),
    (["push"], "its caption is not a text: ['push']"),
    ("", "its caption is empty"),
    (" \n", "its caption is empty"),
    ("push\0it", "its caption has the control character U+0000"),
    ("push\x1b[2J", "its caption has the control character U+001B"),
    ("push \ud800", "its caption is not valid text: 'push \\ud800'"),
    ("\u200b ...", "its caption has neither letter nor digit: '\\u200b ...'"),
    ("x" * (LONGEST + 1), "its caption has 2,001 characters, more than 2,000"),
]


@pytest.mark.parametrize(("caption", "problem"), BAD)
def test_the_rule(caption: object, problem: str) -> None:
    assert caption_problem(caption) == problem


@pytest.mark.parametrize("caption", ["push", "7", "推红色方块", "push\tred\nblock", "x" * LONGEST, "e\u0301"])
def test_what_the_rule_lets_through(caption: str) -> None:
    assert caption_problem(caption) == ""


def test_labels_of_ssv2(tmp_path: Path) -> None:
    config = config_for(tmp_path, "ssv2", len(BAD) + 2, 1)
    raw = pretend_fetched(config, "ssv2")
    names = [str(number) for number in range(len(BAD) + 2)]
    write_ssv2(raw, [(name, "a", 1) for name in names], [("99", "b", 1)])
    entries = [{"id": name, "label": label} for name, (label, _) in zip(names, BAD, strict=False)]
    entries += [{"id": names[-2], "label": "gr?n"}, {"id": names[-1], "label": "lift"}]
    data = json.dumps(entries).encode().replace(b"gr?n", "grün".encode("latin-1"))
    (raw / "annotations/train.json").write_bytes(b"\xef\xbb\xbf" + data)  # with a byte order mark
    index = build_index(config, "ssv2")
    expected = [*(problem for _, problem in BAD), "its caption is not valid text: 'gr\\udcfcn'"]
    assert [(row.id, row.reason) for row in index.quarantine] == list(zip(names, expected, strict=False))
    assert [record.caption for record in read_records(Layout(config).index("ssv2"))][-2:] == ["lift", "b"]
    assert verify(config, "ssv2").extra["sound"] == {"train": 1, "validation": 1}
    assert "correct the caption" in Layout(config).verified("ssv2").with_name("unusable.tsv").read_text()


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"id": "1"}',
        b"null",
        b"3",
        b'[{"id": "\\ud800", "label": "x"}]',
        b'[{"id": null}]',
        b"\xff\xfe[",
    ],
)
def test_annotations_of_ssv2_that_are_none(tmp_path: Path, content: bytes) -> None:
    config = config_for(tmp_path, "ssv2", 1, 1)
    raw = pretend_fetched(config, "ssv2")
    write_ssv2(raw, [("1", "a", 1)], [("2", "b", 1)])
    (raw / "annotations/train.json").write_bytes(content)
    with pytest.raises(FcaError, match=r"train\.json can't be read as annotations"):
        build_index(config, "ssv2")


def test_narrations_of_epic(tmp_path: Path) -> None:
    """With a byte order mark, as spreadsheet programs write it; one row isn't UTF-8."""
    texts = [(text, problem) for text, problem in BAD if isinstance(text, str) and "\ud800" not in text]
    config = config_for(tmp_path, "epic", len(texts) + 2, 1)
    raw = pretend_fetched(config, "epic")
    rows = [("P01_01", 1, 4, text) for text, _ in texts]
    rows += [("P01_01", 1, 4, "gr?n"), ("P01_01", 1, 4, " take ")]
    write_epic(raw, {"train": rows, "validation": [("P01_01", 1, 4, "open")]}, {"P01_01": 8})
    path = raw / "annotations/EPIC_100_train.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"gr?n", "grün".encode("latin-1")))
    index = build_index(config, "epic")
    expected = [*(problem for _, problem in texts), "its caption is not valid text: 'gr\\udcfcn'"]
    assert [row.reason for row in index.quarantine] == expected
    assert [row.id for row in index.quarantine] == [f"P01_01_train{number}" for number in range(len(expected))]
    assert [record.caption for record in read_records(Layout(config).index("epic"))][-2:] == ["take", "open"]


def test_a_row_of_epic_that_is_too_short_or_has_no_id(tmp_path: Path) -> None:
    config = config_for(tmp_path, "epic", 2, 1)
    raw = pretend_fetched(config, "epic")
    rows = [("P01_01", 1, 4, "take"), ("P01_01", 1, 4, "put")]
    write_epic(raw, {"train": rows, "validation": [("P01_01", 1, 4, "open")]}, {"P01_01": 8})
    path = raw / "annotations/EPIC_100_train.csv"
    whole = path.read_text()
    path.write_text(whole.replace(",put", ""))
    assert [row.reason for row in build_index(config, "epic").quarantine] == ["its caption is null"]
    path.write_bytes(whole.encode().replace(b"P01_01_train1", b"P01\xff"))
    with pytest.raises(FcaError, match="row 2 can't be read"):
        build_index(config, "epic")
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([["narration_id", "video_id"], ["x" * 200_000, "P01_01"]])
    with pytest.raises(FcaError, match="row 1 can't be read"):
        build_index(config, "epic")


@pytest.mark.parametrize("task", ["push\0it", "\ud800", "x" * (LONGEST + 1), "...", ""])
def test_tasks_of_bridge(tmp_path: Path, task: str) -> None:
    config = config_for(tmp_path, "bridge", 4, 1)
    raw = pretend_fetched(config, "bridge")
    write_bridge(
        raw, {"kitchen/flip/2021/raw/traj_group0/traj0/images0": 4}, [f"{task}/{number}" for number in range(5)]
    )
    with pytest.raises(FcaError, match="its caption "):
        build_index(config, "bridge")


@pytest.mark.parametrize(("caption", "problem"), BAD)
def test_edited_captions(tmp_path: Path, caption: object, problem: str) -> None:
    path = tmp_path / "mine.yaml"
    edits = json.dumps({"P01_02_1": ["push", caption]})
    path.write_text(f"extends: pocket.yaml\ndatasets:\n  epic:\n    edited_captions: {edits}\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    where = "line 4: datasets.epic.edited_captions.P01_02_1.1"
    assert str(caught.value).splitlines()[0] == f"{path}, {where}: {problem}"


@pytest.mark.parametrize("option", ["--prompt", "--negative-prompt"])
@pytest.mark.parametrize("text", ["\udcff", "x" * (LONGEST + 1), "push\x1b[2J", "..."])
def test_prompts(tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, text: str) -> None:
    texts = {"--prompt": "push", "--negative-prompt": ""} | {option: text}
    arguments = [word for pair in texts.items() for word in pair]
    assert main(["predict", "--frames", "a.png", "--out", str(tmp_path / "a.mp4"), *arguments]) != 0
    error = capsys.readouterr().err
    assert "the prompt " in error
    assert "Traceback" not in error
