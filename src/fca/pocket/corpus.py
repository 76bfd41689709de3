"""Simulated clips in memory: the training data of the pocket base.

`python -m simulation.corpus FOLDER` renders them in the simulators' environment: the 16 frames that Seer's temporal
cast picks from a clip of 48 (`fca.video.frame_selection`), 192 pixels wide. Here they are resized as the workflow
resizes them. The seeds of the shipped clips, with which the demo works, are others.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from fca.errors import FcaError
from fca.video.resize import resize

FRAMES, HEIGHT, WIDTH = 16, 64, 96
FIRST_HELD_OUT_SEED = 2_000_000  # as `simulation.corpus` has it
DATASETS = {"hand": "ssv2", "arm": "bridge", "kitchen": "epic"}
"""Place of the simulators -> the dataset whose videos it stands in for."""


@dataclass(frozen=True)
class Corpus:
    """`pixels` (clips, 16, 64, 96, 3) uint8, and the simulators' record of each clip."""

    pixels: np.ndarray
    records: Sequence[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.records)

    @property
    def captions(self) -> list[str]:
        return [record["caption"] for record in self.records]

    @property
    def words(self) -> list[str]:
        """Every caption of the clips, and every opposite one."""
        return [*self.captions, *(record["opposite"] for record in self.records if record["opposite"])]

    @property
    def tasks(self) -> list[str]:
        """The task of each clip: its caption without the things' names and colours."""
        return [record["label"] for record in self.records]

    @property
    def places(self) -> np.ndarray:
        """(clips,) names: hand, arm or kitchen."""
        return np.array([record["place"] for record in self.records])

    def distinct_captions(self) -> tuple[list[str], torch.Tensor]:
        """The distinct captions, sorted, and the row of each clip's caption among them (clips,) int64."""
        distinct, rows = np.unique(self.captions, return_inverse=True)
        return distinct.tolist(), torch.from_numpy(rows)


def to_video(pixels: np.ndarray) -> torch.Tensor:
    """(B, F, H, W, 3) uint8 -> (B, 3, F, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(np.array(pixels)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


def read(folder: Path, held_out: bool) -> Corpus:
    """The rendered clips to train on, or those to measure on; their resized pixels are kept as one file, mapped.

    Raises:
        FcaError: there are none.
    """
    chunks = [path for path in sorted(folder.glob("*.jsonl")) if (_first_seed(path) >= FIRST_HELD_OUT_SEED) == held_out]
    if not chunks:
        raise FcaError(
            f"{folder} has no rendered clips",
            "chunks of the simulators' clips",
            "run make pocket-corpus to render them",
        )
    records = [json.loads(line) for path in chunks for line in path.read_text().splitlines()]
    resized = folder / f"{'held-out' if held_out else 'train'}-{len(records)}.resized"
    shape = (len(records), FRAMES, HEIGHT, WIDTH, 3)
    if not resized.exists():
        aside = resized.with_suffix(".partial")
        pixels = np.memmap(aside, np.uint8, "w+", shape=shape)
        for row, clip in enumerate(tqdm(_clips(chunks), total=len(records), desc="resize", disable=None)):
            for number, frame in enumerate(clip):
                resize(frame.astype(np.float32), WIDTH, HEIGHT, "stretch", pixels[row, number])
        pixels.flush()
        aside.rename(resized)
    return Corpus(np.memmap(resized, np.uint8, "r", shape=shape), records)


def _first_seed(chunk: Path) -> int:
    return int(chunk.stem.rsplit("-", 1)[1])


def _clips(chunks: Sequence[Path]) -> Iterator[np.ndarray]:
    """Every clip of the chunks as rendered, (16, height, width, 3) uint8."""
    for chunk in chunks:
        yield from np.load(chunk.with_suffix(".npy"), mmap_mode="r")
