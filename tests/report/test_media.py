"""Clips as files: exact where they are filmstrips, close where they are videos, the same bytes both times."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from fca.report.media import media_kind, shrink, still_positions, write_given, write_media, write_stills


@pytest.fixture
def clip() -> np.ndarray:
    """A bright square that moves over a gradient, (16, 64, 96, 3)."""
    frames = np.tile(np.linspace(20, 220, 96, dtype=np.uint8)[None, :, None], (16, 64, 1, 3))
    for number in range(16):
        frames[number, 20:40, 4 * number : 4 * number + 20] = (250, 30, 30)
    return frames


def test_a_filmstrip_is_exact(clip: np.ndarray, tmp_path: Path) -> None:
    write_media(clip, tmp_path / "film.webp", "filmstrip")
    film = np.asarray(Image.open(tmp_path / "film.webp").convert("RGB"))
    assert film.shape == (64, 16 * 96, 3)
    for number in range(16):
        np.testing.assert_array_equal(film[:, 96 * number : 96 * (number + 1)], clip[number])


def test_a_video_has_every_frame_at_its_time(clip: np.ndarray, tmp_path: Path) -> None:
    large = clip.repeat(4, axis=1).repeat(4, axis=2)
    write_media(large, tmp_path / "clip.webm", "webm")
    with av.open(str(tmp_path / "clip.webm")) as container:
        assert container.streams.video[0].codec_context.name.startswith(("vp9", "libvpx-vp9"))
        decoded = list(container.decode(video=0))
    assert [frame.time for frame in decoded] == pytest.approx([number / 8 for number in range(16)])
    frames = np.stack([frame.to_ndarray(format="rgb24") for frame in decoded]).astype(float)
    assert np.abs(frames - large).mean() < 4


@pytest.mark.parametrize("kind, name", [("filmstrip", "clip.webp"), ("webm", "clip.webm")])
def test_same_frames_same_bytes(clip: np.ndarray, tmp_path: Path, kind: str, name: str) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_media(clip, tmp_path / folder / name, kind)  # type: ignore[arg-type]
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_odd_sizes_can_be_videos(clip: np.ndarray, tmp_path: Path) -> None:
    write_media(clip[:, :63, :95], tmp_path / "odd.webm", "webm")
    with av.open(str(tmp_path / "odd.webm")) as container:
        assert len(list(container.decode(video=0))) == 16


def test_kind_follows_the_size() -> None:
    assert media_kind(16, 96) == "filmstrip"
    assert media_kind(16, 256) == "filmstrip"
    assert media_kind(16, 272) == "webm"
    assert media_kind(100, 256) == "webm"  # wider than a WebP can be


def test_stills_and_given_frames(clip: np.ndarray, tmp_path: Path) -> None:
    assert still_positions(16) == [0, 5, 10, 15]
    assert still_positions(2) == [0, 1]
    assert still_positions(1) == [0]
    write_stills(clip, tmp_path / "stills.webp", "filmstrip")
    stills = np.asarray(Image.open(tmp_path / "stills.webp").convert("RGB"))
    assert stills.shape == (64, 4 * 96 + 3 * 2, 3)
    np.testing.assert_array_equal(stills[:, -96:], clip[15])
    write_given(clip[:2], tmp_path / "given.webp", "filmstrip")
    assert Image.open(tmp_path / "given.webp").size == (96, 2 * 64 + 2)
    assert shrink(np.zeros((480, 720, 3), np.uint8)).shape == (160, 240, 3)


def test_other_arrays_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="uint8"):
        write_media(np.zeros((16, 64, 96, 3)), tmp_path / "film.webp", "filmstrip")
