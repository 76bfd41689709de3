"""What predictions achieve: errors against the simulator's positions, paths to execute, and objects kept."""

from pathlib import Path

import numpy as np
import pytest

from fca.config import Config
from fca.score.achieved import OF_TRUTH, POSITION_ERRORS, achieved, true_positions, values_of
from fca.score.features import load_network
from fca.score.positions import load_reader
from fca.score.replicates import draws_of_trainings
from tests.score.project import FRAMES, IDS, INITIAL, RECORDS, predicted, scored, truth, write_clips, write_samples


@pytest.fixture
def measured(config: Config, reader_folder: Path) -> Config:
    """The configuration with a position reader, and predictions."""
    write_clips(config)
    write_samples(config)
    positions = config.positions.model_copy(update={"network": str(reader_folder)})
    return config.model_copy(update={"positions": positions})


STILL = [name for name in IDS if len(RECORDS[name].camera) == 1]
"""Clips whose camera stands still"""


def test_errors_are_distances_from_the_simulators_positions(measured: Config, reader_folder: Path) -> None:
    found, reader = achieved(measured, "ssv2", "fca"), load_reader(reader_folder)
    for row, (name, own) in enumerate(zip(IDS, found.clips, strict=True)):
        clip = RECORDS[name]
        if name not in STILL:
            assert own["effector_end_error"] is None
            continue
        true = true_positions(clip, FRAMES)
        for end, frames in (("", predicted(row)), (OF_TRUTH, truth(row))):
            read = reader.read(frames[INITIAL:], truth(row)[0], true[0], np.array(clip.camera[0]))
            distance = 100 * np.sqrt(((read - true[INITIAL:]) ** 2).sum(-1))
            assert own["effector_end_error" + end] == pytest.approx(distance[-1, 0], rel=1e-4)
            assert own["object_path_error" + end] == pytest.approx(distance[:, 1].mean(), rel=1e-4)
    for name in POSITION_ERRORS:
        score, own = found.scores[name], values_of(found.clips, name)
        assert len(own) == len(STILL)
        assert score.value == pytest.approx(own.mean())
        assert score.low <= score.value <= score.high


def test_positions_are_those_of_the_casts_moments() -> None:
    clip = next(clip for clip in RECORDS.values() if len(clip.camera) == 1)
    np.testing.assert_allclose(true_positions(clip, 16)[:, 0], np.array(clip.effector)[1::3])
    np.testing.assert_allclose(true_positions(clip, 16)[:, 1], np.array(next(iter(clip.objects.values())))[1::3])
    halves = (np.array(clip.effector)[2::6] + np.array(clip.effector)[3::6]) / 2
    np.testing.assert_allclose(true_positions(clip, 8)[:, 0], halves)


def test_the_ground_truth_has_the_readers_own_error(measured: Config) -> None:
    found = achieved(measured, "ssv2", None)
    assert found.scores == found.of_truth
    assert found.scores == achieved(measured, "ssv2", "fca").of_truth


def test_paths_are_of_the_same_clips_with_what_makes_them_again(measured: Config) -> None:
    found = achieved(measured, "ssv2", "fca")
    assert found.paths is not None
    assert found.paths["moments"] == [6 * number + 2.5 for number in range(FRAMES)]
    assert [path["id"] for path in found.paths["clips"]] == STILL
    for path in found.paths["clips"]:
        clip = RECORDS[path["id"]]
        assert (path["place"], path["task"], path["seed"]) == (clip.place, clip.task, clip.seed)
        assert path["effector"].shape == path["effector" + OF_TRUTH].shape == (FRAMES, 3)
        np.testing.assert_allclose(path["effector"][0], true_positions(clip, FRAMES)[0, 0], atol=1e-4)
    assert sum(task["clips"] for task in found.by_task.values()) == len(STILL)


def test_without_a_reader_there_is_no_position_and_objects_are_looked_for(measured: Config) -> None:
    without = measured.model_copy(update={"positions": measured.positions.model_copy(update={"network": None})})
    found = achieved(without, "ssv2", "fca")
    assert found.paths is None
    assert found.by_task == {}
    assert not set(found.scores) & set(POSITION_ERRORS)
    assert all("objects_kept" in clip for clip in found.clips)


def test_a_score_file_has_them_and_their_draws(measured: Config) -> None:
    write_samples(measured, "opposite")
    file = scored(measured, "fca")
    assert file["scores"]["effector_end_error"]["value"] > 0
    assert file["reference"]["achieved"]["effector_end_error"]["value"] > 0
    assert file["protocol"]["positions"].startswith("tiny-reader ")
    assert file["clips"][0]["id"] == IDS[0]
    (draws,), _ = draws_of_trainings(measured, "ssv2", "fca", load_network(measured.features.network))
    own = draws["effector_end_error"]
    assert own is not None
    assert own.clips == len(STILL)
    assert own.value == pytest.approx(file["scores"]["effector_end_error"]["value"], rel=1e-5)
