"""Rendered chunks as `simulation.corpus` writes them, filled with noise: what a training reads, without simulators."""

import json
from pathlib import Path

import numpy as np

from fca.pocket.corpus import DATASETS, FIRST_HELD_OUT_SEED, FRAMES


def write_chunks(folder: Path, clips: int, held_out: int) -> None:
    """Write a chunk of each place for training and one to measure on, of two tasks each."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for place in DATASETS:
        for first, count in ((0, clips), (FIRST_HELD_OUT_SEED, held_out)):
            chunk = folder / f"{place}-{first:07d}.npy"
            np.save(chunk, rng.integers(0, 256, (count, FRAMES, 128, 192, 3), np.uint8))
            lines = [
                {"place": place, "seed": first + row, "caption": f"{place} moves {'up' if row % 2 else 'down'}",
                 "label": f"{place}-{row % 2}", "opposite": f"{place} moves {'down' if row % 2 else 'up'}",
                 "camera": [[0, 0, 0, 1, 90, -30, 45]], "effector": [[0, 0, 0.1]] * FRAMES,
                 "objects": {"block": [[0.1, 0, 0]] * FRAMES}}
                for row in range(count)
            ]  # fmt: skip
            chunk.with_suffix(".jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
