"""Progress of a training for people: a bar on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from tqdm import tqdm

from fca.artifacts.measured import host_peak
from fca.runs.folder import duration
from fca.runs.output import say

SMOOTHING = 100
EVERY = 30.0
"""Minimum seconds between plain lines."""


@dataclass
class Smoothed:
    """The smoothed loss: the mean of the first `SMOOTHING` losses, then a moving average of weight 1 / SMOOTHING.

    A loss is the mean over all clips of an optimizer step; skipped steps don't count.
    """

    value: float | None = None
    count: int = 0

    def add(self, loss: float) -> None:
        self.count = min(self.count + 1, SMOOTHING)
        self.value = loss if self.value is None else self.value + (loss - self.value) / self.count


class Progress:
    """The progress of a training from step `first` to `steps`."""

    def __init__(self, title: str, first: int, steps: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.title, self.first, self.steps, self.clock = title, first, steps, clock
        self.bar: tqdm | None = None
        if sys.stderr.isatty():
            self.bar = tqdm(desc=title, initial=first, total=steps, unit="step", mininterval=0.5)
        self._timed: tuple[float, int] | None = None  # after the first step, which is slower
        self._last_line = -float("inf")

    def step(self, done: int) -> None:
        """One more step is done."""
        if self._timed is None:
            self._timed = self.clock(), done
        if self.bar is not None:
            self.bar.update(done - self.bar.n)

    def note(self, done: int, loss: float, learning_rate: float) -> None:
        """Show a loss and a learning rate with the speed and the time left."""
        if self.bar is not None:
            self.bar.set_postfix(loss=f"{loss:.4f}", lr=f"{learning_rate:.2e}")
            return
        now = self.clock()
        if now - self._last_line < EVERY and done < self.steps:
            return
        self._last_line = now
        text = f"{self.title}: step {done}/{self.steps}, loss {loss:.4f}, learning rate {learning_rate:.2e}"
        if self._timed is not None and done > self._timed[1]:
            seconds = (now - self._timed[0]) / (done - self._timed[1])
            text += f", {seconds:.3g} s/step, {duration(seconds * (self.steps - done))} left"
        say(text)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def peak_memory_gib(device: torch.device) -> float:
    """Peak memory: of the GPU's allocator, or of this process on a CPU."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**30, 3)
    return round(host_peak() / 2**30, 3)
