"""Training that is killed (SIGKILL) at any instant ends with the bytes of one that was left alone."""

import random
import shutil

import pytest

from fca.artifacts.atomic import sha256_tree
from fca.config import Config, Layout
from fca.train.loop import train
from tests.conftest import encode_stored, small_config, write_clips
from tests.kills import finish, kill_after, kill_while_writing
from tests.train.runs import run_folder

STEPS, KILLS = 10, 20


@pytest.fixture
def config(tmp_path, random_base) -> Config:
    found = small_config(tmp_path, random_base, batch_size=1, checkpoint_every=1, keep_checkpoints=2)
    dataset = found.datasets["ssv2"].model_copy(update={"train_steps": STEPS})
    found = found.model_copy(update={"datasets": {"ssv2": dataset}})
    write_clips(found)
    for shard in (0, 1):
        encode_stored(found, "train", shard)
    return found


@pytest.mark.slow
def test_twenty_kills_change_no_byte(config):
    layout = Layout(config)
    run, model = run_folder(config, "ssv2", "fca"), layout.model("ssv2", "fca")
    seconds = finish(train, config, "ssv2", "fca")
    expected = sha256_tree(model)
    chance = random.Random(0)
    kills = while_writing = 0

    def start_over() -> None:
        shutil.rmtree(run)
        shutil.rmtree(model)
        layout.model_manifest("ssv2", "fca").unlink()

    start_over()
    while kills < KILLS:
        if kills % 2:
            hit = kill_while_writing(run, "checkpoint-", train, config, "ssv2", "fca")
            while_writing += hit
        else:
            hit = kill_after(chance.uniform(0, 0.7 * seconds), train, config, "ssv2", "fca")
        kills += hit
        if layout.model_manifest("ssv2", "fca").exists():
            assert sha256_tree(model) == expected
            start_over()
    finish(train, config, "ssv2", "fca")
    assert sha256_tree(model) == expected
    assert while_writing >= 5, "too few kills fell into the writing of a checkpoint"
    assert not list(run.glob(".aside-*")), "what kills left behind is cleaned up"
