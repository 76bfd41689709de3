"""How far a prediction of four chunks is from its ground truth, chunk by chunk. Called by `benchmarks.samplers`.

The truth goes there and back: a clip of the library, then the same one backwards, each twice, so that every chunk is a
motion of a clip's speed and length. Backwards, a clip must show what its opposite caption says: things that the hand
moves up or down, and cameras that move. `chained` predicts each chunk from the last frame predicted; `restarted`
predicts the same chunks from the truth's own last frame, so the difference between the two is the drift, and what is
left is a chunk's own difficulty.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fca.data.library.clips import Clip, read_clips
from fca.data.library.pixels import read_pixels
from fca.sample import FCAPipeline
from fca.score.interval import mean_interval, resampling_counts
from fca.score.pixels import psnr
from fca.seeds import generator
from fca.video.frame_selection import cast, cast_plan

LIBRARY = Path("config/pocket-clips")
FRAMES, HEIGHT, WIDTH = 16, 64, 96
CHUNKS = 4
NEW = FRAMES - 1
"""Frames that each chunk after the first adds."""
REVERSIBLE = (
    "move-up",
    "move-down",
    "turn-camera-left",
    "turn-camera-right",
    "approach-with-camera",
    "withdraw-camera",
)
"""Tasks of the place hand whose clips show the opposite task if they are played backwards."""
NEAR, COLOURFUL, SMALLEST = 0.95, 30.0, 12
"""Cosine to the target's colour without its grey, levels of colour, and pixels that make the target be there."""
Frames = NDArray[np.uint8]


def drift(pipe: FCAPipeline, clips: int) -> list[dict[str, Any]]:
    """Print and return a row for each chunk: PSNR, detail and position of the target, of both ways."""
    found: dict[str, list[list[list[float]]]] = {"chained": [], "restarted": []}
    for number, clip in enumerate(reversible(read_clips(LIBRARY))[:clips]):
        captions = [clip.caption, str(clip.opposite)] * (CHUNKS // 2)
        truth = there_and_back(seen(clip))
        chained = pixels_of(pipe, truth[0], captions, number, len(truth))
        # The truth of the third and fourth chunk is that of the first two, and so is a restart.
        there, back = (pixels_of(pipe, truth[NEW * chunk], captions[chunk : chunk + 1], number, FRAMES)[1:]
                       for chunk in range(2))  # fmt: skip
        restarted = np.concatenate([there, back] * (CHUNKS // 2))
        for way, video in (("chained", chained[1:]), ("restarted", restarted)):
            parts = zip(np.split(video, CHUNKS), np.split(truth[1:], CHUNKS), strict=True)
            found[way].append([measured(one, other, colour_of(clip)) for one, other in parts])
        print(f"drift of clip {number}: {captions[0]!r}", flush=True)
    return table({way: np.array(values) for way, values in found.items()})


def reversible(clips: Sequence[Clip]) -> list[Clip]:
    """Validation clips that may be played backwards and whose target isn't grey, in the order of their seeds."""
    found = [clip for clip in clips if clip.split == "validation" and clip.task in REVERSIBLE]
    return sorted((clip for clip in found if np.ptp(colour_of(clip)) > COLOURFUL), key=lambda clip: clip.seed)


def colour_of(clip: Clip) -> NDArray[np.float64]:
    """The colour of a clip's first object, levels (3,)."""
    return 255 * np.array(clip.colours[next(iter(clip.objects))])


def seen(clip: Clip) -> Frames:
    """A clip as the pocket scale has it, (16, H, W, 3)."""
    frames = read_pixels(LIBRARY, clip)
    return cast(dict(enumerate(frames)), cast_plan(len(frames), FRAMES), WIDTH, HEIGHT, "stretch")


def there_and_back(clip: Frames) -> Frames:
    """(1 + 4 x 15, H, W, 3): the frames of a clip, backwards, and both again."""
    return np.concatenate([clip[:1], *[clip[1:], clip[-2::-1]] * (CHUNKS // 2)])


def pixels_of(pipe: FCAPipeline, start: Frames, captions: list[str], number: int, frames: int) -> Frames:
    """A predicted video (F, H, W, 3) uint8."""
    random = generator(0, "drift", str(number))
    video = pipe(start, captions[0], next_prompts=captions[1:], num_frames=frames, generator=random, output_type="np")
    return (255 * video.frames[0]).round().astype(np.uint8)


def measured(video: Frames, truth: Frames, colour: NDArray[np.float64]) -> list[float]:
    """PSNR in dB; detail as a share of the truth's; pixels between the targets in the last frame, NaN if it is lost."""
    detail = [np.abs(np.diff(each.astype(float), axis=axis)).mean() for each in (video, truth) for axis in (1, 2)]
    places = [centre(each[-1], colour) for each in (video, truth)]
    apart = np.nan if None in places else float(np.hypot(*np.subtract(*places)))
    visible = places[1] is not None
    return [float(psnr(video, truth).mean()), sum(detail[:2]) / sum(detail[2:]), apart, float(visible)]


def centre(frame: Frames, colour: NDArray[np.float64]) -> tuple[float, float] | None:
    """The mean (x, y) of the pixels in the target's colour, whatever the light; None if there are too few."""
    chroma = frame.astype(float) - frame.mean(-1, keepdims=True)
    strength, own = np.linalg.norm(chroma, axis=-1), colour - colour.mean()
    near = (strength > COLOURFUL) & (chroma @ own > NEAR * strength * np.linalg.norm(own))
    if near.sum() < SMALLEST:
        return None
    y, x = np.nonzero(near)
    return float(x.mean()), float(y.mean())


def table(found: dict[str, NDArray[np.float64]]) -> list[dict[str, Any]]:
    """`found`: (clips, chunks, measures) of each way."""
    clips = len(found["chained"])
    counts = resampling_counts(clips, 1000, 0)
    print(f"\n{clips} videos of {CHUNKS} chunks; position: pixels of {WIDTH} between the targets, median; lost: videos "
          "without the target where the truth shows it")  # fmt: skip
    print("| chunk | way | PSNR (dB) | detail | position | lost |")
    rows = []
    for chunk in range(CHUNKS):
        for way, values in found.items():
            decibels = mean_interval(values[:, chunk, 0], counts, 0.95)
            detail, visible = values[:, chunk, 1].mean(), values[:, chunk, 3] > 0
            apart = values[visible, chunk, 2]
            lost, middle = int(np.isnan(apart).sum()), float(np.nanmedian(apart))
            print(f"| {chunk + 1} | {way} | {decibels.value:.1f} ({decibels.low:.1f} to {decibels.high:.1f}) "
                  f"| {detail:.2f} | {middle:.1f} | {lost} of {visible.sum()} |")  # fmt: skip
            row = {"chunk": chunk + 1, "way": way, "psnr": [decibels.value, decibels.low, decibels.high]}
            rows.append(row | {"detail": float(detail), "position": middle, "lost": lost})
    return rows
