"""The pocket scale at 96x64 pixels and at 128x96: what the VAE's round trip loses, and how long a prediction takes.

    python -m benchmarks.pocket_size

The shipped networks take both sizes, since their positions are computed and not learned; they were trained at 96x64.
Clips are validation clips of the clip library, whose frames have 192x128 pixels. Seconds are the process's own; the
sizes take turns, so what disturbs the machine disturbs both.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.drift import FRAMES, LIBRARY
from fca.data.library.clips import Clip, read_clips
from fca.data.library.pixels import read_pixels
from fca.encode.vae import decode, posterior
from fca.pretrained.exported import ExportedModel
from fca.sample import FCAPipeline
from fca.score.pixels import psnr, ssim
from fca.seeds import generator
from fca.video.frame_selection import cast, cast_plan

BASE = Path("config/pocket-base")
SIZES = ((96, 64), (128, 96))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--clips", type=int, default=8, help="of each place (default: 8)")
    options = options.parse_args()

    found = sorted((clip for clip in read_clips(LIBRARY) if clip.split == "validation"), key=lambda clip: clip.seed)
    places = sorted({clip.place for clip in found})
    chosen = [clip for place in places for clip in [own for own in found if own.place == place][: options.clips]]
    pipelines = [pipeline_of(*size) for size in SIZES]
    rows: list[list[tuple[float, float, float, float]]] = [[] for _ in SIZES]
    for number, clip in enumerate(chosen):
        for pipe, size, row in zip(pipelines, SIZES, rows, strict=True):
            row.append(measured(pipe, clip, number, size))
        print(f"clip {number + 1} of {len(chosen)}: {clip.caption!r}", flush=True)

    first = np.mean(rows[0], axis=0)
    print("\n| size | round trip, s | prediction, s | " + " | ".join(f"{place}: PSNR, SSIM" for place in places) + " |")
    for (width, height), row in zip(SIZES, rows, strict=True):
        values = np.array(row)
        coding, prediction = values[:, :2].mean(axis=0)
        kept = [values[[clip.place == place for clip in chosen], 2:].mean(axis=0) for place in places]
        print(
            f"| {width}x{height} | {coding:.2f} (x{coding / first[0]:.2f}) "
            f"| {prediction:.2f} (x{prediction / first[1]:.2f}) | "
            + " | ".join(f"{decibels:.1f} dB, {similar:.3f}" for decibels, similar in kept) + " |"
        )  # fmt: skip


def pipeline_of(width: int, height: int) -> FCAPipeline:
    """The shipped adapter, as if it had been trained at another size."""
    shipped = (BASE / "adapter").resolve()
    with tempfile.TemporaryDirectory() as name:
        for file in shipped.iterdir():
            shutil.copy(file, name)
        ExportedModel.read(shipped).model_copy(update={"width": width, "height": height}).write(Path(name))
        pipe = FCAPipeline.from_pretrained(name, base=str(BASE), vision_model=str(BASE / "vision"))
    pipe.set_progress_bar_config(disable=True)
    return pipe


@torch.no_grad()
def measured(pipe: FCAPipeline, clip: Clip, number: int, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Seconds of a round trip and of a prediction without decoding, PSNR in dB and SSIM of the round trip."""
    frames = read_pixels(LIBRARY, clip)
    truth = cast(dict(enumerate(frames)), cast_plan(len(frames), FRAMES), *size, "stretch")
    started = time.process_time()
    mean, _ = posterior(pipe.vae, torch.from_numpy(truth)[None])
    back = decode(pipe.vae, mean.transpose(1, 2) * pipe.vae.config.scaling_factor)[0].numpy()
    coding = time.process_time() - started
    started = time.process_time()
    pipe(truth[0], clip.caption, generator=generator(0, "size", str(number)), output_type="latent")
    return coding, time.process_time() - started, float(psnr(back, truth).mean()), float(ssim(back, truth).mean())


if __name__ == "__main__":
    main()
