"""Resizing: torch's bilinear, which is what CogVideoX's loader gets from decord."""

from pathlib import Path

import numpy as np
import pytest

from fca.video.resize import resize
from tests.data.corpora import write_video

SIZES = [
    (48, 64, 480, 720),
    (240, 426, 480, 720),  # Something-Something V2
    (480, 640, 480, 720),  # BridgeData
    (256, 456, 480, 720),  # Epic-Kitchens
    (240, 426, 64, 96),
    (480, 640, 64, 96),
    (7, 5, 64, 96),
    (64, 96, 64, 96),
    (1, 1, 3, 2),
]


def texture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (height, width, 3)).astype(np.float32)


@pytest.mark.parametrize(("source_height", "source_width", "height", "width"), SIZES)
def test_stretch_is_torch_bilinear(source_height: int, source_width: int, height: int, width: int) -> None:
    """Enlarging, with and without antialias are the same; shrinking, antialias it is."""
    functional = pytest.importorskip("torch.nn.functional")
    torch = pytest.importorskip("torch")
    frame = texture(source_height, source_width)
    tensor = torch.from_numpy(frame).double().permute(2, 0, 1)[None]
    ours = resize(frame, width, height, "stretch")
    assert ours.shape == (height, width, 3)
    assert ours.dtype == np.float32
    for antialias in (True, False) if height >= source_height and width >= source_width else (True,):
        theirs = functional.interpolate(tensor, (height, width), mode="bilinear", antialias=antialias)
        np.testing.assert_allclose(ours, theirs[0].permute(1, 2, 0).numpy(), atol=1e-4)


def test_the_same_size_is_the_same_picture() -> None:
    frame = texture(9, 7)
    for mode in ("stretch", "crop"):
        np.testing.assert_array_equal(resize(frame, 7, 9, mode), frame)


@pytest.mark.parametrize(("source_height", "source_width"), [(240, 426), (240, 135), (480, 720), (31, 1000)])
def test_crop_is_the_centre_of_the_covering_picture(source_height: int, source_width: int) -> None:
    """240x426 -> 480x852, 66 columns off each side."""
    frame = texture(source_height, source_width)
    ours = resize(frame, 72, 48, "crop")
    if source_width * 48 > source_height * 72:
        full_height, full_width = 48, source_width * 48 // source_height
    else:
        full_height, full_width = source_height * 72 // source_width, 72
    full = resize(frame, full_width, full_height, "stretch")
    top, left = (full_height - 48) // 2, (full_width - 72) // 2
    np.testing.assert_array_equal(ours, full[top : top + 48, left : left + 72])


@pytest.mark.parametrize(("width", "height"), [(720, 480), (96, 64)])
def test_stretch_is_what_decord_does(tmp_path: Path, width: int, height: int) -> None:
    """On a grey picture (video has colour at half the resolution), but for two levels that its conversion
    adds.
    """
    decord = pytest.importorskip("decord")
    rows, columns = np.mgrid[:240, :320]
    grey = 127 + 60 * np.sin(columns / 9 + rows / 17) + np.where((columns // 20 + rows // 20) % 2, 40, -40)
    write_video(tmp_path / "v.webm", np.repeat(grey[None, :, :, None], 3, 0).repeat(3, -1).astype(np.uint8))
    source = decord.VideoReader(str(tmp_path / "v.webm"))[1].asnumpy()
    theirs = decord.VideoReader(str(tmp_path / "v.webm"), width=width, height=height)[1].asnumpy()
    ours = np.floor(resize(source.astype(np.float32), width, height, "stretch") + 0.5)
    difference = ours - theirs
    assert abs(difference.mean()) < 2.5
    assert np.abs(difference - difference.mean()).mean() < 1
