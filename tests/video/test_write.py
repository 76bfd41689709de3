"""Clips as files: exact if small, close if videos, and deterministic."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from fca.data.library.clips import read_clips
from fca.data.library.pixels import read_pixels
from fca.video.write import Media, is_lossless, shrink, write_clip, write_initial_frames, write_mp4, write_webm
from tests.conftest import CONFIG


@pytest.fixture
def clip() -> np.ndarray:
    """A bright square that moves over a gradient, (16, 64, 96, 3)."""
    frames = np.tile(np.linspace(20, 220, 96, dtype=np.uint8)[None, :, None], (16, 64, 1, 3))
    for number in range(16):
        frames[number, 20:40, 4 * number : 4 * number + 20] = (250, 30, 30)
    return frames


def test_a_sheet_is_exact_and_in_rows_of_eight(clip: np.ndarray, tmp_path: Path) -> None:
    assert write_clip(clip[:11], tmp_path, "clip") == Media("clip.webp", None)
    sheet = np.asarray(Image.open(tmp_path / "clip.webp").convert("RGB"))
    assert sheet.shape == (2 * 64, 8 * 96, 3)
    for number in range(11):
        row, column = divmod(number, 8)
        np.testing.assert_array_equal(sheet[64 * row :, 96 * column :][:64, :96], clip[number])
    assert (sheet[64:, 3 * 96 :] == 255).all()
    assert [file.name for file in tmp_path.iterdir()] == ["clip.webp"]


def test_a_video_has_every_frame_at_its_time(clip: np.ndarray, tmp_path: Path) -> None:
    large = clip.repeat(4, axis=1).repeat(4, axis=2)
    assert write_clip(large, tmp_path, "clip") == Media("clip.webp", "clip.webm")
    assert Image.open(tmp_path / "clip.webp").size == (8 * 240, 2 * 160)
    with av.open(str(tmp_path / "clip.webm")) as container:
        assert container.streams.video[0].codec_context.name.startswith(("vp9", "libvpx-vp9"))
        decoded = list(container.decode(video=0))
    assert [frame.time for frame in decoded] == pytest.approx([number / 8 for number in range(16)])
    frames = np.stack([frame.to_ndarray(format="rgb24") for frame in decoded]).astype(float)
    assert np.abs(frames - large).mean() < 4


@pytest.mark.parametrize("scale", [1, 3])
def test_same_frames_same_bytes(clip: np.ndarray, tmp_path: Path, scale: int) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        media = write_clip(clip.repeat(scale, axis=2), tmp_path / folder, "clip")
    for name in filter(None, (media.sheet, media.video)):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_same_frames_same_bytes_in_h264(tmp_path: Path) -> None:
    """A clip of the library at its own size: simpler pictures always had the same bytes."""
    library = CONFIG.parent / "pocket-clips"
    frames = read_pixels(library, next(clip for clip in read_clips(library) if clip.place == "kitchen"))
    made = set()
    for number in range(5):
        write_mp4(frames, tmp_path / f"{number}.mp4")
        made.add((tmp_path / f"{number}.mp4").read_bytes())
    assert len(made) == 1


def test_odd_sizes_can_be_videos(clip: np.ndarray, tmp_path: Path) -> None:
    write_webm(clip[:, :63, :95], tmp_path / "odd.webm")
    with av.open(str(tmp_path / "odd.webm")) as container:
        assert len(list(container.decode(video=0))) == 16


def test_only_small_clips_are_lossless() -> None:
    assert is_lossless(16, 64, 96)
    assert is_lossless(16, 256, 256)
    assert not is_lossless(16, 64, 272)
    assert not is_lossless(600, 256, 256)  # higher than a WebP can be


def test_initial_frames_and_smaller_pictures(clip: np.ndarray, tmp_path: Path) -> None:
    write_initial_frames(clip[:2], tmp_path / "initial.webp")
    assert Image.open(tmp_path / "initial.webp").size == (96, 2 * 64 + 2)
    assert shrink(np.zeros((480, 720, 3), np.uint8)).shape == (160, 240, 3)


def test_other_arrays_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="uint8"):
        write_clip(np.zeros((16, 64, 96, 3)), tmp_path, "clip")
