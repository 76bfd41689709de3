"""What a rehearsal measured, next to what `fca plan` counted, and what it says about the full configuration."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fca.artifacts.atomic import write_text
from fca.artifacts.measured import Job, read_measured
from fca.config import Config, Layout
from fca.plan import Plan, plan
from fca.plan.cards import WORKSPACE
from fca.plan.disk import readable
from fca.plan.rates import seconds_a_clip
from fca.plan.steps import Row
from fca.report.format import significant

GIB = 2**30
SLOWER = 1.5
"""A step counts as slower than planned if it takes so many times as long."""
MEASURED = ("train", "sample", "score", "measure-vae-roundtrip")
"""Steps of models that measure themselves"""
STEPS = {"measure-vae-roundtrip": "vae-roundtrip"}
"""A step of the plan -> its name in measurements, where they differ."""


@dataclass(frozen=True)
class Line:
    """One step of a rehearsal for one dataset, split or variant."""

    step: str
    dataset: str
    of: str
    device: str
    clips: int
    seconds: float
    """Of a clip; of a training's clip without checkpoints"""
    loading: float
    """Seconds for loading networks, of a job"""
    host: int
    """Peak of bytes in the machine's memory"""
    on_gpu: int | None
    """Peak of bytes of tensors on the GPU"""
    counted: int | None
    """What `fca plan` counts for the rehearsal, in bytes; without a GPU, with what the program takes by
    itself and with pixels"""
    written: int
    """Bytes"""
    full_need: int | None
    """Bytes that the full configuration needs here: its count, times what was measured over what was counted"""
    full_hours: float | None
    """Hours of all jobs of the full configuration on this device"""
    planned_hours: float | None
    """The same by `fca plan` without measurements"""
    verdict: str

    @property
    def ratio(self) -> float | None:
        """Measured peak over the counted one."""
        return (self.on_gpu or self.host) / self.counted if self.counted else None


def plans(config: Config, small: Config) -> tuple[Plan, Plan, Plan]:
    """Of a rehearsal `small` of `config`, and of its variants in `config` with what was measured and without."""
    ablations = bool(small.ablations)
    same = {kind: {name: own for name, own in getattr(config, kind).items() if name in small.every_variant}
            for kind in ("variants", "ablations")}  # fmt: skip
    config = config.model_copy(update=same)
    return plan(small, ablations), plan(config, ablations), plan(config, ablations, measured=False)


def lines(small: Config, of_small: Plan, full: Plan, published: Plan, processes: int = 1) -> list[Line]:
    """The table of a finished rehearsal, in the order of its plan; `processes` are those of a full training."""
    jobs = read_measured(small)
    found = []
    for row in of_small.rows:
        if own := [job for job in jobs if _is_of(job, row)]:
            found.append(_line(row, own, _same(full, row), _same(published, row), processes))
    return found


def unmeasured(found: Sequence[Line], of_small: Plan, with_models: Sequence[str]) -> list[str]:
    """Rows of the plan that should have a line and have none, such as a step that was killed as it ended.

    Datasets that aren't among `with_models` only have latents.
    """
    there = {(line.step, line.dataset, line.of) for line in found}
    due = [
        row for row in of_small.rows if row.step == "encode" or (row.step in MEASURED and row.dataset in with_models)
    ]
    return [f"{row.step} {row.dataset} {row.of}" for row in due if (row.step, row.dataset, row.of) not in there]


def _is_of(job: Job, row: Row) -> bool:
    if (job.step, job.dataset) != (STEPS.get(row.step, row.step), row.dataset):
        return False
    if row.step == "encode":  # its rows are a split and a base
        return row.of == f"{job.part.partition('-')[0]}, {job.of}"
    return job.step in ("vae-roundtrip", "resample") or job.of == row.of


def _same(of: Plan, row: Row) -> Row | None:
    return next((own for own in of.rows if (own.step, own.dataset, own.of) == (row.step, row.dataset, row.of)), None)


