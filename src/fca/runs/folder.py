"""The folder of a training run: its record, log, checkpoints and lock. `fca status` reads it, so no torch.

The folder of a run is in `Layout.run(dataset, variant)`, which holds one lock for all of its runs.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from fca.artifacts.atomic import explained_if_full, write_text
from fca.artifacts.text import flat
from fca.errors import FcaError

RECORD, LOG, SKIPPED, LOCK = "run.json", "log.jsonl", "skipped.jsonl", "lock"
HERE, ELSEWHERE = 2.0, 100.0
"""Seconds to wait for the lock of a process on this machine, and of a lost node: a file server releases it late."""


@dataclass
class Record:
    """`run.json`: what is trained, from what, and the state in which the last process left it."""

    dataset: str
    variant: str
    steps: int
    """Optimizer steps of the whole run."""
    identity: dict[str, Any]
    """Everything that affects the result, by name: settings, code, latents, frozen networks, starting adapter."""
    git_commit: str | None
    state: Literal["running", "interrupted", "failed", "finished"] = "running"
    """`running` without a lock means that the process was killed."""
    said: str = ""
    """Why it was interrupted or failed."""
    processes: int = 1
    changes: list[dict[str, Any]] = field(default_factory=list)
    """Changes accepted during the run: `step`, `keys` (name -> [before, after]), `before` (an identity)."""

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The record of a run; None if there is no readable one."""
        try:
            return cls(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        write_text(folder / RECORD, json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")


class JsonLines:
    """A list of entries kept in a file, one JSON object a line.

    Each line is flushed at once, so a killed process loses none. It is not synced to disk: a checkpoint holds the
    entries, too, and a resumed run begins with exactly those.
    """

    def __init__(self, path: Path, entries: Sequence[Mapping[str, Any]]) -> None:
        self.path, self.entries = path, [dict(entry) for entry in entries]
        write_text(path, "".join(json.dumps(entry) + "\n" for entry in self.entries))

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add an entry.

        Raises:
            FcaError: the disk is full.
        """
        self.entries.append(dict(entry))
        with explained_if_full(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Entries of a `JsonLines` file; [] if it is missing. Incomplete lines are skipped."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError:
        return []
    found = []
    for line in lines:
        with suppress(ValueError):
            if line.endswith(b"\n"):
                found.append(json.loads(line))
    return found


def checkpoints(folder: Path) -> dict[int, Path]:
    """Checkpoints of a run: step -> file, oldest first."""
    return {int(path.stem[-7:]): path for path in sorted(folder.glob(f"checkpoint-{'[0-9]' * 7}.pt"))}


def duration(seconds: float) -> str:
    """Seconds as text, such as 2 d 03:04:05."""
    days, rest = divmod(round(seconds), 86400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days} d {clock}" if days else clock


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The differences of two identities: dotted name -> values before and after (None: missing)."""
    one, other = flat(before), flat(after)
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return {name: [one.get(name), other.get(name)] for name in names}


@contextmanager
def locked(folder: Path, run: Path) -> Iterator[None]:
    """Lock all runs in `folder` while `run`, one of them, is trained.

    The kernel holds the lock (fcntl) and releases it however the process ends. A disk without locks gives no
    protection.

    Raises:
        FcaError: another process trains there, on this machine or another.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "a+", encoding="utf-8") as file:
        started, told = time.monotonic(), False
        while True:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except (BlockingIOError, PermissionError):
                who = _holder(folder)
                wait = HERE if who.get("host") in (socket.gethostname(), None) else ELSEWHERE
                if time.monotonic() - started > wait:
                    process = f"process {who.get('process', '?')} on {who.get('host', '?')}"
                    raise FcaError(
                        f"{folder} is in use: {process} trains there",
                        "one training of a dataset and variant at a time",
                        "wait for it (`fca status` shows how far it is), or end it with SIGTERM; then run the same "
                        "command again",
                    ) from None
                if wait == ELSEWHERE and not told:
                    print(f"waiting up to {wait:.0f} s for {who['host']} to release {folder}", flush=True)
                    told = True
                time.sleep(0.1)
            except OSError as error:
                print(f"{folder} can't be locked ({error.strerror}): start no second training there", flush=True)
                break

        file.truncate(0)
        file.write(json.dumps({"host": socket.gethostname(), "process": os.getpid(), "run": run.name}))
        file.flush()
        yield


def holder(folder: Path) -> dict[str, Any] | None:
    """Who trains in a folder of runs: `host`, `process` and `run`; None: nobody holds the lock."""
    try:
        with open(folder / LOCK, encoding="utf-8") as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return _holder(folder)
    except OSError:
        return None
    return None


def _holder(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / LOCK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
