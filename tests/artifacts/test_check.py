"""`fca data check`: what is bad is found and named, with the remedy; what is good is left in peace."""

import json
import multiprocessing
import os
import threading
import time
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import ClassVar

import h5py
import pytest

from fca.artifacts.check import check, remedy, shards_of, table
from fca.artifacts.manifest import Manifest
from fca.artifacts.shards import Shard, write_shard
from fca.cli.main import main
from fca.config import Config, Layout
from fca.encode.shard import encode
from fca.errors import FcaError
from tests.conftest import CONFIG, write_clips

SPLITS = ("train", "validation")


@pytest.fixture
def layout(project: Config) -> Layout:
    """Clips of both splits, latents of validation, in two shards each."""
    layout = Layout(project)
    for split in SPLITS:
        for shard in layout.shards("ssv2", split):
            path = layout.clips("ssv2", split, shard)
            with Shard(path) as clips:
                arrays = {"mean": clips.frames[:, 0, :4, :4, 0], "caption": clips.captions}
                parents = {path.relative_to(layout.root).as_posix(): clips.manifest.sha256}
                write_shard(layout.latents("ssv2", split, shard), "latents", arrays, clips.ids, parents, {})
    return layout


def found(layout: Layout) -> dict[str, tuple[str, str]]:
    """path -> state, reason"""
    _, bad = check(layout.config, ["ssv2"], workers=2)
    return {row.path.relative_to(layout.root / "ssv2").as_posix(): (row.state, row.why) for row in bad}


def test_good_shards_are_good(layout):
    checked, bad = check(layout.config, ["ssv2", "epic"], workers=2)
    assert (checked, bad) == (8, [])
    assert "8 shards" in table(layout, checked, bad)
    assert "all good" in table(layout, checked, bad)


def test_every_kind_of_damage_is_named(layout):
    """A flipped bit, an altered value with a good checksum, a truncated file, a lost file, a lost manifest."""
    flipped, altered = layout.clips("ssv2", "train", 0), layout.clips("ssv2", "train", 1)
    truncated, lost = layout.clips("ssv2", "validation", 0), layout.clips("ssv2", "validation", 1)
    unfinished = layout.latents("ssv2", "train", 0)
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 8
    flipped.write_bytes(data)
    with h5py.File(altered, "r+") as file:
        file["frames"][0, 0, 0, 0, 0] += 1
    truncated.write_bytes(truncated.read_bytes()[:-100])
    lost.unlink()
    Layout.manifest(unfinished).unlink()
    bad = found(layout)
    assert {name: state for name, (state, _) in bad.items()} == {
        "clips/train-0000.h5": "damaged",
        "clips/train-0001.h5": "damaged",
        "clips/validation-0000.h5": "damaged",
        "clips/validation-0001.h5": "missing",
        "latents/text/train-0000.h5": "damaged",
    }
    assert "sha256 differs" in bad["clips/train-0001.h5"][1]
    assert "can't be opened" in bad["clips/validation-0000.h5"][1]
    assert "no manifest" in bad["latents/text/train-0000.h5"][1]


def test_what_was_made_from_something_else_is_stale(layout):
    path = layout.clips("ssv2", "train", 0)
    with Shard(path) as clips:
        arrays = {"frames": 255 - clips.frames[:], "caption": clips.captions}
        write_shard(path, "clips", arrays, clips.ids, {}, {})
    Manifest("model", 1, [], "1" * 64, {"ssv2/latents/text/train-0001.h5": "2" * 64}, {}, []).write(
        layout.model_manifest("ssv2", "fca")
    )
    bad = found(layout)
    assert {name: state for name, (state, _) in bad.items()} == {
        "latents/text/train-0000.h5": "stale",
        "models/fca.json": "stale",
    }
    assert "ssv2/clips/train-0000.h5" in bad["latents/text/train-0000.h5"][1]
    assert "222222222222" in bad["models/fca.json"][1]


def test_scores_of_something_else_are_stale(layout):
    path = next(shards_of(layout, "ssv2"))
    name, now = path.relative_to(layout.root).as_posix(), Manifest.read(Layout.manifest(path)).sha256
    files = {
        "scores": layout.scores("ssv2", "fca"),
        "vae": layout.vae_roundtrip("ssv2"),
        "vbench": layout.vbench("ssv2", "truth"),
    }
    for file in files.values():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"parents": {name: now}}))
    assert found(layout) == {}
    for file in files.values():
        file.write_text(json.dumps({"parents": {name: "5" * 64}}))
    assert {state for state, _ in found(layout).values()} == {"stale"}
    assert len(found(layout)) == 3
    files["vae"].write_text("{")
    assert {state for state, _ in found(layout).values()} == {"stale", "damaged"}


def test_a_parent_that_was_removed_with_its_manifest_says_nothing(layout):
    path = layout.clips("ssv2", "train", 0)
    path.unlink()
    Layout.manifest(path).unlink()
    assert found(layout) == {}


