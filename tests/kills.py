"""Processes that are killed at chosen instants, forked from one that has imported torch, so each starts at once."""

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path

WORLD = multiprocessing.get_context("forkserver")
WORLD.set_forkserver_preload(["tests.preload"])


def start(function: Callable, *arguments: object) -> multiprocessing.process.BaseProcess:
    """The function in a process of its own."""
    process = WORLD.Process(target=_quietly, args=(function, arguments))
    process.start()
    return process


def _quietly(function: Callable, arguments: tuple) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    function(*arguments)


def finish(function: Callable, *arguments: object) -> float:
    """Run it undisturbed; return the seconds that it took."""
    started = time.monotonic()
    process = start(function, *arguments)
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - started


def kill_after(seconds: float, function: Callable, *arguments: object) -> bool:
    """SIGKILL after so long; whether it still ran then."""
    process = start(function, *arguments)
    process.join(seconds)
    return kill(process)


def kill_while_writing(folder: Path, name: str, function: Callable, *arguments: object) -> bool:
    """SIGKILL as soon as a file is written aside whose name has `name` in it; whether it was left unfinished."""

    def asides() -> list[str]:
        try:
            return [file for file in os.listdir(folder) if file.startswith(".aside-") and name in file]
        except FileNotFoundError:
            return []

    old = set(asides())
    process = start(function, *arguments)
    while process.is_alive() and not set(asides()) - old:
        time.sleep(0.0002)
    return kill(process) and bool(set(asides()) - old)


def kill(process: multiprocessing.process.BaseProcess) -> bool:
    """SIGKILL; whether there was something to kill."""
    process.kill()
    process.join()
    assert process.exitcode in (0, -9)
    return process.exitcode == -9
