"""Two runs compared: their scores, the same clips, and the differences of their configurations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fca import __version__
from fca.artifacts.atomic import write_aside, write_text
from fca.artifacts.text import flat, sha256
from fca.config import Config, Layout
from fca.errors import FcaError
from fca.report.choose import choose
from fca.report.collect import DatasetResult, VariantResult, collect
from fca.report.format import DASH, signed
from fca.report.metrics import METRICS, Cell, Metric, cell, find
from fca.report.render import render
from fca.report.score_file import ClipScore, ScoreFile
from fca.report.sections.cards import Gallery, Series, make_gallery, series
from fca.report.sections.provenance import training_runs
from fca.score.interval import Interval, mean_interval, resampling_counts
from fca.score.protocol import require_same_protocol

TITLE = "Two runs compared"
EQUAL, UNDECIDED = "equal", "not distinguishable"
LABELS = {"best": "best for B", "median": "median", "worst": "best for A"}


@dataclass(frozen=True)
class ScoreDifference:
    """One score of one variant in both runs."""

    metric: Metric
    name: str
    a: Cell
    b: Cell
    difference: str
    interval: str
    """Of the difference, from the same clips; empty if single clips have no values."""
    verdict: str


@dataclass(frozen=True)
class VariantComparison:
    """One variant of one dataset."""

    dataset: str
    variant: str
    scores: Sequence[ScoreDifference]

    @property
    def equal(self) -> bool:
        """Whether every score is the same number in both runs."""
        return all(score.verdict == EQUAL for score in self.scores)


@dataclass(frozen=True)
class Change:
    """A setting that differs; a dash if a run doesn't have it."""

    key: str
    a: str
    b: str


def compare(a: Config, b: Config, files: tuple[str, str], folder: Path | None = None) -> Path:
    """Write a page about two runs, defined by their configurations (read from `files`), and return it.

    It is written to `folder` (default: `compare` in A's report folder). The same inputs give the same bytes.

    Raises:
        FcaError: the two are one run, nothing was scored in both, their scores can't be compared because
            protocols, feature networks or clips differ, or `folder` contains something other than such a page.
    """
    if Layout(a).root.resolve() == Layout(b).root.resolve():
        raise FcaError(
            f"{files[0]} and {files[1]} name the same run, {Layout(a).root}",
            "two runs: another scale, or another data_dir",
        )
    pairs = [(one, other) for one in collect(a) for other in collect(b) if one.name == other.name]
    shared = [(one, other, _shared(one, other)) for one, other in pairs]
    shared = [entry for entry in shared if entry[2]]
    if not shared:
        raise FcaError(
            f"{files[0]} and {files[1]} have no scores of the same dataset and variant",
            remedy="run `fca score` for both; datasets and variants are matched by name",
        )
    compared = [
        [VariantComparison(one.name, mine.variant.title, _scores(mine, theirs, a)) for mine, theirs in variants]
        for one, _, variants in shared
    ]

    both = mine, theirs = [one for one, _, _ in shared], [other for _, other, _ in shared]
    folder = folder or Path(a.report_dir) / "compare"
    _check_folder(folder)
    with write_aside(folder / "assets") as assets:
        assets.mkdir()
        limit = min(a.report.clips, b.report.clips)
        text = render(
            "compare.html.j2",
            title=TITLE,
            config=a,
            assets="assets",
            files=files,
            sentences=[_sentence(of_dataset[0]) for of_dataset in compared],
            compared=[variant for of_dataset in compared for variant in of_dataset],
            galleries=[_gallery(one, variants, limit, assets) for one, _, variants in shared],
            changes=changes(a, b),
            runs=training_runs(mine, "A") + training_runs(theirs, "B"),
            artifacts=_differences(*({row.label: row.sha256 for own in run for row in own.artifacts} for run in both)),
            fca_version=__version__,
        )
    return write_text(folder / "index.html", text)


def _check_folder(folder: Path) -> None:
    """Refuse a folder whose `index.html` or `assets` may be foreign; leftovers of an interrupted run are ours."""
    others = [item.name for item in folder.iterdir() if not item.name.startswith(".aside-")] if folder.is_dir() else []
    page = folder / "index.html"
    if page.exists() and f"<h1>{TITLE}</h1>" in page.read_text(encoding="utf-8", errors="replace"):
        others.remove(page.name)
    if others := sorted(set(others) - {"assets"}):
        raise FcaError(
            f"{folder} contains {others[0]}, which is not part of this page",
            "a folder of its own",
            "name another with --out",
        )


Pair = tuple[VariantResult, VariantResult]


def _shared(one: DatasetResult, other: DatasetResult) -> list[Pair]:
    """Variants with scores in both runs, by name; `FcaError` unless every pair can be compared."""
    scored = []
    for mine in one.variants:
        theirs = other.variant(mine.variant.name)
        if theirs and mine.scores and theirs.scores:
            names = (f"{mine.scores.path}", f"{theirs.scores.path}")
            require_same_protocol(_terms(mine.scores), _terms(theirs.scores), names)
            scored.append((mine, theirs))
    if scored and (outdated := [*one.outdated, *other.outdated]):
        raise FcaError("\n".join(outdated), "scores of the current files", "then compare again")
    return scored


