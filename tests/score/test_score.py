"""`score()` from shards to score file, on tiny clips and a tiny random network, and what it refuses."""

import json
import shutil

import numpy as np
import pytest

from fca.artifacts.manifest import Manifest
from fca.artifacts.quarantine import Quarantine
from fca.artifacts.shards import Shard, write_shard
from fca.config import Config, Layout
from fca.config.dataset import SplitSettings
from fca.errors import FcaError
from fca.score.features import load_network
from fca.score.pairs import Pairs, copy_last_frame, with_initial_frames
from fca.score.protocol import protocol, protocol_sha256, require_same_protocol
from fca.score.score import score
from fca.score.task import known_tasks, task_accuracy
from tests.score.project import (
    CAPTIONS,
    CLIPS,
    FLIPPED,
    FRAMES,
    HEIGHT,
    IDS,
    INITIAL,
    LABELS,
    RECORDS,
    SHARD,
    WIDTH,
    scored,
    truth,
    write_clips,
    write_samples,
)


def test_from_shards_to_score_file(config: Config) -> None:
    write_clips(config)
    write_samples(config)
    write_samples(config, "opposite")
    path = score(config, "ssv2", "fca")
    assert path == Layout(config).scores("ssv2", "fca")
    first = path.read_bytes()
    assert score(config, "ssv2", "fca").read_bytes() == first, "the same inputs make the same bytes"
    found = json.loads(first)
    assert (found["dataset"], found["variant"], found["count"]) == ("ssv2", "fca", CLIPS)
    stem = f"tiny-i3d_{CLIPS}x{FRAMES}f"
    metrics, ends = ("fvd", "fvd_seer", "kvd", "kvd_seer"), (f"_gt{INITIAL}", "_raw")
    names = {f"{metric}_{stem}{end}" for metric in metrics for end in ends}
    others = {"psnr", "ssim", "task_accuracy", "opposite_task_accuracy", "objects_kept"}
    assert set(found["scores"]) == names | others
    for name, interval in found["scores"].items():
        assert set(interval) == {"value", "low", "high"} | ({"bias"} if name.startswith("fvd") else set()), name
        assert interval["low"] <= interval["value"] <= interval["high"], name
    assert 0 < found["scores"][f"fvd_{stem}_gt{INITIAL}"]["value"] < found["scores"][f"fvd_{stem}_raw"]["value"]
    assert len(found["psnr_per_frame"]) == len(found["ssim_per_frame"]) == FRAMES - INITIAL
    assert 20 < found["scores"]["psnr"]["value"] < 25  # noise of 20 levels, a little of it clipped
    assert np.mean(found["psnr_per_frame"]) == pytest.approx(found["scores"]["psnr"]["value"], rel=1e-4)
    assert [clip["id"] for clip in found["clips"]] == IDS
    assert [clip["caption"] for clip in found["clips"]] == CAPTIONS
    labels = {clip.task: clip.label for clip in RECORDS.values()}
    assert [clip["task_asked"] for clip in found["clips"]] == [RECORDS[name].label for name in IDS]
    assert [clip["task_asked"] for clip in found["opposite"]] == [labels[RECORDS[name].opposite_task] for name in IDS]
    right = np.mean([clip["task_asked"] == clip["task_found"] for clip in found["clips"]])
    assert found["scores"]["task_accuracy"]["value"] == pytest.approx(right, rel=1e-5)
    assert found["feature_network"]["name"] == "tiny-i3d"
    assert found["protocol"]["initial_frames"] == INITIAL
    assert found["protocol"]["interval"]["resamplings"] == 20
    assert found["reference"]["fvd_truth_halves"]["name"] == f"fvd_tiny-i3d_3x{FRAMES}f_gt{INITIAL}"
    assert set(found["parents"]) == {
        f"ssv2/{folder}-{number:04d}.h5"
        for folder in ("clips/validation", "samples/fca/validation", "samples/fca/opposite")
        for number in range(2)
    }


