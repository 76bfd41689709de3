"""What a visitor sees first: ground truth and predictions of a few clips, as an animation and as a sheet of frames."""

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
PLAYED_WIDTH = 192
DURATION, LAST = 125, 900  # milliseconds of a frame of the animation, and of its last one
GAP = 4
LABEL_WIDTH = 76
MARGIN = 24
PAPER, INK, FAINT, INITIAL = (253, 252, 249), (29, 27, 24), (110, 104, 96), (184, 110, 20)


def write_overview(datasets: Sequence[DatasetResult], folder: Path) -> tuple[int, int] | None:
    """Write `overview.webp`, which plays, and `overview.png`, a sheet of frames; return width and height of the first.

    None, and no files, if no clip can be shown. The clips are those at one and two thirds of the ranking by PSNR,
    neither the best nor the worst.
    """
    chosen = [[(dataset, clip_id) for clip_id in middling(dataset)] for dataset in datasets if len(dataset.truth)]
    if not chosen:
        return None
    _sheet([[_block(*clip) for clip in row] for row in chosen]).save(folder / "overview.png", "PNG")

    # Shorter clips stop at their last frame.
    panels = [[_panel(*clip) for clip in row] for row in chosen]
    length = max(len(panel) for row in panels for panel in row)
    played = [
        _sheet([[panel[min(frame, len(panel) - 1)] for panel in row] for row in panels]) for frame in range(length)
    ]
    durations = [DURATION] * (length - 1) + [LAST]
    first, *later = played
    first.save(
        folder / "overview.webp", "WEBP", save_all=True, append_images=later, duration=durations, loop=0, quality=75,
        method=4,
    )  # fmt: skip
    return first.size


def _sheet(blocks: list[list[Image.Image]]) -> Image.Image:
    """Blocks, row by row, on paper."""
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
    return sheet


def middling(dataset: DatasetResult) -> list[str]:
    """Ids of the clips to show, at one and two thirds of the ranking."""
    lead = dataset.lead
    scores = lead.scores.clips if lead and lead.scores else {}
    rows = [(clip_id, scores[clip_id].psnr if clip_id in scores else None) for clip_id in dataset.truth]
    ranked = [choice.id for choice in choose(rows, len(rows))]
    positions = {round(step * (len(ranked) - 1) / (CLIPS + 1)) for step in range(1, CLIPS + 1)}
    return [ranked[position] for position in sorted(positions)]


def _videos(dataset: DatasetResult, clip_id: str) -> tuple[str, list[tuple[str, np.ndarray]]]:
    """A clip's caption, and titles and frames (F, H, W, 3) uint8 of the ground truth and of each model's prediction."""
    pixels, caption = dataset.truth.read(clip_id)
    videos = [("Ground truth", pixels)]
    videos += [
        ("Base" if result.variant.name == "base" else result.variant.title, result.samples.read(clip_id)[0])
        for result in dataset.variants
        if result.variant.prediction == "model" and clip_id in result.samples
    ]
    text = textwrap.shorten("".join(c if c.isprintable() else " " for c in caption), 80, placeholder=" ...")
    return text or "(no caption)", videos


def _panel(dataset: DatasetResult, clip_id: str) -> list[Image.Image]:
    """One clip as it plays: its caption above the ground truth and each prediction, side by side; a picture a frame.

    While an initial frame is shown, the videos have a border and the prediction is the model's own rendering of it.
    """
    caption, videos = _videos(dataset, clip_id)
    frames, height, width = videos[0][1].shape[:3]
    cell, heading = (PLAYED_WIDTH, round(PLAYED_WIDTH * height / width)), 26
    size = (len(videos) * (cell[0] + GAP) - GAP, heading + cell[1] + 26)
    panel = []
    for frame in range(frames):
        picture = Image.new("RGB", size, PAPER)
        draw = ImageDraw.Draw(picture)
        draw.text((0, 0), caption, fill=INK, font=ImageFont.load_default(16))
        for number, (title, pixels) in enumerate(videos):
            left = number * (cell[0] + GAP)
            picture.paste(Image.fromarray(pixels[frame]).resize(cell, Image.Resampling.BICUBIC), (left, heading))
            draw.text((left, heading + cell[1] + 5), title, fill=FAINT, font=ImageFont.load_default(13))
            if frame < dataset.settings.initial_frames:
                draw.rectangle((left, heading, left + cell[0] - 1, heading + cell[1] - 1), outline=INITIAL, width=3)
        end = round(size[0] * (frame + 1) / frames)
        draw.rectangle((0, size[1] - 2, end, size[1] - 1), fill=FAINT)
        panel.append(picture)
    return panel


def _block(dataset: DatasetResult, clip_id: str) -> Image.Image:
    """One clip: its caption, then a row of frames for the ground truth and for each model's prediction."""
    caption, rows = _videos(dataset, clip_id)
    pixels = rows[0][1]
    rows[0] = ("Truth", pixels)  # the longer word doesn't fit

    # An empty block with the caption and the dataset's name.
    cell_height = round(CELL_WIDTH * pixels.shape[1] / pixels.shape[2])
    positions = [frame - 1 for frame in FRAMES if frame <= len(pixels)]
    heading = 40
    width = LABEL_WIDTH + len(positions) * (CELL_WIDTH + GAP)
    block = Image.new("RGB", (width, heading + len(rows) * (cell_height + GAP) + 14), PAPER)
    draw = ImageDraw.Draw(block)
    draw.text((LABEL_WIDTH, 0), caption, fill=INK, font=ImageFont.load_default(17))
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
