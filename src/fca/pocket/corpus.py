"""Tabletop clips in memory: the training data of the pocket base.

The clips look like the workflow's clips after resampling (`fca.data.resample`): 16 frames, stretched to 96x64, at the
phases that Seer's temporal cast picks from a clip of random length. They are drawn at that size, so thousands of them
take minutes. The demo's clips have other seeds, so none is among them.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from fca.data.tabletop.captions import caption_text
from fca.data.tabletop.draw import render
from fca.data.tabletop.sample import sample_scene
from fca.data.tabletop.scene import MOTIONS, STYLES
from fca.video.frame_selection import GREY, cast_positions

FRAMES, HEIGHT, WIDTH = 16, 64, 96
ASPECTS = {"ssv2": (320 / 240, 426 / 240), "bridge": (640 / 480,), "epic": (456 / 256,)}


@dataclass(frozen=True)
class Corpus:
    """`pixels` (clips, 16, 64, 96, 3) uint8; `captions`, `motions` (index into MOTIONS) and `styles`, one per clip."""

    pixels: np.ndarray
    captions: list[str]
    motions: np.ndarray
    styles: np.ndarray

    def __len__(self) -> int:
        return len(self.captions)

    def distinct_captions(self) -> tuple[list[str], torch.Tensor]:
        """The distinct captions, sorted, and the row of each clip's caption among them (clips,) int64."""
        distinct, rows = np.unique(self.captions, return_inverse=True)
        return distinct.tolist(), torch.from_numpy(rows)


def to_video(pixels: np.ndarray) -> torch.Tensor:
    """(B, F, H, W, 3) uint8 -> (B, 3, F, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(np.array(pixels)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


def draw(seed: int) -> tuple[np.ndarray, str, int, int]:
    """One clip as a pure function of its seed: pixels (16, 64, 96, 3) uint8, caption, motion index, style index."""
    rng = np.random.default_rng(seed)
    style = STYLES[int(rng.integers(len(STYLES)))]
    scene = sample_scene(rng, style)
    aspect = ASPECTS[style][int(rng.integers(len(ASPECTS[style])))]
    length = int(rng.integers(10, 16)) if rng.random() < 0.02 else int(rng.integers(16, 120))
    phases = np.asarray(cast_positions(length, FRAMES)) / (length - 1)

    pixels = np.full((FRAMES, HEIGHT, WIDTH, 3), GREY, dtype=np.uint8)
    for index, phase in enumerate(phases):
        pixels[index] = render(scene, float(phase), WIDTH, HEIGHT, aspect)
    return pixels, caption_text(scene), MOTIONS.index(scene.motion), STYLES.index(style)


def make(clips: int, first_seed: int, folder: Path, workers: int = 2) -> Corpus:
    """Draw `clips` clips, unless `folder` already has them, and return them memory-mapped."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{first_seed}-{clips}"
    pixel_file, label_file = folder / f"{name}.npy", folder / f"{name}.labels.npz"

    if not label_file.exists():
        shape = (clips, FRAMES, HEIGHT, WIDTH, 3)
        pixels = np.lib.format.open_memmap(pixel_file, mode="w+", dtype=np.uint8, shape=shape)
        labels: list[list[Any]] = []
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            drawn = pool.map(draw, range(first_seed, first_seed + clips), chunksize=32)
            for index, (frames, *label) in enumerate(tqdm(drawn, total=clips, desc="draw")):
                pixels[index] = frames
                labels.append(label)
        pixels.flush()
        captions, motions, styles = map(np.array, zip(*labels, strict=True))
        np.savez(label_file, captions=captions, motions=motions, styles=styles)

    read = np.load(label_file)
    return Corpus(np.load(pixel_file, mmap_mode="r"), read["captions"].tolist(), read["motions"], read["styles"])
