"""Steps that make shards, killed (SIGKILL) at any instant: the same command makes the same bytes; nothing is left."""

import random
from pathlib import Path

import pytest

from fca.config import Layout
from fca.data.fetch import fetch
from fca.data.index import build_index
from fca.data.resample import resample
from fca.encode.shard import encode
from fca.sample import sample
from tests.conftest import small_config, write_clips
from tests.kills import finish, kill_after, kill_while_writing


def killed(path: Path, kills: int, step, *arguments) -> None:
    """Kill the step that makes a shard at random instants and while it writes, then let it finish."""
    files = [path, path.with_suffix(".json")]
    seconds = finish(step, *arguments)
    expected = [file.read_bytes() for file in files]
    chance, hits = random.Random(str(path.name)), 0
    for number in range(kills):
        for file in files:
            file.unlink(missing_ok=True)
        if number % 2:
            name = files[number // 2 % 2].name  # the shard, then its manifest
            hits += kill_while_writing(path.parent, name, step, *arguments)
        else:
            kill_after(chance.uniform(0, seconds), step, *arguments)
        for file, content in zip(files, expected, strict=True):
            assert not file.exists() or file.read_bytes() == content, "whole or not there"
        assert path.exists() or not files[1].exists(), "a manifest never lies alone"
    assert hits >= 2, "too few kills fell into the writing of a file"
    finish(step, *arguments)
    assert [file.read_bytes() for file in files] == expected
    assert not list(path.parent.glob(".aside-*"))


@pytest.mark.slow
def test_encode_and_sample(tmp_path, random_base):
    config = small_config(tmp_path, random_base)
    layout = Layout(config)
    write_clips(config)
    killed(layout.latents("ssv2", "validation", 0), 6, encode, config, "ssv2", "validation", 0)
    samples = layout.samples("ssv2", "base", "validation", 0)
    killed(samples, 6, sample, config, "ssv2", "base", "validation", 0)


@pytest.mark.slow
def test_resample(tmp_path, random_base):
    config = small_config(tmp_path, random_base)
    fetch(config, "ssv2")
    build_index(config, "ssv2")
    killed(Layout(config).clips("ssv2", "train", 0), 8, resample, config, "ssv2", "train", 0)
