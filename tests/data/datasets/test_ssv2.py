"""Something-Something V2: file order, captions as they are, broken videos in their place."""

import json
from pathlib import Path

import pytest

from fca.data.datasets.ssv2 import READER
from fca.errors import FcaError
from tests.data.corpora import listing_of, write_ssv2

TRAIN = [("99", "Holding potato next to Vicks VapoRub bottle", 20), ("7", "<script>alert('x')</script> & co", 3)]
VALIDATION = [("5", "pushing é", 16), ("12", "pushing é", 4), ("1", "last", 2)]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    write_ssv2(tmp_path / "raw", TRAIN, VALIDATION)
    return tmp_path / "raw"


def test_the_heads_of_both_files_in_file_order(raw: Path) -> None:
    listing = listing_of("ssv2", raw, "mine", 2, 2)
    assert [(record.split, record.id, record.caption, record.length) for record in listing.records] == [
        *(("train", *clip) for clip in TRAIN),
        *(("validation", *clip) for clip in VALIDATION[:2]),
    ]
    assert {record.dataset for record in listing.records} == {"mine"}
    assert listing.records[0].media == "videos/99.webm"
    assert listing.records[0].frames is None
    assert listing.quarantine == []


def test_broken_videos_keep_their_place(raw: Path) -> None:
    (raw / "videos/99.webm").unlink()
    (raw / "videos/7.webm").write_bytes(b"")
    data = (raw / "videos/5.webm").read_bytes()
    (raw / "videos/5.webm").write_bytes(data[: len(data) // 2])
    (raw / "videos/12.webm").write_text("text")
    listing = listing_of("ssv2", raw, "ssv2", 2, 3)
    assert [record.id for record in listing.records] == ["99", "7", "5", "12", "1"]
    assert [record.length for record in listing.records] == [0, 0, 0, 0, 2]
    rows = {row.id: row for row in listing.quarantine}
    assert list(rows) == ["99", "7", "5", "12"]
    assert rows["99"].reason == "it is missing"
    assert rows["99"].file == "videos/99.webm"
    assert rows["99"].step == "index"
    assert "empty" in rows["7"].reason
    assert "truncated" in rows["5"].reason
    assert "not a readable" in rows["12"].reason


@pytest.mark.parametrize("name", ["labels/train.json", "something-something-v2-train.json", "train.json"])
def test_published_names_of_the_annotations(raw: Path, name: str) -> None:
    (raw / name).parent.mkdir(exist_ok=True)
    (raw / "annotations/train.json").rename(raw / name)
    assert READER.annotations(raw, "train").resolve() == (raw / name).resolve()


def test_the_folder_name_of_the_published_videos(raw: Path) -> None:
    (raw / "videos").rename(raw / "20bn-something-something-v2")
    assert listing_of("ssv2", raw, "ssv2", 1, 1).records[0].media == "20bn-something-something-v2/99.webm"


def test_missing_pieces_name_where_they_are_published(raw: Path) -> None:
    (raw / "annotations/train.json").unlink()
    with pytest.raises(FcaError, match="no annotations for train") as caught:
        listing_of("ssv2", raw, "ssv2", 1, 1)
    assert "annotations/train.json" in caught.value.expected
    assert "qualcomm.com" in caught.value.remedy
    (raw / "videos").rename(raw / "elsewhere")
    with pytest.raises(FcaError, match="no folder of videos"):
        listing_of("ssv2", raw, "ssv2", 1, 1)


@pytest.mark.parametrize(
    "entries", ["{", {"a": 1}, [{"id": 3, "label": "x"}], [{"id": "3"}], [{"id": "../3", "label": "x"}], ["3"], [None]]
)
def test_annotations_that_are_something_else(raw: Path, entries: object) -> None:
    (raw / "annotations/train.json").write_text(entries if isinstance(entries, str) else json.dumps(entries))
    with pytest.raises(FcaError, match=r"train\.json can't be read"):
        listing_of("ssv2", raw, "ssv2", 1, 1)


def test_the_first_2048_of_a_list_as_long_as_the_published_one(raw: Path) -> None:
    """In the file's order, which is not the ids'; ids are texts, labels unmodified, and nothing slides."""
    entries = [{"id": str(220847 - 7 * place), "label": f"Label  {place} "} for place in range(24777)]
    (raw / "annotations/validation.json").write_text(json.dumps(entries))
    listing = listing_of("ssv2", raw, "ssv2", 2, 2048)
    records = [record for record in listing.records if record.split == "validation"]
    assert [(record.id, record.caption) for record in records] == [(e["id"], e["label"]) for e in entries[:2048]]
    assert len(listing.quarantine) == 2048
    assert READER.listed(raw) == {"train": 2, "validation": 24777}
