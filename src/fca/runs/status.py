"""The table of `fca status`: all training runs of a scale, read from their folders alone."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fca.runs.folder import LOG, RECORD, SKIPPED, Record, checkpoints, duration, holder, read_lines

STALE = 600.0
"""Seconds without any write, at least, after which a running training is reported as silent."""
COLUMNS = ("dataset", "variant", "run", "step", "s/step", "left", "checkpoint", "loss", "skipped", "health")


def as_text(folder: Path) -> str:
    """The aligned table of all runs in `folder`."""
    rows = table(folder, time.time())
    if not rows:
        return f"no training has begun in {folder}"
    rows.insert(0, COLUMNS)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def table(folder: Path, now: float) -> list[tuple[str, ...]]:
    """A row of `COLUMNS` for every run in `folder`/dataset/variant/; `now`: seconds since 1970."""
    rows = []
    for group in sorted(folder.glob("*/*/")):
        held = holder(group)
        for path in sorted(group.iterdir()):
            record = Record.read(path) if path.is_dir() else None
            if record is not None:
                rows.append(_row(path, record, held is not None and held.get("run") == path.name, now))
            elif kept := checkpoints(path):
                step, saved = max(kept), _age(path_time(kept[max(kept)]), now)
                health = f"{RECORD} is missing or can't be read"
                rows.append((group.parent.name, group.name, path.name, f"{step}/?", "-", "-", saved, "-", "-", health))
    return rows


def _row(path: Path, record: Record, held: bool, now: float) -> tuple[str, ...]:
    log, skipped, kept = read_lines(path / LOG), read_lines(path / SKIPPED), checkpoints(path)
    last = log[-1] if log else {}
    step = max([last.get("step", 0), *kept])
    seconds = last.get("seconds_per_step")
    health = _health(path, record, held, log, now)
    left = duration(seconds * (record.steps - step)) if seconds and health.startswith("running") else "-"
    saved = _age(path_time(list(kept.values())[-1]), now) if kept else "none"
    speed, loss = f"{seconds:.3g}" if seconds else "-", f"{last['loss']:.4f}" if log else "-"
    progress = (f"{step}/{record.steps}", speed, left, saved, loss, str(len(skipped)), health)
    return (record.dataset, record.variant, path.name, *progress)


def _health(path: Path, record: Record, held: bool, log: Sequence[dict[str, Any]], now: float) -> str:
    if held:
        news = max(path_time(file) for file in path.iterdir())
        between = (log[-1]["step"] - log[-2]["step"]) * log[-1]["seconds_per_step"] if len(log) > 1 else 0.0
        silent = now - news > max(STALE, 5 * between)
        return f"silent for {duration(now - news)}: does it hang?" if silent else f"running ({record.processes})"
    if record.state == "running":
        return "killed: run the same command again"
    return record.state if record.state == "finished" else f"{record.state}: {record.said}"


def path_time(path: Path) -> float:
    """When a file was last written; 0 if it has just been deleted."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _age(then: float, now: float) -> str:
    return f"{duration(max(0.0, now - then))} ago"
