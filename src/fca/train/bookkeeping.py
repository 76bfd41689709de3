"""Log, checkpoints and progress of a run: the main process keeps them, the others do nothing."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from fca.config import Config
from fca.runs.folder import LOG, SKIPPED, JsonLines, Record
from fca.runs.output import say
from fca.train.checkpoint import Retention, checkpoint_path, load_newest, save_checkpoint
from fca.train.finite import json_number, not_finite
from fca.train.progress import Progress, Smoothed, peak_memory_gib
from fca.train.run import check_identity
from fca.train.trainer import Outcome, Trainer


class NullRun:
    """The run as other ranks see it: nothing to keep."""

    state: dict[str, Any] | None = None
    """The newest checkpoint, until it is loaded."""
    path: str | None = None
    """Its file; None if training starts from the first step."""

    def start(self, steps: range) -> None:
        """The steps that are about to be done."""

    def add(self, step: int, outcome: Outcome) -> None:
        """A step was taken."""

    def skip(self, step: int, outcome: Outcome, diagnosis: Callable[[], dict[str, Any]]) -> None:
        """A step was not finite; `diagnosis` looks at its gradients.

        Raises:
            FcaError: too many consecutive steps, or all of them, were skipped.
        """

    def save(self, step: int, trainer: Trainer) -> None:
        """Write a checkpoint after `step` steps."""

    def close(self) -> None:
        """No more steps follow."""


class Run(NullRun):
    """The main process's: folder, checkpoints, log, skipped steps, smoothed loss and progress."""

    def __init__(self, folder: Path, record: Record, config: Config, accelerator: Accelerator) -> None:
        self.folder, self.record, self.settings, self.accelerator = folder, record, config.train, accelerator
        settings = self.settings
        self.retention = Retention(
            settings.keep_checkpoints, settings.keep_every_hours, settings.keep_best, settings.lengths
        )

        # Continue from the newest checkpoint, if there is one.
        self.state = load_newest(folder)
        state = self.state or {"step": 0, "log": [], "skipped": [], "seconds": 0.0, "smoothed": None, "counted": 0}
        first = int(state["step"])
        if self.state is not None:
            path = checkpoint_path(folder, first)
            check_identity(path, state, record)
            self.path = str(path)

        self.log = JsonLines(folder / LOG, state["log"])
        self.skipped = JsonLines(folder / SKIPPED, state["skipped"])
        self.smoothed = Smoothed(state["smoothed"], state["counted"])
        self._started = time.monotonic() - float(state["seconds"])
        self._tick = time.monotonic(), first

    @property
    def seconds(self) -> float:
        """Time trained, over all interruptions."""
        return time.monotonic() - self._started

    def start(self, steps: range) -> None:
        if steps.start:
            say(f"resuming {self.folder} at step {steps.start} of {self.record.steps}")
        self.last = steps.stop
        self.progress = Progress(f"train {self.record.dataset} {self.record.variant}", steps.start, steps.stop)
        skipped = {entry["step"] for entry in self.skipped.entries}
        self.consecutive = 0
        while steps.start - self.consecutive in skipped:
            self.consecutive += 1

    def add(self, step: int, outcome: Outcome) -> None:
        self.consecutive = 0
        self.smoothed.add(outcome.loss)
        self.progress.step(step)
        if step % self.settings.log_every and step != self.last:
            return

        now = time.monotonic()
        seconds = (now - self._tick[0]) / (step - self._tick[1])
        self._tick = now, step
        entry = {
            "step": step,
            "loss": outcome.loss,
            "learning_rate": outcome.learning_rate,
            "grad_norm": outcome.grad_norm,
            "seconds_per_step": round(seconds, 4),
            "samples_per_second": round(self.settings.clips_per_step / seconds, 3),
            "peak_memory_gib": peak_memory_gib(self.accelerator.device),
            "time": round(time.time(), 1),
        }
        self.log.append(entry)
        self.accelerator.log(entry, step=step)
        self.progress.note(step, outcome.loss, outcome.learning_rate)

    def skip(self, step: int, outcome: Outcome, diagnosis: Callable[[], dict[str, Any]]) -> None:
        self.consecutive += 1
        self.progress.step(step)
        entry = {"step": step, "loss": json_number(outcome.loss), "grad_norm": json_number(outcome.grad_norm)}
        entry |= {"learning_rate": outcome.learning_rate} | diagnosis()
        self.skipped.append(entry)
        say(f"step {step} is skipped: its loss or gradient is not finite; see {self.skipped.path}")
        if self.consecutive >= self.settings.max_skipped or len(self.skipped.entries) == self.last:
            raise not_finite(self.skipped.entries[-self.consecutive :], str(self.skipped.path))

    def save(self, step: int, trainer: Trainer) -> None:
        state = trainer.state() | {
            "step": step,
            "seconds": self.seconds,
            "smoothed": self.smoothed.value,
            "counted": self.smoothed.count,
            "log": self.log.entries,
            "skipped": self.skipped.entries,
            "identity": self.record.identity,
        }
        save_checkpoint(self.folder, state, self.retention)

    def close(self) -> None:
        self.progress.close()

    def summary(self, state: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """For the model's manifest; of the end, or of a checkpoint's `state`."""
        log, skipped = self.log.entries, self.skipped.entries
        seconds = self.seconds
        if state is not None:
            log, skipped, seconds = state["log"], state["skipped"], float(state["seconds"])
        return {
            "seconds": round(seconds, 1),
            "log": log,
            "skipped_steps": [entry["step"] for entry in skipped],
            "changes": [{"step": change["step"], "keys": change["keys"]} for change in self.record.changes],
            "clips_per_step": self.settings.model_dump(include={"batch_size", "processes", "gradient_accumulation"}),
        }
