"""Epic-Kitchens-100: Seer's stride, frame numbers as in the CSV, missing frames."""

import hashlib
from pathlib import Path

import pytest

from fca.data.epic import VALIDATION_SHA256, index_epic, read_segments, strided_frames
from fca.errors import FcaError

from .corpora import SHARED, write_epic

SEGMENTS = {
    "train": [("P01_01", 3, 19, " take <b>plate</b> "), ("P01_101", 1, 131, "open drawer, slowly")],
    "validation": [("P01_01", 20, 25, "close drawer")],
}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    write_epic(tmp_path / "raw", SEGMENTS, {"P01_01": 30, "P01_101": 140})
    return tmp_path / "raw"


def test_segments_in_file_order_with_their_own_numbers(raw: Path) -> None:
    listing = index_epic(raw, "epic", 2, 1)
    first, long, last = listing.records
    assert first.caption == "take <b>plate</b>"
    assert long.caption == "open drawer, slowly"
    assert first.media == "EPIC-KITCHENS/P01/rgb_frames/P01_01"
    assert first.id == "P01_01_train0"
    assert first.frames == list(range(3, 20))
    assert first.length == 17
    assert long.frames == list(range(1, 132))
    assert long.length == 131
    assert (last.split, last.frames) == ("validation", list(range(20, 26)))
    assert listing.quarantine == []


@pytest.mark.parametrize(
    ("span", "count", "stride"), [(99, 100, 1), (100, 101, 1), (199, 200, 1), (200, 101, 2), (345, 116, 3)]
)
def test_the_stride(span: int, count: int, stride: int) -> None:
    frames = strided_frames(7, 7 + span)
    assert len(frames) == count
    assert frames[0] == 7
    assert frames[1] - frames[0] == stride
    assert frames[-1] <= 7 + span


def test_no_span_gives_more_than_200_frames() -> None:
    assert max(len(strided_frames(1, 1 + span)) for span in range(5000)) == 200


def test_missing_frames_and_folders_are_quarantined(raw: Path) -> None:
    folder = raw / "EPIC-KITCHENS/P01/rgb_frames"
    (folder / "P01_01/frame_0000000005.jpg").unlink()
    (folder / "P01_101").rename(folder / "P01_999")
    listing = index_epic(raw, "epic", 2, 1)
    assert len(listing.records) == 3
    assert [(row.id, row.file.rpartition("/")[2], row.reason) for row in listing.quarantine] == [
        ("P01_01_train0", "frame_0000000005.jpg", "the frame is missing"),
        ("P01_101_train1", "P01_101", "the folder of frames is missing"),
    ]


def test_a_segment_that_stops_before_it_starts(raw: Path) -> None:
    path = raw / "annotations/EPIC_100_validation.csv"
    path.write_text(path.read_text().replace("20,25", "25,20"))
    assert "stops before" in index_epic(raw, "epic", 1, 1).quarantine[0].reason


@pytest.mark.parametrize(("old", "new"), [("start_frame", "begin"), ("20,25", "20,x"), ("P01_01,20", "../../etc,20")])
def test_annotations_that_are_something_else(raw: Path, old: str, new: str) -> None:
    path = raw / "annotations/EPIC_100_validation.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(FcaError, match=r"EPIC_100_validation\.csv, row 1 can't be read"):
        index_epic(raw, "epic", 1, 1)


def test_missing_annotations_name_where_they_are_published(raw: Path) -> None:
    (raw / "annotations/EPIC_100_train.csv").unlink()
    with pytest.raises(FcaError, match="no annotations for train") as caught:
        index_epic(raw, "epic", 1, 1)
    assert "epic-kitchens" in caught.value.remedy


@pytest.mark.skipif(not (SHARED / "EPIC_100_validation.csv").exists(), reason="the published CSV is not here")
def test_the_published_validation_split() -> None:
    path = SHARED / "EPIC_100_validation.csv"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == VALIDATION_SHA256
    segments = read_segments(path)
    lengths = [len(strided_frames(start, stop)) for *_, start, stop in segments]
    assert len(segments) == 9668
    assert round(sum(lengths) / len(lengths), 1) == 102.5
    assert max(lengths) == 200
    assert min(lengths) == 31
    assert sum(stop - start >= 100 for *_, start, stop in segments) == 5590
    assert len({folder for _, folder, *_ in segments}) == 138
    assert len({narration for _, _, narration, _, _ in segments}) == 3835
    assert len(read_segments(path, limit=10)) == 10
