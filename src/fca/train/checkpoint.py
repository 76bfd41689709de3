"""Checkpoints of a run: one file each, written aside and renamed, the newest kept."""

import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from fca.data.files import write_aside
from fca.errors import FcaError

KEPT = 2
DAMAGED = (RuntimeError, EOFError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile)
"""What torch raises on a truncated or altered file; other errors (no memory, no permission) are not the file's."""


def checkpoint_path(run: Path, step: int) -> Path:
    """The file of the state after `step` optimizer steps."""
    return run / f"checkpoint-{step:07d}.pt"


def save_checkpoint(run: Path, step: int, state: dict[str, Any]) -> None:
    """Write the state after `step` optimizer steps; then, and only then, remove all but the newest `KEPT`."""
    with write_aside(checkpoint_path(run, step)) as aside:
        torch.save(state | {"step": step}, aside)
    for path in _checkpoints(run)[:-KEPT]:
        path.unlink()


def load_newest(run: Path) -> dict[str, Any] | None:
    """The newest checkpoint that can be read (tensors and plain values only), or None where the run has none.

    Raises:
        FcaError: there are checkpoints, and none can be read.
    """
    paths = _checkpoints(run)
    for path in reversed(paths):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except DAMAGED as error:
            print(f"{path} can't be read ({type(error).__name__}: {error}); trying the one before it", flush=True)
    if paths:
        raise FcaError(
            f"none of the {len(paths)} checkpoints in {run} can be read",
            "an undamaged checkpoint to resume from",
            f"remove {run} to train from the start",
        )
    return None


def _checkpoints(run: Path) -> list[Path]:
    """Oldest first."""
    return sorted(path for path in run.glob("checkpoint-*.pt") if re.fullmatch(r"checkpoint-\d{7}\.pt", path.name))
