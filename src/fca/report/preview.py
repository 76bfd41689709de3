"""Contact sheets of a dataset on one page, to look at before GPU days are spent on it.

Only the index is needed: frames are decoded, cast in time and resized by the code that writes the shards for training.
The page is a single file that contains its pictures.
"""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from fca import __version__
from fca.artifacts.atomic import write_text
from fca.artifacts.manifest import Manifest
from fca.artifacts.quarantine import ClipError, Quarantine
from fca.config import Config, Layout
from fca.config.steps import Clip
from fca.data.clip_pixels import look
from fca.data.clip_record import ClipRecord
from fca.data.clip_source import seen, shape_of
from fca.data.index import read_index
from fca.report.choose import evenly_spaced
from fca.report.render import render
from fca.video.write import GAP, shrink

ALIKE = 0.05  # smaller differences of proportions can't be seen


@dataclass(frozen=True)
class Sheet:
    """One clip of the page."""

    record: ClipRecord
    position: int
    """Its number in the split, from 1."""
    picture: str = ""
    """First, middle and last frame side by side, as a data URI."""
    width: int = 0
    """Of the source, in pixels."""
    height: int = 0
    seconds: float | None = None
    fit: str = ""
    """How a source with other proportions is fitted."""
    padded: int = 0
    problem: str = ""
    """Why there is no picture."""


@dataclass(frozen=True)
class SplitSheets:
    """The shown clips of a split, and the quarantine."""

    name: str
    total: int
    sheets: Sequence[Sheet]
    quarantine: Sequence[Quarantine]


def preview(config: Config, dataset: str, splits: Sequence[str], clips: int) -> Path:
    """Write the page of a dataset with `clips` clips of each split, evenly spaced over it; return its path.

    The same index, videos and settings give the same bytes. An unusable clip is shown as such.

    Raises:
        FcaError: there is no index, or it was changed.
    """
    layout = Layout(config)
    index, records = read_index(layout, dataset)
    found = [_split(config, dataset, split, records, clips, index) for split in splits]
    text = render(
        "preview.html.j2",
        ("page.css", "preview.css"),
        (),
        config=config,
        dataset=dataset,
        settings=config.datasets[dataset],
        splits=found,
        shown_frames=[position + 1 for position in shown_frames(config.clip.frames)],
        fca_version=__version__,
    )
    return write_text(layout.preview(dataset), text)


def shown_frames(frames: int) -> list[int]:
    """Positions of the first, the middle and the last frame of a clip."""
    return [0, frames // 2, frames - 1]


def _split(
    config: Config, dataset: str, split: str, every: Sequence[ClipRecord], clips: int, index: Manifest
) -> SplitSheets:
    records = [record for record in every if record.split == split]
    quarantine = [row for row in index.quarantine if row.split == split]
    reasons = {row.id: row.reason for row in quarantine}
    shown = [(position + 1, records[position]) for position in evenly_spaced(len(records), clips)]
    usable = [(position, record) for position, record in shown if record.id not in reasons]
    answers = seen(config, dataset, look, [record for _, record in usable], shape_of(config, dataset))
    sheets = [Sheet(record, position, problem=reasons[record.id]) for position, record in shown if record.id in reasons]
    progress = tqdm(usable, desc=f"preview {split}", unit="clip")
    for (position, record), answer in zip(progress, answers, strict=True):
        if isinstance(answer, ClipError):
            sheets.append(Sheet(record, position, problem=str(answer)))
            continue
        clip, padded, width, height, seconds = answer
        picture, words = data_uri([clip[frame] for frame in shown_frames(len(clip))]), fit(width, height, config.clip)
        sheets.append(Sheet(record, position, picture, width, height, seconds, words, padded))
    sheets.sort(key=lambda sheet: sheet.position)
    return SplitSheets(split, len(records), sheets, quarantine)


def fit(width: int, height: int, clip: Clip) -> str:
    """How a source of this size is fitted, in words; empty if its proportions are the clip's."""
    ratio = (clip.width / clip.height) / (width / height)
    if abs(math.log(ratio)) < ALIKE:
        return ""
    if clip.resize == "crop":
        lost = 1 - min(ratio, 1 / ratio)
        return f"{lost:.0%} of each frame is cut off, {'above and below' if ratio > 1 else 'left and right'}"
    return f"stretched to {max(ratio, 1 / ratio):.2f} times its {'width' if ratio > 1 else 'height'}"


def data_uri(pictures: Sequence[np.ndarray]) -> str:
    """Pictures (H, W, 3) uint8 side by side as a WebP data URI; large ones are shrunk, small ones are lossless."""
    shown = [shrink(picture) for picture in pictures]
    space = np.full((shown[0].shape[0], GAP, 3), 255, dtype=np.uint8)
    row = np.concatenate([part for picture in shown for part in (space, picture)][1:], axis=1)
    file = io.BytesIO()
    whole = shown[0].shape == pictures[0].shape
    Image.fromarray(row).save(file, "WEBP", lossless=whole, quality=0 if whole else 90, method=0 if whole else 4)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
