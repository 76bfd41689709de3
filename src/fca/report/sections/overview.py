"""The picture for the README: ground truth and predictions of a few clips of each dataset on one sheet."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fca.report.choose import choose
from fca.report.collect import DatasetResult

CLIPS = 2  # of each dataset
FRAMES = (1, 4, 8, 12, 16)
CELL_WIDTH = 144
GAP = 4
LABEL_WIDTH = 76
MARGIN = 24
PAPER, INK, FAINT, INITIAL = (253, 252, 249), (29, 27, 24), (110, 104, 96), (184, 110, 20)


def write_overview(datasets: Sequence[DatasetResult], path: Path) -> None:
    """Write the contact sheet to `path`, or nothing if no clip can be shown.

    The clips are those at one and two thirds of the ranking by PSNR, neither the best nor the worst.
    """
    blocks = [[_block(dataset, clip_id) for clip_id in middling(dataset)] for dataset in datasets if len(dataset.truth)]
    if not blocks:
        return
    width = max(sum(block.width for block in row) + MARGIN * (len(row) - 1) for row in blocks) + 2 * MARGIN
    height = sum(max(block.height for block in row) + MARGIN for row in blocks) + MARGIN
    sheet = Image.new("RGB", (width, height), PAPER)
    top = MARGIN
    for row in blocks:
        left = MARGIN
        for block in row:
            sheet.paste(block, (left, top))
            left += block.width + MARGIN
        top += max(block.height for block in row) + MARGIN
    sheet.save(path, "PNG")


def middling(dataset: DatasetResult) -> list[str]:
    """Ids of the clips to show, at one and two thirds of the ranking."""
    lead = dataset.lead
    scores = lead.scores.clips if lead and lead.scores else {}
    rows = [(clip_id, scores[clip_id].psnr if clip_id in scores else None) for clip_id in dataset.truth]
    ranked = [choice.id for choice in choose(rows, len(rows))]
    positions = {round(step * (len(ranked) - 1) / (CLIPS + 1)) for step in range(1, CLIPS + 1)}
    return [ranked[position] for position in sorted(positions)]


def _block(dataset: DatasetResult, clip_id: str) -> Image.Image:
    """One clip: its caption, then a row of frames for the ground truth and for each model's prediction."""
    pixels, caption = dataset.truth.read(clip_id)
    rows: list[tuple[str, np.ndarray]] = [("Truth", pixels)]  # the longer word doesn't fit
    rows += [
        ("Base" if result.variant.name == "base" else result.variant.title, result.samples.read(clip_id)[0])
        for result in dataset.variants
        if result.variant.prediction == "model" and clip_id in result.samples
    ]

    # An empty block with the caption and the dataset's name.
    cell_height = round(CELL_WIDTH * pixels.shape[1] / pixels.shape[2])
    positions = [frame - 1 for frame in FRAMES if frame <= len(pixels)]
    heading = 40
    width = LABEL_WIDTH + len(positions) * (CELL_WIDTH + GAP)
    block = Image.new("RGB", (width, heading + len(rows) * (cell_height + GAP) + 14), PAPER)
    draw = ImageDraw.Draw(block)
    text = textwrap.shorten("".join(c if c.isprintable() else " " for c in caption), 80, placeholder=" ...")
    draw.text((LABEL_WIDTH, 0), text or "(no caption)", fill=INK, font=ImageFont.load_default(17))
    draw.text((0, 2), dataset.name, fill=FAINT, font=ImageFont.load_default(14))

    # The frames, a row for each model, with their labels.
    for column, position in enumerate(positions):
        left = LABEL_WIDTH + column * (CELL_WIDTH + GAP)
        is_initial = position < dataset.settings.initial_frames
        label = f"frame {position + 1}" + (", initial" if is_initial else "")
        draw.text((left, 22), label, fill=INITIAL if is_initial else FAINT, font=ImageFont.load_default(13))
        for number, (_, frames) in enumerate(rows):
            picture = Image.fromarray(frames[position])
            picture = picture.resize((CELL_WIDTH, cell_height), Image.Resampling.BICUBIC)
            block.paste(picture, (left, heading + number * (cell_height + GAP)))
    for number, (title, _) in enumerate(rows):
        label = textwrap.shorten(title, 11, placeholder="...") if len(title.split()) > 1 else title[:11]
        top = heading + number * (cell_height + GAP) + cell_height // 2 - 9
        draw.text((0, top), label, fill=INK, font=ImageFont.load_default(15))
    return block
