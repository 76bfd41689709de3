"""Figure 9: mean ratings of every model by every criterion, with intervals."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fca.artifacts.atomic import write_text
from fca.report.render import render
from fca.score.interval import bootstrap_interval, resampling_counts
from fca.study.build import TEMPLATES
from fca.study.files import CRITERIA, KEY_NAME, LARGEST_RATING, Criterion, Key, Ratings, read_all

RESAMPLINGS = 2000
CONFIDENCE = 0.95
METHOD = (
    "The interval is the middle 95 % of 2000 means over participants and clips, both drawn with replacement and "
    "independently of each other, clips within their dataset (Owen 2007, the pigeonhole bootstrap). It needs at least "
    "two participants and two clips of each dataset."
)
OVERALL = "all"


@dataclass(frozen=True)
class Mean:
    """Mean rating of one model by one criterion; None if there are no ratings, or too few for an interval."""

    value: float | None
    low: float | None
    high: float | None
    count: int
    """Number of ratings"""


@dataclass(frozen=True)
class Results:
    """The ratings of one dataset, or of `all`."""

    dataset: str
    clips: int
    means: dict[str, dict[Criterion, Mean]]
    """Variant -> criterion -> mean"""
    differences: dict[str, dict[Criterion, Mean]]
    """Other variant -> criterion -> mean of the first variant's rating minus the other's on the same clip"""


def write_results(key_path: Path, paths: Sequence[Path], partial: bool = False, out: Path | None = None) -> str:
    """Write results.json, index.html and figure9.svg from participants' files; return the table as text.

    They are written to `out`, or to the folder `results` next to the key. For errors see `fca.study.files.read_all`.
    """
    key = Key.read(key_path)
    every = read_all(key, paths, partial)
    found = results(key, every)
    complete = sum(ratings.count == len(key.items) * len(CRITERIA) for ratings in every)
    facts = {
        "study": key.study,
        "scale": key.scale,
        "participants": len(every),
        "incomplete": len(every) - complete,
        "ratings": sum(ratings.count for ratings in every),
        "method": METHOD,
    }

    values = facts | {"variants": key.variants, "results": [asdict(one) for one in found]}
    folder = out or (key_path if key_path.is_dir() else key_path.parent) / "results"
    write_text(folder / "results.json", json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    write_text(folder / "figure9.svg", figure(key, found[0]))
    page = render(
        "results.html.j2",
        ("study.css", "results.css"),
        (),
        TEMPLATES,
        facts=facts,
        titles=key.variants,
        first=next(iter(key.variants)),
        results=found,
        criteria=CRITERIA,
        largest=LARGEST_RATING,
        key_name=KEY_NAME,
    )
    path = write_text(folder / "index.html", page)
    return table(key, found, len(every), len(every) - complete) + f"{path}\n"


def results(key: Key, every: Sequence[Ratings]) -> list[Results]:
    """Means over all datasets and, if there are several, over each; the same files give the same numbers."""
    datasets = sorted({clip.dataset for clip in key.clips.values()}, key=list(key.initial_frames).index)
    groups = {OVERALL: datasets} | ({name: [name] for name in datasets} if len(datasets) > 1 else {})
    return [_results(key, every, name, group) for name, group in groups.items()]


def _results(key: Key, every: Sequence[Ratings], name: str, datasets: Sequence[str]) -> Results:
    by_dataset = [[clip for clip, row in key.clips.items() if row.dataset == dataset] for dataset in datasets]
    clips = [clip for names in by_dataset for clip in names]
    people = resampling_counts(len(every), RESAMPLINGS, key.seed)
    drawn = [resampling_counts(len(names), RESAMPLINGS, key.seed + 1 + n) for n, names in enumerate(by_dataset)]
    sure = len(every) > 1 and min(map(len, by_dataset)) > 1

    # Ratings (participants, clips) of each model by each criterion, NaN if missing.
    item_of = {(item.clip, item.variant): name for name, item in key.items.items()}
    rated = {
        (variant, criterion): np.array(
            [[one.ratings.get(item_of[clip, variant], {}).get(criterion, np.nan) for clip in clips] for one in every]
        )
        for variant in key.variants
        for criterion in CRITERIA
    }

    counts = people, np.concatenate(drawn, axis=1), sure
    first, *others = key.variants
    means = {model: {kind: mean_rating(rated[model, kind], *counts) for kind in CRITERIA} for model in key.variants}
    differences: dict[str, dict[Criterion, Mean]] = {other: {} for other in others}
    for other, kind in product(others, CRITERIA):
        gap = rated[first, kind] - rated[other, kind]
        differences[other][kind] = mean_rating(gap, *counts, -LARGEST_RATING)
    return Results(name, len(clips), means, differences)


def mean_rating(
    ratings: NDArray[np.float64],
    people: NDArray[np.int64],
    clips: NDArray[np.int64],
    sure: bool = True,
    least: float = 0.0,
) -> Mean:
    """The mean of ratings (participants, clips), NaN if missing.

    `people` (r, participants) and `clips` (r, clips) count how often each is drawn in each of r resamplings; a rating
    is weighted by the product of the two. There is no interval unless `sure`. Differences of ratings may be as low as
    `least`.
    """
    there = np.isfinite(ratings)
    count = int(there.sum())
    if not count:
        return Mean(None, None, None, 0)
    value = float(ratings[there].mean())
    if not sure:
        return Mean(value, None, None, count)
    sums = ((people @ np.where(there, ratings, 0.0)) * clips).sum(axis=1)
    weights = ((people @ there.astype(np.float64)) * clips).sum(axis=1)
    interval = bootstrap_interval(value, sums[weights > 0] / weights[weights > 0], CONFIDENCE, least)
    return Mean(value, interval.low, min(interval.high, float(LARGEST_RATING)), count)


def table(key: Key, found: Sequence[Results], participants: int, incomplete: int) -> str:
    """The results as text for a terminal."""
    lines = [f"{participants} participant{'s' if participants != 1 else ''}"]
    if incomplete:
        lines[0] += f", of whom {incomplete} didn't rate everything"
    first, *others = key.variants.values()
    titles = [*key.variants.values(), *(f"{first} above {other}" for other in others)]
    width = max(map(len, titles))
    for one in found:
        heading = f"{one.dataset} ({one.clips} clips)"
        lines += ["", heading.ljust(width) + "".join(f"  {_words(criterion):>22}" for criterion in CRITERIA)]
        for title, means in zip(titles, [*one.means.values(), *one.differences.values()], strict=True):
            lines.append(title.ljust(width) + "".join(f"  {_cell(means[criterion]):>22}" for criterion in CRITERIA))
    return "\n".join([*lines, "", ""])


def _words(criterion: str) -> str:
    return criterion.replace("_", " ")


def _cell(mean: Mean) -> str:
    if mean.value is None:
        return "-"
    interval = "" if mean.low is None else f" [{mean.low:.2f}, {mean.high:.2f}]"
    return f"{mean.value:.2f}{interval}"


WIDTH, PLOT, LEFT, TOP = 720, 250, 36, 24  # pixels; PLOT: height from 0 to 5
IN_A_ROW = 3  # of the legend
INK = 6  # colours of the stylesheet


def figure(key: Key, found: Results) -> str:
    """Figure 9 as SVG: bars in groups of criteria, with intervals."""
    group = (WIDTH - LEFT) / len(CRITERIA)
    bar = min(0.8 * group / len(key.variants), 64)

    def to_y(value: float) -> float:
        return round(TOP + PLOT * (1 - value / LARGEST_RATING), 1)

    bars = []
    for position, criterion in enumerate(CRITERIA):
        start = LEFT + group * (position + 0.5) - bar * len(key.variants) / 2
        for number, variant in enumerate(key.variants):
            mean = found.means[variant][criterion]
            x = round(start + bar * number, 1)
            if mean.value is not None:
                high = mean.value if mean.high is None else mean.high
                low = mean.value if mean.low is None else mean.low
                bars.append(
                    {"x": x, "y": to_y(mean.value), "low": to_y(low), "high": to_y(high), "style": number % INK,
                     "middle": round(x + bar * 0.46, 1), "words": f"{mean.value:.2f}"}
                )  # fmt: skip

    # Labels of the groups, the legend and the axis.
    names = [(round(LEFT + group * (n + 0.5), 1), _words(name).capitalize()) for n, name in enumerate(CRITERIA)]
    legend = [
        (LEFT + (WIDTH - LEFT) / IN_A_ROW * (n % IN_A_ROW), to_y(0) + 48 + 22 * (n // IN_A_ROW), n % INK, title)
        for n, title in enumerate(key.variants.values())
    ]
    ticks = [(to_y(value), value) for value in range(LARGEST_RATING + 1)]
    return render("figure9.svg.j2", (), (), TEMPLATES, width=WIDTH, height=legend[-1][1] + 14, left=LEFT, zero=to_y(0),
                  bar=round(bar * 0.92, 1), ticks=ticks, bars=bars, names=names, legend=legend)  # fmt: skip
