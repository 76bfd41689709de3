"""The run that a training belongs to, identified by everything that affects its outcome, so no two are ever mixed."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fca.artifacts.atomic import remove
from fca.artifacts.fingerprint import fingerprint
from fca.config import Config, Layout
from fca.errors import FcaError, Interrupted, first_line
from fca.runs.folder import RECORD, Record, checkpoints, differences, locked
from fca.train.export import git_commit

Identity = dict[str, Any]
SHOWN = 8  # differences in an error


def identity(config: Config, dataset: str, variant: str, latents: Sequence[str]) -> Identity:
    """Everything that affects a training's outcome, as JSON values. `latents`: the content hash of each training shard.

    The rest is the step's fingerprint: `settings`, `code` and `weights`.
    """
    shards = {str(shard): sha256 for shard, sha256 in enumerate(latents)}
    return json.loads(json.dumps(fingerprint(config, "train", dataset, variant) | {"latents": shards}))


def run_folder(config: Config, dataset: str, variant: str, identity: Identity) -> Path:
    """The folder of a run's checkpoints and log, named by a hash of its identity."""
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return Layout(config).run(dataset, variant) / digest[:12]


@contextmanager
def open_run(
    config: Config, dataset: str, variant: str, now: Identity, accept_changes: bool = False
) -> Iterator[tuple[Path, Record]]:
    """Lock the run's folder; its record says at the end how the run ended. For the main process alone.

    An unfinished run of other settings, code or data would be lost from sight: it is refused, or, with
    `accept_changes`, becomes this run, which records what changed at which step.

    Raises:
        FcaError: there is such a run, a record can't be read, or another process trains in the folder.
    """
    folder = run_folder(config, dataset, variant, now)
    with locked(folder.parent, folder):
        steps = config.train_steps(dataset, variant)
        other = None if checkpoints(folder) else _unfinished(folder)
        record = Record.read(other or folder)
        if record is not None and record.identity != now:  # another's, or one that was killed while it was taken over
            if not accept_changes:
                raise _changed(other or folder, record, now)
            _take_over(other or folder, folder, record, now, steps)
        record = record or Record(dataset, variant, steps, now, git_commit())
        record.steps, record.state, record.said, record.processes = steps, "running", "", config.train.processes
        for left_over in folder.glob(".aside-*"):  # of killed processes; the lock keeps others out
            remove(left_over)
        record.write(folder)
        try:
            yield folder, record
        except BaseException as error:
            record.state = "interrupted" if isinstance(error, Interrupted | KeyboardInterrupt) else "failed"
            record.said = first_line(error)
            with suppress(OSError, FcaError):  # a full disk must not hide why it ended
                record.write(folder)
            raise
        record.state = "finished"
        record.write(folder)


def check_identity(path: Path, state: Mapping[str, Any], record: Record) -> None:
    """Refuse a checkpoint made with anything else than its run's record says.

    Raises:
        FcaError: the identities differ; the message names the differences.
    """
    known = [record.identity, *(change["before"] for change in record.changes)]
    if state["identity"] not in known:
        raise FcaError(
            f"{path} belongs to another run:\n{_listed(differences(state['identity'], record.identity))}",
            "a checkpoint of the same settings, code and data",
            f"move it back to its own run, or remove {path.parent} to train from the start",
        )


def _unfinished(folder: Path) -> Path | None:
    """The furthest unfinished run next to `folder`, if any."""
    found = {}
    for other in folder.parent.iterdir():
        steps = list(checkpoints(other)) if other.is_dir() and other != folder else []
        record = Record.read(other) if steps else None
        if steps and record is None:
            raise FcaError(
                f"{other / RECORD} is missing or can't be read, and next to it are checkpoints up to step {steps[-1]}",
                "the record of what they belong to",
                f"put the file back; or move {other} elsewhere, and train from the start",
            )
        if record and record.state != "finished" and steps[-1] < record.steps:
            found[other] = steps[-1]
    return max(found, key=lambda other: (found[other], other.name), default=None)


def _take_over(other: Path, folder: Path, record: Record, now: Identity, steps: int) -> None:
    """Make `other` the run in `folder`, and note the changes in its record, which the caller writes."""
    step = max(checkpoints(other), default=0)
    if step > steps:
        raise FcaError(
            f"{other} is at step {step}, but training now has only {steps} steps",
            "a run with steps left",
            f"set train_steps to {step} or more; or train from the start: rm -r {other}",
        )
    changed = differences(record.identity, now)
    print(f"continuing from step {step} of {other} with changes:\n{_listed(changed)}", flush=True)
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
        f"undo the change to continue{code or ''}; or continue with it, which the model's manifest records: run "
        f"`fca train` once with --accept-changes; or train from the start: rm -r {other}",
    )


def _listed(changed: Mapping[str, list[Any]]) -> str:
    lines = [f"  {name}: {_short(before)} then, {_short(after)} now" for name, (before, after) in changed.items()]
    more = len(lines) - SHOWN
    return "\n".join([*lines[:SHOWN], f"  and {more} more"] if more > 0 else lines)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 40 else f"{text[:12]}..."
