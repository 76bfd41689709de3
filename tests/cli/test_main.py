"""The command line: names that aren't in the configuration, exit statuses, and a full disk."""

import errno
import os
import sys
import types
from pathlib import Path

import pytest

from fca import __version__
from fca.cli.main import main
from fca.errors import FcaError, Interrupted

ROOT = Path(__file__).parents[2]
POCKET = str(ROOT / "config" / "pocket.yaml")


@pytest.fixture
def stand_in(monkeypatch):
    """Put a function in the place of a step's; its module isn't imported."""

    def put(module: str, name: str, function) -> None:
        monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(**{name: function}))

    return put


def raises(error: BaseException):
    def fail(*_) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["fetch", "sssv2"],
            "there is no dataset 'sssv2' in the configuration (did you mean 'ssv2'?)\n  expected: one of ssv2, bridge",
        ),
        (
            ["train", "ssv2", "lorra"],
            "there is no variant 'lorra' in the configuration (did you mean 'lora'?)\n  expected: one of fca, base",
        ),
        (["score", "ssv2", "xyz"], "there is no variant 'xyz' in the configuration\n  expected: one of fca, base"),
        (["vbench", "ssv2", "turth"], "there is no variant 'turth' in the configuration (did you mean 'truth'?)\n"),
        (["data", "verify", "epik"], "there is no dataset 'epik' in the configuration (did you mean 'epic'?)\n"),
        (["train", "ssv2", "base"], "the variant 'base' has nothing to train\n  expected: one of fca"),
        (["encode", "ssv2", "train", "--shard", "999"], "ssv2 train has no shard 999\n  expected: a number from 0 to"),
        (["train", "bridge", "no_ftc"], "bridge has no ablation_steps\n  expected: a dataset to train ablations on"),
        (["sample", "ssv2", "repeat", "--shard", "0"], "the variant 'repeat' has nothing to sample"),
        (["sample", "ssv2", "base", "--shard", "0", "--kind", "opposite"], "there is no kind of samples 'opposite'"),
        (["sample", "ssv2", "base", "--shard", "0", "--kind", "edited"], "there is no kind of samples 'edited'"),
        (
            ["sample", "ssv2", "fca", "--shard", "1", "--kind", "edited"],
            "ssv2 edited has no shard 1\n  expected: a number from 0 to 0",
        ),
    ],
)
def test_names_that_are_not_there(capsys, arguments, message) -> None:
    assert main([*arguments, "-c", POCKET]) == 1
    words = arguments[: 2 if arguments[0] == "data" else 1]
    assert f"fca {' '.join(words)}: {message}" in capsys.readouterr().err


def test_wrong_configuration_is_status_2(tmp_path, capsys) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("sed: 42")
    assert main(["report", "-c", str(path)]) == 2
    error = capsys.readouterr().err
    assert f"fca report: {path}, line 1: sed: unknown key (did you mean 'seed'?)" in error
    assert "Traceback" not in error


def test_debug_shows_where(stand_in, capsys) -> None:
    stand_in("fca.report.page", "report", raises(FcaError("the problem", "the expectation", "the remedy")))
    assert main(["report", "-c", POCKET]) == 1
    assert capsys.readouterr().err == "fca report: the problem\n  expected: the expectation\n  remedy: the remedy\n"
    for arguments in (["report", "-c", POCKET, "--debug"], ["--debug", "report", "-c", POCKET]):
        assert main(arguments) == 1
        assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "data/pocket/ssv2/raw.json"), "data/pocket/ssv2/raw.json"),
        (OSError(errno.ENOSPC, "No space left on device"), "data/pocket or runs/pocket"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "data/pocket or runs/pocket"),
    ],
)
def test_full_disk(stand_in, capsys, error, place) -> None:
    stand_in("fca.report.page", "report", raises(error))
    assert main(["report", "-c", POCKET]) == 1
    assert f"fca report: {place}: no space left on the disk\n  remedy: make room" in capsys.readouterr().err


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.EROFS])
def test_files_that_can_not_be_read_or_written_are_named(stand_in, capsys, code) -> None:
    stand_in("fca.report.page", "report", raises(OSError(code, os.strerror(code), "runs/pocket/lock")))
    assert main(["report", "-c", POCKET]) == 1
    error = capsys.readouterr().err
    assert f"fca report: runs/pocket/lock: {os.strerror(code)}\n" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("defect", [lambda: 1 / 0, lambda: Path("no/such.j2").read_text(), lambda: os.stat(999)])
def test_defects_are_not_hidden(stand_in, defect) -> None:
    stand_in("fca.report.page", "report", lambda *_: defect())
    with pytest.raises((ZeroDivisionError, OSError), match=r"division|No such|Bad file"):
        main(["report", "-c", POCKET])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "--quick"], "fca report: No such option '--quick'."),
        (["report", "tabel1"], "evidence (did you mean 'table1'?)"),
        (["train", "ssv2", "fca", "--acept-changes"], "fca train: No such option '--acept-changes'. Did you mean"),
        (["trian", "ssv2", "fca"], "fca: No such command 'trian'. Did you mean 'train'?"),
        (["data", "chek"], "fca data: No such command 'chek'. Did you mean 'check'?"),
        (["fetch"], "fca fetch: Missing argument 'DATASET'."),
        (["index", "ssv2", "more"], "fca index: Got unexpected extra argument (more)"),
        (["encode", "ssv2", "test", "--shard", "0"], "'test' is not one of 'train', 'validation'."),
        (["encode", "ssv2", "train", "--shard", "x"], "'x' is not a valid integer."),
        (["data", "check", "--workers", "0"], "0 is not in the range x>=1."),
        (["plan", "--clips-per-second", "fetch=2"], "'fetch=2' is not STEP=RATE, such as encode=2.5."),
        (["study", "build", "-o", "s", "--variants"], "Option '--variants' requires an argument."),
        (["study", "build", "--variants", "-o", "s"], "Option '--variants' requires an argument."),
    ],
)
def test_wrong_command_lines(capsys, arguments, message) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("fca")
    assert "--help` shows how it is called" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("arguments", [[], ["data"]])
def test_a_group_alone_shows_its_help(capsys, arguments) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert "Usage: fca" in shown.err
    assert shown.out == ""


def test_version(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"fca {__version__}\n"


def test_interrupted_from_the_keyboard_is_130_and_stopped_on_request_75(stand_in, capsys) -> None:
    for error, status in ((KeyboardInterrupt(), 130), (Interrupted("stopped after step 3"), 75)):
        stand_in("fca.report.page", "report", raises(error))
        assert main(["report", "-c", POCKET]) == status
    assert capsys.readouterr().err == "fca report: interrupted\nfca report: stopped after step 3\n"


def test_config_check(capsys) -> None:
    assert main(["config", "check", POCKET]) == 0
    expected = "valid settings (the data wasn't looked at); scale pocket; datasets ssv2, bridge, epic; variants fca"
    assert expected in capsys.readouterr().out


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