def test_a_damaged_manifest_is_named(layout):
    Layout.manifest(layout.clips("ssv2", "train", 0)).write_text("{")
    bad = found(layout)
    assert set(bad) == {"clips/train-0000.h5"}
    assert "is not a manifest" in bad["clips/train-0000.h5"][1]


def test_a_shard_without_clips_is_good_and_missed_where_its_file_is_lost(project):
    write_clips(project, empty=[0])
    layout = Layout(project)
    encode(project, "ssv2", "validation", 0)
    assert found(layout) == {}
    layout.latents("ssv2", "validation", 0).unlink()
    assert found(layout) == {"latents/text/validation-0000.h5": ("missing", "its manifest exists, the file does not")}


def test_the_remedy_makes_it_good(project):
    layout = Layout(project)
    encode(project, "ssv2", "validation", 0)
    path = layout.latents("ssv2", "validation", 0)
    good = path.read_bytes()
    path.write_bytes(good[:5000])
    _, bad = check(project, ["ssv2"])
    command = remedy(bad).split("`")[1]
    assert command == f"rm -rf {path} {path.with_suffix('.json')}"
    assert f"`snakemake --cores 2 {path.with_suffix('.json')}`" in remedy(bad)  # `all` would not miss it
    for name in command.split()[2:]:
        Path(name).unlink()
    encode(project, "ssv2", "validation", 0)
    assert check(project, ["ssv2"])[1] == []
    assert path.read_bytes() == good


def test_a_model_that_has_lost_its_manifest_is_named(layout):
    layout.model("ssv2", "fca").mkdir(parents=True)
    [bad] = check(layout.config, ["ssv2"])[1]
    assert bad.path == layout.model_manifest("ssv2", "fca")
    assert "there is no manifest" in bad.why


def test_a_reader_that_is_killed_is_not_waited_for(layout):
    def kill() -> None:
        while not (readers := multiprocessing.active_children()):
            time.sleep(0.01)
        readers[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(FcaError, match="a process that reads shards ended, as if it had been killed") as error:
        check(layout.config, ["ssv2"], workers=2)
    killer.join()
    assert "--workers" in str(error.value)


class KilledAfterOthersStart(SpawnProcess):
    """The first process is killed when the second lives, before the pool has noted that one."""

    started: ClassVar[list[SpawnProcess]] = []

    def start(self) -> None:
        super().start()
        self.started.append(self)
        if len(self.started) == 2:
            self.started[0].kill()
            time.sleep(1)


class KilledBeforeOthersStart(SpawnProcess):
    """The first process is killed, and the second begins to start when the pool has closed its pipes."""

    started: ClassVar[list[SpawnProcess]] = []

    def start(self) -> None:
        if self.started:
            self.started[0].kill()
            time.sleep(1)
        super().start()
        self.started.append(self)


class KilledWhileAnotherTakesItsPipe(KilledBeforeOthersStart):
    """Between two steps of a start a closed pipe's number is given again: subprocess finds it twice."""

    started: ClassVar[list[SpawnProcess]] = []

    def start(self) -> None:
        try:
            super().start()
        except OSError:
            raise ValueError("bad value(s) in fds_to_keep") from None


class Spawning(SpawnContext):
    def __init__(self, process: type[SpawnProcess]) -> None:
        super().__init__()
        self.Process = process


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("process", "started"),
    [(KilledAfterOthersStart, 2), (KilledBeforeOthersStart, 1), (KilledWhileAnotherTakesItsPipe, 1)],
)
def test_a_reader_that_starts_while_another_is_killed_is_not_waited_for(layout, monkeypatch, process, started):
    """The pool loses it: `concurrent.futures` would wait for it for ever, or close its pipes while it starts."""
    monkeypatch.setattr(process, "started", [])
    monkeypatch.setattr("fca.artifacts.check.get_context", lambda _: Spawning(process))
    with pytest.raises(FcaError, match="ended, as if it had been killed"):
        check(layout.config, ["ssv2"], workers=2)
    assert len(process.started) == started
    assert not [each for each in multiprocessing.active_children() if isinstance(each, process)]


def test_a_file_that_no_reader_may_read_is_no_killed_reader(layout, monkeypatch):
    monkeypatch.setattr("fca.artifacts.check.damage", os.readlink)  # of a file that is no link: an OSError
    with pytest.raises(OSError, match="Invalid argument"):
        check(layout.config, ["ssv2"], workers=2)


def test_the_command_ends_with_1_and_names_the_shard(layout, tmp_path, capsys):
    config = tmp_path / "here.yaml"
    values = layout.config.model_dump(mode="json")
    names = {key: [*values[key]] for key in ("variants", "ablations")}
    (tmp_path / "variants").symlink_to(CONFIG.parent / "variants")
    config.write_text(json.dumps(values | names))
    assert main(["data", "check", "-c", str(config)]) == 0
    layout.clips("ssv2", "train", 0).unlink()
    assert main(["data", "check", "ssv2", "-c", str(config), "--workers", "1"]) == 1
    printed = capsys.readouterr()
    assert "missing   ssv2/clips/train-0000.h5" in printed.out
    assert "rm -rf" in printed.err
    assert main(["data", "check", "sth", "-c", str(config)]) != 0
