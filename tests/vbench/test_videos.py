"""Clips as MP4: without loss, or with the loss that the protocol says."""

from pathlib import Path

import numpy as np
import pytest

from fca.vbench.step import codec_name, pixels_sha256, write_video

decord = pytest.importorskip("decord")


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (5, height, width, 3), dtype=np.uint8)


def read(path: Path) -> np.ndarray:
    return decord.VideoReader(str(path), num_threads=1)[:].asnumpy()


@pytest.mark.parametrize("height, width", [(64, 96), (50, 34), (240, 360)])
def test_noise_comes_back_pixel_by_pixel(tmp_path: Path, height: int, width: int) -> None:
    frames = noise(height, width)
    write_video(frames, tmp_path / "a.mp4")
    assert np.array_equal(read(tmp_path / "a.mp4"), frames)
    assert pixels_sha256(read(tmp_path / "a.mp4")) == pixels_sha256(frames)
    assert pixels_sha256(frames ^ 1) != pixels_sha256(frames)


@pytest.mark.parametrize("crf", [None, 23])
def test_the_same_frames_give_the_same_bytes(tmp_path: Path, crf: int | None) -> None:
    found = set()
    for _ in range(10):
        write_video(noise(64, 96), tmp_path / "a.mp4", crf)
        found.add((tmp_path / "a.mp4").read_bytes())
    assert len(found) == 1


def test_with_a_rate_factor_pixels_are_lost_and_the_protocol_says_so(tmp_path: Path) -> None:
    frames = noise(64, 96)
    write_video(frames, tmp_path / "a.mp4", crf=23)
    assert read(tmp_path / "a.mp4").shape == frames.shape
    assert not np.array_equal(read(tmp_path / "a.mp4"), frames)
    assert "crf 23" in codec_name(23)
    assert "with loss" in codec_name(23)
    assert "without loss" in codec_name(None)
