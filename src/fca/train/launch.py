"""Several processes that train together on one machine, started and watched by `fca train`.

torchrun doesn't fit: it exits with 1 whatever its processes return, dies of SIGUSR1, and kills its processes 30 seconds
after a SIGTERM, although a step and a checkpoint at full size take longer. For several machines see docs/training.md.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

from fca.config import Config
from fca.errors import INTERRUPTED, FcaError, Interrupted, Killed
from fca.runs.stop import SIGNALS, Stop, deaf
from fca.runs.watched import die_with_parent

GRACE = 10.0
"""Seconds that the others have to end by themselves after one process has failed."""


def train(config: Config, dataset: str, variant: str, accept_changes: bool, argv: Sequence[str]) -> int:
    """Run `fca train` in as many processes as configured, or as one that was already launched; return the exit status.

    `argv`: the command line, for other processes. Signals are handled from here on, before torch is imported.
    """
    try:
        if config.train.processes > 1 and "WORLD_SIZE" not in os.environ:
            return launch([sys.executable, "-m", "fca.cli", *argv], config.train.processes)
        stop = Stop().listen()
        from fca.train.loop import train

        train(config, dataset, variant, stop, accept_changes)
    except Interrupted as interrupted:
        if os.environ.get("RANK", "0") == "0":
            raise
        return interrupted.exit_status  # process 0 reports it for all
    finally:
        deaf()
    return 0


def launch(command: Sequence[str], processes: int) -> int:
    """Run `command` in `processes` processes that find each other; return 0 or INTERRUPTED if all ended well.

    Each gets RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, its share of OMP_NUM_THREADS, and every signal
    of `SIGNALS` sent to this process. If one fails, or this process is killed, the others are ended.

    Raises:
        Killed: a process was killed (SIGKILL).
        FcaError: a process failed or another signal ended it.
    """
    threads = max(1, int(os.environ.get("OMP_NUM_THREADS", "1")) // processes)
    shared = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "WORLD_SIZE": str(processes),
        "OMP_NUM_THREADS": str(threads),
    }
    children: list[subprocess.Popen] = []

    def forward(number: int, frame: FrameType | None) -> None:
        for child in children:
            child.send_signal(number)

    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # a child unblocks them once it can handle them: `Stop.listen`
    previous = {number: signal.signal(number, forward) for number in SIGNALS}
    try:
        for rank in range(processes):
            own = shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            children.append(subprocess.Popen(command, env=own, preexec_fn=die_with_parent))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return _watch(children)
    finally:
        for child in children:
            child.kill()  # a no-op for those that have ended
            child.wait()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _watch(children: Sequence[subprocess.Popen]) -> int:
    deadline = float("inf")
    while any(child.poll() is None for child in children) and time.monotonic() < deadline:
        if deadline == float("inf") and _first_failed(children) is not None:
            deadline = time.monotonic() + GRACE
        time.sleep(0.05)
    failed = _first_failed(children)
    if failed is None:
        return INTERRUPTED if any(child.returncode == INTERRUPTED for child in children) else 0
    status = children[failed].returncode
    process = f"process {failed} of {len(children)}"
    if status > 0:
        error = FcaError(f"{process} ended with status {status}", "all to end well", "read its message above")
        error.exit_status = status
        raise error
    name = signal.Signals(-status).name
    raise (Killed if status == -signal.SIGKILL else FcaError)(
        f"{process} was killed ({name})",
        "every process to live; the others were ended",
        "run the same command again: it continues from the newest checkpoint",
    )


def _first_failed(children: Sequence[subprocess.Popen]) -> int | None:
    """The rank of a process that failed; killed ones first, since others fail because of them."""
    bad = [rank for rank, child in enumerate(children) if child.poll() not in (None, 0, INTERRUPTED)]
    return min(bad, key=lambda rank: (children[rank].returncode > 0, rank), default=None)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
