"""Checkpoints of a run, one file each, written aside, fsynced and renamed; and the retention policy."""

import errno
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from fca.artifacts.atomic import write_aside, write_text
from fca.errors import FcaError
from fca.runs.folder import checkpoints

INFO = "checkpoints.json"
DAMAGED = (
    *(RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError, NotImplementedError),
    *(pickle.UnpicklingError, zipfile.BadZipFile, zlib.error, struct.error),
)
"""Errors of torch and zipfile on a truncated or altered file; others (memory, permissions) don't blame the file."""


@dataclass(frozen=True)
class CheckpointInfo:
    """The properties that decide whether a checkpoint is kept."""

    step: int
    seconds: float
    """Time trained so far, over all interruptions."""
    loss: float | None
    """Smoothed loss at that step (`fca.train.progress.Smoothed`)."""


@dataclass(frozen=True)
class Retention:
    """Retention policy: the newest checkpoints, one per `every_hours` of training, the one of the lowest loss."""

    newest: int = 2
    every_hours: float | None = None
    best: bool = False
    lengths: Collection[int] = ()
    """Steps after which the model is exported, too."""

    def steps(self, checkpoints: Sequence[CheckpointInfo]) -> set[int]:
        """The steps to keep. A pure function, since the infos hold the time.

        The earliest checkpoint of each period of `every_hours` but the first is kept; of equal losses the earliest.
        """
        ordered = sorted(checkpoints, key=lambda info: info.step)
        kept = {info.step for info in ordered[-self.newest :]} | {
            info.step for info in ordered if info.step in self.lengths
        }
        if self.every_hours is not None:
            period = 0
            for info in ordered:
                if (own := int(info.seconds // (3600 * self.every_hours))) > period:
                    kept.add(info.step)
                    period = own
        if self.best:
            losses = [(info.loss, info.step) for info in ordered if info.loss is not None]
            kept |= {step for _, step in sorted(losses)[:1]}
        return kept


def checkpoint_path(run: Path, step: int) -> Path:
    """The checkpoint after `step` optimizer steps."""
    return run / f"checkpoint-{step:07d}.pt"


def save_checkpoint(run: Path, state: Mapping[str, Any], retention: Retention | None = None) -> None:
    """Write a state, which has `step`, `seconds` and `smoothed`; only then remove what the policy doesn't keep.

    Raises:
        FcaError: the disk is full; every older checkpoint is still there.
    """
    step = int(state["step"])
    with write_aside(checkpoint_path(run, step)) as aside, aside.open("wb") as file:  # a path would hide a full disk
        torch.save(dict(state), file)

    # Ask the policy, including checkpoints written just before a kill.
    infos = _noted(run) | {step: CheckpointInfo(step, float(state["seconds"]), state["smoothed"])}
    there = checkpoints(run)
    infos = {number: infos.get(number) or _read_info(number, path) for number, path in there.items()}
    remaining = (retention or Retention()).steps(list(infos.values()))

    # Note what stays, then remove the rest.
    write_text(run / INFO, json.dumps([asdict(infos[number]) for number in sorted(remaining)], indent=1) + "\n")
    for number, path in there.items():
        if number not in remaining:
            path.unlink()


def remove_checkpoints(run: Path) -> None:
    """Remove all checkpoints of a run."""
    for path in checkpoints(run).values():
        path.unlink()
    (run / INFO).unlink(missing_ok=True)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A state of tensors and plain values, after every checksum in the file was verified.

    Raises:
        DAMAGED: one of these. Without the checksums torch would silently return altered tensors.
    """
    with zipfile.ZipFile(path) as archive:
        if (bad := archive.testzip()) is not None:
            raise zipfile.BadZipFile(f"the checksum of {bad} is wrong")
    return torch.load(path, map_location="cpu", weights_only=True)


def load_length(run: Path, step: int) -> dict[str, Any]:
    """The checkpoint after `step` steps, which is exported as a model.

    Raises:
        FcaError: the run has none, or it is damaged.
    """
    path = checkpoint_path(run, step)
    try:
        return load_checkpoint(path)
    except (*DAMAGED, OSError) as error:
        raise FcaError(
            f"{path} can't be read ({type(error).__name__}: {error})",
            "the checkpoint of a step in train.lengths, kept since the training passed it",
            f"take {step} out of train.lengths; or train again: rm -r {run}",
        ) from error


def load_newest(run: Path) -> dict[str, Any] | None:
    """The newest undamaged checkpoint, or None if the run has none. Damaged newer ones are renamed and reported.

    Raises:
        FcaError: there are checkpoints, but none can be read.
    """
    paths = checkpoints(run)
    damaged: list[Path] = []
    for path in reversed(paths.values()):
        try:
            state = load_checkpoint(path)
        except (*DAMAGED, OSError) as error:
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise FcaError(  # the disk's, not the file's
                    f"{path}: {error.strerror}",
                    "a checkpoint on a disk that works, which this user may read",
                    "fix the disk, then run the same command again; or remove the file to continue from the one before",
                ) from error
            print(f"DAMAGED: {path} ({type(error).__name__}: {error}); trying the one before it", flush=True)
            damaged.append(path)
            continue

        for other in damaged:  # so that the policy doesn't count it
            other.rename(other.with_suffix(".damaged"))
        return state

    if paths:
        raise FcaError(
            f"none of the {len(paths)} checkpoints in {run} can be read",
            "an undamaged checkpoint to resume from",
            f"remove {run} to train from the start",
        )
    return None


def _read_info(step: int, path: Path) -> CheckpointInfo:
    """Read from the checkpoint itself, without its tensors: it was written just before a kill."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return CheckpointInfo(step, float(state["seconds"]), state["smoothed"])
    except (*DAMAGED, OSError):
        return CheckpointInfo(step, 0.0, None)


def _noted(run: Path) -> dict[int, CheckpointInfo]:
    """The noted infos of the kept checkpoints; empty if the note is missing or damaged."""
    try:
        found = [CheckpointInfo(**entry) for entry in json.loads((run / INFO).read_text())]
    except (OSError, ValueError, TypeError):
        return {}
    return {info.step: info for info in found}
