"""Calls that may hang or crash, in separate processes: a failure there costs one call, never the job.

Why not a library's pool: in Python's own and loky's, a process that dies takes the whole pool with it. Pebble's
processes share one pipe and one lock, and one that is killed while it sends its frames leaves both broken
(docs/log.md). Here each process has its own pipe, and a thread of this process that waits for it.
"""

import logging
import multiprocessing
import os
import pickle
import resource
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

import numpy as np

from fca.artifacts.cores import own_cores
from fca.artifacts.quarantine import ClipError
from fca.errors import FcaError, Killed

SECONDS = 60.0
MEMORY = 8 * 2**30  # bytes that a process may take beyond what it has when it begins
START_SECONDS = 300.0  # Python and its modules from a slow network disk

log = logging.getLogger(__name__)


def call_apart(
    function: Callable[..., Any],
    calls: Iterable[tuple[Any, ...]],
    processes: int | None = None,
    seconds: float = SECONDS,
    ahead: int = 0,
) -> Iterator[Any]:
    """`function(*arguments)` for each of `calls`, in order: its result, or the ClipError that it raised.

    A call that takes longer than `seconds` or more than MEMORY bytes, or that crashes its process, is a ClipError, too,
    with the same text on every machine; another process takes the next call. `function` is at the top of a module, so
    that a fresh Python (spawned: decord hangs after a fork) can import it; the fewer modules it needs, the better.
    Arrays come back with one copy. At most `processes` (default: `cores()`) + `ahead` results wait for the caller.

    Raises:
        Killed: something else killed two processes in turn during a call (SIGKILL), for which no clip is to blame.
        FcaError: processes don't start.
        RuntimeError: `function` raised any other exception.
    """
    count = processes or cores()
    pool = _Pool(function, seconds)
    threads = ThreadPoolExecutor(count, thread_name_prefix="apart")
    waiting: deque[Future[Any]] = deque()
    try:
        for arguments in calls:
            waiting.append(threads.submit(pool.call, arguments))
            if len(waiting) > count + ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.stop()
        threads.shutdown(cancel_futures=True)
        pool.clear()


def cores() -> int:
    """Cores that this job has: OMP_NUM_THREADS, which Snakemake sets to a job's threads, or all it may run on."""
    available, limit = own_cores(), os.environ.get("OMP_NUM_THREADS", "")
    return min(available, int(limit)) if limit.isdecimal() and int(limit) else available


class _Pool:
    """Processes that wait for a call; one is started if none is idle."""

    def __init__(self, function: Callable[..., Any], seconds: float) -> None:
        self._function, self._seconds = function, seconds
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._all: set[_Process] = set()
        self._stopped = False

    def call(self, arguments: tuple[Any, ...]) -> Any:
        try:
            return self._call(arguments)
        except Killed as killed:
            if self._stopped:
                raise
            log.warning("%s, most likely for memory: another one makes its call", killed.problem)
            return self._call(arguments)

    def _call(self, arguments: tuple[Any, ...]) -> Any:
        process = self._take()
        try:
            answer = process.call(arguments, self._seconds)
        except (EOFError, OSError) as error:
            return self._lost(process, slow=isinstance(error, TimeoutError))
        with self._lock:
            self._idle.append(process)
        if isinstance(answer, RuntimeError):  # a bug in this project
            raise answer
        return answer

    def _lost(self, process: "_Process", slow: bool) -> ClipError:
        """Why the call of a process that gives no answer can't be made; Killed if no clip is to blame."""
        killed = not slow and not self._stopped and process.was_killed()
        process.end()
        with self._lock:
            self._all.discard(process)
        if killed:
            raise Killed(
                f"a decoding process ({process.pid}) was killed (SIGKILL)",
                "every process to live: no clip is to blame for memory that the machine lacks",
                "fewer of them (decode.processes), or more memory; then run the same command again",
            )

        if not self._stopped:
            fate = "is killed: too slow" if slow else f"died ({process.status})"
            log.warning("decoding process %s %s", process.pid, fate)
        return ClipError(
            f"decoding it takes more than {self._seconds:g} s" if slow else "decoding it crashed the decoder"
        )

    def stop(self) -> None:
        """Kill all processes and start no more; a thread that waits for one gets an end of file."""
        with self._lock:
            self._stopped = True
            for process in self._all:
                process.kill()

    def clear(self) -> None:
        """Wait for the end of stopped processes, once no thread waits for answers."""
        for process in self._all:
            process.end()

    def _take(self) -> "_Process":
        with self._lock:
            if self._stopped:
                raise RuntimeError("the pool is stopped")
            while self._idle:
                process = self._idle.pop()
                if process.is_alive():
                    return process
                self._all.discard(process)  # killed while idle: no clip is to blame
                process.end()
            process = _Process(self._function)
            self._all.add(process)
        process.wait_until_ready()
        return process


