"""The clip library: its list isn't trusted, and packing loses nothing."""

import csv
import json
import tarfile
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fca.artifacts.atomic import sha256_tree
from fca.config import Dataset
from fca.config.dataset import CLIP_LIST
from fca.data.library import bridge, epic, ssv2
from fca.data.library.clips import chosen_clips, read_clips, read_video
from fca.data.library.ids import records_of, task_folder
from fca.data.library.pixels import read_pixels
from fca.errors import FcaError
from fca.video.decode import read_frames
from fca.video.timed import TimedFrames
from tests.data.corpora import ROOT, library_settings
from tests.library import clip, line

FOLDER = ROOT / "config/pocket-clips"
OTHER = line(seed=1, task="move-down", label="Moving [something] down", opposite_task="move-up")


def written(folder: Path, *lines: dict | str) -> Path:
    texts = [text if isinstance(text, str) else json.dumps(text) for text in lines]
    (folder / CLIP_LIST).write_text("\n".join(texts) + "\n")
    return folder


def test_a_list_is_read_in_its_order(tmp_path: Path) -> None:
    assert [found.seed for found in read_clips(written(tmp_path, OTHER, line()))] == [1, 0]
    with pytest.raises(FcaError, match="can't be read") as caught:
        read_clips(tmp_path / "nowhere")
    assert "make clip-library" in caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"file": "../hand-0.webm"}, "file: "),
        ({"seed": -1, "file": "hand-1.webm"}, "seed: "),
        ({"seed": "0"}, "seed: "),
        ({"split": "test"}, "split: "),
        ({"caption": ""}, "its caption is empty"),
        ({"caption": "moving  it"}, "single spaces"),
        ({"opposite": None}, "opposite and opposite_task"),
        ({"effector": [[0, 0, 0]]}, "effector has 1 positions, not 2"),
        ({"effector": [[0, 0, float("nan")]] * 2}, "effector"),
        ({"objects": {"cup": [[0, 0]] * 2}}, "objects.cup"),
        ({"camera": []}, "camera has 0 rows"),
        ({"surprise": 1}, "surprise: "),
    ],
)
def test_a_line_that_is_no_clip_is_named(tmp_path: Path, changes: dict, problem: str) -> None:
    with pytest.raises(FcaError, match="line 2 is not a clip") as caught:
        read_clips(written(tmp_path, OTHER, line(**changes)))
    assert problem in str(caught.value)


def test_lines_that_contradict_each_other(tmp_path: Path) -> None:
    for lines, problem in (
        (["[1, 2"], "line 1 is not a clip"),
        ([line(), OTHER, line()], "line 3 repeats hand 0"),
        ([line(), OTHER, line(seed=2, label="Moving")], "move-up has the label 'Moving'"),
        ([line()], "no clip shows the opposite task move-down"),
    ):
        with pytest.raises(FcaError, match=problem):
            read_clips(written(tmp_path, *lines))


def settings(folder: Path, form: str = "ssv2", train: int = 1, validation: int = 1) -> Dataset:
    found = library_settings(form, train, validation)
    return found.model_copy(update={"library": found.library.model_copy(update={"folder": str(folder)})})


def test_the_first_seeds_of_each_split_and_place_are_taken(tmp_path: Path) -> None:
    lines = [line(seed=seed, split=split) for seed, split in ((9, "validation"), (5, "train"), (7, "validation"))]
    lines += [OTHER | {"place": "arm", "seed": 0, "file": "arm-0.webm"}, line(place="arm", seed=3), OTHER]
    folder = written(tmp_path, *lines)
    assert [found.seed for found in chosen_clips(settings(folder))] == [1, 7]
    assert list(records_of(settings(folder, train=2, validation=2))) == ["1", "5", "7", "9"]
    with pytest.raises(FcaError, match="has 2 validation clips of the place hand, not 3"):
        chosen_clips(settings(folder, validation=3))


def test_a_video_that_is_not_there_or_damaged(tmp_path: Path) -> None:
    for read in (read_video, read_pixels):
        with pytest.raises(FcaError, match=r"hand-0\.webm, a video of the library"):
            read(tmp_path, clip())
    (tmp_path / "hand-0.webm").write_bytes(b"no video")
    with pytest.raises(FcaError, match=r"hand-0\.webm, a video of the library"):
        read_pixels(tmp_path, clip())


@pytest.mark.parametrize("caption", ["open pot-lid", "open a_b", "open a/b", ".. it"])
def test_a_caption_that_no_folder_can_have(caption: str) -> None:
    with pytest.raises(FcaError, match="can't be the name of a task's folder"):
        task_folder(clip(caption=caption))
    assert task_folder(clip(caption="open the red box")) == "open_the_red_box"


