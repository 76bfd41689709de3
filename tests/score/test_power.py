"""The power statement holds: an experiment sees a difference as often as it says."""

import numpy as np
import pytest

from fca.score.differences import differences
from fca.score.draws import Draws, draws_of_mean
from fca.score.interval import resampling_counts
from fca.score.power import POWER, Spread, smallest_difference, spread_of, trainings_needed

CLIPS = 40
COUNTS = resampling_counts(CLIPS, 200, 1)


def rows(rng: np.random.Generator, effect: float, trainings: int, spread: Spread) -> dict[str, list[Draws]]:
    """Two rows whose difference is `effect` and varies as `spread` says."""
    clips = rng.normal(0, spread.within, CLIPS)
    seeds = rng.normal(0, spread.between, trainings)
    better = [draws_of_mean(effect + seed + clips, COUNTS) for seed in seeds]
    return {"a": better, "b": [draws_of_mean(np.zeros(CLIPS), COUNTS)] * trainings}


@pytest.mark.parametrize(("trainings", "between", "within"), [(3, 1.0, 1.0), (3, 0.1, 4.0), (6, 1.0, 4.0)])
def test_the_smallest_difference_is_told_in_four_of_five_experiments(
    trainings: int, between: float, within: float
) -> None:
    rng, spread, runs = np.random.default_rng(trainings), Spread(between, within), 400
    effect = smallest_difference(spread, CLIPS, trainings, confidence=0.9)
    told = sum(
        differences(rows(rng, effect, trainings, spread), 0.9, True)[0].verdict == "a is better" for _ in range(runs)
    )
    assert told / runs == pytest.approx(POWER, abs=0.06)


def test_the_spread_is_found_again() -> None:
    rng, true = np.random.default_rng(1), Spread(0.7, 3.0)
    found = [spread_of(*rows(rng, 0.0, 4, true).values()) for _ in range(200)]
    assert np.sqrt(np.mean([one.between**2 for one in found])) == pytest.approx(true.between, rel=0.1)
    assert np.sqrt(np.mean([one.within**2 for one in found])) == pytest.approx(true.within, rel=0.1)
    one = rows(rng, 0.0, 1, true)
    assert np.isnan(spread_of(one["a"], one["b"]).between)


def test_more_of_everything_sees_smaller_differences_and_more_pairs_larger_ones() -> None:
    spread = Spread(1.0, 8.0)
    usual = smallest_difference(spread, CLIPS, 3)
    assert smallest_difference(spread, CLIPS, 6) < usual
    assert smallest_difference(spread, 4 * CLIPS, 3) < usual
    assert smallest_difference(spread, CLIPS, 3, pairs=8) > usual
    assert smallest_difference(Spread(2.0, 16.0), CLIPS, 3) == pytest.approx(2 * usual)


def test_a_spread_known_from_more_rows_sees_smaller_differences() -> None:
    """With many degrees of freedom, three trainings see what a known spread would: 1.96 + 0.84 errors."""
    spread = Spread(1.0, 0.0)
    assert smallest_difference(spread, CLIPS, 3, freedom=2) == smallest_difference(spread, CLIPS, 3)
    found = smallest_difference(spread, CLIPS, 3, freedom=100_000)
    assert found == pytest.approx((1.960 + 0.842) / np.sqrt(3), rel=0.02)


def test_as_many_trainings_as_are_needed() -> None:
    spread = Spread(1.0, 1.0)
    needed = trainings_needed(spread, 1000, 2.0)
    assert needed is not None
    assert smallest_difference(spread, 1000, needed) <= 2.0 < smallest_difference(spread, 1000, needed - 1)
    assert trainings_needed(spread, 1000, 1e-3) is None
