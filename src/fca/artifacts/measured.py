"""What a step took on this machine: time, memory and bytes of each job, kept with the runs.

`fca plan` takes its rates from these files, and `fca rehearse` prints them. They are no results: no step reads them and
no rule depends on them.
"""

import contextlib
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from fca.artifacts.atomic import write_text
from fca.artifacts.cores import own_cores
from fca.config import Config, Layout
from fca.config.names import RunName
from fca.config.settings import BaseKind
from fca.errors import FcaError

_loading = 0.0
"""Seconds that this process has spent on loading networks."""


@dataclass
class Job:
    """One job of a step."""

    step: str = ""
    """`encode`, `train`, ..., as `fca plan` calls it"""
    dataset: str = ""
    of: str = ""
    """Base, variant or split"""
    part: str = ""
    """Split, kind and number of the shard"""
    conditions: dict[str, Any] = field(default_factory=dict)
    """Settings that a rate depends on"""
    device: str = ""
    clips: int = 0
    """That were computed, not found finished; of a training those of all its steps"""
    seconds: float = 0.0
    """By the clock, without loading networks"""
    loading: float = 0.0
    """Seconds for loading networks"""
    repeated: float = 0.0
    """Of `seconds`, those in proportion to `steps`"""
    steps: int = 0
    """Denoising or optimizer steps"""
    processes: int = 1
    before: int = 0
    """Bytes of this process in memory when it began"""
    host_peak: int = 0
    """Most bytes of this process in memory"""
    device_peak: int | None = None
    """Most bytes of tensors on the GPU; None: there is no GPU"""
    memory: int = 0
    """Bytes of the GPU's memory, or of the machine's if there is no GPU"""
    written: int = 0
    """Bytes"""

    @contextmanager
    def repeating(self, steps: int) -> Iterator[None]:
        """Time what takes as long as it has steps."""
        start, self.steps = time.monotonic(), steps
        yield
        self.repeated += time.monotonic() - start

    def write(self, path: Path) -> None:
        """Write it as JSON; a disk that is full or read-only is no reason to lose the step's result."""
        with contextlib.suppress(OSError, FcaError):
            write_text(path, json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """None if the file isn't one of these."""
        try:
            found = cls(**json.loads(path.read_text(encoding="utf-8")))
            return found if found.clips > 0 else None
        except (OSError, ValueError, TypeError):
            return None


@contextmanager
def measured(config: Config, step: str, dataset: str, of: str, part: str = "") -> Iterator[Job]:
    """Measure a job whose work is done inside, and keep the result if it ends well and computed any clip.

    The block sets `clips`, and where it matters `written` and `repeated`.
    """
    found = Job(step, dataset, of, part, conditions(config, step, of), before=_resident())
    loading, start = _loading, time.monotonic()
    _forget_peaks()
    yield found
    found.loading = _loading - loading
    found.seconds = time.monotonic() - start - found.loading
    found.device, found.memory = _device()
    found.host_peak, found.device_peak = host_peak(), _device_peak()
    if found.clips:
        found.write(measured_path(config, step, dataset, of, part))


@contextmanager
def loading() -> Iterator[None]:
    """Count what happens inside as loading networks, once if such blocks are in each other."""
    global _loading
    before, start = _loading, time.monotonic()
    yield
    _loading = before + time.monotonic() - start


def measured_path(config: Config, step: str, dataset: str, of: str, part: str = "") -> Path:
    """The file of a job's measurements."""
    name = "-".join(word for word in (step, of, part) if word)
    return Layout(config).measured(dataset) / f"{name}.json"


def read_measured(config: Config, step: str | None = None, of: str | None = None) -> list[Job]:
    """All measurements of a scale, or of a step of it, that hold for its settings."""
    files = sorted(path for dataset in config.datasets for path in Layout(config).measured(dataset).glob("*.json"))
    found = [each for path in files if (each := Job.read(path)) is not None]
    return [
        each
        for each in found
        if step in (None, each.step) and of in (None, each.of)
        if each.conditions == conditions(config, each.step, each.of)
    ]


def conditions(config: Config, step: str, of: str) -> dict[str, Any]:
    """The settings that decide how long a clip takes in a step."""
    clip = config.clip
    known = RunName.of(of).variant in config.every_variant
    base: BaseKind = "image" if of == "image" else config.variant(of).base if known else "text"
    found: dict[str, Any] = {"clip": [clip.frames, clip.height, clip.width]}
    if step not in ("resample", "score"):
        found["model"] = Path(config.base_called(base).model).name.lower()
    match step:
        case "encode":
            found["precision"] = config.encode.precision
        case "train":
            found |= {"precision": config.train.precision, "checkpointed_layers": config.train.checkpointed_layers}
        case "sample":
            own = config.of(of).sample if known else config.sample
            found |= {"precision": own.precision, "guidance": own.guidance_scale != 1}
    return found


def host_peak() -> int:
    """Most bytes of this process in memory, since `measured` began where the system can tell that.

    What is swapped out at the end counts, too: it was in memory, and would have to be there again.
    """
    with contextlib.suppress(OSError, ValueError, KeyError):
        lines = Path("/proc/self/status").read_text().splitlines()
        found = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
        return 1024 * sum(int(found[name][0]) for name in ("VmHWM", "VmSwap"))
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _device() -> tuple[str, int]:
    """The GPU's name, or `CPU, n threads`; and the bytes of its memory."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        threads = torch.get_num_threads() if torch else own_cores()
        return f"CPU, {threads} threads", os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return str(torch.cuda.get_device_name()), int(torch.cuda.get_device_properties(0).total_memory)


def _device_peak() -> int | None:
    torch = sys.modules.get("torch")
    return int(torch.cuda.max_memory_allocated()) if torch is not None and torch.cuda.is_available() else None


def _resident() -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return 0


def _forget_peaks() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
