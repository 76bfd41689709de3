"""A process that watches another: statuses, signals, deaths, memory."""

import json
import os
import pty
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from fca.errors import KILLED
from fca.runs import memory
from fca.runs.watched import WATCHED

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux watches")

WATCH = """
import dataclasses, json, os, signal, sys, time
from fca.runs.watched import end_as, tried, watched
seen = watched()
if seen is not None:
    print(json.dumps(dataclasses.asdict(seen)), flush=True)
    {after}
    sys.exit(end_as(seen.status))
"""
COUNT = """
counted = []
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, lambda number, _: counted.append(number))
open("ready", "w").close()
time.sleep(1.5)
sys.exit(10 * len(counted) + len({*counted}))
"""


def command(work: str, after: str = "pass") -> list[str]:
    return [sys.executable, "-c", WATCH.format(after=after) + textwrap.dedent(work)]


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def run(work: str, after: str = "pass") -> tuple[int, dict]:
    """The exit status, and what was seen."""
    done = subprocess.run(command(work, after), stdout=subprocess.PIPE, text=True)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("status", [0, 1, 2, 75, 130])
def test_the_status_is_that_of_the_work(status):
    assert run(f"sys.exit({status})")[0] == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSEGV, signal.SIGINT])
def test_a_signal_that_ends_the_work_ends_both(number):
    work = f"signal.signal({number:d}, signal.SIG_DFL); os.kill(os.getpid(), {number:d})"
    assert run(work)[0] == -number


def test_killed_is_137_with_the_memory_of_all_its_processes():
    work = """
        import subprocess
        mine = b"x" * 100_000_000
        text = "x = b'x' * 150_000_000; print(flush=True); input()"
        child = subprocess.Popen([sys.executable, "-c", text], stdin=-1, stdout=-1)
        child.stdout.readline()
        time.sleep(2.5)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    status, seen = run(work)
    assert status == KILLED
    assert seen["status"] == -signal.SIGKILL
    assert seen["processes"] == 2
    assert 250e6 < seen["peak"] < 400e6
    assert 0 < seen["available"] < memory.total()
    assert seen["kills"] == 0, "not by the kernel"


def test_the_peak_between_two_looks_is_seen():
    _, seen = run("x = b'x' * 300_000_000; os.kill(os.getpid(), signal.SIGKILL)")
    assert 300e6 < seen["peak"] < 400e6


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_reaches_the_work_once(number, tmp_path):
    process = subprocess.Popen(command(COUNT), cwd=tmp_path, stdout=subprocess.DEVNULL)
    wait_for(tmp_path / "ready")
    process.send_signal(number)
    assert process.wait(30) == 11


def test_ctrl_c_reaches_the_work_once(tmp_path):
    """The terminal sends it to both."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(tmp_path)
        os.execv(sys.executable, command(COUNT))
    wait_for(tmp_path / "ready")
    os.write(terminal, b"\x03")
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 11
    os.close(terminal)


def test_a_signal_that_comes_after_the_end_changes_no_status():
    assert run("sys.exit(75)", "os.kill(os.getpid(), signal.SIGTERM); time.sleep(0.2)")[0] == 75


def test_the_work_dies_with_the_one_that_watches(tmp_path):
    process = subprocess.Popen(command(COUNT.replace("1.5", "60")), cwd=tmp_path, stdout=subprocess.DEVNULL)
    wait_for(tmp_path / "ready")
    [work] = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs([work], timeout=30)
    assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]


def test_who_is_watched_starts_no_second_watch():
    code = "import os; from fca.runs.watched import watched; assert watched() is None; print(os.getppid())"
    environment = os.environ | {WATCHED: "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert int(done.stdout) == os.getpid()


def test_what_is_tried_may_fail_or_last():
    status, _ = run(
        "os.kill(os.getpid(), signal.SIGKILL)",
        "assert [tried(f, 2.0) for f in (lambda: 1 / 0, lambda: time.sleep(9), "
        "lambda: os.kill(os.getpid(), 9), lambda: 41 + 1)] == ['', '', '', '42']; sys.exit(3)",
    )
    assert status == 3


def test_limits_of_slurm_are_named():
    assert memory.limits("0", {"SLURM_MEM_PER_NODE": "8000"}) == {"SLURM_MEM_PER_NODE": 8000 * 2**20}
    per_cpu = {"SLURM_MEM_PER_CPU": "1000", "SLURM_CPUS_ON_NODE": "4"}
    assert memory.limits("0", per_cpu) == {"SLURM_MEM_PER_CPU": 4000 * 2**20}
    assert memory.limits("0", {}) == {}


@pytest.mark.parametrize(
    ("line", "file", "folder"),
    [("0::/job/step", "memory.max", "job"), ("4:memory:/job/step", "memory.limit_in_bytes", "memory/job")],
)
def test_the_lowest_limit_of_a_cgroup_and_those_above_it_counts(tmp_path, monkeypatch, line, file, folder):
    """Version 2 and version 1 of the kernel's interface, as files."""
    own = tmp_path / folder / "step"
    own.mkdir(parents=True)
    (own.parent / file).write_text("1000\n")
    (own / file).write_text("max\n" if file == "memory.max" else f"{2**62}\n")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "PROCESSES", tmp_path)
    (tmp_path / "self").mkdir()
    (tmp_path / "self/cgroup").write_text(f"12:cpu:/\n{line}\n")
    assert memory.limits(environment={}) == {"cgroup": 1000}
