"""The page's tables of rows: scores, cost, and what they were made with."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from fca.report.evidence.answers import Row
from fca.report.evidence.power import last_change
from fca.report.evidence.words import filled, named
from fca.report.format import signed
from fca.report.metrics import EFFECTOR, FVD, KEPT, METRICS, PSNR, SSIM, TASK, Metric

SHOWN = (FVD, PSNR, SSIM, TASK, EFFECTOR, KEPT)


def side_by_side(rows: Sequence[Row]) -> str:
    """Every score that one of the rows has."""
    lines = [f"| score | {' | '.join(f'`{row.key}`' for row in rows)} |", "|---|" + "---|" * len(rows)]
    for metric in METRICS:
        if any(row.end(metric) for row in rows):
            lines.append(f"| {named(metric, metric.unit)} | {' | '.join(_mean(row, metric) for row in rows)} |")
    return "\n".join(lines)


def _mean(row: Row, metric: Metric) -> str:
    values = row.end(metric)
    if not values:
        return "–"
    spread = f" (sd {metric.write(stdev(values))})" if len(values) > 1 else ""
    return f"{metric.write(fmean(values))}{spread}"


def scores_and_cost(rows: Mapping[str, Row]) -> str:
    """Scores at the end, and what the rows cost."""
    titles = " | ".join(named(metric, metric.unit) for metric in SHOWN)
    lines = [
        f"| row | trained weights | trainings | steps | {titles} | FVD's last change | minutes a training |",
        "|---|---|---|---|" + "---|" * len(SHOWN) + "---|---|",
    ]
    for row in rows.values():
        seconds = [record.seconds for record in row.records.values() if record.seconds is not None]
        weights = f"{row.first.trained:,}" if row.first.trained else "–"
        scores = " | ".join(_mean(row, metric) for metric in SHOWN)
        minutes = f"{fmean(seconds) / 60:.1f}" if seconds else "–"
        trainings, change = len(row.records) if seconds else "–", last_change(row)
        changed = signed(f"{100 * change:+.0f} %") if change is not None and seconds else "–"
        lines.append(
            f"| `{row.key}` | {weights} | {trainings} | {row.first.steps:,} | {scores} | {changed} | {minutes} |"
        )
    return "\n".join([*lines, "", filled(_made_by(rows))])


def _made_by(rows: Mapping[str, Row]) -> str:
    """How long all trainings took, and the code that they ran."""
    records = [record for row in rows.values() for record in row.records.values()]
    hours = sum(record.seconds for record in records if record.seconds is not None) / 3600
    devices = ", ".join(dict.fromkeys(record.device for record in records if record.device)) or "–"
    made: dict[str, list[str]] = {}
    for row in rows.values():
        for commit in dict.fromkeys(record.git_commit for record in row.records.values()):
            if commit:
                made.setdefault(commit[:12], []).append(f"`{row.key}`")
    most = max(made.values(), key=len, default=[])
    commits = [f"{commit} ({'the other trained rows' if keys is most and len(made) > 1 else ', '.join(keys)})"
               for commit, keys in sorted(made.items(), key=lambda item: len(item[1]))]  # fmt: skip
    codes: dict[str, set[str]] = {}
    for record in records:
        for step, code in record.code.items():
            codes.setdefault(step, set()).add(code)
    states = max(map(len, codes.values()), default=0)
    of_code = f"{states} {'state' if states == 1 else 'states'} of the code"
    return (
        f"FVD's last change is that from the second to last length. All trainings together took {hours:.1f} hours on"
        f" {devices}; predicting and scoring at all lengths takes about as long again. Minutes depend on what else ran"
        f" on the machine. Rows were made by {'; '.join(commits) or '–'}, with {of_code}; other code or another machine"
        " gives slightly other digits."
    )
