"""Differences between variants: found if they are there, and not told where chance makes them as often."""

import json

import numpy as np
import pytest

from fca.config import Config, Layout
from fca.errors import FcaError
from fca.report.collect import collect
from fca.report.sections.differences import differences as section
from fca.score.differences import compare_variants, differences, holm
from fca.score.draws import Draws, draws_of_mean
from fca.score.interval import resampling_counts
from tests.score.project import scored, write_clips, write_samples
from tests.score.test_replicates import with_replicates

CLIPS = 40
COUNTS = resampling_counts(CLIPS, 200, 1)


def draws(rng: np.random.Generator, effect: float, trainings: int, between: float, clips: np.ndarray) -> list[Draws]:
    """Scores of trainings on the same clips: the variant's effect, the seed's, the clip's, and noise."""
    seeds = effect + rng.normal(0, between, trainings)
    return [draws_of_mean(seed + clips + rng.normal(0, 1, CLIPS), COUNTS) for seed in seeds]


@pytest.mark.parametrize(("trainings", "between"), [(1, 0.0), (3, 0.0), (3, 0.5)])
def test_chance_alone_is_told_as_a_difference_as_rarely_as_promised(trainings: int, between: float) -> None:
    """Four equal variants: any of six verdicts is wrong in at most one comparison of ten."""
    rng, wrong, runs = np.random.default_rng(trainings), 0, 200
    for _ in range(runs):
        clips = rng.normal(0, 4, CLIPS)
        found = differences({name: draws(rng, 0.0, trainings, between, clips) for name in "abcd"}, 0.9, True)
        assert len(found) == 6
        wrong += any(one.verdict != "no difference can be told" for one in found)
    assert wrong / runs <= 0.14


@pytest.mark.parametrize("trainings", [1, 3])
def test_a_difference_is_told_whichever_way_is_better(trainings: int) -> None:
    rng = np.random.default_rng(5)
    clips = rng.normal(0, 4, CLIPS)
    drawn = {"a": draws(rng, 3.0, trainings, 0.1, clips), "b": draws(rng, 0.0, trainings, 0.1, clips)}
    for higher_is_better, better in ((True, "a"), (False, "b")):
        (found,) = differences(drawn, 0.95, higher_is_better)
        assert found.verdict == f"{better} is better"
        assert found.low > 0
        assert found.value == pytest.approx(3, abs=0.5)
        assert (found.a_is_better > 0.97) == higher_is_better


def test_p_is_where_the_interval_just_reaches_zero() -> None:
    rng = np.random.default_rng(2)
    clips = rng.normal(0, 4, CLIPS)
    drawn = {"a": draws(rng, 0.4, 3, 0.2, clips), "b": draws(rng, 0.0, 3, 0.2, clips)}
    (found,) = differences(drawn, 0.9, True)
    (same,) = differences(drawn, 1 - found.p, True)
    assert min(abs(same.low), abs(same.high)) == pytest.approx(0, abs=1e-6)


def test_pairing_finds_what_separate_intervals_hide() -> None:
    """Clips differ far more than variants do."""
    rng = np.random.default_rng(4)
    clips = rng.normal(0, 30, CLIPS)
    (found,) = differences({"a": draws(rng, 1.5, 1, 0, clips), "b": draws(rng, 0.0, 1, 0, clips)}, 0.95, True)
    assert found.verdict == "a is better"


def test_what_is_not_trained_is_compared_with_every_training() -> None:
    rng = np.random.default_rng(6)
    clips = rng.normal(0, 1, CLIPS)
    drawn = {"fca": draws(rng, 3.0, 3, 0.1, clips), "repeat": draws(rng, 0.0, 1, 0.0, clips)}
    assert differences(drawn, 0.95, True)[0].verdict == "fca is better"
    with pytest.raises(FcaError, match="3 and 2 trainings"):
        differences(drawn | {"repeat": draws(rng, 0.0, 2, 0.0, clips)}, 0.95, True)


def test_equal_scores_are_equal() -> None:
    one = [draws_of_mean(np.ones(CLIPS), COUNTS)]
    (found,) = differences({"a": one, "b": one}, 0.95, True)
    assert (found.value, found.p_corrected, found.a_is_better) == (0, 1, 0.5)
    assert found.verdict == "no difference can be told"


def test_holm_is_holms() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # the example of R's p.adjust
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_from_scores_to_the_page(config: Config) -> None:
    two = with_replicates(config, 2)
    write_clips(two)
    for number, name in enumerate(two.replicates("fca")):
        for kind in ("validation", "opposite"):
            write_samples(two, kind, noise=5.0 + 0.02 * number, variant=name)
        scored(two, name)
    for kind in ("validation", "opposite"):
        write_samples(two, kind, noise=60.0, variant="base")
    scored(two, "base")
    scored(two, "repeat")
    path = compare_variants(two, "ssv2", "table1")
    found = json.loads(path.read_text())
    assert found["trainings"] == {"fca": 2, "base": 1, "repeat": 1}
    assert [(row["a"], row["b"]) for row in found["scores"]["psnr"]] == [
        ("fca", "base"), ("fca", "repeat"), ("base", "repeat"),
    ]  # fmt: skip
    psnr = found["scores"]["psnr"][0]
    assert psnr["value"] > 5
    assert psnr["verdict"] == "fca is better"
    assert compare_variants(two, "ssv2", "table1").read_text() == path.read_text()

    shown = section(Layout(two), collect(two)[0], "table1")
    assert shown is not None
    assert (shown.trainings, shown.outdated) == (2, "")
    row = next(pair for pair in shown.pairs if pair.metric == "PSNR" and pair.told)
    assert row.verdict == "FCA is better"
    write_samples(two, noise=1.0)
    scored(two, "fca")
    stale = section(Layout(two), collect(two)[0], "table1")
    assert stale is not None
    assert "samples/fca" in stale.outdated
    with pytest.raises(FcaError, match="isn't made on"):
        compare_variants(two, "none", "table1")
