"""Tiny clips, predictions of them, and their score file."""

import json
from collections.abc import Container
from pathlib import Path

import numpy as np

from fca.artifacts.quarantine import Quarantine
from fca.artifacts.shards import write_shard
from fca.config import Config, Layout
from fca.score.score import score
from tests.library import shipped

REPOSITORY = Path(__file__).parents[2]
CLIPS, SHARD, FRAMES, HEIGHT, WIDTH, INITIAL = 7, 4, 8, 32, 48, 2
SHAPE = (FRAMES, HEIGHT, WIDTH, 3)
RECORDS = shipped("ssv2", "validation")
IDS = list(RECORDS)[:CLIPS]
CAPTIONS = [RECORDS[name].caption for name in IDS]
FLIPPED = [str(RECORDS[name].opposite) for name in IDS]
LABELS = (*sorted({clip.label for clip in RECORDS.values()}), "another place's task")
"""Classes of the tiny feature network."""


def truth(row: int) -> np.ndarray:
    """Smooth noise that moves sideways: (F, H, W, 3) uint8."""
    rng = np.random.default_rng(row)
    picture = rng.integers(40, 216, (HEIGHT // 8, WIDTH // 8, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    return np.stack([np.roll(picture, frame * (1 + row % 3), axis=1) for frame in range(FRAMES)])


def predicted(row: int, noise: float = 20.0) -> np.ndarray:
    """The ground truth with noise of so many levels: (F, H, W, 3) uint8."""
    levels = truth(row) + np.random.default_rng(row).normal(0, noise, SHAPE)
    return levels.clip(0, 255).astype(np.uint8)


def pictures(clips: list[np.ndarray]) -> np.ndarray:
    return np.array(clips).reshape(len(clips), *SHAPE)


def write_clips(config: Config, without: Container[int] = ()) -> None:
    layout = Layout(config)
    for number in layout.shards("ssv2", "validation"):
        rows = [row for row in layout.shard_rows("ssv2", "validation", number) if row not in without]
        frames = pictures([truth(row) for row in rows]).astype(np.uint8)
        arrays = {"frames": frames, "caption": [CAPTIONS[row] for row in rows]}
        ids = [IDS[row] for row in rows]
        write_shard(layout.clips("ssv2", "validation", number), "clips", arrays, ids, {}, {}, [])


def write_samples(
    config: Config,
    kind: str = "validation",
    noise: float = 20.0,
    captions: list[str] | None = None,
    without: Container[int] = (),
    quarantine: tuple[Quarantine, ...] = (),
    variant: str = "fca",
) -> None:
    """Predictions of a variant: the ground truth with noise, in the opposite order within each shard."""
    layout = Layout(config)
    words = captions or (CAPTIONS if kind == "validation" else FLIPPED)
    for number in layout.shards("ssv2", "validation"):
        rows = [row for row in reversed(layout.shard_rows("ssv2", "validation", number)) if row not in without]
        arrays = {
            "frames": pictures([predicted(row, noise) for row in rows]).astype(np.uint8),
            "caption": [words[row] for row in rows],
            "seed": np.zeros(len(rows), np.int64),
        }
        ids = [IDS[row] for row in rows]
        path = layout.samples("ssv2", variant, kind, number)
        write_shard(path, "samples", arrays, ids, {}, {}, [row for row in quarantine if row.id not in ids])


def scored(config: Config, variant: str) -> dict:
    return json.loads(score(config, "ssv2", variant).read_text(encoding="utf-8"))
