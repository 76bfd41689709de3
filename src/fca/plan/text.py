"""Write a plan as aligned text."""

import shutil
from pathlib import Path

from fca.plan.disk import readable
from fca.plan.steps import Plan, Row

HEAD = ("step", "of", "jobs", "disk", "GPU hours", "hours a job", "GPU memory")


def as_text(plan: Plan) -> str:
    """A table for each dataset, totals, sources of rates, and assumptions."""
    cells = [_cells(row) for row in plan.rows]
    widths = [max(len(line[column]) for line in [HEAD, *cells]) for column in range(len(HEAD))]

    def line(values: tuple[str, ...]) -> str:
        padded = [f"{value:{'<' if column < 2 else '>'}{widths[column]}}" for column, value in enumerate(values)]
        return "  ".join(padded).rstrip()

    lines: list[str] = []
    for dataset in dict.fromkeys(row.dataset for row in plan.rows):
        lines += [f"{plan.scale}: {dataset}", line(HEAD)]
        lines += [line(values) for row, values in zip(plan.rows, cells, strict=True) if row.dataset == dataset]
        lines.append("")
    return "\n".join([*lines, *_totals(plan), "", *_notes(plan)])


def _cells(row: Row) -> tuple[str, ...]:
    disk = ", ".join(f"{kind} {readable(size)}" for kind, size in row.disk.items()) or "-"
    hours = "-" if row.gpu_hours == 0 else _hours(row.gpu_hours)
    memory = "-" if row.gpu_memory is None else f"{row.gpu_memory / 2**30:.3g} GiB"
    return row.step, row.of or "-", str(row.jobs), disk, hours, _hours(row.job_hours), memory


def _hours(hours: float | None) -> str:
    return "unknown" if hours is None else f"{hours:,.4g}" if hours >= 0.095 else f"{hours:.1g}"


def _totals(plan: Plan) -> list[str]:
    total = plan.as_json()["total"]
    disk = plan.disk()
    unknown = sorted({kind for row in plan.rows for kind, size in row.disk.items() if size is None})
    more = f", and unknown: {', '.join(unknown)}" if unknown else ""
    hours = f"{total['gpu_hours']:,.4g}"
    if total["without_a_rate"]:
        hours += f", and without a rate: {', '.join(total['without_a_rate'])}"
    existing = next(folder for folder in [Path(plan.folder), *Path(plan.folder).absolute().parents] if folder.is_dir())
    kinds = ", ".join(f"{kind} {readable(size)}" for kind, size in disk.items())
    return [
        f"disk       {readable(sum(disk.values()))} ({kinds}){more}",
        f"           {readable(shutil.disk_usage(existing).free)} are free on the disk of data_dir",
        f"GPU hours  {hours}",
    ]


def _notes(plan: Plan) -> list[str]:
    """Sources of rates, contents of the memory, and assumptions, each once."""
    rates = dict.fromkeys(f"{row.step}: {row.rate}" for row in plan.rows if row.rate)
    memory = dict.fromkeys(f"{row.step} {row.of if row.step == 'train' else ''}".strip() + f": {row.memory_of}"
                           for row in plan.rows if row.memory_of)  # fmt: skip
    return [
        "Rates (if a log was written on a CPU, its hours stand for those of a GPU)",
        *(f"  {note}" for note in rates),
        "Hours a job: of the longest, on one GPU or one core; of a training, which is resumed, between two checkpoints",
        "GPU memory: the peak, without kernels' workspaces, the context and the allocator's reserve: about 3 GiB",
        *(f"  {note}" for note in memory),
        *(["Assumed", *(f"  {note}" for note in plan.assumed)] if plan.assumed else []),
        "Training clips take no disk: they go from pixels to latents in one pass.",
    ]
