"""File names: colons, which FFmpeg takes for protocols, and letters that Unicode spells in two ways."""

import unicodedata
from pathlib import Path

import pytest

from fca.data.clip_pixels import Shape, resample_clip
from fca.data.clip_record import ClipRecord
from fca.data.datasets.captions import read_captions
from fca.data.datasets.folder import READER
from fca.video.decode import count_frames, read_first, read_footage
from fca.video.files import address, on_disk
from fca.video.timed import TimedFrames, seconds_of
from fca.video.write import video_writer
from tests.data.corpora import ROOT
from tests.video.numbered import DECODERS, Recipe, even, numbered, numbers, write

NFC, NFD = (unicodedata.normalize(form, "küche öffnen.mp4") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    "name", ["12:30.mp4", "file:a.mp4", "http:/a.mp4", "%03d.mp4", "a?b#c.mp4", "-.mp4", "12:/a.mp4"]
)
def test_any_name_in_and_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    with video_writer(path, "libx264", {"crf": "4"}, 128, 64, 12) as put:
        for index in range(20):
            put(numbered(index))
    assert path.is_file()
    assert count_frames(path) == 20
    assert numbers(read_first(path, 2)) == [0, 1]
    assert numbers(read_footage(path, [7], 20, DECODERS[-1]).frames) == [7]
    assert seconds_of(path) == pytest.approx(20 / 12, abs=1 / 1024)  # the clock of an MP4's header
    assert numbers(TimedFrames(path, (5,), 12).read([0])) == [4]


@pytest.mark.parametrize(("there", "asked"), [(NFC, NFD), (NFD, NFC)])
def test_the_other_spelling_of_a_name(tmp_path: Path, there: str, asked: str) -> None:
    folder = tmp_path / there.removesuffix(".mp4")
    folder.mkdir()
    write(folder / there, Recipe("libx264", "mp4", times=even(20)))
    name = f"{asked.removesuffix('.mp4')}/{asked}"
    assert on_disk(tmp_path / name) == folder / there
    assert count_frames(tmp_path / name) == 20
    (tmp_path / "captions.csv").write_text(f"file,caption\n{name},open the kitchen\n")
    (row,) = read_captions(tmp_path)
    assert row.file == name
    assert list(READER.media_names(tmp_path)) == [f"{name} {(folder / there).stat().st_size}"]
    clip, _ = resample_clip(
        tmp_path, ClipRecord(name, "d", "train", "c", name, None, 20), None, Shape(4, 128, 64, "stretch")
    )
    assert numbers(clip) == [2, 7, 12, 17]


def test_the_exact_spelling_comes_first_and_a_missing_file_stays_missing(tmp_path: Path) -> None:
    for name in (NFC, NFD):
        (tmp_path / name).touch()
    assert [on_disk(tmp_path / name).name for name in (NFC, NFD)] == [NFC, NFD]
    for name in ("ü.mp4", "a.mp4", "ü/b.mp4", "a\0ü"):
        assert on_disk(tmp_path / name) == tmp_path / name


def test_ffmpeg_gets_no_bare_name() -> None:
    """One rule: whatever opens a file with PyAV or decord goes through `address`."""
    found = [
        f"{path.name}: {line.strip()}"
        for path in (ROOT / "src").rglob("*.py")
        for line in path.read_text().splitlines()
        if ("av.open(" in line or "= decord.VideoReader(" in line) and "address(" not in line
    ]
    assert found == ["official.py: by_decord = decord.VideoReader(path, num_threads=1)[:].asnumpy()"]  # in VBench's own
    assert address(Path("12:30.mp4")) == "file:12:30.mp4"
