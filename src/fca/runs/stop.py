"""Stop requests, by signal or by the clock. Quick to import: a signal must be caught before torch is imported."""

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
    """Whether, and why, work should stop at the next point at which nothing is lost."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock`: seconds since 1970."""
        self.clock = clock
        self.started = clock()
        self.end, self.end_reason = math.inf, ""
        self._signal: int | None = None

    def listen(self) -> Self:
        """Turn each signal of `SIGNALS` into a stop request from now on.

        Signals that the parent blocked while it started this process arrive now.
        """
        for number in SIGNALS:
            signal.signal(number, self._heard)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return self

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self._signal = number

    def limit(self, hours: float | None, margin_minutes: float, environment: Mapping[str, str] = os.environ) -> None:
        """Stop after `hours`, and `margin_minutes` before Slurm's end of the job (SLURM_JOB_END_TIME, if set).

        Raises:
            FcaError: the whole job is no longer than the margin, so that each would do one step and queue the next.
        """
        if hours is not None:
            self.end, self.end_reason = self.started + 3600 * hours, f"the limit of {hours:g} hours"
        if environment.get("SLURM_JOB_END_TIME", "").isdecimal():
            end = float(environment["SLURM_JOB_END_TIME"]) - 60 * margin_minutes
            start = environment.get("SLURM_JOB_START_TIME", "")
            if start.isdecimal() and end <= float(start):
                raise FcaError(
                    f"the Slurm job has {margin_minutes + (end - float(start)) / 60:g} minutes in all",
                    f"more than train.margin_minutes, {margin_minutes:g}: training stops that long before the end",
                    "give the job more time (in a profile: runtime of train_adapter), or lower train.margin_minutes",
                )
            if end < self.end:
                self.end, self.end_reason = end, f"the job ends within {margin_minutes:g} minutes"

    @property
    def reason(self) -> str | None:
        """Why to stop; None: continue."""
        if self._signal is not None:
            return signal.Signals(self._signal).name
        return self.end_reason if self.clock() >= self.end else None


def deaf() -> None:
    """Ignore `SIGNALS` from now on, so that none replaces the exit status of a process that is ending.

    Python removes its own handlers during shutdown, which takes a second with torch imported.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def leave_signals_to_parent(worker: int = 0) -> None:
    """Let the training process alone decide when its loader's workers stop.

    A scheduler signals the workers, too. Only a SIGTERM from the training process still ends them.
    """
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_when_told_by, args=(os.getppid(),), daemon=True).start()


def _end_when_told_by(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
