"""Small line charts: the geometry is computed here; the template `chart.html.j2` draws it as SVG."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from fca.report.format import signed

WIDTH, HEIGHT = 310, 200
LEFT, RIGHT, TOP, BOTTOM = 48, 10, 10, 36

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Curve:
    """A line; `points` may have gaps (NaN), `style` is its number in the stylesheet (colour and dashes)."""

    label: str
    style: int
    points: Points
    faint: bool = False
    band: Sequence[tuple[float, float, float]] = ()
    """x and the ends of what surrounds the curve there, such as the lowest and the highest of several trainings."""
    path: str = ""
    """SVG path data of a drawn curve."""
    band_path: str = ""
    """The same of its band."""


@dataclass(frozen=True)
class Chart:
    """The geometry and texts of one chart."""

    key: str
    title: str
    description: str
    x_label: str
    x_ticks: Sequence[tuple[float, str]]
    """Positions and labels."""
    y_ticks: Sequence[tuple[float, str]]
    lines: Sequence[Curve]
    shade: tuple[float, float] | None
    """Left end and width of a shaded band, if there is one."""
    width, height, left, right, top, bottom = WIDTH, HEIGHT, LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM


def line_chart(
    key: str,
    title: str,
    x_label: str,
    y_label: str,
    curves: Sequence[Curve],
    shade: tuple[float, float] | None = None,
    from_zero: bool = False,
) -> Chart | None:
    """A chart of `curves`, or None if there is nothing to draw; x are whole numbers.

    The y axis is logarithmic if values span 30-fold, unless it begins `from_zero`. `shade` is a band of x.
    """
    ends = [(x, y) for curve in curves for x, low, high in curve.band for y in (low, high)]
    points = [point for curve in curves for point in curve.points if math.isfinite(point[1])] + ends
    if not points:
        return None

    # The ranges of both axes; y is widened to its outermost ticks.
    x_low, x_high = _widen(min(x for x, _ in points), max(x for x, _ in points))
    y_low, y_high = min(y for _, y in points), max(y for _, y in points)
    y_low = min(y_low, 0.0) if from_zero else y_low
    logarithmic = y_low > 0 and y_high / y_low > 30
    if shade:
        x_low = min(x_low, shade[0])
    if logarithmic:  # powers of ten that cover the range
        y_values = [10.0**power for power in range(math.floor(math.log10(y_low)), math.ceil(math.log10(y_high)) + 1)]
    else:
        y_values = nice_ticks(*_widen(y_low, y_high), 5)
    y_low, y_high = min(y_low, y_values[0]), max(y_high, y_values[-1])

    def to_x(x: float) -> float:
        return LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def to_y(y: float) -> float:
        if logarithmic:
            share = math.log(y / y_low) / math.log(y_high / y_low)
        else:
            share = (y - y_low) / (y_high - y_low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    # Ticks of x lie within the data, and so does the band.
    x_values = [x for x in nice_ticks(x_low, x_high, 5, whole=True) if x_low <= x <= x_high]
    band = None
    if shade:
        start, end = to_x(max(shade[0], x_low)), to_x(min(shade[1], x_high))
        band = (round(start, 1), round(end - start, 1))
    return Chart(
        key=key,
        title=title + (" (log scale)" if logarithmic else ""),
        description=" ".join(_describe(curve, x_label, y_label) for curve in curves if not curve.faint),
        x_label=x_label,
        x_ticks=[(round(to_x(x), 1), _number(x)) for x in x_values],
        y_ticks=[(round(to_y(y), 1), _number(y)) for y in y_values],
        lines=[_drawn(curve, to_x, to_y) for curve in curves],
        shade=band,
    )


def _drawn(curve: Curve, to_x: Callable[[float], float], to_y: Callable[[float], float]) -> Curve:
    """A curve with its paths in the chart."""
    path = _path([(to_x(x), to_y(y)) for x, y in curve.points])
    around = [(x, high) for x, _, high in curve.band] + [(x, low) for x, low, _ in reversed(curve.band)]
    band = _path([(to_x(x), to_y(y)) for x, y in around]) + "Z" if around else ""
    return replace(curve, path=path, band_path=band)


@dataclass(frozen=True)
class Span:
    """A value with its interval, in a row of its own; places in the drawing are added."""

    label: str
    value: float
    low: float
    high: float
    told: bool
    """Whether the interval, corrected for the number of rows, excludes zero."""
    x: float = 0.0
    x_low: float = 0.0
    x_high: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Spans:
    """The geometry and texts of differences, one below the other."""

    title: str
    x_label: str
    description: str
    x_ticks: Sequence[tuple[float, str]]
    zero: float
    rows: Sequence[Span]
    height: int
    bottom: float
    left: int
    """Where the drawing begins, right of all labels."""
    right: int
    width: int
    top = 24


def span_chart(title: str, x_label: str, rows: Sequence[Span]) -> Spans | None:
    """Differences with their intervals around a line at zero; None if there are none."""
    if not rows:
        return None
    ticks = nice_ticks(*_widen(min(0.0, *(row.low for row in rows)), max(0.0, *(row.high for row in rows))), 6)
    low, high = ticks[0], ticks[-1]

    left = text_width([row.label for row in rows]) + 20
    right = left + 310

    def to_x(value: float) -> float:
        return round(left + (value - low) / (high - low) * (right - left), 1)

    bottom = Spans.top + 22 * len(rows)
    placed = [
        replace(row, x=to_x(row.value), x_low=to_x(row.low), x_high=to_x(row.high), y=Spans.top + 22 * number + 11)
        for number, row in enumerate(rows)
    ]
    texts = [f"{row.label}: {_number(row.value)} ({_number(row.low)} to {_number(row.high)})." for row in rows]
    shown = [(to_x(tick), _number(tick)) for tick in ticks]
    return Spans(
        title, x_label, " ".join(texts), shown, to_x(0.0), placed, bottom + 40, bottom, left, right, right + 20
    )


def text_width(texts: Iterable[str]) -> int:
    """Pixels that are enough for the longest of some texts of 11 pixels in any usual sans-serif."""
    return math.ceil(6.4 * max(map(len, texts), default=0))


def smooth(points: Points, share: float = 0.08) -> list[tuple[float, float]]:
    """A centred moving average over `share` of the points (at least three)."""
    half = max(1, round(len(points) * share / 2))
    result = []
    for position, (x, _) in enumerate(points):
        reach = min(half, position, len(points) - 1 - position)
        window = [y for _, y in points[position - reach : position + reach + 1] if math.isfinite(y)]
        result.append((x, sum(window) / len(window) if window else math.nan))
    return result


def nice_ticks(low: float, high: float, count: int, whole: bool = False) -> list[float]:
    """About `count` round numbers that cover low..high."""
    rough = (high - low) / max(count - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    if whole:
        step = max(1.0, round(step))
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _widen(low: float, high: float) -> tuple[float, float]:
    """An interval of positive length, even around a single value."""
    if high > low:
        return low, high
    margin = abs(low) * 0.1 or 1.0
    return low - margin, high + margin


def _path(points: Points) -> str:
    """SVG path data; NaN interrupts the line. A lone point becomes a short stroke, whose round cap draws a dot."""
    runs = [list(run) for known, run in groupby(points, lambda point: math.isfinite(point[1])) if known]
    strokes = ["M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in run) for run in runs]
    return "".join(stroke + ("h0.01" if len(run) == 1 else "") for stroke, run in zip(strokes, runs, strict=True))


def _describe(curve: Curve, x_label: str, y_label: str) -> str:
    known = [(x, y) for x, y in curve.points if math.isfinite(y)]
    if not known:
        return f"{curve.label}: no values."
    (first_x, first_y), (last_x, last_y) = known[0], known[-1]
    return (
        f"{curve.label}: {y_label} {_number(first_y)} at {x_label} {_number(first_x)},"
        f" {_number(last_y)} at {x_label} {_number(last_x)}."
    )


def _number(value: float) -> str:
    """A short number for an axis: 1200, 0.05, 2e-05."""
    return signed(f"{value:.4g}")