class _Process(SpawnProcess):
    """One process and this end of its pipe."""

    def __init__(self, function: Callable[..., Any]) -> None:
        pipe, theirs = multiprocessing.Pipe()
        super().__init__(target=_serve, args=(function, theirs), daemon=True, name="fca-apart")
        self.start()
        theirs.close()
        self._pipe = pipe  # after the start: the process must not hold this end, too

    @property
    def status(self) -> str:
        """How it ended: a signal's name or an exit status."""
        code = self.exitcode
        return signal.Signals(-code).name if code is not None and code < 0 else f"exit status {code}"

    def wait_until_ready(self) -> None:
        """Wait until its modules are imported; Killed or FcaError if that failed, for which no clip is to blame."""
        try:
            self._answer(START_SECONDS)
        except (EOFError, OSError) as error:
            killed = not isinstance(error, TimeoutError) and self.was_killed()
            self.kill()
            self.join(1)
            raise (Killed if killed else FcaError)(
                f"a process for decoding did not start ({self.status})",
                f"Python to start and import the decoders within {START_SECONDS:g} s",
                "see the messages above; a full /tmp, missing memory or a broken environment are common causes",
            ) from error

    def call(self, arguments: tuple[Any, ...], seconds: float) -> Any:
        self._pipe.send(arguments)
        return self._answer(seconds)

    def was_killed(self) -> bool:
        """Whether SIGKILL ended it, which no decoder sends to itself; to be asked before `end`, which sends it."""
        self.join(5)
        return self.exitcode == -signal.SIGKILL

    def end(self) -> None:
        """Kill it and release its pipe; a process that hangs inside the kernel (a lost disk) is left behind."""
        self.kill()
        self.join(5)
        self._pipe.close()

    def _answer(self, seconds: float) -> Any:
        """What `_send` sends at the other end; TimeoutError, EOFError or OSError if no complete answer arrives."""
        deadline = time.monotonic() + seconds

        def wait() -> None:
            if not self._pipe.poll(max(0.0, deadline - time.monotonic())):
                raise TimeoutError

        wait()
        content, sizes = self._pipe.recv()
        buffers = [np.empty(size, np.uint8) for size in sizes]
        for buffer in buffers:
            left = buffer.data
            while left:
                wait()
                if not (got := os.readv(self._pipe.fileno(), [left])):
                    raise EOFError
                left = left[got:]
        return pickle.loads(content, buffers=buffers)


def _serve(function: Callable[..., Any], pipe: Connection) -> None:
    """Answer calls until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches everyone in the terminal: the job decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with open("/proc/self/statm") as file:
        limit = int(file.read().split()[0]) * resource.getpagesize() + MEMORY
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _send(pipe, None)
    while True:
        try:
            arguments = pipe.recv()
        except EOFError:
            return
        _send(pipe, _outcome(function, arguments))


def _outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return function(*arguments)
    except ClipError as error:
        return error
    except MemoryError:
        return ClipError(f"decoding it takes more than {MEMORY / 2**30:g} GiB of memory")
    except Exception:
        return RuntimeError(f"{function.__name__} failed in a separate process:\n{traceback.format_exc()}")


def _send(pipe: Connection, answer: Any) -> None:
    """Send an answer, followed by the raw memory of its arrays."""
    buffers: list[pickle.PickleBuffer] = []
    content = pickle.dumps(answer, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    pipe.send((content, [view.nbytes for view in views]))
    for view in views:
        while view:
            view = view[os.write(pipe.fileno(), view) :]


def _end_with_parent() -> None:
    """Exit with the job, even if a decoder hangs."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
