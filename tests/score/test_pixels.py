"""PSNR and SSIM against slow direct formulas, and at values known beforehand."""

import numpy as np
import pytest

from fca.score.pixels import MOST_PSNR, flaw, gaussian_taps, psnr, ssim
from tests.score.reference import direct_ssim


def video(seed: int, frames: int = 2, height: int = 17, width: int = 19) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def test_ssim_agrees_with_the_direct_formula() -> None:
    truth = video(0)
    smooth = ((truth.astype(int) + video(1)) // 2).astype(np.uint8)
    expected = [direct_ssim(one, other) for one, other in zip(smooth, truth, strict=True)]
    np.testing.assert_allclose(ssim(smooth, truth), expected, rtol=1e-9)


def test_equal_videos() -> None:
    truth = video(2)
    np.testing.assert_array_equal(psnr(truth, truth), MOST_PSNR)
    np.testing.assert_allclose(ssim(truth, truth), 1.0, atol=1e-12)


def test_known_values_and_frames_kept_apart() -> None:
    truth = np.full((3, 16, 16, 3), 100, dtype=np.uint8)
    prediction = truth.copy()
    prediction[1] += 10
    prediction[2] = 0
    signal = psnr(prediction, truth)
    assert signal[0] == MOST_PSNR
    assert signal[1] == pytest.approx(20 * np.log10(255 / 10))
    assert signal[2] == pytest.approx(20 * np.log10(255 / 100))
    flat = (2 * 100 * 110 + 6.5025) / (100**2 + 110**2 + 6.5025)  # constant frames: the luminance term alone
    assert ssim(prediction, truth)[1] == pytest.approx(flat)


def test_no_wrap_around_of_uint8() -> None:
    black, white = np.zeros((1, 16, 16, 3), np.uint8), np.full((1, 16, 16, 3), 255, np.uint8)
    assert psnr(black, white)[0] == pytest.approx(0.0)
    assert psnr(white, black)[0] == pytest.approx(0.0)


def test_symmetry_and_window() -> None:
    one, other = video(3), video(4)
    np.testing.assert_allclose(ssim(one, other), ssim(other, one), rtol=1e-12)
    assert gaussian_taps().sum() == pytest.approx(1)
    assert len(gaussian_taps()) == 11


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_bad_inputs_are_refused(measure) -> None:
    with pytest.raises(ValueError, match="equal shapes"):
        measure(video(0), video(0, frames=3))
    with pytest.raises(ValueError, match="uint8"):
        measure(video(0).astype(np.float32), video(0).astype(np.float32))


def test_frames_smaller_than_the_window_are_refused() -> None:
    small = video(0, height=8)
    with pytest.raises(ValueError, match="smaller than the window"):
        ssim(small, small)


def test_black_and_frozen_predictions_are_told_from_working_ones() -> None:
    truth = video(0, frames=6)
    black = np.zeros_like(truth)
    flickering = black.copy()
    flickering[1::2] = 90
    rounded = np.random.default_rng(1).integers(60, 65, truth.shape, dtype=np.uint8)
    assert [flaw(one, truth) for one in (black, flickering, rounded)] == ["blank"] * 3
    still = np.repeat(truth[:1], 6, axis=0)
    assert flaw(still, truth) == "frozen"
    assert flaw(still, still) is None, "the ground truth stands still, too"
    assert flaw(black, black) is None
    moving = still.copy()
    moving[3:, 5, 5, 1] ^= 64
    assert flaw(moving, truth) is None
    assert flaw(truth, truth) is None
