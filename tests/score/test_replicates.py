"""Several trainings of a variant: names, seeds, and the score of all of them with an interval that holds."""

import json
from itertools import pairwise

import numpy as np
import pytest

from fca.artifacts.fingerprint.settings import settings_of
from fca.config import Config, Layout
from fca.errors import FcaError
from fca.model.build import train_seed
from fca.report.for_tools import short_values
from fca.report.metrics import FVD, find
from fca.report.score_file import read_scores
from fca.score.interval import replicates_interval, resampling_counts
from fca.score.replicates import score_replicates
from fca.score.score import score
from tests.score.project import CLIPS, scored, write_clips, write_samples


def with_replicates(config: Config, count: int) -> Config:
    return config.model_copy(update={"train": config.train.model_copy(update={"replicates": count})})


@pytest.mark.parametrize(("between", "within"), [(1.0, 0.0), (1.0, 4.0), (0.2, 4.0), (0.0, 4.0)])
@pytest.mark.parametrize("trainings", [2, 3, 6])
def test_the_interval_holds_the_true_value_as_often_as_it_says(trainings: int, between: float, within: float) -> None:
    """Scores of `trainings` seeds on 40 clips: an effect of the seed, one of the clip, and noise."""
    rng, clips, runs, held = np.random.default_rng([trainings, int(10 * between)]), 40, 600, 0
    counts = resampling_counts(clips, 200, 1)
    for _ in range(runs):
        table = (rng.normal(0, between, (trainings, 1)) + rng.normal(0, within, (1, clips))
                 + rng.normal(0, 1.0, (trainings, clips)))  # fmt: skip
        found = replicates_interval(table.mean(1), table @ counts.T / clips, clips, 0.9)
        held += found.low <= 0 <= found.high
    assert 0.87 <= held / runs <= 0.99


def test_without_noise_the_interval_is_the_value() -> None:
    found = replicates_interval(np.full(3, 0.25), np.full((3, 10), 0.25), 8, 0.95)
    assert (found.value, found.low, found.high, found.spread) == (0.25, 0.25, 0.25, 0)


def test_limits_of_a_score_are_kept() -> None:
    values, resampled = np.array([0.1, 0.9]), np.tile([[0.1], [0.9]], (1, 10))
    found = replicates_interval(values, resampled, 8, 0.95, 0.0, 1.0)
    assert (found.low, found.high) == (0, 1)
    assert found.spread == pytest.approx(np.std(values, ddof=1))


def test_names_and_seeds_of_trainings(config: Config) -> None:
    three = with_replicates(config, 3)
    assert three.replicates("fca") == ["fca", "fca@2", "fca@3"]
    assert three.replicates("base") == ["base"], "nothing is trained"
    assert three.variant("fca@3") == config.variant("fca")
    seeds = [train_seed(three, name) for name in three.replicates("fca")]
    assert seeds[0] == config.seed
    assert len(set(seeds)) == 3
    assert train_seed(three, "lora@2") == train_seed(three, "fca@2"), "paired: the same clips in the same order"


def test_more_trainings_recompute_nothing_of_the_first(config: Config) -> None:
    three = with_replicates(config, 3)
    for step in ("encode", "train", "sample", "score", "vbench"):
        assert settings_of(three, step, "ssv2", "fca") == settings_of(config, step, "ssv2", "fca"), step
    found = [settings_of(three, "train", "ssv2", name) for name in three.replicates("fca")]
    assert all(one != other for one, other in pairwise(found))
    assert Layout(config).final_scores("ssv2", "fca") == Layout(config).scores("ssv2", "fca")
    assert Layout(three).final_scores("ssv2", "fca").name == "fca.replicates.json"
    assert Layout(three).final_scores("ssv2", "base") == Layout(config).scores("ssv2", "base")


def test_scores_of_all_trainings(config: Config) -> None:
    three = with_replicates(config, 3)
    write_clips(three)
    noises = (5.0, 15.0, 40.0)
    files = []
    for name, noise in zip(three.replicates("fca"), noises, strict=True):
        write_samples(three, noise=noise, variant=name)
        write_samples(three, "opposite", variant=name)
        files.append(scored(three, name))
    path = score_replicates(three, "ssv2", "fca")
    first = path.read_bytes()
    assert score_replicates(three, "ssv2", "fca").read_bytes() == first, "the same inputs make the same bytes"
    found = json.loads(first)
    assert list(found["replicates"]) == ["fca", "fca@2", "fca@3"]
    assert found["clips"] == files[0]["clips"]
    assert found["scores"].keys() == files[0]["scores"].keys()
    for name, together in found["scores"].items():
        values = [own["scores"][name]["value"] for own in files]
        assert together["value"] == pytest.approx(np.mean(values), rel=1e-4, abs=1e-6), name
        assert together["spread"] == pytest.approx(np.std(values, ddof=1), rel=1e-3, abs=1e-6), name
        assert together["low"] <= together["value"] <= together["high"], name
    psnr = found["scores"]["psnr"]
    assert psnr["high"] - psnr["low"] > files[0]["scores"]["psnr"]["high"] - files[0]["scores"]["psnr"]["low"]
    assert found["psnr_per_frame"] == pytest.approx(np.mean([own["psnr_per_frame"] for own in files], 0), rel=1e-4)
    assert len(found["parents"]) > len(files[0]["parents"])
    assert found["count"] == CLIPS


def test_the_row_of_dvc_names_the_trainings_and_their_spread(config: Config) -> None:
    three = with_replicates(config, 3)
    write_clips(three)
    for name, noise in zip(three.replicates("fca"), (5.0, 15.0, 40.0), strict=True):
        for kind in ("validation", "opposite"):
            write_samples(three, kind, noise=noise, variant=name)
        scored(three, name)
    one, together = (read_scores(path) for path in (Layout(three).scores("ssv2", "fca"),
                                                    score_replicates(three, "ssv2", "fca")))  # fmt: skip
    row = short_values(together)
    assert row["trainings"] == 3
    fvd = find(together, FVD)
    assert fvd
    assert row["fvd_sd"] == pytest.approx(fvd.spread, rel=1e-3)
    assert not {"trainings", "fvd_sd"} & short_values(one).keys()


def test_what_cannot_be_put_together_is_refused(config: Config) -> None:
    write_clips(config)
    write_samples(config)
    write_samples(config, "opposite")
    score(config, "ssv2", "fca")
    with pytest.raises(FcaError, match="fca has one training"):
        score_replicates(config, "ssv2", "fca")
    two = with_replicates(config, 2)
    with pytest.raises(FcaError, match=r"there is no .*fca@2\.json"):
        score_replicates(two, "ssv2", "fca")
    write_samples(two, variant="fca@2")
    write_samples(two, "opposite", variant="fca@2")
    other = two.model_copy(update={"score": two.score.model_copy(update={"bootstrap": 30})})
    score(other, "ssv2", "fca@2")
    with pytest.raises(FcaError, match="on other clips or by other protocols"):
        score_replicates(two, "ssv2", "fca")
    score(two, "ssv2", "fca@2")
    Layout(two).feature_cache("ssv2", "fca@2-validation-raw", 0).unlink()
    with pytest.raises(FcaError, match="was removed or changed since"):
        score_replicates(two, "ssv2", "fca")
