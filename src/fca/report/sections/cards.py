"""The clips that are shown: their choice, captions and tasks, and their media files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fca.report.choose import Choice, choose
from fca.report.collect import DatasetResult, StoredClips, VariantResult
from fca.report.score_file import ClipScore
from fca.video.write import COLUMNS, Media, write_clip, write_initial_frames


@dataclass(frozen=True)
class Series:
    """The predictions of one model: a tile on every card."""

    key: str
    """Prefix of the names of its files."""
    title: str
    style: int
    samples: StoredClips
    opposite: StoredClips
    scores: Mapping[str, ClipScore] = field(default_factory=dict)
    opposite_scores: Mapping[str, ClipScore] = field(default_factory=dict)


@dataclass(frozen=True)
class Tile:
    """One video of a card."""

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
    """The same initial frames with the opposite caption: at most one tile below each prediction."""

    caption: str
    requested: str | None
    tiles: Sequence[Tile | None]


@dataclass(frozen=True)
class Card:
    """One shown clip."""

    key: str
    choice: Choice
    caption: str
    requested: str | None
    initial: str
    """File name of the initial frames, one below the other."""
    truth: Tile
    predictions: Sequence[Tile]
    missing: Sequence[str]
    """Titles of series without a prediction of this clip."""
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
    """How the chosen clips are ranked, if they are."""
    cards: Sequence[Card]

    @property
    def sheet_size(self) -> tuple[int, int]:
        """Width and height of a sheet of frames before large frames are shrunk."""
        columns = min(COLUMNS, self.frames)
        return columns * self.width, -(-self.frames // columns) * self.height

    @property
    def lossless(self) -> bool:
        """Whether the pictures hold the exact pixels of the model."""
        return all(card.truth.media.video is None for card in self.cards)


def gallery(dataset: DatasetResult, limit: int, assets: Path) -> Gallery:
    """Choose clips, write their media to `assets`, and return their cards."""
    models = [pair for pair in enumerate(dataset.variants) if pair[1].variant.prediction == "model"]
    shown = [series(result, style) for style, result in models]
    lead = next((one for one in shown if one.scores), None)
    scores = lead.scores if lead else {}
    rows = [(clip_id, scores[clip_id].psnr if clip_id in scores else None) for clip_id in dataset.truth]
    choices = choose(rows, limit)
    ranked = lead and any(choice.rank for choice in choices)
    ranked_by = f"from the best to the worst by the PSNR of {lead.title}" if lead and ranked else ""
    return make_gallery(dataset, shown, choices, ranked_by, assets)


def series(result: VariantResult, style: int, run: str = "") -> Series:
    """The predictions of a variant; `run` is the name of its run if several are shown."""
    key, title = result.variant.name, result.variant.title
    if run:
        key, title = f"{run}-{key}", f"{run}: {title}"
    scores = (result.scores.clips, result.scores.opposite) if result.scores else ()
    return Series(key, title, style, result.samples, result.opposite, *scores)


def make_gallery(
    dataset: DatasetResult, shown: list[Series], choices: list[Choice], ranked_by: str, assets: Path, prefix: str = ""
) -> Gallery:
    """The cards of the chosen clips, with their media in `assets`; the names of both begin with `prefix`."""
    cards, shape = [], (0, 0, 0)
    for number, choice in enumerate(choices):
        pixels, caption = dataset.truth.read(choice.id)
        shape = pixels.shape[:3]
        cards.append(_card(dataset, shown, choice, f"{prefix}{dataset.name}-{number:03d}", pixels, caption, assets))
    frames, height, width = shape
    initial = dataset.settings.initial_frames
    return Gallery(dataset.name, initial, width, height, frames, len(dataset.truth), ranked_by, cards)


def _card(
    dataset: DatasetResult, shown: list[Series], choice: Choice, key: str, clip: np.ndarray, caption: str, assets: Path
) -> Card:
    truth = Tile("truth", "Ground truth", 0, write_clip(clip, assets, f"{key}-truth"))
    initial = f"{key}-initial.webp"
    write_initial_frames(clip[: dataset.settings.initial_frames], assets / initial)
    requested = next((row.task_asked for one in shown if (row := one.scores.get(choice.id))), None)

    # A tile for each series that has a prediction, and below it the one from the opposite caption.
    predictions: list[Tile] = []
    below: list[Tile | None] = []
    for one in shown:
        if choice.id in one.samples:
            name = f"{key}-{one.key}"
            predictions.append(_tile("prediction", one, choice.id, assets, name))
            has_opposite = choice.id in one.opposite
            below.append(_tile("opposite", one, choice.id, assets, f"{name}-opposite") if has_opposite else None)
    missing = [one.title for one in shown if choice.id not in one.samples]
    opposite = _opposite(shown, choice.id, below)
    return Card(key, choice, caption, requested, initial, truth, predictions, missing, opposite)


def _opposite(shown: Sequence[Series], clip_id: str, tiles: Sequence[Tile | None]) -> Opposite | None:
    """The row of opposite captions, if any series has predictions from one."""
    for one in shown:
        if clip_id in one.opposite:
            score = one.opposite_scores.get(clip_id)
            caption = score.caption if score and score.caption else one.opposite.read(clip_id)[1]
            return Opposite(caption, score.task_asked if score else None, tiles)
    return None


def _tile(role: str, one: Series, clip_id: str, assets: Path, name: str) -> Tile:
    samples, scores = one.samples, one.scores
    if role == "opposite":
        samples, scores = one.opposite, one.opposite_scores
    media = write_clip(samples.read(clip_id)[0], assets, name)
    score = scores.get(clip_id) or ClipScore(clip_id, "")
    return Tile(role, one.title, one.style, media, score.psnr, score.task_found, score.obeyed)
