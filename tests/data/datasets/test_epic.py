"""Epic-Kitchens-100: Seer's stride, frame numbers as in the CSV, missing frames."""

import csv
import hashlib
from collections import Counter
from pathlib import Path

import pytest

from fca.data.datasets.epic import PUBLICATION, READER, frame_rate, read_segments, strided_frames
from fca.errors import FcaError
from tests.data.corpora import SHARED, listing_of, write_epic
from tests.video.test_timed import write_mp4

SEGMENTS = {
    "train": [("P01_01", 3, 19, " take <b>plate</b> "), ("P01_101", 1, 131, "open drawer, slowly")],
    "validation": [("P01_01", 20, 25, "close drawer")],
}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    write_epic(tmp_path / "raw", SEGMENTS, {"P01_01": 30, "P01_101": 140})
    return tmp_path / "raw"


def test_segments_in_file_order_with_their_own_numbers(raw: Path) -> None:
    listing = listing_of("epic", raw, "epic", 2, 1)
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
    listing = listing_of("epic", raw, "epic", 2, 1)
    assert len(listing.records) == 3
    assert [(row.id, row.file.rpartition("/")[2], row.reason) for row in listing.quarantine] == [
        ("P01_01_train0", "frame_0000000005.jpg", "the frame is missing"),
        ("P01_101_train1", "P01_101", "the folder of frames is missing"),
    ]


def test_a_file_in_place_of_the_folder_of_frames(raw: Path) -> None:
    folder = raw / "EPIC-KITCHENS/P01/rgb_frames/P01_101"
    folder.rename(folder.with_name("P01_999"))
    folder.touch()
    assert "can't be listed (Not a directory)" in listing_of("epic", raw, "epic", 2, 1).quarantine[0].reason


def test_frames_a_second_are_the_numberings_not_the_files() -> None:
    assert [frame_rate(video) for video in ("P01_01", "P37_103", "P01_109", "P22_117")] == [60, 50, 50, 50]


def test_videos_instead_of_frames(raw: Path) -> None:
    videos = raw / "EPIC-KITCHENS/P01/videos"
    videos.mkdir()
    write_mp4(videos / "P01_01.MP4", 30, 60)
    listing = listing_of("epic", raw, "epic", 2, 1, media="video")
    first, second, _ = listing.records
    assert (first.media, first.frames, first.rate) == ("EPIC-KITCHENS/P01/videos/P01_01.MP4", list(range(3, 20)), 60)
    assert second.rate == 50
    assert [(row.id, row.file.rpartition("/")[2], row.reason) for row in listing.quarantine] == [
        ("P01_101_train1", "P01_101.MP4", "it is missing")
    ]
    names = list(READER.media_names(raw))
    assert names[:2] == ["EPIC-KITCHENS/P01/rgb_frames/P01_01", "EPIC-KITCHENS/P01/rgb_frames/P01_101"]
    assert names[2].startswith("EPIC-KITCHENS/P01/videos/P01_01.MP4 ")


def test_a_segment_that_stops_before_it_starts(raw: Path) -> None:
    path = raw / "annotations/EPIC_100_validation.csv"
    path.write_text(path.read_text().replace("20,25", "25,20"))
    assert "stops before" in listing_of("epic", raw, "epic", 1, 1).quarantine[0].reason


@pytest.mark.parametrize(("old", "new"), [("start_frame", "begin"), ("20,25", "20,x"), ("P01_01,20", "../../etc,20")])
def test_annotations_that_are_something_else(raw: Path, old: str, new: str) -> None:
    path = raw / "annotations/EPIC_100_validation.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(FcaError, match=r"EPIC_100_validation\.csv, row 1 can't be read"):
        listing_of("epic", raw, "epic", 1, 1)


def test_missing_annotations_name_where_they_are_published(raw: Path) -> None:
    (raw / "annotations/EPIC_100_train.csv").unlink()
    with pytest.raises(FcaError, match="no annotations for train") as caught:
        listing_of("epic", raw, "epic", 1, 1)
    assert "epic-kitchens" in caught.value.remedy


@pytest.mark.skipif(not (SHARED / "EPIC_100_validation.csv").exists(), reason="the published CSV is not here")
def test_the_published_validation_split() -> None:
    path = SHARED / "EPIC_100_validation.csv"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == PUBLICATION.sha256["EPIC_100_validation.csv"]
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
    assert len(segments) == PUBLICATION.clips["validation"]


@pytest.mark.skipif(not (SHARED / "EPIC_100_validation.csv").exists(), reason="the published CSV is not here")
def test_the_published_frame_numbers_count_60_or_50_a_second() -> None:
    """Of both ends: floor(seconds * 60), in few rows one less; what starts at 0 s starts with frame 1. (This split
    is of EPIC-55 alone.)
    """
    with open(SHARED / "EPIC_100_validation.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = Counter()
    for row in rows:
        for end in ("start", "stop"):
            hours, minutes, seconds = row[f"{end}_timestamp"].split(":")
            centiseconds = (int(hours) * 60 + int(minutes)) * 6000 + round(float(seconds) * 100)
            rate = frame_rate(row["video_id"])
            residual = int(row[f"{end}_frame"]) - centiseconds * rate // 100
            found[end, rate, residual, centiseconds == 0] += 1
    assert found == {
        ("start", 60, 0, False): 9616,
        ("start", 60, -1, False): 42,
        ("start", 60, 1, True): 10,
        ("stop", 60, 0, False): 9634,
        ("stop", 60, -1, False): 34,
    }


def test_counts_of_the_annotations(raw: Path) -> None:
    assert READER.listed(raw) == {"train": 2, "validation": 1}
