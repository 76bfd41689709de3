"""The clips that are shown: which, with which captions and motions, and the media files they need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fca.report.choose import Choice, choose
from fca.report.collect import DatasetResult, Frames
from fca.report.score_file import ClipScore
from fca.video.write import COLUMNS, Media, write_clip, write_initial_frames


@dataclass(frozen=True)
class Series:
    """Predictions of many clips by one model: a tile on every card."""

    key: str
    """Begins the names of its files."""
    title: str
    style: int
    samples: Frames
    opposite: Frames
    scores: Mapping[str, ClipScore] = field(default_factory=dict)
    opposite_scores: Mapping[str, ClipScore] = field(default_factory=dict)


@dataclass(frozen=True)
class Tile:
    """One moving picture of a card."""

    role: str
    """truth, prediction, opposite or edited."""
    title: str
    style: int
    media: Media
    psnr: float | None = None
    found: str | None = None
    obeyed: bool | None = None


@dataclass(frozen=True)
class Opposite:
    """The same first frames with the opposite caption: one tile, or none, below each prediction."""

    caption: str
    asked: str | None
    tiles: Sequence[Tile | None]


@dataclass(frozen=True)
class Card:
    """Everything about one shown clip."""

    key: str
    choice: Choice
    caption: str
    asked: str | None
    given: str
    """File name of the given frames, below each other."""
    truth: Tile
    predictions: Sequence[Tile]
    missing: Sequence[str]
    """Titles of series that have no prediction of this clip."""
    opposite: Opposite | None


@dataclass(frozen=True)
class Gallery:
    """The clips of one dataset."""

    dataset: str
    initial_frames: int
    width: int
    height: int
    frames: int
    total: int
    ranked_by: str
    """How the chosen clips are ranked, or nothing."""
    cards: Sequence[Card]

    @property
    def sheet_size(self) -> tuple[int, int]:
        """Width and height of a sheet of frames, before large frames are shrunk."""
        columns = min(COLUMNS, self.frames)
        return columns * self.width, -(-self.frames // columns) * self.height

    @property
    def lossless(self) -> bool:
        """Whether the pictures are the model's very pixels."""
        return all(card.truth.media.video is None for card in self.cards)


def gallery(dataset: DatasetResult, limit: int, assets: Path) -> Gallery:
    """Choose clips, write their media to `assets`, and say what the page needs to show them."""
    shown = [
        Series(
            key=result.variant.name,
            title=result.variant.title,
            style=style,
            samples=result.samples,
            opposite=result.opposite,
            scores=result.scores.clips if result.scores else {},
            opposite_scores=result.scores.opposite if result.scores else {},
        )
        for style, result in enumerate(dataset.variants)
        if result.variant.prediction == "model"
    ]
    lead = next((series for series in shown if series.scores), None)
    scores = lead.scores if lead else {}
    choices = choose(
        [(clip_id, scores[clip_id].psnr if clip_id in scores else None) for clip_id in dataset.truth.rows], limit
    )
    ranked = lead and any(choice.rank for choice in choices)
    ranked_by = f"from the best to the worst by the PSNR of {lead.title}" if lead and ranked else ""
    return make_gallery(dataset, shown, choices, ranked_by, assets)


def make_gallery(
    dataset: DatasetResult,
    shown: Sequence[Series],
    choices: Sequence[Choice],
    ranked_by: str,
    assets: Path,
    prefix: str = "",
) -> Gallery:
    """The cards of the chosen clips, with their media in `assets`; `prefix` begins the names of both."""
    cards, shape = [], (0, 0, 0)
    for number, choice in enumerate(choices):
        pixels, caption = dataset.truth.read(choice.id)
        shape = pixels.shape[:3]
        cards.append(_card(dataset, shown, choice, f"{prefix}{dataset.name}-{number:03d}", pixels, caption, assets))
    frames, height, width = shape
    given = dataset.settings.initial_frames
    return Gallery(dataset.name, given, width, height, frames, len(dataset.truth), ranked_by, cards)


def _card(
    dataset: DatasetResult,
    shown: Sequence[Series],
    choice: Choice,
    key: str,
    pixels: np.ndarray,
    caption: str,
    assets: Path,
) -> Card:
    truth = Tile("truth", "Truth", 0, write_clip(pixels, assets, f"{key}-truth"))
    given = f"{key}-given.webp"
    write_initial_frames(pixels[: dataset.settings.initial_frames], assets / given)
    predictions: list[Tile] = []
    below: list[Tile | None] = []
    missing: list[str] = []
    asked = next((row.motion_asked for series in shown if (row := series.scores.get(choice.id))), None)
    for series in shown:
        if choice.id not in series.samples:
            missing.append(series.title)
            continue
        name = f"{key}-{series.key}"
        predictions.append(_tile("prediction", series, choice.id, assets, name))
        has_opposite = choice.id in series.opposite
        below.append(_tile("opposite", series, choice.id, assets, f"{name}-opposite") if has_opposite else None)
    opposite = _opposite(shown, choice.id, below)
    return Card(key, choice, caption, asked, given, truth, predictions, missing, opposite)


def _opposite(shown: Sequence[Series], clip_id: str, tiles: Sequence[Tile | None]) -> Opposite | None:
    """The row of opposite captions, where any series has predictions from one."""
    for series in shown:
        if clip_id in series.opposite:
            score = series.opposite_scores.get(clip_id)
            caption = score.caption if score and score.caption else series.opposite.read(clip_id)[1]
            return Opposite(caption, score.motion_asked if score else None, tiles)
    return None


def _tile(role: str, series: Series, clip_id: str, assets: Path, name: str) -> Tile:
    samples, scores = series.samples, series.scores
    if role == "opposite":
        samples, scores = series.opposite, series.opposite_scores
    media = write_clip(samples.read(clip_id)[0], assets, name)
    score = scores.get(clip_id) or ClipScore(clip_id, "")
    return Tile(role, series.title, series.style, media, score.psnr, score.motion_found, score.obeyed)
