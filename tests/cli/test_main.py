"""The command line: help, names that aren't in the configuration, exit statuses, and a full disk."""

import errno
import os
import resource
import subprocess
import sys
import types
from pathlib import Path

import pytest

from fca.cli.main import main
from fca.errors import FcaError

ROOT = Path(__file__).parents[2]
POCKET = str(ROOT / "config" / "pocket.yaml")
STEPS = ["fetch", "index", "resample", "encode", "train", "sample", "score", "report", "predict"]


@pytest.fixture
def stand_in(monkeypatch):
    """Put a function in the place of a step's; its module isn't imported."""

    def put(module: str, name: str, function) -> None:
        monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(**{name: function}))

    return put


@pytest.mark.parametrize("step", [*STEPS, "study", "config"])
def test_help(step, capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main([step, "--help"])
    assert end.value.code == 0
    assert f"usage: fca {step}" in capsys.readouterr().out


def test_help_lists_the_steps_in_order_and_quickly() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run([sys.executable, "-m", "fca.cli", "--help"], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
    places = [run.stdout.index(f"\n    {step} ") for step in STEPS]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("arguments", "module", "name", "expected"),
    [
        (["fetch", "ssv2"], "fca.data.fetch", "fetch", ("ssv2",)),
        (["index", "epic"], "fca.data.index", "build_index", ("epic",)),
        (
            ["resample", "ssv2", "train", "--shard", "1"],
            "fca.data.resample",
            "resample",
            ("ssv2", "train", 1),
        ),
        (
            ["encode", "ssv2", "validation", "--shard", "0000"],
            "fca.encode.shard",
            "encode",
            ("ssv2", "validation", 0, "text"),
        ),
        (["train", "ssv2", "fca"], "fca.train", "train", ("ssv2", "fca")),
        (["sample", "ssv2", "fca", "--shard", "0"], "fca.sample", "sample", ("ssv2", "fca", "validation", 0)),
        (
            ["sample", "ssv2", "fca", "--shard", "0", "--kind", "opposite"],
            "fca.sample",
            "sample",
            ("ssv2", "fca", "opposite", 0),
        ),
        (
            ["sample", "ssv2", "fca", "--shard", "0000", "--kind", "edited"],
            "fca.sample.edited",
            "sample_edited",
            ("ssv2", "fca"),
        ),
        (["score", "ssv2", "repeat"], "fca.score", "score", ("ssv2", "repeat")),
        (["report"], "fca.report.page", "report", (None,)),
        (["report", "table3"], "fca.report.page", "report", ("table3",)),
    ],
)
@pytest.mark.usefixtures("handlers")
def test_each_step_calls_its_function(stand_in, arguments, module, name, expected) -> None:
    called = []
    stand_in(module, name, lambda *given: called.append(given))
    assert main([*arguments, "-c", POCKET]) == 0
    [(config, *rest)] = called
    assert config.scale == "pocket"
    assert tuple(rest[: len(expected)]) == expected


def test_pocket_passes_everything_on(stand_in) -> None:
    called = []
    stand_in("fca.pocket.build", "main", called.append)
    assert main(["pocket", "vae", "--steps", "3"]) == 0
    assert called == [["vae", "--steps", "3"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["fetch", "sssv2"],
            "there is no dataset 'sssv2' in the configuration\n  expected: one of ssv2, bridge, epic",
        ),
        (
            ["train", "ssv2", "lorra"],
            "there is no variant 'lorra' in the configuration\n  expected: one of fca, base",
        ),
        (["train", "ssv2", "base"], "the variant 'base' has nothing to train\n  expected: one of fca"),
        (
            ["encode", "ssv2", "train", "--shard", "999"],
            "ssv2 train has no shard 999\n  expected: a number from 0 to",
        ),
        (
            ["train", "bridge", "no_ftc"],
            "bridge has no ablation_steps\n  expected: a dataset that ablations are trained on",
        ),
        (["sample", "ssv2", "repeat", "--shard", "0"], "the variant 'repeat' has nothing to sample"),
        (
            ["sample", "ssv2", "base", "--shard", "0", "--kind", "opposite"],
            "there is no kind of samples 'opposite'",
        ),
        (["sample", "ssv2", "base", "--shard", "0", "--kind", "edited"], "there is no kind of samples 'edited'"),
        (
            ["sample", "ssv2", "fca", "--shard", "1", "--kind", "edited"],
            "ssv2 edited has no shard 1\n  expected: a number from 0 to 0",
        ),
    ],
)
def test_names_that_are_not_there(capsys, arguments, message) -> None:
    assert main([*arguments, "-c", POCKET]) == 1
    assert f"fca {arguments[0]}: {message}" in capsys.readouterr().err


def test_wrong_configuration_is_status_2(tmp_path, capsys) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("sed: 42")
    assert main(["report", "-c", str(path)]) == 2
    error = capsys.readouterr().err
    assert f"fca report: {path}, line 1: sed: unknown key (did you mean 'seed'?)" in error
    assert "Traceback" not in error


def test_debug_shows_where(stand_in, capsys) -> None:
    def fail(*_) -> None:
        raise FcaError("the problem", "the expectation", "the remedy")

    stand_in("fca.report.page", "report", fail)
    assert main(["report", "-c", POCKET]) == 1
    assert capsys.readouterr().err == "fca report: the problem\n  expected: the expectation\n  remedy: the remedy\n"
    assert main(["report", "-c", POCKET, "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "data/pocket/ssv2/raw.json"),
            "data/pocket/ssv2/raw.json",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "data/pocket or runs/pocket"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "data/pocket or runs/pocket"),
    ],
)
def test_full_disk(stand_in, capsys, error, place) -> None:
    def fail(*_) -> None:
        raise error

    stand_in("fca.report.page", "report", fail)
    assert main(["report", "-c", POCKET]) == 1
    assert f"fca report: {place}: no space left on the disk\n  remedy: make room" in capsys.readouterr().err


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.EROFS])
def test_files_that_can_not_be_read_or_written_are_named(stand_in, capsys, code) -> None:
    def fail(*_) -> None:
        raise OSError(code, os.strerror(code), "runs/pocket/lock")

    stand_in("fca.report.page", "report", fail)
    assert main(["report", "-c", POCKET]) == 1
    error = capsys.readouterr().err
    assert f"fca report: runs/pocket/lock: {os.strerror(code)}\n" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("defect", [lambda: 1 / 0, lambda: Path("no/such.j2").read_text(), lambda: os.stat(999)])
def test_defects_are_not_hidden(stand_in, defect) -> None:
    stand_in("fca.report.page", "report", lambda *_: defect())
    with pytest.raises((ZeroDivisionError, OSError), match=r"division|No such|Bad file"):
        main(["report", "-c", POCKET])


def test_unknown_option(capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main(["report", "--quick"])
    assert end.value.code == 2
    assert "unrecognised arguments: --quick" in capsys.readouterr().err


def test_config_check(capsys) -> None:
    assert main(["config", "check", POCKET]) == 0
    assert "good; scale pocket; datasets ssv2, bridge, epic; variants fca, base, repeat" in capsys.readouterr().out


def test_several_processes_are_started_and_their_status_returned(monkeypatch) -> None:
    started = []
    monkeypatch.setattr(
        "fca.train.launch.launch", lambda command, processes: started.append((command, processes)) or 75
    )
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    arguments = ["train", "ssv2", "fca", "-c", str(ROOT / "config" / "paper.yaml")]
    assert main(arguments) == 75
    [(command, processes)] = started
    assert processes == 4
    assert command[-len(arguments) :] == arguments
