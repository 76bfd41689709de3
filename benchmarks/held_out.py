"""Adapters of the pocket scale on simulated clips that no training has seen, next to copying the last frame:

    make pocket-corpus
    python -m benchmarks.held_out config/pocket-base/adapter OTHER/adapter --guidance 1 2

For each place: the share of clips in which the feature network finds the asked task among the place's tasks, and the
PSNR of the predicted frames, a mean over frames. All adapters start from the same frames and noise.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from fca import FCAPipeline
from fca.pocket.corpus import DATASETS, Corpus, read
from fca.score.features import FeatureNetwork, load_network
from fca.score.pairs import with_initial_frames
from fca.score.pixels import psnr

BASE = Path("config/pocket-base")
BATCH = 8
INITIAL_FRAMES = {"hand": 2, "arm": 1, "kitchen": 1}


def main() -> None:
    """Parse the command line, predict and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("adapters", type=Path, nargs="+", metavar="FOLDER")
    options.add_argument("--guidance", type=float, nargs="+", default=[2.0], metavar="X")
    options.add_argument("--clips", type=int, default=24, help="of each place (default: 24)")
    options.add_argument("--steps", type=int, default=25, help="DDIM steps (default: 25)")
    options.add_argument("--corpus", type=Path, default=Path("data/pocket-corpus"), metavar="FOLDER")
    options = options.parse_args()

    corpus, network = read(options.corpus, held_out=True), load_network(BASE / "features")
    print(f"{'adapter':40} guidance  place     task found  PSNR, dB  copied, dB")
    for folder in options.adapters:
        pipeline = FCAPipeline.from_pretrained(folder, base=str(BASE), vision_model=str(BASE / "vision"))
        pipeline.set_progress_bar_config(disable=True)
        for guidance in options.guidance:
            for place in DATASETS:
                rows = np.flatnonzero(corpus.places == place)[: options.clips]
                made = predictions(pipeline, corpus, rows, INITIAL_FRAMES[place], guidance, options.steps)
                found = [measured(network, corpus, row, clip, INITIAL_FRAMES[place]) for row, clip in made]
                task, own, copied = np.mean(found, axis=0)
                print(f"{folder!s:40} {guidance:8g}  {place:8}  {100 * task:8.0f} %  {own:8.1f}  {copied:10.1f}")


def predictions(
    pipeline: FCAPipeline, corpus: Corpus, rows: np.ndarray, given: int, guidance: float, steps: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Each row with its prediction (16, H, W, 3) uint8."""
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH].tolist()
        frames = pipeline(
            [list(corpus.pixels[row, :given]) for row in batch],
            [corpus.captions[row] for row in batch],
            guidance_scale=guidance,
            num_inference_steps=steps,
            generator=[torch.Generator().manual_seed(row) for row in batch],
            output_type="np",
        ).frames
        yield from zip(batch, (np.asarray(frames) * 255).round().astype(np.uint8), strict=True)


def measured(
    network: FeatureNetwork, corpus: Corpus, row: int, prediction: np.ndarray, given: int
) -> tuple[bool, float, float]:
    """Whether the asked task is found, the prediction's PSNR, and that of copying the last initial frame."""
    truth, tasks = np.array(corpus.pixels[row]), np.array(corpus.tasks)
    own = set(tasks[corpus.places == corpus.places[row]])
    logits = network.extract(with_initial_frames(prediction[None], truth[None], given)).logits[0]
    assert network.classes is not None
    task = max((name for name in network.classes if name in own), key=lambda name: logits[network.classes.index(name)])
    copied = np.broadcast_to(truth[given - 1], truth[given:].shape)
    return task == tasks[row], psnr(prediction[given:], truth[given:]).mean(), psnr(copied, truth[given:]).mean()


if __name__ == "__main__":
    main()
