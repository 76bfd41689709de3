"""A process that watches another one do the work, and lives to say how it ended: nobody can say that he was killed.

It imports next to nothing, so the kernel, which ends the largest process if memory runs out, spares it. Linux only.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from fca.errors import KILLED
from fca.runs import memory

WATCHED = "FCA_WATCHED"
"""Environment variable of a process that is watched, and of those that it starts."""
PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
WAITED_FOR = frozenset({*PASSED_ON, signal.SIGCHLD})
SECONDS = 1.0
"""Between two looks at the memory."""


@dataclass
class Seen:
    """What the watching process saw of the one that worked, and of all that this one had started."""

    status: int = 0
    """Exit status; negative: the number of the signal that ended it."""
    peak: int = 0
    """Most bytes of memory that all had together. Memory that they share counts several times."""
    processes: int = 1
    """How many they were then."""
    available: int | None = None
    """Fewest bytes that the machine had left."""
    kills: int | None = None
    """Processes of this machine that the kernel killed for memory in the meantime, in any container or job."""

    @property
    def killed(self) -> bool:
        """Whether it, or a process of its own (`fca.errors.Killed`), ended by SIGKILL."""
        return self.status in (-signal.SIGKILL, KILLED)


def watched() -> Seen | None:
    """Divide this process in two. To be called before a thread is started.

    The new one does the work: it gets None here. It dies with the other, which returns only after its end. Signals sent
    to the other reach it; once it has ended they are blocked, so that none changes the exit status.
    """
    if sys.platform != "linux" or WATCHED in os.environ:
        return None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, WAITED_FOR)
    ignored = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if it were ignored, no status would come
    watching = os.getpid()
    try:
        worker = os.fork()
    except OSError:  # no room for another process
        worker = 0
    if worker:
        return _seen(worker)

    if os.getpid() != watching:
        os.environ[WATCHED] = str(watching)
        die_with_parent()
        if os.getppid() != watching:
            os._exit(KILLED)
    signal.signal(signal.SIGCHLD, ignored)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return None


def tried(function: Callable[[], object], seconds: float) -> str:
    """What a function returns, as text, in a process of its own; empty if it fails, takes too long, or a signal comes.

    Only after `watched`, in the process that watches.
    """
    signal.sigtimedwait({signal.SIGCHLD}, 0)  # of one that has ended before
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        with suppress(BaseException):
            die_with_parent()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            os.write(writer, str(function()).encode())
        os._exit(0)

    os.close(writer)
    signal.sigtimedwait(WAITED_FOR, seconds)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    with open(reader, encoding="utf-8") as pipe:
        return pipe.read()


def die_with_parent() -> None:
    """Linux: SIGKILL for this process when its parent dies, so that no work continues unwatched."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG


def end_as(status: int) -> int:
    """The exit status for `Seen.status`; a signal other than SIGKILL ends this process, too, without a core dump."""
    if status >= 0:
        return status
    number = -status
    if number != signal.SIGKILL:
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    return 128 + number


def _seen(worker: int) -> Seen:
    """Wait for the end of `worker`, pass signals on to it, and look at its memory."""
    seen, before = Seen(), memory.kills()
    while True:
        size, processes = memory.resident(worker)
        if size > seen.peak:
            seen.peak, seen.processes = size, processes
        left = memory.available()
        if left is not None:
            seen.available = min(left, seen.available or left)

        # Signals of the terminal (from the kernel: a positive code) reach the whole group by themselves.
        got = signal.sigtimedwait(WAITED_FOR, SECONDS)
        if got is not None and got.si_signo != signal.SIGCHLD and got.si_code <= 0:
            os.kill(worker, got.si_signo)
        ended, status, usage = os.wait4(worker, os.WNOHANG)
        if ended:
            break

    seen.status = os.waitstatus_to_exitcode(status)
    seen.peak = max(seen.peak, usage.ru_maxrss * 1024)  # of the largest, also between two looks
    after = memory.kills()
    seen.kills = None if before is None or after is None else after - before
    return seen
