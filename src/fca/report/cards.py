"""The clips that are shown: which, with which captions and motions, and the media files they need."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fca.report.choose import Choice, choose
from fca.report.collect import DatasetResult, VariantResult
from fca.report.media import media_kind, suffix, write_given, write_media, write_stills
from fca.report.score_file import ClipScore


@dataclass(frozen=True)
class Tile:
    """One moving picture of a card."""

    role: str
    """truth, prediction or opposite."""
    title: str
    style: int
    media: str
    """File name within the assets."""
    stills: str
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
    psnr: float | None
    given: str
    """File name of the given frames, below each other."""
    truth: Tile
    predictions: Sequence[Tile]
    missing: Sequence[str]
    """Titles of variants that have no prediction of this clip."""
    opposite: Opposite | None


@dataclass(frozen=True)
class Gallery:
    """The clips of one dataset."""

    dataset: str
    initial_frames: int
    kind: str
    width: int
    height: int
    frames: int
    total: int
    ranked_by: str
    """The variant whose per-clip PSNR ranks the clips, or nothing."""
    cards: Sequence[Card]


def gallery(dataset: DatasetResult, limit: int, assets: Path) -> Gallery:
    """Choose clips, write their media to `assets`, and say what the page needs to show them."""
    lead = next((result for result in dataset.variants if result.scores and result.scores.clips
                 and result.variant.prediction == "model"), None)  # fmt: skip
    scores = lead.scores.clips if lead and lead.scores else {}
    rows = [(clip_id, scores[clip_id].psnr if clip_id in scores else None) for clip_id in dataset.truth.rows]
    choices = choose(rows, limit)
    cards, shape = [], (0, 0, 0)
    for number, choice in enumerate(choices):
        pixels, caption = dataset.truth.read(choice.id)
        shape = pixels.shape[:3]
        cards.append(_card(dataset, choice, f"{dataset.name}-{number:03d}", pixels, caption, lead, assets))
    ranked_by = lead.variant.title if lead and any(choice.rank for choice in choices) else ""
    frames, height, width = shape
    kind = media_kind(frames, width) if cards else ""
    given = dataset.settings.initial_frames
    return Gallery(dataset.name, given, kind, width, height, frames, len(rows), ranked_by, cards)


def _card(
    dataset: DatasetResult,
    choice: Choice,
    key: str,
    pixels: np.ndarray,
    caption: str,
    lead: VariantResult | None,
    assets: Path,
) -> Card:
    truth = _tile("truth", "Truth", 0, pixels, f"{key}-truth", assets)
    given = f"{key}-given.webp"
    kind = media_kind(len(pixels), pixels.shape[2])
    write_given(pixels[: dataset.settings.initial_frames], assets / given, kind)
    predictions: list[Tile] = []
    below: list[Tile | None] = []
    missing: list[str] = []
    for style, result in enumerate(dataset.variants):
        if result.variant.prediction != "model":
            continue
        if choice.id not in result.samples:
            missing.append(result.variant.title)
            continue
        name = f"{key}-{result.variant.name}"
        title = result.variant.title
        predicted, _ = result.samples.read(choice.id)
        score = result.scores.clips.get(choice.id) if result.scores else None
        predictions.append(_tile("prediction", title, style, predicted, name, assets, score))
        below.append(None)
        if choice.id in result.opposite:
            predicted, _ = result.opposite.read(choice.id)
            score = result.scores.opposite.get(choice.id) if result.scores else None
            below[-1] = _tile("opposite", title, style, predicted, f"{name}-opposite", assets, score)
    own = lead.scores.clips.get(choice.id) if lead and lead.scores else None
    return Card(
        key=key,
        choice=choice,
        caption=caption,
        asked=own.motion_asked if own else None,
        psnr=own.psnr if own else None,
        given=given,
        truth=truth,
        predictions=predictions,
        missing=missing,
        opposite=_opposite(dataset, choice.id, below),
    )


def _opposite(dataset: DatasetResult, clip_id: str, tiles: Sequence[Tile | None]) -> Opposite | None:
    """The row of opposite captions, where any variant predicted from one."""
    for result in dataset.variants:
        if clip_id in result.opposite:
            score = result.scores.opposite.get(clip_id) if result.scores else None
            caption = score.caption if score and score.caption else result.opposite.read(clip_id)[1]
            return Opposite(caption, score.motion_asked if score else None, tiles)
    return None


def _tile(
    role: str,
    title: str,
    style: int,
    pixels: np.ndarray,
    name: str,
    assets: Path,
    score: ClipScore | None = None,
) -> Tile:
    kind = media_kind(len(pixels), pixels.shape[2])
    media, stills = name + suffix(kind), f"{name}-stills.webp"
    write_media(pixels, assets / media, kind)
    write_stills(pixels, assets / stills, kind)
    if score is None:
        return Tile(role, title, style, media, stills)
    return Tile(role, title, style, media, stills, score.psnr, score.motion_found, score.obeyed)
