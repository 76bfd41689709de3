"""Calls in processes of their own: what hangs, crashes or eats memory costs one call."""

import contextlib
import ctypes
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from fca.artifacts.quarantine import ClipError
from fca.errors import FcaError, Killed
from fca.video.workers import _Pool, call_apart, cores

ROOT = Path(__file__).parents[2]


def misbehave(what: str, value: int) -> object:
    """Run in the processes: an answer, or one of the ways not to give one."""
    match what:
        case "fifo":  # opening a named pipe that nobody writes to waits for ever
            path = Path(tempfile.mkdtemp()) / "pipe"
            os.mkfifo(path)
            threading.Timer(0.2, shutil.rmtree, [path.parent]).start()
            return path.read_text()
        case "crash":
            return ctypes.string_at(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "kill once":
            if not Path(str(value)).exists():
                Path(str(value)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(0)
        case "memory":
            return np.ones((64, 2**30), np.uint8)
        case "clip":
            raise ClipError("it is a picture")
        case "mistake":
            raise KeyError("a mistake of ours")
        case "big":
            return np.full((value, 1000, 1000), value, np.uint8), value
        case "stop":  # stops for good while its answer is half sent
            big = np.zeros(50_000_000, np.uint8)
            threading.Timer(0.0, os.kill, [os.getpid(), signal.SIGSTOP]).start()
            return big
        case "process":
            return os.getpid()
        case "sleep":
            time.sleep(value / 1000)
    return value


def children() -> list[psutil.Process]:
    """Processes of `call_apart` that run now."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def test_answers_come_in_order_from_any_number_of_processes() -> None:
    """The first calls take longest."""
    calls = [("sleep", 300 - 50 * number) if number < 6 else ("value", number) for number in range(12)]
    expected = [value for _, value in calls]
    for processes, ahead in ((1, 0), (3, 0), (2, 5)):
        assert list(call_apart(misbehave, calls, processes, ahead=ahead)) == expected
    assert children() == []


def test_arrays_arrive_whole() -> None:
    sizes = (1, 40, 3)
    answers = call_apart(misbehave, [("big", size) for size in sizes], 2)
    for size, (array, value) in zip(sizes, answers, strict=True):
        assert value == size
        assert array.shape == (size, 1000, 1000)
        assert (array == size).all()
        array += 1  # nobody else's memory


@pytest.mark.parametrize("what", ["fifo", "crash", "exit", "stop"])
def test_what_goes_wrong_costs_one_call(what: str, caplog: pytest.LogCaptureFixture) -> None:
    reason = "decoding it takes more than 3 s" if what in ("fifo", "stop") else "decoding it crashed the decoder"
    calls = [("value", 1), ("value", 2), (what, 3), ("value", 4), ("value", 5)]
    with caplog.at_level(logging.WARNING):
        answers = list(call_apart(misbehave, calls, 1, seconds=3))
    assert isinstance(answers[2], ClipError)
    assert str(answers[2]) == reason
    assert answers[:2] + answers[3:] == [1, 2, 4, 5]
    died = {"crash": "died (SIGSEGV)", "exit": "died (exit status 0)"}
    assert died.get(what, "is killed: too slow") in caplog.text
    assert children() == []


def test_no_clip_is_to_blame_for_processes_that_are_killed(caplog: pytest.LogCaptureFixture) -> None:
    """As by the kernel for memory: the second time the step ends and says so, and the clip isn't quarantined."""
    answers = call_apart(misbehave, [("value", 1), ("kill", 2), ("value", 3)], 2)
    assert next(answers) == 1
    with pytest.raises(Killed, match=r"a decoding process \(\d+\) was killed \(SIGKILL\)") as raised:
        list(answers)
    assert "was killed (SIGKILL), most likely for memory: another one makes its call" in caplog.text
    assert raised.value.problem not in caplog.text, "another process"
    assert children() == []


def test_a_process_that_is_killed_once_costs_nothing(tmp_path: Path) -> None:
    answers = call_apart(misbehave, [("value", 1), ("kill once", str(tmp_path / "killed")), ("value", 3)], 1)
    assert list(answers) == [1, str(tmp_path / "killed"), 3]
    assert (tmp_path / "killed").exists()


def test_an_idle_process_that_is_killed_costs_nothing() -> None:
    pool = _Pool(misbehave, 30)
    first = pool.call(("process", 0))
    assert pool.call(("process", 0)) == first
    process = psutil.Process(first)
    process.kill()
    while process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert isinstance(again := pool.call(("process", 0)), int)
    assert again != first
    pool.stop()
    pool.clear()


def test_many_that_go_wrong_at_once() -> None:
    kinds = ["crash", "value", "exit", "clip", "value", "fifo"]
    calls = [(kinds[number % 6], number) for number in range(24)]
    answers = list(call_apart(misbehave, calls, 4, seconds=2, ahead=8))
    for (what, number), answer in zip(calls, answers, strict=True):
        assert answer == number if what == "value" else isinstance(answer, ClipError)


def test_memory_has_a_limit() -> None:
    (answer, after) = call_apart(misbehave, [("memory", 0), ("value", 1)], 1)
    assert str(answer) == "decoding it takes more than 8 GiB of memory"
    assert after == 1


def test_a_mistake_of_ours_is_no_clip_error() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)misbehave failed.*KeyError: 'a mistake of ours'"):
        list(call_apart(misbehave, [("mistake", 0), ("value", 1)], 1))
    assert children() == []


def test_processes_that_cannot_start_are_no_clip_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken environment must not quarantine a dataset."""
    monkeypatch.setattr("multiprocessing.spawn._python_exe", b"/bin/false")
    with pytest.raises(FcaError, match="did not start"):
        list(call_apart(misbehave, [("value", 1)], 1))


def test_no_more_is_made_than_asked_for() -> None:
    taken: list[int] = []

    def calls():
        for number in range(50):
            taken.append(number)
            yield "value", number

    answers = call_apart(misbehave, calls(), 2, ahead=3)
    for expected in range(5):
        assert next(answers) == expected
        assert len(taken) <= expected + 1 + 2 + 3
    answers.close()
    assert children() == []


def test_work_goes_on_while_the_caller_is_busy() -> None:
    answers = call_apart(misbehave, [("sleep", 300)] * 7, 2, ahead=4)
    next(answers)
    time.sleep(1.5)
    started = time.perf_counter()
    assert [next(answers) for _ in range(5)] == [300] * 5
    assert time.perf_counter() - started < 0.25
    answers.close()


def test_leaving_early_does_not_wait_for_what_hangs() -> None:
    answers = call_apart(misbehave, [("value", 1), ("fifo", 2), ("fifo", 3)], 3, seconds=60)
    assert next(answers) == 1
    started = time.perf_counter()
    answers.close()
    assert time.perf_counter() - started < 20
    assert children() == []


def test_a_killed_job_leaves_no_process_behind(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from fca.video.workers import call_apart
from tests.video.test_workers import misbehave
if __name__ == "__main__":
    answers = call_apart(misbehave, [("process", 0), ("fifo", 1)], 1, seconds=600)
    print(next(answers), flush=True)
    next(answers)
"""
    (tmp_path / "job.py").write_text(code)
    job = subprocess.Popen([sys.executable, str(tmp_path / "job.py")], stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    decoder = int(job.stdout.readline())
    time.sleep(0.5)
    assert psutil.pid_exists(decoder)
    job.kill()
    job.wait()
    for _ in range(100):
        if not psutil.pid_exists(decoder) or psutil.Process(decoder).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the decoder outlives its job")


def test_the_decoder_starts_without_torch_and_settings() -> None:
    code = "import sys, fca.data.clip_pixels; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "h5py", "pydantic", "scipy", "fca.config"} & set(loaded)


def test_cores_are_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    available = len(os.sched_getaffinity(0))
    for given, expected in (("1", 1), ("9999", available), ("", available), ("0", available), ("two", available)):
        monkeypatch.setenv("OMP_NUM_THREADS", given)
        assert cores() == expected
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert cores() == available
