"""LeRobot datasets: what isn't believed. Paths, names, numbers and damaged files are refused in words."""

import json
import random
from pathlib import Path

import pytest

from fca.data.datasets.lerobot.info import template_problem
from fca.errors import FcaError
from tests.data.datasets.lerobot_files import TOP, Made, change_json, change_rows
from tests.data.datasets.test_lerobot import EPISODES, listing

pytest.importorskip("pyarrow")


@pytest.mark.parametrize(
    "path",
    [
        "../{episode_index}.mp4", "/etc/{video_key}", "a/../../{file_index}.mp4", "C:/x", "..\\x",
        "{video_key.__class__}",
        "{file_index:0999999999d}", "{file_index!r}", "{0}", "a\0b", "", "{episode_index:03d", "x" * 600, "a\n",
    ],
)  # fmt: skip
def test_a_path_that_leaves_the_folder_or_asks_for_more_is_refused(path: str, tmp_path: Path) -> None:
    assert template_problem(path)
    Made().write(tmp_path)
    for name in ("video_path", "data_path"):
        before = (tmp_path / "meta/info.json").read_text()
        change_json(tmp_path / "meta/info.json", **{name: path})
        with pytest.raises(FcaError, match=name):
            listing(tmp_path)
        (tmp_path / "meta/info.json").write_text(before)


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", ".", "a\nb", "a\0", "\ud800", "x" * 201])
def test_a_camera_whose_name_is_no_folder_is_refused(name: str, tmp_path: Path) -> None:
    Made().write(tmp_path)
    change_json(tmp_path / "meta/info.json", features={name: {"dtype": "video"}})
    with pytest.raises(FcaError, match="can't be a folder"):
        listing(tmp_path)


def test_no_name_of_a_camera_leads_out_of_the_folder(tmp_path: Path) -> None:
    """Without a name, the first of these is ../other/0.mp4, the second /other/0.mp4."""
    for template in (".{video_key}./other/{file_index}.mp4", "{video_key}/other/{file_index}.mp4"):
        root = Made().write(tmp_path / template[0])
        change_json(root / "meta/info.json", features={"": {"dtype": "video"}}, video_path=template)
        change_rows(root / EPISODES, lambda rows: [
            {name.replace(TOP, ""): value for name, value in row.items()} for row in rows])  # fmt: skip
        with pytest.raises(FcaError, match="can't be a folder"):
            listing(root)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"codebase_version": "v1.6"}, "codebase_version: it is 'v1.6'; this reads v2.0, v2.1, v3.0"),
        ({"codebase_version": None}, "codebase_version"),
        ({"fps": 0}, "fps"),
        ({"fps": 1e-320}, "fps"),
        ({"fps": float("inf")}, "fps"),
        ({"fps": "many"}, "fps"),
        ({"features": []}, "features"),
        ({"features": {"a": {"dtype": "float32"}}}, "0 cameras: none"),
        ({"data_path": 3}, "data_path"),
        ({"data_path": "data/{video_key}/{episode_index}.parquet"}, "{video_key} is for videos"),
        ({"video_path": None}, "are pictures in tables"),
        ({"chunks_size": 0}, "chunks_size"),
    ],
)
def test_an_unusable_info_says_what_is_wrong(tmp_path: Path, change: dict[str, object], problem: str) -> None:
    Made().write(tmp_path)
    change_json(tmp_path / "meta/info.json", **change)
    with pytest.raises(FcaError) as caught:
        listing(tmp_path)
    assert problem in str(caught.value)


@pytest.mark.parametrize("span", [(-1.0, 1.0), (2.0, 1.0), (1.0, 1.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_an_impossible_span_is_refused(tmp_path: Path, span: tuple[float, float]) -> None:
    Made().write(tmp_path)
    names = [f"videos/{TOP}/{name}_timestamp" for name in ("from", "to")]
    change_rows(tmp_path / EPISODES, lambda rows: [row | dict(zip(names, span, strict=True)) for row in rows])
    with pytest.raises(FcaError, match="has the span"):
        listing(tmp_path)


def test_a_huge_info_is_not_read(tmp_path: Path) -> None:
    Made().write(tmp_path)
    path = tmp_path / "meta/info.json"
    path.write_text(path.read_text(), "utf-8-sig")
    assert len(listing(tmp_path).records) == 4
    with open(path, "r+b") as file:
        file.truncate(2**26 + 1)
    with pytest.raises(FcaError, match="it has 67,108,865 bytes"):
        listing(tmp_path)


def test_a_damaged_meta_folder_is_refused_in_words(tmp_path: Path) -> None:
    """Whatever bytes are changed, cut off or put in: a listing or an FcaError, never another exception."""
    rng = random.Random(3)
    refused: list[FcaError] = []
    for version in ("v2.1", "v3.0"):
        root = Made(lengths=(5, 6), version=version).write(tmp_path / version)
        files = sorted([*(root / "meta").rglob("*.*"), *(root / "data").rglob("*.parquet")])
        for _ in range(150):
            path = rng.choice(files)
            content = path.read_bytes()
            path.write_bytes(damaged(content, rng))
            try:
                listing(root)
            except FcaError as error:
                refused.append(error)
            finally:
                path.write_bytes(content)
    assert len(refused) > 100
    for error in refused:
        assert error.expected
        assert str(tmp_path) in error.problem or "the dataset has" in error.problem or "the frames of" in error.problem


def damaged(content: bytes, rng: random.Random) -> bytes:
    kind, place = rng.randrange(5), rng.randrange(len(content))
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + rng.randbytes(rng.randrange(1, 40)) + content[place:]
    if kind == 2:
        return (
            content[:place]
            + rng.choice([b"-1", b"1e999", b"99999999999999999999", b"null", b"[", b"\xff"])
            + content[place + 2 :]
        )
    changed = bytearray(content)
    for _ in range(rng.randrange(1, 8)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def test_lines_that_are_no_objects_are_named(tmp_path: Path) -> None:
    Made(version="v2.1").write(tmp_path)
    lines = tmp_path / "meta/episodes.jsonl"
    for line, problem in (("[1]", "it is no object"), ("{", "line 5"), (json.dumps({"episode_index": -1}), "is -1"),
                          (json.dumps({"episode_index": 10**10}), "is 10000000000"),
                          (json.dumps({"episode_index": True}), "is True"),
                          (json.dumps({"episode_index": 0, "length": 3}), "episode 0 is repeated")):  # fmt: skip
        before = lines.read_text()
        lines.write_text(f"{before}{line}\n")
        with pytest.raises(FcaError, match=problem):
            listing(tmp_path)
        lines.write_text(before)