def test_packing_twice_makes_the_same_bytes(tmp_path: Path) -> None:
    for form, packer, own in (("ssv2", ssv2, {}), ("bridge", bridge, {"split_mode": "seer_like"}),
                              ("epic", epic, {"media": "rgb_frames"}), ("epic", epic, {"media": "video"})):  # fmt: skip
        records, folders = records_of(library_settings(form, 4, 1)), []
        for name in ("one", "two"):
            folders.append(tmp_path / form / "".join(own.values()) / name)
            packer.pack(FOLDER, records, folders[-1], **own)
        assert sha256_tree(folders[0]) == sha256_tree(folders[1])


def test_videos_of_ssv2_are_the_librarys_byte_for_byte(tmp_path: Path) -> None:
    records = records_of(library_settings("ssv2", 2, 1))
    ssv2.pack(FOLDER, records, tmp_path)
    parts = sorted((tmp_path / "archives").glob("20bn-something-something-v2-??"))
    (tmp_path / "joined").write_bytes(b"".join(part.read_bytes() for part in parts))
    with tarfile.open(tmp_path / "joined", "r:gz") as archive:
        for name, found in records.items():
            member = archive.extractfile(f"20bn-something-something-v2/{name}.webm")
            assert member.read() == (FOLDER / found.file).read_bytes()
    with zipfile.ZipFile(next((tmp_path / "archives").glob("*.zip"))) as archive:
        entries = json.loads(archive.read("labels/train.json"))
    for entry, found in zip(entries, records.values(), strict=False):
        rebuilt = found.label
        for words in entry["placeholders"]:
            rebuilt = rebuilt.replace("[something]", words, 1)
        assert rebuilt.lower() == entry["label"] == found.caption


def test_segments_of_epic_are_joined_into_videos(tmp_path: Path) -> None:
    records = records_of(library_settings("epic", 9, 1))
    epic.pack(FOLDER, records, tmp_path, media="rgb_frames")
    names = [path.name for path in sorted((tmp_path / "archives").iterdir())]
    assert names == ["P01_01.tar", "P01_02.tar", "P01_101.tar", "P02_01.tar"]
    with open(tmp_path / "annotations/EPIC_100_train.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    spans = [(int(row["start_frame"]), int(row["stop_frame"])) for row in rows]
    assert spans == [*[(1 + 48 * n, 48 + 48 * n) for n in range(4)] * 2, (1, 48)]
    for row, found in zip(rows, records.values(), strict=False):
        assert row["narration"] == found.caption
        assert set(row["verb"].split("-")) | {row["noun"]} <= set(found.caption.split())
        rate = 50 if "_1" in row["video_id"] else 60
        for end in ("start", "stop"):
            hours, minutes, seconds = row[f"{end}_timestamp"].split(":")
            hundredths = round(100 * (3600 * int(hours) + 60 * int(minutes) + float(seconds)))
            assert hundredths * rate // 100 == int(row[f"{end}_frame"])


def test_verbs_keep_their_particle() -> None:
    assert [epic.words(text) for text in ("turn on tap", "slide cabinet open", "put kettle on hob", "wait")] == [
        ("turn-on", "tap"), ("slide", "cabinet"), ("put", "kettle"), ("wait", "")
    ]  # fmt: skip


def test_a_video_of_epic_shows_at_a_frames_time_what_the_frame_shows(tmp_path: Path) -> None:
    records = records_of(library_settings("epic", 5, 1))
    epic.pack(FOLDER, records, tmp_path, media="video")
    paths = sorted((tmp_path / "EPIC-KITCHENS/P01/videos").iterdir())
    assert [path.stem for path in paths] == ["P01_01", "P01_02", "P01_101"]
    for path in paths:
        rate = 50 if path.stem == "P01_101" else 60
        with av.open(str(path)) as container:
            assert container.streams.video[0].average_rate == (50 if rate == 50 else Fraction(60000, 1001))
        segments = [found for name, found in records.items() if name.startswith(f"{path.stem}_")]
        expected = np.concatenate([read_pixels(FOLDER, found) for found in segments])
        numbers = tuple(range(1, len(expected) + 1, 7))
        frames = read_frames(TimedFrames(path, numbers, rate), range(len(numbers)))
        for number, frame in zip(numbers, frames, strict=True):
            own, *following = (
                np.abs(frame.astype(int) - picture).mean() for picture in expected[number - 1 : number + 1]
            )
            assert own < 4
            assert all(own <= other + 0.1 for other in following)
