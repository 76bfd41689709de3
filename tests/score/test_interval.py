"""Intervals: Wilson's at known values, the bootstrap's coverage and repeatability."""

import numpy as np
import pytest

from fca.score.frechet import frechet_distance
from fca.score.interval import bootstrap_interval, mean_interval, resampling_counts, small_sample_bias, wilson_interval
from fca.score.kernel import kernel_distance


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


def test_bias_is_what_few_clips_add_to_the_frechet_distance() -> None:
    """Two equal gaussians are 0 apart; the value of n clips is nearly all bias, and is called so."""
    values, biases = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth, prediction = rng.normal(size=(2, 200, 8))
        values.append(frechet_distance(truth, prediction))
        biases.append(small_sample_bias(frechet_distance, truth, prediction, seed))
    assert np.mean(biases) == pytest.approx(np.mean(values), rel=0.1)
    far = np.random.default_rng(9).normal([[[0]], [[3]]], size=(2, 200, 8))
    assert frechet_distance(*far) - small_sample_bias(frechet_distance, *far, 0) == pytest.approx(72, rel=0.15)


def test_an_unbiased_estimate_has_no_bias_and_three_clips_none_to_tell() -> None:
    rng = np.random.default_rng(0)
    biases = [small_sample_bias(kernel_distance, *rng.normal(size=(2, 60, 8)), seed) for seed in range(20)]
    assert abs(np.mean(biases)) < 3 * np.std(biases) / np.sqrt(len(biases))
    assert small_sample_bias(frechet_distance, *rng.normal(size=(2, 3, 8)), 0) is None
