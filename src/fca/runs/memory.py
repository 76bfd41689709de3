"""Memory of processes, of the machine, and of the job that limits them, as Linux tells it; None where it doesn't."""

import os
import resource
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

CGROUPS, PROCESSES = Path("/sys/fs/cgroup"), Path("/proc")


def resident(process: int) -> tuple[int, int]:
    """Bytes of memory of a process and all that it and they have started, and their number.

    Memory that they share counts several times.
    """
    sizes = [_size(each) for each in _tree(process)]
    return sum(sizes), len(sizes)


def total() -> int | None:
    """Bytes of the machine."""
    return _kibibytes("MemTotal:")


def available() -> int | None:
    """Bytes that the machine has left for new work."""
    return _kibibytes("MemAvailable:")


def kills() -> int | None:
    """Processes that the kernel has killed for memory since it started, in any job or container of the machine."""
    return _number("/proc/vmstat", "oom_kill")


def limits(process: str = "self", environment: Mapping[str, str] = os.environ) -> dict[str, int]:
    """Limits in bytes that are below the machine's memory, by who sets them: the cgroup of a process, and Slurm."""
    found = {}
    with suppress(OSError):
        sizes = []
        for line in (PROCESSES / process / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in ("", "memory"):  # version 2, version 1
                root = CGROUPS / controllers
                own = root / path.lstrip("/")
                above = [own, *own.parents]
                sizes += [size for folder in above[: above.index(root) + 1] if (size := _limit(folder)) is not None]
        if sizes and min(sizes) < (total() or 0):
            found["cgroup"] = min(sizes)
    for name, times in (("SLURM_MEM_PER_NODE", "1"), ("SLURM_MEM_PER_CPU", environment.get("SLURM_CPUS_ON_NODE", ""))):
        if environment.get(name, "").isdecimal() and times.isdecimal():
            found[name] = int(environment[name]) * int(times) * 2**20
    return found


def _limit(cgroup: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # without a limit it says `max`
            return int((cgroup / name).read_text())
    return None


def _tree(process: int) -> Iterator[int]:
    """A process and those that it and they have started."""
    yield process
    with suppress(OSError):  # it has ended, or the kernel keeps no list
        for task in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{task}/children") as file:
                children = file.read().split()
            for child in children:
                yield from _tree(int(child))


def _size(process: int) -> int:
    try:
        with open(f"/proc/{process}/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _kibibytes(name: str) -> int | None:
    number = _number("/proc/meminfo", name)
    return None if number is None else 1024 * number


def _number(path: str, name: str) -> int | None:
    """The number next to `name` in a file of lines `name number`."""
    with suppress(OSError), open(path) as file:
        for line in file:
            words = line.split()
            if words[:1] == [name]:
                return int(words[1])
    return None
