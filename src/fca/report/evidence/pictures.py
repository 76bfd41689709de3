"""The page's pictures as SVG files: learning curves with bands, and differences with intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from fca.artifacts.atomic import write_text
from fca.config.questions import FCA
from fca.report.chart import Curve, Span, line_chart, span_chart, text_width
from fca.report.evidence.answers import Pair, Row
from fca.report.metrics import FVD, Metric
from fca.report.render import render

GROUPS = {
    "table3": ("Table 3", (FCA, "no_mask", "uniform_refined", "uniform", "no_ftc", "lora")),
    "integration": ("Integration", (FCA, "no_pre_norm", "scale_one", "scale_small", "scale_zero", "after_gate")),
    "capacity": ("Capacity", (FCA, "fca_small", "no_ftc_small", "lora_160", "lora_64", "lora_4")),
    "frames": ("Initial frames", (FCA, "controlnet_repeated", "controlnet_zeros", "t_ref_0", "t_ref_19", "t_ref_200")),
}
"""Learning curves that are drawn together."""


def learning_curves(rows: Mapping[str, Row], folder: Path) -> list[tuple[str, Path]]:
    """Write FVD by optimizer steps for each group with at least two rows; title and file of each."""
    found = []
    for name, (title, keys) in GROUPS.items():
        curves = [_curve(rows[key], style, FVD) for style, key in enumerate(keys) if key in rows]
        curves = [curve for curve in curves if curve.points]
        if len(curves) < 2:
            continue
        chart = line_chart(f"evidence-{name}", f"{title}: FVD", "optimizer steps", "FVD", curves)
        text = render("lines.svg.j2", ("picture.css",), (), chart=chart, text_width=text_width)
        found.append((title, write_text(folder / f"curves-{name}.svg", text)))
    return found


def differences_picture(pairs: Sequence[Pair], folder: Path) -> Path | None:
    """Write the differences in FVD of the pairs of trained rows; the file, or None if there are none.

    The copy of the last frame is so far from all of them that no other difference could be seen next to it.
    """
    rows = [
        Span(f"{pair.a.title} − {pair.b.title}", pair.found.value, pair.found.low, pair.found.high, pair.told)
        for pair in pairs
        if pair.metric == FVD and pair.a.trains and pair.b.trains
    ]
    chart = span_chart("Differences in FVD; coloured: told from chance", "first row's FVD minus the second's", rows)
    if chart is None:
        return None
    return write_text(folder / "differences.svg", render("spans.svg.j2", ("picture.css",), (), chart=chart))


def _curve(row: Row, style: int, metric: Metric) -> Curve:
    """The mean of all trainings, and from the lowest to the highest of them."""
    values = {steps: own for steps, own in row.curve(metric).items() if row.trains}
    points = [(float(steps), fmean(own)) for steps, own in values.items()]
    band = [(float(steps), min(own), max(own)) for steps, own in values.items()] if len(row.records) > 1 else []
    return Curve(row.title, style, points, band=band)
