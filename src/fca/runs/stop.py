"""Being asked to stop: by a signal, or by the clock. Light, so that a signal is heard before torch is imported."""

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Self

from fca.errors import FcaError

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""What schedulers send before they end a job (Slurm: `--signal=USR1@300`, preemption, scancel)."""


class Stop:
    """Whether, and why, work should stop at the next point where nothing is lost."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock`: seconds since 1970."""
        self.clock = clock
        self.started = clock()
        self.end, self.end_reason = math.inf, ""
        self._signal: int | None = None

    def listen(self) -> Self:
        """From now on a signal of `SIGNALS` asks to stop instead of ending the process.

        Signals that a parent blocked while it started this process arrive now.
        """
        for number in SIGNALS:
            signal.signal(number, self._heard)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return self

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self._signal = number

    def limit(self, hours: float | None, margin_minutes: float, environment: Mapping[str, str] = os.environ) -> None:
        """Stop after `hours`, and `margin_minutes` before Slurm's end of the job (SLURM_JOB_END_TIME, where set).

        Raises:
            FcaError: the whole job is no longer than the margin: each would do one step and queue the next.
        """
        if hours is not None:
            self.end, self.end_reason = self.started + 3600 * hours, f"the limit of {hours:g} hours"
        if environment.get("SLURM_JOB_END_TIME", "").isdecimal():
            end = float(environment["SLURM_JOB_END_TIME"]) - 60 * margin_minutes
            start = environment.get("SLURM_JOB_START_TIME", "")
            if start.isdecimal() and end <= float(start):
                raise FcaError(
                    f"the Slurm job is given {margin_minutes + (end - float(start)) / 60:g} minutes in all",
                    f"more than train.margin_minutes, {margin_minutes:g}, before whose beginning training stops",
                    "give the job more time (in a profile: runtime of train_adapter), or lower train.margin_minutes",
                )
            if end < self.end:
                self.end, self.end_reason = end, f"the job ends within {margin_minutes:g} minutes"

    @property
    def reason(self) -> str | None:
        """Why to stop; None: go on."""
        if self._signal is not None:
            return signal.Signals(self._signal).name
        return self.end_reason if self.clock() >= self.end else None


def deaf() -> None:
    """From now on `SIGNALS` do nothing: a process that only has its status left to give is not to lose it to another.

    Python takes its own handlers away while it ends, which takes a second once torch is there.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def leave_signals_to_parent(worker: int = 0) -> None:
    """For a loader's workers, which a scheduler signals with the process that trains: that one decides when to stop.

    Its own SIGTERM, with which it ends workers that it needs no longer, still ends them.
    """
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_when_told_by, args=(os.getppid(),), daemon=True).start()


def _end_when_told_by(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
