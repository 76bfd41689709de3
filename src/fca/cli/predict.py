"""`fca predict`: from files to a file. Every mistake is found before torch is imported."""

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fca.cli.common import PATH, Command, ManyValues

if TYPE_CHECKING:
    from fca.config.settings import SchedulerName

SEED = click.IntRange(0, 2**32 - 1)
SHIPPED = Path("config/pocket-base/adapter")
KNOWN_SIZES = ((192, 128), (96, 64))
"""Width and height of the clip library's frames and of the shipped model's."""


@click.command(
    cls=Command, example="fca predict --frames docs/start.png --prompt 'open the blue laptop' --out next.mp4"
)
@click.option("--frames", cls=ManyValues, type=PATH, required=True, metavar="FILE...",
              help="The initial frames in order, as many as the model was trained with (the shipped one: 1 or 2): "
                   "JPEG, PNG or WebP of any size; or one video, whose first frames are used.")  # fmt: skip
@click.option("--prompt", "prompts", required=True, multiple=True, metavar="TEXT",
              help="What happens, such as 'push red block left'. If it is too long it is cut off, and the part that is "
                   "read is shown. Repeat it for a video of several chunks (--frames-out): one for each, in order; the "
                   "last one goes on.")  # fmt: skip
@click.option("--out", type=PATH, required=True, metavar="PATH",
              help="File to write or replace: .mp4, .webm, .gif; without a suffix, a folder of PNGs.")  # fmt: skip
@click.option("--fps", "frames_per_second", type=int, default=8, metavar="N", help="Frames per second of the output.")
@click.option("--frames-out", type=int, metavar="N",
              help="Frames of the video, initial ones included (default: the model's own, 16 for the shipped one). A "
                   "longer one is predicted in chunks: the last frames of each are the initial ones of the next, and "
                   "errors add up.")  # fmt: skip
@click.option("--negative-prompt", default="", metavar="TEXT", help="What should not happen.")
@click.option("--seed", type=SEED, default=42, metavar="N", help="The same seed gives the same video.")
@click.option("--scheduler", type=click.Choice(["ddim", "dpm"]),
              help="ddim, as the paper, or dpm: DPM-Solver++ (default: the model's own).")  # fmt: skip
@click.option(
    "--steps", type=int, metavar="N", help="Sampling steps; fewer are quicker and coarser (default: the model's own)."
)
@click.option("--guidance", "guidance_scale", type=float, metavar="X",
              help="Guidance scale; more follows the prompt better, 1: off (default: the model's own).")  # fmt: skip
@click.option("--model", type=PATH, metavar="FOLDER",
              help=f"A model trained by `fca train` (default: {SHIPPED}, as shipped).")  # fmt: skip
@click.option("--base", metavar="NAME",
              help="Its CogVideoX checkpoint, a folder or hub name, if it has moved since training.")  # fmt: skip
@click.option("--vision-model", metavar="NAME",
              help="Its BLIP-2 checkpoint, likewise (default: the folder vision of --base).")  # fmt: skip
@click.option("--precision", type=click.Choice(["fp32", "bf16", "fp16"]), default="fp32",
              help="Arithmetic; take bf16 or fp16 if the GPU memory is too small.")  # fmt: skip
def predict(
    frames: tuple[Path, ...],
    prompts: tuple[str, ...],
    out: Path,
    model: Path | None,
    frames_out: int | None,
    negative_prompt: str,
    seed: int,
    scheduler: "SchedulerName | None",
    steps: int | None,
    guidance_scale: float | None,
    frames_per_second: int,
    base: str | None,
    vision_model: str | None,
    precision: str,
) -> None:
    """Predict a video from one or two pictures, or the start of a video, and a sentence."""
    from fca.config.shipped import located
    from fca.pretrained.exported import ExportedModel
    from fca.sample.chunks import chunk_lengths
    from fca.sample.media import check_out, check_prompt, read_start, save

    for text in (*prompts, negative_prompt):
        check_prompt(text)
    model = located(SHIPPED) if model is None else model
    exported = ExportedModel.read(model)
    exported.sampling(steps, guidance_scale)
    check_out(out, exported.width, exported.height, frames_per_second, frames)
    exported = exported.located(model, base, vision_model)
    start = read_start(frames, exported)
    lengths = chunk_lengths(frames_out, exported.frames, len(start), prompts[1:])
    if model == located(SHIPPED) and any(frame.shape[1::-1] not in KNOWN_SIZES for frame in start):
        _warn(
            "the shipped model only knows three simulated places, at 96x64 pixels, and makes nonsense of any other "
            "picture; --model takes one that was trained on videos like yours (docs/data/folder.md)"
        )
    if not all(prompt.strip() for prompt in prompts):
        _warn("the prompt is empty: the model continues the video as it likes")
    if len(lengths) > 1:
        _warn(f"{sum(lengths)} frames in {len(lengths)} chunks of up to {exported.frames}, one after the other")

    import numpy as np

    from fca.model.build import load_scheduler
    from fca.pretrained.load import DTYPES, device
    from fca.sample.pipeline import FCAPipeline
    from fca.seeds import generator

    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: _warn(str(message))
        parts = {"scheduler": load_scheduler(exported.networks(), scheduler)} if scheduler else {}
        places = {"base": base, "vision_model": vision_model}
        pipeline = FCAPipeline.from_pretrained(model, **places, dtype=DTYPES[precision], **parts)
        pipeline.to(device())
        pipeline.set_progress_bar_config(desc="predict", unit="step")
        values = pipeline(
            image=start,
            prompt=prompts[0],
            next_prompts=prompts[1:],
            num_frames=frames_out,
            negative_prompt=negative_prompt,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=generator(seed, "predict"),
            output_type="np",
        ).frames[0]
    video = (values * 255).round().astype(np.uint8)
    save(video, out, frames_per_second)
    print(out)


def _warn(message: str) -> None:
    print(f"fca predict: {message}", file=sys.stderr)
