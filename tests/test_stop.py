"""Being asked to stop, by signals and by the clock."""

import os
import signal

import pytest

from fca.stop import SIGNALS, Stop


@pytest.fixture(autouse=True)
def handlers():
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)


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
