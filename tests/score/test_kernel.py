"""The kernel distance against a slow direct sum, and what Seer's order of computation does to it."""

import numpy as np
import pytest

from fca.score import kernel
from fca.score.frechet import frechet_distance
from fca.score.interval import resampling_counts
from fca.score.kernel import centred, kernel_distance, resampled_kernel_distances
from tests.score.reference import direct_kernel_distance


def seer(first: np.ndarray, second: np.ndarray) -> float:
    """What Seer's code prints: its FVD centres both sets in place, then its KVD reads the same memory."""
    first, second = first.copy(), second.copy()
    for clips in (first, second):
        clips -= clips.mean(0)  # the side effect of its covariance
    return direct_kernel_distance(first, second)


def sets(shift: float, clips: int = 40, width: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(clips, width)), rng.normal(size=(clips, width)) + shift


def test_agrees_with_the_direct_sum_also_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = sets(0.5)
    second = second[:33]
    expected = direct_kernel_distance(first, second)
    assert kernel_distance(first, second) == pytest.approx(expected, rel=1e-10)
    monkeypatch.setattr(kernel, "BLOCK", 7)
    assert kernel_distance(first, second) == pytest.approx(expected, rel=1e-10)


def test_is_symmetric_and_unbiased_around_zero() -> None:
    rng = np.random.default_rng(1)
    values = [kernel_distance(*rng.normal(size=(2, 30, 8))) for _ in range(300)]
    assert min(values) < 0 < max(values)
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    first, second = sets(0.3)
    assert kernel_distance(first, second) == pytest.approx(kernel_distance(second, first), rel=1e-10)


def test_seer_order_is_the_centred_distance_and_blind_to_a_shift() -> None:
    """True KVD grows with the shift of the mean; what Seer prints does not change at all."""
    true, printed = [], []
    for shift in (0.0, 0.1, 0.5):
        first, second = sets(shift, clips=300)
        true.append(kernel_distance(first, second))
        printed.append(kernel_distance(centred(first), centred(second)))
    assert true[0] < true[1] < true[2]
    assert true[2] > 0.5
    assert printed == pytest.approx([printed[0]] * 3, abs=1e-9)
    assert abs(printed[0]) < 0.05 * true[2]
    first, second = sets(0.5)
    assert kernel_distance(centred(first), centred(second)) == pytest.approx(seer(first, second), rel=1e-9)


def test_the_order_of_metrics_does_not_matter_here() -> None:
    first, second = sets(0.5)
    before = kernel_distance(first, second)
    fvd = frechet_distance(first, second)
    assert kernel_distance(first, second) == before
    assert frechet_distance(first, second) == fvd


def test_resampling_every_pair_once_is_the_distance_itself() -> None:
    first, second = sets(0.5)
    once = np.ones((1, len(first)), dtype=np.int64)
    expected = kernel_distance(first, second)
    assert resampled_kernel_distances(first, second, once)[0] == pytest.approx(expected, rel=1e-12)


def test_resampling_never_compares_a_clip_with_itself() -> None:
    first, second = sets(0.5, clips=6)
    counts = np.array([[3, 0, 1, 2, 0, 0]])
    expected = direct_kernel_distance(first, second, np.repeat(np.arange(6), counts[0]))
    assert resampled_kernel_distances(first, second, counts)[0] == pytest.approx(expected, rel=1e-10)


def test_resampled_distances_spread_around_the_distance() -> None:
    first, second = sets(0.5, clips=80)
    resampled = resampled_kernel_distances(first, second, resampling_counts(80, 400, seed=0))
    assert resampled.std() < resampled.mean() < 3 * kernel_distance(first, second)


def test_bad_inputs_are_refused() -> None:
    first, second = sets(0.0)
    with pytest.raises(ValueError, match="two sets of features"):
        kernel_distance(first, second[:, :2])
    with pytest.raises(ValueError, match="at least two"):
        kernel_distance(first[:1], second)
