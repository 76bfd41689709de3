"""Being asked to stop, by signals and by the clock."""

import os
import signal
import subprocess
import sys

import pytest

from fca.errors import FcaError
from fca.runs.stop import SIGNALS, Stop

pytestmark = pytest.mark.usefixtures("handlers")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_a_reason(number):
    stop = Stop().listen()
    assert stop.reason is None
    os.kill(os.getpid(), number)
    assert stop.reason == signal.Signals(number).name


def test_the_earlier_of_both_limits_counts():
    now = [1000.0]
    for hours, end, margin, expected in [
        (1.0, None, 10, 4600.0),
        (None, 5000, 10, 4400.0),
        (1.0, 5000, 10, 4400.0),
        (1.0, 9000, 10, 4600.0),
        (None, None, 10, float("inf")),
    ]:
        now[0] = 1000.0
        stop = Stop(clock=lambda: now[0])
        stop.limit(hours, margin, {} if end is None else {"SLURM_JOB_END_TIME": str(end)})
        assert stop.end == expected
        now[0] = expected - 1
        assert stop.reason is None or expected == float("inf")
        now[0] = expected
        if expected < float("inf"):
            assert stop.reason == stop.end_reason != ""


def test_a_job_no_longer_than_the_margin_is_refused_since_it_would_be_queued_for_ever():
    stop = Stop(clock=lambda: 1000.0)
    job = {"SLURM_JOB_START_TIME": "990", "SLURM_JOB_END_TIME": "1590"}
    with pytest.raises(FcaError, match="has 10 minutes in all"):
        stop.limit(None, 10, job)
    stop.limit(None, 9, job)
    assert stop.end == 1590 - 540


WORKER = """
import os, signal, time
from fca.errors import FcaError
from fca.runs.stop import leave_signals_to_parent
child = os.fork()
if not child:
    leave_signals_to_parent()
    while True:
        time.sleep(0.01)
time.sleep(0.3)
for number in (signal.SIGTERM, signal.SIGUSR1):
    os.spawnlp(os.P_WAIT, "kill", "kill", f"-{number}", str(child))
time.sleep(0.3)
print("alive" if os.waitpid(child, os.WNOHANG) == (0, 0) else "dead", flush=True)
os.kill(child, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_worker_ends_when_its_parent_says_so_and_for_nobody_else():
    done = subprocess.run([sys.executable, "-c", WORKER], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["alive", "0"], done.stderr
