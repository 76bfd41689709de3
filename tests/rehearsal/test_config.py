"""A rehearsal is the same configuration with few clips and steps, and can't be taken for it."""

import pytest

from fca.artifacts.fingerprint import made_by
from fca.artifacts.fingerprint.settings import settings_of
from fca.cli.main import main
from fca.config import Layout, load
from fca.config.rehearsal import is_rehearsal, rehearsal, rehearsal_of, with_models_on
from fca.errors import FcaError
from tests.conftest import CONFIG

PAPER = CONFIG.with_name("paper.yaml")


@pytest.fixture(scope="module")
def paper():
    return load(PAPER)


def test_only_amounts_change(paper):
    small = rehearsal(paper, 3, 2, ablations=["no_ftc", "lora"], devices=8)
    assert small.scale == "paper-rehearsal"
    assert list(small.variants) == list(paper.variants)
    assert list(small.ablations) == ["no_ftc", "lora"]
    for name, dataset in small.datasets.items():
        for split in (dataset.train, dataset.validation):
            assert (split.clips, split.shards) == (3, 1)
        assert dataset.train_steps == 2
        assert (dataset.ablation_steps is None) == (paper.datasets[name].ablation_steps is None)
    assert small.sample.steps == 2
    assert small.train.clips_per_step == paper.train.clips_per_step
    changed = {
        name for step in ("encode", "train", "sample", "score")
        for name, value in settings_of(small, step).items()
        if settings_of(paper, step).get(name, value) != value
    }  # fmt: skip
    amounts = (".train.clips", ".shard_clips", ".validation.clips", ".steps", "train.warmup_steps", "sample.steps")
    assert [name for name in changed if not name.endswith(amounts) and "learning_rate" not in name] == []


def test_without_gpus_a_step_is_one_pass_of_one_process(paper):
    small = rehearsal(paper, devices=0)
    assert (small.train.processes, small.train.gradient_accumulation) == (1, 1)
    assert small.train.loader_workers == 0, "a fork would keep the weights that the optimizer changes"
    on_gpus = rehearsal(paper, devices=2).train
    assert (on_gpus.processes, on_gpus.loader_workers) == (2, paper.train.loader_workers)


def test_a_batch_is_no_larger_than_what_there_is(paper):
    small = rehearsal(paper, clips=1)
    assert (small.encode.batch_size, small.score.batch_size) == (1, 1)


def test_a_training_is_rehearsed_once_and_writes_after_each_step(paper):
    repeated = load(PAPER, {"train": {"replicates": 3, "checkpoint_every": 500, "lengths": [10],
                                      "schedule": "constant_with_warmup"}})  # fmt: skip
    small = rehearsal(repeated)
    assert (small.train.replicates, small.train.lengths, small.train.checkpoint_every) == (1, [], 1)


def test_only_the_newest_checkpoint_takes_room(paper):
    train = rehearsal(paper).train
    assert (train.keep_checkpoints, train.keep_every_hours, train.keep_best) == (1, None, False)


def test_chosen_variants_may_be_ablations(paper):
    small = rehearsal(paper, variants=["fca", "no_ftc"])
    assert (list(small.variants), list(small.ablations)) == (["fca"], ["no_ftc"])


def test_what_would_rehearse_nothing_is_refused(paper):
    with pytest.raises(FcaError, match="no_ftc: no variant that every dataset gets"):
        rehearsal(paper, variants=["no_ftc"])
    bridge = paper.model_copy(update={"datasets": {"bridge": paper.datasets["bridge"]}})
    with pytest.raises(FcaError, match="no dataset has ablation_steps"):
        rehearsal(bridge, ablations=["no_ftc"])


def test_models_of_some_datasets_leave_the_others_their_data(paper):
    small = rehearsal(paper, ablations=["no_ftc"])
    part = with_models_on(small, ["ssv2"])
    assert list(part.datasets) == ["ssv2"]
    assert Layout(part).root == Layout(small).root
    assert part.datasets["ssv2"] == small.datasets["ssv2"]
    for refused, names in (
        ("there is no dataset 'none'", ["none"]),
        ("bridge: no dataset has ablation_steps", ["bridge"]),
    ):
        with pytest.raises(FcaError, match=refused):
            with_models_on(small, names)
    assert with_models_on(rehearsal(paper), ["epic"]).score.vbench.datasets == []


def test_it_says_what_it_is_everywhere(paper):
    small = rehearsal(paper)
    assert is_rehearsal(small)
    assert not is_rehearsal(paper)
    for place in ("root", "runs", "report"):
        assert "rehearsal" in str(getattr(Layout(small), place)), place
        assert getattr(Layout(small), place) != getattr(Layout(paper), place)
    assert made_by(small, "index", "ssv2")["rehearsal"] == "not a result"
    assert "rehearsal" not in made_by(paper, "index", "ssv2")
    assert rehearsal_of(small).scale == rehearsal_of(paper).scale == small.scale


def test_a_kill_needs_a_step_after_its_checkpoint(capsys):
    assert main(["rehearse", "-c", str(PAPER), "--kill", "--steps", "1"]) == 1
    assert "at least two steps" in capsys.readouterr().err
