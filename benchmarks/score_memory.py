"""Resident memory of scoring clips of 720x480 with I3D on a CPU, next to what `fca plan` counts.

    OMP_NUM_THREADS=2 python -m benchmarks.score_memory --clips 1 8 16

I3D has random weights, of the published shapes. Each number of clips runs in processes of its own: with clips prepared
one by one, as `fca score` does, and with a batch prepared as a whole.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from fca.artifacts.measured import host_peak
from fca.config import load
from fca.plan.work import scoring
from fca.rehearsal.layouts import i3d_files
from fca.score import features
from fca.score.pixels import psnr, ssim

GIB = 2**30


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--clips", type=int, nargs="+", default=[1, 8, 16], help="clips of a batch")
    options.add_argument("--only", choices=("one by one", "as a whole"), help="one way, in this process")
    options.add_argument("--network", type=Path, help=argparse.SUPPRESS)
    options = options.parse_args()
    if options.only:
        return measure(options.clips[0], options.only == "as a whole", options.network)
    with tempfile.TemporaryDirectory() as folder:
        [(name, file)] = i3d_files(0).items()
        network = Path(folder, name)
        network.write_bytes(file.content)
        for clips in options.clips:
            for way in ("one by one", "as a whole"):
                command = [sys.executable, "-m", "benchmarks.score_memory", "--clips", str(clips), "--only", way]
                subprocess.run([*command, "--network", str(network)], check=True)
    return None


def measure(clips: int, whole: bool, path: Path) -> None:
    """Print the peak of one batch, scored as `fca score` does."""
    before = host_peak()
    config = load("config/paper.yaml")
    work = scoring(config.model_copy(update={"score": config.score.model_copy(update={"batch_size": clips})}))
    if whole:
        features.preprocess = prepared_as_a_whole
    truth = np.random.default_rng(0).integers(0, 256, (clips, 16, 480, 720, 3), dtype=np.uint8)
    prediction = truth[:, ::-1].copy()
    with_truth_first = prediction.copy()
    network = features.load_network(path)
    for frames in (truth, with_truth_first, prediction):
        network.features(frames, clips)
    psnr(prediction[0], truth[0])
    ssim(prediction[0], truth[0])
    counted = before + work.peak + work.host
    print(
        f"{clips} clips, prepared {'as a whole' if whole else 'one by one'}: {host_peak() / GIB:.2f} GiB, "
        f"{counted / GIB:.2f} counted, {host_peak() / counted:.2f}",
        flush=True,
    )


def prepared_as_a_whole(frames: np.ndarray, short_side: int, crop: bool) -> torch.Tensor:
    """`preprocess` of all clips at once."""
    every = features.prepared(torch.tensor(frames).flatten(0, 1), short_side, crop)
    return every.unflatten(1, frames.shape[:2]).transpose(0, 1)


if __name__ == "__main__":
    main()
