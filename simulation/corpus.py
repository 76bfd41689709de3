"""Render the training corpus of the pocket base: `python -m simulation.corpus FOLDER --clips 2000`.

For each place, seeds from 0 on, which no clip of the library has, and only the 16 frames that Seer's temporal cast
picks from a clip of 48. A chunk of clips is one array `PLACE-SEED.npy`, (clips, 16, height, width, 3) uint8, and one
`PLACE-SEED.jsonl` with a line for each clip (`Episode.record`). Run the same command again to resume.
"""

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from simulation.episode import FRAMES, HEIGHT, PLACES, VALIDATION_SEEDS, WIDTH, place, task_of

SHOWN = range(1, FRAMES, 3)
"""Outputs i of 16 from 48 frames are at (i + 0.5) * 3 - 0.5."""
CHUNK = 50
HELD_OUT_SEEDS = 2 * VALIDATION_SEEDS
"""Seeds of the clips that the networks are measured on: neither the corpus' nor the library's."""


def main() -> None:
    """Parse the command line and render."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, metavar="FOLDER")
    options.add_argument("--clips", type=int, default=2000, help="seeds for each place (default: 2000)")
    options.add_argument("--held-out", type=int, default=200, help="seeds for each place to measure on (default: 200)")
    options.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (default: the machine's cores)")
    options = options.parse_args()
    render(options.folder, options.clips, options.held_out, options.workers)


def render(folder: Path, clips: int, held_out: int, workers: int | None) -> None:
    """Render the chunks that are not yet in `folder`: those to measure on first, then every place in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = [*range(HELD_OUT_SEEDS, HELD_OUT_SEEDS + held_out, CHUNK), *range(0, clips, CHUNK)]
    ends = {True: clips, False: HELD_OUT_SEEDS + held_out}
    chunks = [(name, first, min(first + CHUNK, ends[first < clips])) for first in seeds for name in PLACES]
    missing = [chunk for chunk in chunks if not file_of(folder, *chunk[:2]).exists()]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        jobs = [pool.submit(render_chunk, folder, *chunk) for chunk in missing]
        for job in tqdm(as_completed(jobs), total=len(jobs), desc=f"chunks of {CHUNK} clips", smoothing=0):
            job.result()


def file_of(folder: Path, name: str, first: int) -> Path:
    """Return the file of a chunk's records, which is written last."""
    return folder / f"{name}-{first:07d}.jsonl"


def render_chunk(folder: Path, name: str, first: int, end: int) -> None:
    """Render the clips of the seeds from `first` to before `end` whose experts succeed."""
    module, frames, lines = place(name), [], []
    for seed in range(first, end):
        episode = module.episode(task_of(module.TASKS, seed), seed, WIDTH, HEIGHT, SHOWN)
        if episode.succeeded:
            frames.append(episode.frames)
            lines.append(json.dumps(episode.record()) + "\n")
    records = file_of(folder, name, first)
    np.save(records.with_suffix(".npy"), np.stack(frames))
    aside = records.with_suffix(".partial")
    aside.write_text("".join(lines))
    os.replace(aside, records)


if __name__ == "__main__":
    main()
