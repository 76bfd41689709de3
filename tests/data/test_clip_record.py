"""Index lines: any caption comes back as it was; a damaged line is named."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fca.config.captions import storable
from fca.data.clip_record import ClipRecord, read_records, write_records
from fca.errors import FcaError


@given(caption=st.text().filter(storable), frames=st.none() | st.lists(st.integers(0, 10**6)))
def test_a_record_survives_its_line(caption: str, frames: list[int] | None) -> None:
    record = ClipRecord("task/1", "bridge", "train", caption, "folder", frames, 3)
    line = record.to_line()
    assert "\n" not in line
    assert "\r" not in line
    assert ClipRecord.from_line(line) == record


def test_an_index_survives_its_file(tmp_path: Path) -> None:
    captions = ["<script>alert(1)</script>", "two\nlines", "\u2028\x85\x0b", "Łódź 🤖", " spaces ", ""]
    records = [
        ClipRecord(str(number), "ssv2", split, caption, f"videos/{number}.webm", None, 30)
        for split in ("train", "validation")
        for number, caption in enumerate(captions)
    ]
    write_records(tmp_path / "index.jsonl", records)
    assert read_records(tmp_path / "index.jsonl") == records
    assert read_records(tmp_path / "index.jsonl", "validation") == records[len(captions) :]


@pytest.mark.parametrize("text", ["half a surrogate \ud800", "a NUL \0"])
def test_a_text_that_cannot_be_stored_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a text"):
        ClipRecord("1", "ssv2", "train", text, "videos/1.webm", None, 3)


def test_a_damaged_line_is_named_with_its_number(tmp_path: Path) -> None:
    line = ClipRecord("1", "ssv2", "train", "caption", "videos/1.webm", None, 3).to_line()
    (tmp_path / "index.jsonl").write_text(f"{line}\n{line[:40]}\n")
    with pytest.raises(FcaError, match="line 2"):
        read_records(tmp_path / "index.jsonl")


def test_a_missing_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(FcaError, match="no index"):
        read_records(tmp_path / "index.jsonl")
