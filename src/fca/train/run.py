"""The run that a training belongs to: found by everything that decides its outcome, so that no two are ever mixed."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fca.artifacts.atomic import remove
from fca.artifacts.fingerprint.code import code_hash
from fca.artifacts.fingerprint.settings import part
from fca.artifacts.fingerprint.weights import weights_hash
from fca.config import Config, Layout
from fca.errors import FcaError, Interrupted
from fca.runs.folder import RECORD, Record, checkpoints, differences, locked
from fca.train.export import git_commit

Identity = dict[str, Any]
SHOWN = 8  # differences in an error


def identity(config: Config, dataset: str, variant: str, latents: Sequence[str]) -> Identity:
    """What decides a training's outcome, as JSON values. `latents`: the content hash of each training shard.

    `settings` (see `fca.artifacts.fingerprint`: the clips of a step, not how they are divided), `code` (a hash),
    `latents` (by shard), `weights` (hashes of the frozen networks and the starting adapter).
    """
    found = {
        "settings": part(config, "train", dataset, variant),
        "code": code_hash("train"),
        "latents": {str(shard): sha256 for shard, sha256 in enumerate(latents)},
        "weights": weights_hash(config, "train", variant),
    }
    return json.loads(json.dumps(found))


def run_folder(config: Config, dataset: str, variant: str, identity: Identity) -> Path:
    """Where a run keeps its checkpoints and log, named by a hash of its identity."""
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return Layout(config).run(dataset, variant) / digest[:12]


@contextmanager
def open_run(
    config: Config, dataset: str, variant: str, now: Identity, accept_changes: bool = False
) -> Iterator[tuple[Path, Record]]:
    """The run's folder, locked, and its record, which says at the end how it was left. For the main process alone.

    Where there is an unfinished run of other settings, code or data, that one would be lost from sight: it is refused,
    or, with `accept_changes`, becomes this run, which remembers what was changed at which step.

    Raises:
        FcaError: such a run, one whose record can't be read, or another process that trains in the folder.
    """
    folder = run_folder(config, dataset, variant, now)
    with locked(folder.parent, folder):
        steps = config.train_steps(dataset, variant)
        other = None if checkpoints(folder) else _unfinished(folder)
        record = Record.read(other or folder)
        if record is not None and record.identity != now:  # another's, or one whose taking over was killed half-way
            if not accept_changes:
                raise _changed(other or folder, record, now)
            _take_over(other or folder, folder, record, now, steps)
        record = record or Record(dataset, variant, steps, now, git_commit())
        record.steps, record.state, record.said, record.processes = steps, "running", "", config.train.processes
        for left_over in folder.glob(".aside-*"):  # of killed processes: nobody else is at work here
            remove(left_over)
        record.write(folder)
        try:
            yield folder, record
        except BaseException as error:
            record.state = "interrupted" if isinstance(error, Interrupted | KeyboardInterrupt) else "failed"
            record.said = (str(error).splitlines() or [type(error).__name__])[0]
            with suppress(OSError, FcaError):  # a full disk must not hide why it ended
                record.write(folder)
            raise
        record.state = "finished"
        record.write(folder)


def check_identity(path: Path, state: Mapping[str, Any], record: Record) -> None:
    """Refuse a checkpoint that was made with anything else than its run says.

    Raises:
        FcaError: with the names of what differs.
    """
    known = [record.identity, *(change["before"] for change in record.changes)]
    if state["identity"] not in known:
        raise FcaError(
            f"{path} belongs to another run:\n{_listed(differences(state['identity'], record.identity))}",
            "a checkpoint of the same settings, code and data",
            f"put it back where it came from, or remove {path.parent} to train from the start",
        )


def _unfinished(folder: Path) -> Path | None:
    """Of the other runs beside `folder`, the one that is furthest of those with work to lose."""
    found = {}
    for other in folder.parent.iterdir():
        steps = list(checkpoints(other)) if other.is_dir() and other != folder else []
        record = Record.read(other) if steps else None
        if steps and record is None:
            raise FcaError(
                f"{other / RECORD} is missing or can't be read, and beside it are checkpoints up to step {steps[-1]}",
                "to know what they belong to",
                f"put the file back; or move {other} elsewhere, and train from the start",
            )
        if record and record.state != "finished" and steps[-1] < record.steps:
            found[other] = steps[-1]
    return max(found, key=lambda other: (found[other], other.name), default=None)


def _take_over(other: Path, folder: Path, record: Record, now: Identity, steps: int) -> None:
    """Make `other` the run in `folder`, and note in its record, which is yet to be written, what has changed."""
    step = max(checkpoints(other), default=0)
    if step > steps:
        raise FcaError(
            f"{other} is at step {step}, and now training is to have {steps}",
            "a run that goes on has steps to go",
            f"set train_steps to {step} or more; or train from the start: rm -r {other}",
        )
    changed = differences(record.identity, now)
    print(f"going on from step {step} of {other} with changes:\n{_listed(changed)}", flush=True)
    record.changes.append({"step": step, "keys": changed, "before": record.identity})
    record.identity = now
    if other != folder:
        remove(folder)  # it has no checkpoint
        other.rename(folder)


def _changed(other: Path, record: Record, now: Identity) -> FcaError:
    changed = differences(record.identity, now)
    code = "code" in changed and f" (for the code: commit {record.git_commit})"
    return FcaError(
        f"{other} is an unfinished run at step {max(checkpoints(other), default=0)} of {record.steps}, and since it "
        f"began something has changed:\n{_listed(changed)}",
        "the settings, code and data that it began with",
        f"undo the change to go on{code or ''}; or go on with it, which the model's manifest will say: run "
        f"`fca train` once with --accept-changes; or train from the start: rm -r {other}",
    )


def _listed(changed: Mapping[str, list[Any]]) -> str:
    lines = [f"  {name}: {_short(before)} then, {_short(after)} now" for name, (before, after) in changed.items()]
    more = len(lines) - SHOWN
    return "\n".join([*lines[:SHOWN], f"  and {more} more"] if more > 0 else lines)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 40 else f"{text[:12]}..."