def _terms(scores: ScoreFile) -> dict[str, Any]:
    """What two comparable numbers must share: the protocol, the network's weights, and the clips."""
    truth = {path: content for path, content in scores.parents.items() if "/clips/" in path}
    ids = sha256("\n".join(scores.clips))
    return {**scores.protocol, "feature_network_sha256": scores.network_sha256, "clip_ids_sha256": ids, "truth": truth}


def _scores(one: VariantResult, other: VariantResult, config: Config) -> list[ScoreDifference]:
    if one.scores is None or other.scores is None:
        return []
    differences = []
    for metric in METRICS:
        mine, theirs = find(one.scores, metric), find(other.scores, metric)
        if mine is None or theirs is None:
            continue
        # Scores of single clips are those of the first training: they say nothing about the mean of several.
        of_clips = not (one.scores.replicates or other.scores.replicates)
        interval = paired(metric.stem, one.scores.clips, other.scores.clips, config) if of_clips else None
        gain = theirs.value - mine.value
        decided = not interval.low <= 0 <= interval.high if interval else not mine.overlaps(theirs)
        ends = (interval.low, interval.high) if interval else ()
        shown = " to ".join(_with_sign(end, metric) for end in ends)
        a, b, verdict = cell(mine, metric), cell(theirs, metric), _verdict(gain, metric, decided)
        differences.append(ScoreDifference(metric, mine.name, a, b, _with_sign(gain, metric), shown, verdict))
    return differences


def paired(
    stem: str, mine: Mapping[str, ClipScore], theirs: Mapping[str, ClipScore], config: Config
) -> Interval | None:
    """The mean of B minus A over the clips, with its interval; None for scores that single clips don't have.

    Pairing removes the difficulty of each clip, so it can distinguish runs whose own intervals overlap.
    """
    if stem not in ("psnr", "ssim"):
        return None
    values = [(getattr(mine[key], stem), getattr(theirs[key], stem)) for key in mine if key in theirs]
    gains = np.array([b - a for a, b in values if a is not None and b is not None], dtype=np.float64)
    if len(gains) < 2:
        return None
    counts = resampling_counts(len(gains), config.score.bootstrap, config.seed)
    return mean_interval(gains, counts, config.score.confidence)


def _with_sign(value: float, metric: Metric) -> str:
    return f"{'+' if value > 0 else ''}{metric.write(value)}"


def _verdict(gain: float, metric: Metric, decided: bool) -> str:
    if gain == 0:
        return EQUAL
    if not decided:
        return UNDECIDED
    return "B is better" if (gain > 0) == metric.higher_is_better else "A is better"


def _sentence(compared: VariantComparison) -> str:
    """The verdict of the first score."""
    if not compared.scores:
        return f"On {compared.dataset} {compared.variant} has no score in both."
    first = compared.scores[0]
    verdict = {UNDECIDED: "the intervals overlap", EQUAL: "they are equal"}.get(first.verdict, first.verdict)
    values = f"{first.metric.title} {first.a.text} in A and {first.b.text} in B"
    return f"On {compared.dataset} {compared.variant} has {values}: {verdict}."


def _gallery(one: DatasetResult, variants: Sequence[Pair], limit: int, assets: Path) -> Gallery:
    """The same clips from both runs, ranked by how much higher B's PSNR is with the first variant shown."""
    models = [pair for pair in variants if pair[0].variant.prediction == "model"]
    shown = [
        series(result, 2 * number + (run == "B"), run)
        for number, pair in enumerate([pair for pair in models if pair[0].variant.trained] or models)
        for run, result in zip("AB", pair, strict=True)
    ]
    gains: list[tuple[str, float | None]] = [(clip_id, None) for clip_id in one.truth]
    if shown:
        gains = [(clip_id, _gain(shown[0], shown[1], clip_id)) for clip_id in one.truth]
    choices = [replace(choice, label=LABELS.get(choice.label, "")) for choice in choose(gains, limit)]
    ranked = any(choice.rank for choice in choices)
    ranked_by = "from the best for B to the best for A, by the difference of their PSNR" if ranked else ""
    return make_gallery(one, shown, choices, ranked_by, assets)


def _gain(mine: Series, theirs: Series, clip_id: str) -> float | None:
    a, b = mine.scores.get(clip_id), theirs.scores.get(clip_id)
    return b.psnr - a.psnr if a and b and a.psnr is not None and b.psnr is not None else None


def changes(a: Config, b: Config) -> list[Change]:
    """Settings that differ, by their dotted names, in the order of the configuration."""
    runs = [flat(config.model_dump(mode="json")) for config in (a, b)]
    return _differences(*({key: _written(value) for key, value in run.items()} for run in runs))


def _written(value: Any) -> str:
    """A value as in YAML."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else signed(str(value))


def _differences(a: Mapping[str, str], b: Mapping[str, str]) -> list[Change]:
    return [Change(key, a.get(key, DASH), b.get(key, DASH)) for key in {**a, **b} if a.get(key) != b.get(key)]
