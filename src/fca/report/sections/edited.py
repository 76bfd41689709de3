"""Predictions from edited captions next to those from the clips' own captions (the paper's Figure 11)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path

from fca.report.choose import Choice
from fca.report.collect import DatasetResult, StoredClips, VariantResult
from fca.report.sections.cards import Card, Gallery, Tile, make_gallery, series
from fca.video.write import write_clip

MOST_WORDS = 200
"""Longer captions are shown unmarked, since comparing them would take long."""


@dataclass(frozen=True)
class Edit:
    """One edited caption and its predictions."""

    caption: str
    words: Sequence[tuple[str, bool]]
    """The caption in parts, each with whether it differs from the clip's own caption."""
    tiles: Sequence[Tile]
    missing: Sequence[str]
    """Titles of variants without a prediction from it."""


@dataclass(frozen=True)
class EditedClip:
    """A card like those of other clips, without opposite captions, and the edits."""

    card: Card
    edits: Sequence[Edit]


@dataclass(frozen=True)
class EditedGallery:
    """The clips of one dataset whose captions were edited."""

    gallery: Gallery
    clips: Sequence[EditedClip]
    absent: Sequence[str]
    """Ids of clips without ground truth: quarantined or not resampled yet."""


def edited_gallery(dataset: DatasetResult, assets: Path) -> EditedGallery | None:
    """The clips of `edited_captions`, in its order, with their media in `assets`; None if there are none.

    Only captions of the current configuration are shown: a prediction from another caption counts as missing.
    """
    asked = dataset.settings.edited_captions
    results = [(style, result) for style, result in enumerate(dataset.variants) if result.variant.trained]
    if not asked or not results:
        return None
    shown = [replace(series(result, style), opposite=StoredClips()) for style, result in results]
    choices = [Choice(clip_id, None, len(asked), "") for clip_id in asked if clip_id in dataset.truth]
    gallery = make_gallery(dataset, shown, choices, "", assets, prefix="edited-")
    clips = [EditedClip(card, _edits(card, asked[card.choice.id], results, assets)) for card in gallery.cards]
    return EditedGallery(gallery, clips, [clip_id for clip_id in asked if clip_id not in dataset.truth])


def _edits(
    card: Card, captions: Sequence[str], results: Sequence[tuple[int, VariantResult]], assets: Path
) -> list[Edit]:
    edits = []
    for number, caption in enumerate(captions, start=1):
        tiles, missing = [], []
        for style, result in results:
            name = f"{card.choice.id}/{number}"
            pixels, used = result.edited.read(name) if name in result.edited else (None, "")
            if pixels is None or used != caption:
                missing.append(result.variant.title)
                continue
            media = write_clip(pixels, assets, f"{card.key}-{result.variant.name}-{number}")
            tiles.append(Tile("edited", result.variant.title, style, media))
        edits.append(Edit(caption, marked(card.caption, caption), tiles, missing))
    return edits


def marked(own: str, edited: str) -> list[tuple[str, bool]]:
    """The edited caption in parts, spaces included, each with whether it differs from the clip's own."""
    before, after = own.split(), re.findall(r"\S+\s*", edited)
    if max(len(before), len(after)) > MOST_WORDS:
        return [(edited, False)]
    matches = SequenceMatcher(None, before, [word.rstrip() for word in after], autojunk=False)
    parts = [("".join(after[first:end]), tag != "equal") for tag, _, _, first, end in matches.get_opcodes()]
    return [(text, differs) for text, differs in parts if text]
