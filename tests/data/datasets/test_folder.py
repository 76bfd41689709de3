"""Your own videos: captions files of all kinds and every mistake in them, splits by source, many containers."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from fca.artifacts.fingerprint.settings import settings_of
from fca.artifacts.shards import Shard
from fca.config import Config, ConfigError, Layout, load
from fca.data.datasets.captions import CaptionRow, read_captions
from fca.data.datasets.folder import split_rows
from fca.data.fetch import fetch
from fca.data.index import build_index
from fca.data.resample import resample
from fca.errors import FcaError
from tests.data.corpora import ROOT, config_for, listing_of, ramp, write_video


def folder_with(root: Path, captions: str | bytes, *files: str, name: str = "captions.csv") -> Path:
    """A folder with a captions file, and files that are no videos."""
    root.mkdir(parents=True, exist_ok=True)
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(file)
    (root / name).write_bytes(captions if isinstance(captions, bytes) else captions.encode())
    return root


def refused(root: Path) -> str:
    with pytest.raises(FcaError) as caught:
        read_captions(root)
    return str(caught.value)


def write_gif(path: Path, frames: np.ndarray) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "rgb8"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="rgb8")))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    "captions",
    [
        "file,caption\na.mp4,push left\nsub/b.webm,lift\n",
        "\ufefffile;caption\r\na.mp4;push left\r\n\r\nsub/b.webm;lift\r\n",
        "file,caption\ra.mp4,push left\rsub/b.webm,lift\r",
        "Caption\tFile\npush left\ta.mp4\nlift\tsub/b.webm",
        'file, caption\n./a.mp4, push left\n"sub//b.webm","lift"\n',
        "file,caption,source,split\na.mp4,push left,,\nsub/b.webm,lift,,\n",
    ],
)
def test_csv_as_programs_write_it(tmp_path: Path, captions: str) -> None:
    rows = read_captions(folder_with(tmp_path, captions, "a.mp4", "sub/b.webm"))
    assert [(row.file, row.caption, row.split, row.source) for row in rows] == [
        ("a.mp4", "push left", "", "a.mp4"),
        ("sub/b.webm", "lift", "", "sub/b.webm"),
    ]


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        {"file": "a.mp4", "caption": "push \u2028 é", "split": "train", "source": "tape 1"},
        {"caption": "lift", "file": "sub/b b.webm", "split": "validation", "source": None},
    ]
    text = "\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    rows = read_captions(folder_with(tmp_path, text, "a.mp4", "sub/b b.webm", name="captions.jsonl"))
    assert rows == [
        CaptionRow(1, "a.mp4", "push \u2028 é", "train", "tape 1"),
        CaptionRow(3, "sub/b b.webm", "lift", "validation", "sub/b b.webm"),
    ]


def test_a_caption_over_lines_is_named_by_its_first(tmp_path: Path) -> None:
    root = folder_with(tmp_path, 'file,caption\na.mp4,"say ""push"", then lift"\nb.mp4,"two\nlines"\nc.mp4,\n',
                       "a.mp4", "b.mp4", "c.mp4")  # fmt: skip
    message = refused(root)
    assert "captions.csv has 2 problems" in message
    assert "line 3: the caption has the control character U+000A" in message
    assert "line 5: 'c.mp4' has no caption" in message


@pytest.mark.parametrize(
    "line, problem",
    [
        ("/etc/passwd,x", "is absolute"),
        ("C:\\videos\\a.mp4,x", "is absolute"),
        ("../outside.mp4,x", "leads out of the folder"),
        ("sub/../a.mp4,x", "leads out of the folder"),
        ("out.mp4,x", "is a link out of the folder"),
        ("outside/outside.mp4,x", "is a link out of the folder"),
        ("circle,x", "links in a circle|can't be found|is missing"),
        ("nothing.mp4,x", "is missing"),
        ("sub\\b.mp4,x", "is missing .write / between folders"),
        ("sub,x", "is not a file"),
        ("pipe,x", "is not a file"),
        (f"{'n' * 300}.mp4,x", "can't be found .File name too long"),
        ("a.mp4,x", "is the file of line 2"),
        ("same.mp4,x", "is the file of line 2"),
        (",x", "names no file"),
        ("b.mp4,", "'b.mp4' has no caption"),
        ("b.mp4,\u200b ...", "neither letter nor digit"),
        ("b.mp4,ring\x07", "control character U\\+0007"),
        ("b.mp4,a\x00b", "control character U\\+0000"),
        ("b\x1b[31m.mp4,red", "the file has the control character U\\+001B"),
        ("b.mp4,push, then lift", "has 3 fields, not 2; a text with ',' in it needs quotes"),
        ("b.mp4", "has 1 fields, not 2"),
        ('b.mp4,"never closed', "is not CSV"),
    ],
)
def test_a_line_that_is_wrong(tmp_path: Path, line: str, problem: str) -> None:
    (tmp_path / "outside.mp4").touch()
    root = folder_with(tmp_path / "mine", f"file,caption\na.mp4,good\n{line}\n", "a.mp4", "b.mp4", "sub/b.mp4")
    (root / "out.mp4").symlink_to(tmp_path / "outside.mp4")
    (root / "outside").symlink_to(tmp_path)
    (root / "circle").symlink_to(root / "circle")
    (root / "same.mp4").symlink_to(root / "a.mp4")
    os.mkfifo(root / "pipe")
    message = refused(root)
    assert re.search(rf"captions\.csv has a problem:\nline 3: .*({problem})", message), message
    assert "remedy: " in message
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", message)


@pytest.mark.parametrize(
    "line, problem",
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('["a.mp4"]', "is not an object"),
        ('{"file": "b.mp4", "caption": 3}', "caption is not a text: 3"),
        ('{"file": "b.mp4", "text": "x"}', "there is no key 'text'"),
        ('{"file": "b.mp4", "caption": "x\\ud800"}', "the caption is not valid text"),
        ('{"file": "b\\ud800.mp4", "caption": "x"}', "the file is not valid text"),
        ('{"file": "b.mp4"}', "has no caption"),
    ],
)
def test_a_line_of_json_that_is_wrong(tmp_path: Path, line: str, problem: str) -> None:
    good = '{"file": "a.mp4", "caption": "good"}'
    message = refused(folder_with(tmp_path, f"{good}\n{line}\n", "a.mp4", "b.mp4", name="captions.jsonl"))
    assert f"line 2: {problem}" in message or f"{problem}" in message.splitlines()[1]


def test_the_first_ten_problems_at_once(tmp_path: Path) -> None:
    lines = "".join(f"{number}.mp4,x\n" for number in range(13))
    message = refused(folder_with(tmp_path, f"file,caption\n{lines}"))
    assert "captions.csv has 13 problems:\nline 2: '0.mp4' is missing\n" in message
    assert "line 11: '9.mp4' is missing\nand 3 more\n" in message


@pytest.mark.parametrize(
    "captions, problem",
    [
        ("", "line 1 doesn't name the columns"),
        ("a.mp4,push left\n", "line 1 doesn't name the columns: 'a.mp4,push left'"),
        ("file,caption\n", "names no video"),
        ("file,caption,author\na.mp4,x,y\n", "line 1: there is no column 'author'"),
        ("file,caption,file\na.mp4,x,a.mp4\n", "line 1: a column is repeated"),
        ("file,caption\na.mp4,gr\u00fcn\n".encode("latin-1"), "line 2 is not UTF-8"),
        ("file,caption\na.mp4,x\n".encode("utf-16"), "line 1 is not UTF-8 but UTF-16"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, captions: str | bytes, problem: str) -> None:
    assert problem in refused(folder_with(tmp_path, captions, "a.mp4"))


def test_no_captions_or_two_files_of_them(tmp_path: Path) -> None:
    assert "has no captions\nexpected: captions.csv or captions.jsonl" in refused(tmp_path)
    folder_with(tmp_path, "{}", name="captions.jsonl")
    assert "two files of captions" in refused(folder_with(tmp_path, "file,caption\n"))


@pytest.mark.parametrize(
    "rows, problem",
    [
        (["a.mp4,x,train,", "b.mp4,x,,"], "line 3: 'b.mp4' has no split, line 2 has one"),
        (["a.mp4,x,train,", "b.mp4,x,test,"], "line 3: there is no split 'test'"),
        (["a.mp4,x,train,", "b.mp4,x,train,"], "every row is in train: both"),
        (["a.mp4,x,train,tape", "b.mp4,x,validation,tape"], "line 3: the source 'tape' is in validation here and in"),
    ],
)
def test_splits_that_are_wrong(tmp_path: Path, rows: list[str], problem: str) -> None:
    text = "\n".join(["file,caption,split,source", *rows])
    assert problem in refused(folder_with(tmp_path, text, "a.mp4", "b.mp4"))


def rows_of(sources: Sequence[str]) -> list[CaptionRow]:
    return [CaptionRow(number + 2, f"{number}.mp4", "x", "", source) for number, source in enumerate(sources)]


def test_a_seeded_split_keeps_sources_together() -> None:
    rows = rows_of([f"tape {number % 20}" for number in range(100)])
    splits = split_rows(rows, 0.1, seed=1)
    sources = {split: {row.source for row in found} for split, found in splits.items()}
    assert len(sources["validation"]) == 2
    assert sources["train"].isdisjoint(sources["validation"])
    assert sorted([*splits["train"], *splits["validation"]], key=lambda row: row.line) == rows
    assert splits["train"] == sorted(splits["train"], key=lambda row: row.line)
    assert split_rows(rows, 0.1, seed=1) == splits
    assert any(split_rows(rows, 0.1, seed=seed) != splits for seed in range(2, 5))


def test_adding_a_source_moves_few_others() -> None:
    names = [f"tape {number}" for number in range(100)]
    before = {row.source for row in split_rows(rows_of(names), 0.2, 3)["validation"]}
    after = {row.source for row in split_rows(rows_of([*names, "new"]), 0.2, 3)["validation"]}
    assert len(before - after) <= 1


def test_both_splits_get_a_source_or_it_is_an_error() -> None:
    for share in (0.001, 0.999):
        assert {len(found) for found in split_rows(rows_of(["a", "b"]), share, 0).values()} == {1}
    with pytest.raises(FcaError, match="all 3 videos have the source 'tape'"):
        split_rows(rows_of(["tape"] * 3), 0.1, 0)


def own_videos(folder: Path) -> Path:
    """Four containers in sub-folders, one broken file, and a caption to escape."""
    root = folder / "mine"
    frames = ramp(24)
    (root / "more").mkdir(parents=True)
    write_video(root / "a.webm", frames)
    write_video(root / "more" / "b é.mp4", frames[:12], codec="libx264")
    write_video(root / "c.avi", frames, codec="mpeg4")
    write_gif(root / "d.gif", frames)
    (root / "e.mp4").write_text("no video")
    lines = ["a.webm,<b>push</b>", "more/b é.mp4,lift", "c.avi,turn", "e.mp4,broken", "d.gif,move"]
    return folder_with(
        root, "\n".join(["file,caption,split", *[f"{x},train" for x in lines[:4]], f"{lines[4]},validation"])
    )


def own_config(folder: Path, root: Path, train: int = 4, validation: int = 1, **more) -> Config:
    return config_for(folder, "folder", train, validation, root=str(root), **more)


def test_from_the_folder_to_shards(tmp_path: Path) -> None:
    root = own_videos(tmp_path)
    config = own_config(tmp_path, root)
    layout = Layout(config)
    raw = fetch(config, "folder")
    assert (raw.count, raw.extra["licence"]) == (5, "the terms they came with")
    index = build_index(config, "folder")
    assert [(row.id, row.step) for row in index.quarantine] == [("e.mp4", "index")]
    assert index.extra["listed"] == {"train": 4, "validation": 1}
    resample(config, "folder", "train", 0)
    resample(config, "folder", "validation", 0)
    with Shard(layout.clips("folder", "train", 0)) as shard:
        assert shard.manifest.ids == ["a.webm", "more/b é.mp4", "c.avi"]
        assert shard.captions == ["<b>push</b>", "lift", "turn"]
        assert list(shard["padded"][:]) == [0, 4, 0]
        levels = shard.frames[0].reshape(16, -1).mean(1) / 4
        np.testing.assert_allclose(levels, (np.arange(16) + 0.5) * 24 / 16 - 0.5, atol=0.5)
    with Shard(layout.clips("folder", "validation", 0)) as shard:
        assert shard.manifest.ids == ["d.gif"]
    (root / "a.webm").write_bytes(b"other")
    assert fetch(config, "folder").sha256 != raw.sha256


def test_counts_that_are_not_there_say_what_to_write(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = own_config(tmp_path, own_videos(tmp_path), train=9, validation=3)
    fetch(config, "folder")
    with pytest.raises(FcaError) as caught:
        build_index(config, "folder")
    assert "folder train have 4 clips\nthe annotations of folder validation have 1" in caught.value.problem
    assert "datasets.folder.train.clips: 4, datasets.folder.validation.clips: 1" in caught.value.remedy
    fewer = listing_of("folder", Layout(config).raw("folder"), "folder", 2, 1)
    assert [record.id for record in fewer.records] == ["a.webm", "more/b é.mp4", "d.gif"]
    assert "3 of 5 listed videos are used" in caplog.text


def test_a_missing_folder_says_what_to_put_there(tmp_path: Path) -> None:
    with pytest.raises(FcaError, match="there is no folder") as caught:
        fetch(own_config(tmp_path, tmp_path / "nowhere"), "folder")
    assert "put your videos and captions.csv" in caught.value.remedy
    assert "docs/data/folder.md" in caught.value.remedy


def test_fetch_refuses_a_wrong_captions_file(tmp_path: Path) -> None:
    root = folder_with(tmp_path / "mine", "file,caption\na.mp4,x\n")
    config = own_config(tmp_path, root)
    with pytest.raises(FcaError, match=r"line 2: 'a\.mp4' is missing"):
        fetch(config, "folder")
    assert not Layout(config).raw_manifest("folder").exists()


def test_settings_that_make_no_sense(tmp_path: Path) -> None:
    library = {"train": 4, "validation": 1}
    with pytest.raises(ConfigError, match="format is folder: source must be archive"):
        config_for(tmp_path, "folder", 4, 1, source="library", root=None, library=library)
    with pytest.raises(ConfigError, match=r"validation_share: 0\.2 is for the folder and lerobot format alone"):
        config_for(tmp_path, "ssv2", 4, 1, validation_share=0.2)


def test_the_share_and_the_seed_count_for_folders_alone(tmp_path: Path) -> None:
    config = own_config(tmp_path, tmp_path)
    other = own_config(tmp_path, tmp_path, validation_share=0.3)
    assert settings_of(config, "index", "folder") != settings_of(other, "index", "folder")
    assert "seed" not in settings_of(config_for(tmp_path, "ssv2", 4, 1), "index", "ssv2")


def test_the_worked_example(tmp_path: Path) -> None:
    """The guide's own snippet makes a folder that fits config/pocket-folder.yaml."""
    guide = (ROOT / "docs" / "data" / "folder.md").read_text()
    snippet = re.search(r"```python\n(.*?)```", guide, re.DOTALL)
    assert snippet
    (tmp_path / "config").symlink_to(ROOT / "config")
    subprocess.run([sys.executable, "-c", snippet[1]], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    pocket = load(ROOT / "config" / "pocket.yaml")
    config = load(ROOT / "config" / "pocket-folder.yaml")
    for name in ("clip", "base", "adapter", "features", "variants", "encode", "train", "sample", "report", "seed"):
        assert getattr(config, name) == getattr(pocket, name), name
    assert config.score == pocket.score.model_copy(update={"vbench": None})
    mine = config.datasets["mine"]
    assert (mine.train.clips, mine.validation.clips) == (18, 6)
    moved = mine.model_copy(update={"root": str(tmp_path / mine.root)})
    config = config.model_copy(update={"datasets": {"mine": moved}, "data_dir": str(tmp_path / "data")})
    fetch(config, "mine")
    index = build_index(config, "mine")
    assert index.extra["listed"] == {"train": 18, "validation": 6}
    assert index.quarantine == []