def test_a_log_shows_how_far_it_is(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    """In the workflow the output goes to `tee`, which is no terminal."""
    write_clips(config)
    score(config, "ssv2", "repeat")
    assert f"{CLIPS}/{CLIPS}" in capsys.readouterr().err


def test_a_perfect_prediction(config: Config) -> None:
    write_clips(config)
    write_samples(config, noise=0.0)
    write_samples(config, "opposite")
    found = scored(config, "fca")["scores"]
    stem = f"tiny-i3d_{CLIPS}x{FRAMES}f"
    assert found[f"fvd_{stem}_gt{INITIAL}"]["value"] == pytest.approx(0, abs=1e-9)
    assert found["psnr"]["value"] == 100
    assert found["ssim"]["value"] == 1


def test_repeat_needs_no_samples(config: Config) -> None:
    write_clips(config)
    found = scored(config, "repeat")
    stem = f"tiny-i3d_{CLIPS}x{FRAMES}f"
    assert found["scores"][f"fvd_{stem}_gt{INITIAL}"] == found["scores"][f"fvd_{stem}_raw"]
    assert found["scores"]["opposite_task_accuracy"] is None
    assert found["opposite"] == []
    pixels = truth(0)[None]
    repeated = copy_last_frame(pixels, INITIAL)
    np.testing.assert_array_equal(repeated[:, :INITIAL], pixels[:, :INITIAL])
    np.testing.assert_array_equal(repeated[0, INITIAL:], np.stack([pixels[0, INITIAL - 1]] * (FRAMES - INITIAL)))
    assert found["clips"][0]["psnr"] < 30


def test_initial_frames_are_replaced_by_the_ground_truth() -> None:
    prediction = np.zeros((1, FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    scored_frames = with_initial_frames(prediction, truth(0)[None], INITIAL)
    np.testing.assert_array_equal(scored_frames[0, :INITIAL], truth(0)[:INITIAL])
    assert not scored_frames[0, INITIAL:].any()
    assert not prediction.any()


def test_batches_do_not_change_what_is_paired(config: Config) -> None:
    write_clips(config)
    write_samples(config, noise=0.0)
    for size in (1, 3, 100):
        batches = list(Pairs(config, "ssv2", "fca", "validation").batches(size))
        assert max(len(batch.ids) for batch in batches) <= size
        for batch in batches:
            np.testing.assert_array_equal(batch.truth, batch.prediction)


def test_batch_size_and_shards_do_not_change_a_score(config: Config) -> None:
    write_clips(config)
    write_samples(config)
    write_samples(config, "opposite")
    first = scored(config, "fca")["scores"]
    shutil.rmtree(Layout(config).feature_cache("ssv2", "truth", 0).parent)
    settings = config.model_copy(update={"score": config.score.model_copy(update={"batch_size": 1})})
    one_by_one = scored(settings, "fca")["scores"]
    ssv2 = config.datasets["ssv2"].model_copy(update={"validation": SplitSettings(clips=CLIPS, shard_clips=2)})
    layout = Layout(config)
    for kind in ("clips", "samples"):
        shutil.rmtree(layout.root / "ssv2" / kind)
    shutil.rmtree(layout.feature_cache("ssv2", "truth", 0).parent)
    cut_otherwise = config.model_copy(update={"datasets": {"ssv2": ssv2}})
    write_clips(cut_otherwise)
    write_samples(cut_otherwise)
    write_samples(cut_otherwise, "opposite")
    other = scored(cut_otherwise, "fca")["scores"]
    for name, interval in first.items():
        for scores in (one_by_one, other):
            assert scores[name]["value"] == pytest.approx(interval["value"], rel=1e-5, abs=1e-9), name


def test_the_protocol_has_a_hash_that_moves_with_it(config: Config) -> None:
    write_clips(config)
    one = scored(config, "repeat")
    other = config.model_copy(update={"score": config.score.model_copy(update={"bootstrap": 21})})
    two = scored(other, "repeat")
    assert one["protocol_sha256"] == protocol_sha256(one["protocol"]) != two["protocol_sha256"]
    assert scored(config.model_copy(update={"seed": 1}), "repeat")["protocol_sha256"] == one["protocol_sha256"]


def test_the_protocol_says_how_frames_were_resized_and_of_what(config: Config) -> None:
    network = load_network(config.features.network)
    cropped = config.model_copy(update={"clip": config.clip.model_copy(update={"resize": "crop"})})
    epic = config.datasets["epic"]
    videos = config.model_copy(update={"datasets": {"epic": epic.model_copy(update={"media": "video"})}})
    for dataset, other in (("ssv2", cropped), ("epic", videos)):
        one, two = protocol(config, dataset, network, CLIPS), protocol(other, dataset, network, CLIPS)
        with pytest.raises(FcaError, match="not measured by the same protocol"):
            require_same_protocol(one, two)
        assert protocol_sha256(one) != protocol_sha256(two)


@pytest.mark.parametrize("classes", [len(LABELS), [*LABELS[1:], "another"]])
def test_a_network_without_the_places_tasks(config: Config, write_network, classes: int | list[str]) -> None:
    write_clips(config)
    write_network(classes=classes)
    found = scored(config, "repeat")
    assert found["scores"]["task_accuracy"] is None
    assert found["clips"][0]["task_asked"] is None


@pytest.mark.parametrize("left", [3, 1, 0])
def test_clips_without_an_opposite_caption_have_no_prediction_from_one(config: Config, left: int) -> None:
    write_clips(config)
    write_samples(config)
    write_samples(config, "opposite", without=range(left, CLIPS))
    found = scored(config, "fca")
    assert found["count"] == CLIPS
    assert [clip["id"] for clip in found["opposite"]] == IDS[:left]
    assert (found["scores"]["opposite_task_accuracy"] is None) == (left == 0)


def refused(config: Config, variant: str = "fca") -> str:
    with pytest.raises(FcaError) as caught:
        score(config, "ssv2", variant)
    assert "remedy: " in str(caught.value)
    assert not Layout(config).scores("ssv2", variant).exists()
    return str(caught.value)


def test_what_does_not_belong_together_is_refused(config: Config, write_network) -> None:
    assert "validation-0000" in refused(config, "repeat")  # no clips yet
    write_clips(config)
    assert "samples" in refused(config)  # no samples yet
    write_samples(config, without=(5,))
    assert IDS[5] in refused(config)
    write_samples(config, captions=FLIPPED)
    assert CAPTIONS[0] in refused(config)
    write_samples(config)
    write_samples(config, "opposite", captions=CAPTIONS)
    assert "opposite of" in refused(config)


def test_predictions_that_were_made_from_other_pixels_are_refused(config: Config) -> None:
    """Clips that were resized otherwise keep their ids and captions; their predictions don't follow by themselves."""
    layout = Layout(config)
    write_clips(config)
    truth_path, latents_path = layout.clips("ssv2", "validation", 0), layout.latents("ssv2", "validation", 0)
    with Shard(truth_path) as shard:
        ids, sha256 = shard.ids, shard.manifest.sha256
    write_samples(config)
    samples_path = layout.samples("ssv2", "fca", "validation", 0)
    with Shard(samples_path) as shard:
        sample_ids = shard.ids
        columns = {name: shard[name][:] for name in ("frames", "seed")} | {"caption": shard.captions}

    def chain(of_truth: str, of_latents: str | None = None) -> None:
        means = {"mean": np.zeros((len(ids), 2), np.float16)}
        parents = {truth_path.relative_to(layout.root).as_posix(): of_truth}
        made = write_shard(latents_path, "latents", means, ids, parents, {})
        parents = {latents_path.relative_to(layout.root).as_posix(): of_latents or made.sha256}
        write_shard(samples_path, "samples", columns, sample_ids, parents, {})

    chain(sha256)
    assert len(Pairs(config, "ssv2", "fca", "validation")) == CLIPS
    chain("0" * 64)
    with pytest.raises(FcaError, match=r"latents.* was not made from .*clips"):
        Pairs(config, "ssv2", "fca", "validation")
    chain(sha256, "0" * 64)
    with pytest.raises(FcaError, match=r"samples.* was not made from .*latents"):
        Pairs(config, "ssv2", "fca", "validation")


def test_another_protocol_is_refused(config: Config, write_network) -> None:
    write_clips(config)
    write_network(frames=16)
    assert "clips of 8 frames can't be scored" in refused(config, "repeat")
    write_network()
    larger = config.model_copy(update={"clip": config.clip.model_copy(update={"height": 64})})
    assert "(8, 64, 48, 3)" in refused(larger, "repeat")


def test_a_quarantined_clip_is_named_not_hidden(config: Config) -> None:
    write_clips(config)
    row = Quarantine("ssv2", "validation", IDS[5], "encode", "videos/5.webm", "latents are not finite")
    write_samples(config, without=(5,), quarantine=(row,))
    write_samples(config, "opposite", without=(5,), quarantine=(row,))
    found = scored(config, "fca")
    assert found["count"] == CLIPS - 1
    assert f"fvd_tiny-i3d_{CLIPS - 1}x{FRAMES}f_gt{INITIAL}" in found["scores"]
    assert {row["id"] for row in found["quarantine"]} == {IDS[5]}


@pytest.mark.parametrize("variant", ["fca", "repeat"])
@pytest.mark.parametrize("empty", [0, 1, 3])
def test_a_shard_without_clips_changes_no_score(config: Config, variant: str, empty: int) -> None:
    """The same clips may be missing from a shard that has others."""
    rows, found = range(CLIPS)[2 * empty : 2 * empty + 2], []
    for size in (2, CLIPS):
        own = config.datasets["ssv2"].model_copy(update={"validation": SplitSettings(clips=CLIPS, shard_clips=size)})
        one_by_one = config.score.model_copy(update={"batch_size": 1})
        cut = config.model_copy(update={"datasets": {"ssv2": own}, "score": one_by_one})
        shutil.rmtree(Layout(cut).root / "ssv2", ignore_errors=True)
        write_clips(cut, rows)
        write_samples(cut, without=rows)
        write_samples(cut, "opposite", without=rows)
        found.append(scored(cut, variant) | {"parents": {}})
    assert found[0] == found[1]
    assert found[0]["count"] == CLIPS - len(rows)


def test_without_two_clips_there_is_no_score(config: Config) -> None:
    for left in (0, 1):
        write_clips(config, range(left, CLIPS))
        write_samples(config, without=range(left, CLIPS))
        write_samples(config, "opposite", without=range(left, CLIPS))
        told = refused(config)
        assert f"ssv2 validation has {left} clips to score" in told
        assert "fca data verify ssv2" in told


def test_a_black_and_a_frozen_prediction_are_flagged(config: Config) -> None:
    """By the predicted frames alone: the initial ones are from the ground truth."""
    write_clips(config)
    write_samples(config)
    write_samples(config, "opposite")
    path = Layout(config).samples("ssv2", "fca", "validation", 0)
    with Shard(path) as shard:
        frames, ids, captions = shard.frames[:], shard.ids, shard.captions
    frames[0, INITIAL:], frames[1, INITIAL:] = 0, frames[1, INITIAL]
    arrays = {"frames": frames, "caption": captions, "seed": np.zeros(len(ids), np.int64)}
    write_shard(path, "samples", arrays, ids, {}, {}, [])
    flaws = {clip["id"]: clip["flaw"] for clip in scored(config, "fca")["clips"]}
    assert flaws == dict.fromkeys(IDS) | {ids[0]: "blank", ids[1]: "frozen"}


def test_two_clips_are_enough(config: Config) -> None:
    """Half of all resamplings draw one of them twice, which leaves KVD no pair of different clips."""
    write_clips(config, range(2, CLIPS))
    found = scored(config, "repeat")
    assert found["count"] == 2
    for name, interval in found["scores"].items():
        if interval is not None:
            assert interval["low"] <= interval["value"] <= interval["high"], name


def test_damaged_pixels_are_an_error_not_a_number(config: Config) -> None:
    write_clips(config)
    path = Layout(config).clips("ssv2", "validation", 0)
    path.write_bytes(path.read_bytes()[:-5000])
    assert str(path) in refused(config, "repeat")
    assert Manifest.read(Layout.manifest(path)).count == SHARD


def test_tasks_from_logits_and_ids(config: Config) -> None:
    settings = config.datasets["ssv2"]
    tasks = known_tasks(LABELS[::-1], settings)
    assert tasks is not None
    assert [tasks.asked(name) for name in IDS] == [RECORDS[name].label for name in IDS]
    logits = np.eye(len(LABELS))[::-1]
    logits[:, 0] = 2  # the network is sure of another place's task
    assert tasks.found(logits)[:-1] == list(LABELS[:-1])
    assert task_accuracy(["up", "up"], ["up", "down"], 0.95).value == 0.5
    assert known_tasks(None, settings) is None
    assert known_tasks(LABELS[1:], settings) is None
    archive = settings.model_copy(update={"source": "archive", "library": None})
    assert known_tasks(LABELS, archive) is None
    with pytest.raises(FcaError, match="the clip 7 isn't one that the library makes"):
        tasks.asked("7")
