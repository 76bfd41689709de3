"""How far a prediction of four chunks is from its ground truth, chunk by chunk. Called by `benchmarks.samplers`.

The truth goes there and back: a motion, then the opposite one, each twice, so that every chunk is a motion of a clip's
speed and length. The tabletop renders it from one scene, at the phases 0 to 1 and back. A push isn't the same
backwards, so scenes are of things that are held or slid, and of cameras that turn. `chained` predicts each chunk from
the last frame predicted; `restarted` predicts the same chunks from the truth's own last frame, so the difference
between the two is the drift, and what is left is a chunk's own difficulty.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fca.data.tabletop.captions import caption_text
from fca.data.tabletop.draw import render
from fca.data.tabletop.sample import sample_scene
from fca.data.tabletop.scene import COLOURS, OPPOSITE, STYLES, Scene
from fca.pocket.corpus import FRAMES, HEIGHT, WIDTH
from fca.sample import FCAPipeline
from fca.score.interval import mean_interval, resampling_counts
from fca.score.pixels import psnr
from fca.seeds import generator

CHUNKS, ASPECT = 4, 4 / 3
NEW = FRAMES - 1
"""Frames that each chunk after the first adds."""
NEAR, SMALLEST = 40.0, 12
"""Levels from the target's colour without its grey, and pixels that must be so for the target to be there."""
Frames = NDArray[np.uint8]


def drift(pipe: FCAPipeline, clips: int, first_seed: int) -> list[dict[str, Any]]:
    """Print and return a row for each chunk: PSNR, detail and position of the target, of both ways."""
    found: dict[str, list[list[list[float]]]] = {"chained": [], "restarted": []}
    for number, scene in enumerate(scenes(clips, first_seed)):
        captions = [caption_text(scene), caption_text(scene, OPPOSITE[scene.motion])] * (CHUNKS // 2)
        truth = ground_truth(scene)
        chained = pixels_of(pipe, truth[0], captions, number, len(truth))
        # The truth of the third and fourth chunk is that of the first two, and so is a restart.
        there, back = (pixels_of(pipe, truth[NEW * chunk], captions[chunk : chunk + 1], number, FRAMES)[1:]
                       for chunk in range(2))  # fmt: skip
        restarted = np.concatenate([there, back] * (CHUNKS // 2))
        colour = np.array(COLOURS[scene.items[scene.target].colour], float)
        for way, video in (("chained", chained[1:]), ("restarted", restarted)):
            parts = zip(np.split(video, CHUNKS), np.split(truth[1:], CHUNKS), strict=True)
            found[way].append([measured(one, other, colour) for one, other in parts])
        print(f"drift of clip {number}: {captions[0]!r}", flush=True)
    return table({way: np.array(values) for way, values in found.items()})


def scenes(count: int, first_seed: int) -> list[Scene]:
    """Scenes whose motion is the opposite one if it is played backwards."""
    found: list[Scene] = []
    seed = first_seed
    while len(found) < count:
        rng = np.random.default_rng(seed)
        scene = sample_scene(rng, STYLES[seed % len(STYLES)])
        if scene.verb != "push":
            found.append(scene)
        seed += 1
    return found


def ground_truth(scene: Scene) -> Frames:
    """(1 + 4 x 15, H, W, 3): the phases 0 to 1, back to 0, and again."""
    there = np.linspace(0, 1, FRAMES)
    phases = np.concatenate([there, *[there[-2::-1], there[1:]] * (CHUNKS // 2)])[: 1 + CHUNKS * NEW]
    return np.stack([render(scene, float(phase), WIDTH, HEIGHT, ASPECT) for phase in phases])


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
    near = np.linalg.norm(chroma - (colour - colour.mean()), axis=-1) < NEAR
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
