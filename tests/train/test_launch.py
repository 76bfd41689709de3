"""Several processes as one: environment, signals, statuses, deaths."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from fca.errors import INTERRUPTED, FcaError
from fca.train.launch import launch

UNTIL_ASKED = """
    import time
    from fca.runs.stop import Stop
    stop = Stop().listen()
    open(f"{os.environ['RANK']}.ready", "w").close()
    while stop.reason is None:
        time.sleep(0.01)
    open(f"{os.environ['RANK']}.{stop.reason}", "w").close()
    sys.exit(75)
"""


def script(text: str) -> list[str]:
    return [sys.executable, "-c", "import os, sys\n" + textwrap.dedent(text)]


def parent(text: str, processes: int, folder) -> subprocess.Popen:
    """`launch` in a process of its own."""
    code = f"import sys; from fca.train.launch import launch; sys.exit(launch({script(text)!r}, {processes}))"
    return subprocess.Popen([sys.executable, "-c", code], cwd=folder, stderr=subprocess.PIPE, text=True)


def wait_for(folder, names: set[str]) -> None:
    deadline = time.monotonic() + 60
    while not names <= set(os.listdir(folder)):
        assert time.monotonic() < deadline, f"{names} are not all in {os.listdir(folder)}"
        time.sleep(0.01)


def alive(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_each_process_knows_its_rank(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    names = "('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'OMP_NUM_THREADS')"
    text = f"open('_'.join(os.environ[name] for name in {names}), 'w').close()"
    assert launch(script(text), 2) == 0
    assert sorted(os.listdir(tmp_path)) == ["0_0_2_2", "1_1_2_2"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_reaches_all_and_the_status_says_to_be_run_again(tmp_path, number):
    process = parent(UNTIL_ASKED, 2, tmp_path)
    wait_for(tmp_path, {"0.ready", "1.ready"})
    process.send_signal(number)
    assert process.wait(60) == INTERRUPTED
    assert {f"0.{number.name}", f"1.{number.name}"} <= set(os.listdir(tmp_path))


def test_a_signal_that_comes_before_a_process_listens_is_not_lost(tmp_path):
    late = UNTIL_ASKED.replace(
        "from fca.runs.stop", "open(os.environ['RANK'], 'w').close(); time.sleep(0.5); from fca.runs.stop"
    )
    process = parent(late, 2, tmp_path)
    wait_for(tmp_path, {"0", "1"})
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == INTERRUPTED
    assert {"0.SIGTERM", "1.SIGTERM"} <= set(os.listdir(tmp_path))


def test_the_others_are_ended_when_one_fails(monkeypatch):
    monkeypatch.setattr("fca.train.launch.GRACE", 0.2)
    started = time.monotonic()
    with pytest.raises(FcaError, match="process 1 of 2 ended with status 3") as raised:
        launch(script("import time; sys.exit(3) if os.environ['RANK'] == '1' else time.sleep(60)"), 2)
    assert raised.value.exit_status == 3
    assert time.monotonic() - started < 20


def test_a_killed_process_is_named_not_those_that_failed_because_of_it(monkeypatch):
    monkeypatch.setattr("fca.train.launch.GRACE", 2.0)
    text = "import time; time.sleep(0.3) or sys.exit(1) if os.environ['RANK'] == '0' else os.kill(os.getpid(), 9)"
    with pytest.raises(FcaError, match=r"process 1 of 2 was killed \(SIGKILL\)"):
        launch(script(text), 2)


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
def test_no_process_outlives_a_killed_parent(tmp_path):
    text = "import time; open(f'pid{os.getpid()}', 'w').close(); time.sleep(60)"
    process = parent(text, 2, tmp_path)
    deadline = time.monotonic() + 30
    while len(os.listdir(tmp_path)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    children = [int(name[3:]) for name in os.listdir(tmp_path)]
    assert len(children) == 2
    process.kill()
    process.wait()
    while any(map(alive, children)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(alive, children))