def _line(row: Row, jobs: Sequence[Job], full: Row | None, published: Row | None, processes: int) -> Line:
    host, before = max(job.host_peak for job in jobs), max(job.before for job in jobs)
    on_gpu = max((job.device_peak for job in jobs if job.device_peak is not None), default=None)
    counted, of_full = (_counted(each, before, on_gpu is not None) for each in (row, full))
    need = None
    if counted and of_full:
        need = int(of_full * max(1.0, (on_gpu or host) / counted))
        if row.step == "train" and on_gpu is None:
            need *= processes  # which share the machine's memory
    there = jobs[0].memory - (0 if on_gpu is None else int(WORKSPACE * GIB))
    hours = full.gpu_hours if full is not None else None
    planned = published.gpu_hours if published is not None else None

    return Line(
        step=row.step,
        dataset=row.dataset,
        of=row.of,
        device=jobs[0].device,
        clips=sum(job.clips for job in jobs),
        seconds=seconds_a_clip(jobs),
        loading=max(job.loading for job in jobs),
        host=host,
        on_gpu=on_gpu,
        counted=counted,
        written=sum(job.written for job in jobs),
        full_need=need,
        full_hours=hours or None,
        planned_hours=planned or None,
        verdict=verdict(need, there, hours or None, planned or None, on_gpu is not None),
    )


def _counted(row: Row | None, before: int, on_gpu: bool) -> int | None:
    """Bytes; without a GPU with what the program took before, and what a GPU needn't hold."""
    if row is None or row.gpu_memory is None:
        return None
    return row.gpu_memory + (0 if on_gpu else before + row.host_memory)


def verdict(need: int | None, there: int, hours: float | None, planned: float | None, on_gpu: bool = True) -> str:
    """What a step of the full configuration does on a device of `there` bytes; 0: unknown. Plans are for A100s."""
    if need is not None and there > 0 and need > there:
        return f"doesn't fit: {need / GIB:.1f} of {there / GIB:.1f} GiB"
    if hours and planned and hours > SLOWER * planned:
        return f"fits, {significant(hours / planned)} times as long as {'planned' if on_gpu else 'on an A100'}"
    return "fits" if need is not None else "done"


HEAD = ("step", "of", "clips", "s a clip", "loading", "host", "GPU", "plan", "written", "full scale", "verdict")


def as_text(found: Sequence[Line], missing: Sequence[str] = ()) -> str:
    """The table, aligned, and the steps that it lacks."""
    cells = [HEAD, *map(cells_of, found)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    text = []
    for row in cells:
        padded = [f"{value:{'>' if 2 <= n <= 9 else '<'}{widths[n]}}" for n, value in enumerate(row)]
        text.append("  ".join(padded).rstrip())
    return "\n".join([
        *text,
        "",
        "s a clip: without loading and checkpoints; loading: seconds of a job. host, GPU: peak in GiB; plan: what it",
        "counts (without a GPU, with what the program takes by itself and with pixels), and measured over counted.",
        "full scale: hours of all jobs of the full configuration on this device. `fca plan` uses these rates.",
        *([f"Not measured, as a kill lost it or nothing was to compute: {', '.join(missing)}."] if missing else []),
    ])  # fmt: skip


def cells_of(line: Line) -> tuple[str, ...]:
    """A line's cells, as in `HEAD`."""
    gib = lambda size: "-" if size is None else f"{size / GIB:.2f}"  # noqa: E731
    counted = "-" if line.counted is None or line.ratio is None else f"{gib(line.counted)} ({line.ratio:.2f})"
    hours = "-" if line.full_hours is None else f"{line.full_hours:,.3g} h"
    return (
        line.step, f"{line.dataset} {line.of}".strip(), str(line.clips), f"{line.seconds:.3g}", f"{line.loading:.3g}",
        gib(line.host), gib(line.on_gpu), counted, readable(line.written) if line.written else "-", hours, line.verdict,
    )  # fmt: skip


def write(path: Path, found: Sequence[Line]) -> None:
    """Write the table as JSON, which the report shows."""
    write_text(path, json.dumps({"head": HEAD, "rows": [cells_of(line) for line in found],
                                 "lines": [asdict(line) for line in found]}, indent=1) + "\n")  # fmt: skip


def table_path(small: Config) -> Path:
    """Where a rehearsal's table is."""
    return Layout(small).rehearsal
