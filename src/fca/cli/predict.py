"""`fca predict`: from files to a file. Every mistake is found before torch is imported."""

import sys
import warnings
from pathlib import Path

import click

from fca.cli.common import PATH, Command, ManyValues

SEED = click.IntRange(0, 2**32 - 1)
SHIPPED = Path("config/pocket-base/adapter")


@click.command(
    cls=Command, example="fca predict --frames docs/start.png --prompt 'push red block right' --out next.mp4"
)
@click.option("--frames", cls=ManyValues, type=PATH, required=True, metavar="FILE...",
              help="The initial frames in order, as many as the model was trained with (the shipped one: 1 or 2): "
                   "JPEG, PNG or WebP of any size; or one video, whose first frames are used.")  # fmt: skip
@click.option("--prompt", required=True, metavar="TEXT",
              help="What happens, such as 'push red block left'. If it is too long it is cut off, and the part that is "
                   "read is shown.")  # fmt: skip
@click.option("--out", type=PATH, required=True, metavar="PATH",
              help="File to write or replace: .mp4, .webm, .gif; without a suffix, a folder of PNGs.")  # fmt: skip
@click.option("--fps", "frames_per_second", type=int, default=8, metavar="N", help="Frames per second of the output.")
@click.option("--negative-prompt", default="", metavar="TEXT", help="What should not happen.")
@click.option("--seed", type=SEED, default=42, metavar="N", help="The same seed gives the same video.")
@click.option(
    "--steps", type=int, metavar="N", help="DDIM steps; fewer are quicker and coarser (default: the model's own)."
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
    prompt: str,
    out: Path,
    model: Path | None,
    negative_prompt: str,
    seed: int,
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
    from fca.sample.media import check_out, check_prompt, read_start, save

    for text in (prompt, negative_prompt):
        check_prompt(text)
    model = located(SHIPPED) if model is None else model
    exported = ExportedModel.read(model)
    exported.sampling(steps, guidance_scale)
    check_out(out, exported.width, exported.height, frames_per_second, frames)
    exported.located(model, base, vision_model)
    start = read_start(frames, exported)
    if not prompt.strip():
        _warn("the prompt is empty: the model continues the video as it likes")

    import numpy as np

    from fca.pretrained.load import DTYPES, device
    from fca.sample.pipeline import FCAPipeline
    from fca.seeds import generator

    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: _warn(str(message))
        pipeline = FCAPipeline.from_pretrained(model, base=base, vision_model=vision_model, dtype=DTYPES[precision])
        pipeline.to(device())
        pipeline.set_progress_bar_config(desc="predict", unit="step")
        values = pipeline(
            image=start,
            prompt=prompt,
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
