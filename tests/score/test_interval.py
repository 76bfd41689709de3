"""Intervals: Wilson's at known values, the bootstrap's coverage and repeatability."""

import numpy as np
import pytest

from fca.score.interval import bootstrap_interval, mean_interval, resampling_counts, wilson_interval


def test_wilson_at_known_values() -> None:
    half = wilson_interval(5, 10, 0.95)
    assert (half.value, half.low, half.high) == pytest.approx((0.5, 0.2366, 0.7634), abs=1e-4)
    none, every = wilson_interval(0, 10, 0.95), wilson_interval(10, 10, 0.95)
    assert (none.low, none.high) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert (every.low, every.high) == pytest.approx((0.7225, 1.0), abs=1e-4)
    with pytest.raises(ValueError, match="successes"):
        wilson_interval(3, 2, 0.95)


def test_counts_are_a_function_of_the_seed() -> None:
    counts = resampling_counts(12, 30, seed=5)
    assert counts.shape == (30, 12)
    assert (counts.sum(1) == 12).all()
    np.testing.assert_array_equal(counts, resampling_counts(12, 30, seed=5))
    assert not np.array_equal(counts, resampling_counts(12, 30, seed=6))


def test_the_mean_is_covered_about_as_often_as_promised() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(300):
        interval = mean_interval(rng.normal(3, 2, size=40), resampling_counts(40, 200, trial), 0.9)
        covered += interval.low <= 3 <= interval.high
    assert 0.83 < covered / 300 < 0.95


def test_bias_of_the_resamplings_does_not_move_the_interval() -> None:
    spread = np.linspace(-1, 1, 201)
    interval = bootstrap_interval(10.0, 50 + spread, 0.9)
    assert (interval.low, interval.high) == pytest.approx((9.1, 10.9))
    assert bootstrap_interval(0.5, spread, 0.9, least=0.0).low == 0.0
