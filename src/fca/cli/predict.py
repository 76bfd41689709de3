"""`fca predict`: from files to a file. Everything that can be wrong is looked at before torch is imported."""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from fca.errors import FcaError
from fca.pretrained.exported import FILE, ExportedModel
from fca.sample.media import check_out, check_rate, read_start
from fca.video.write import write_video

SHIPPED = Path("config/pocket-base/adapter")


def predict(
    frames: Sequence[Path],
    prompt: str,
    out: Path,
    model: Path | None = None,
    negative_prompt: str = "",
    seed: int = 42,
    steps: int | None = None,
    guidance_scale: float | None = None,
    frames_per_second: int = 8,
    base: str | None = None,
    vision_model: str | None = None,
    precision: str = "fp32",
) -> None:
    """Write the video that `model` predicts from pictures or the start of a video, see `FCAPipeline` and `media`.

    Raises:
        FcaError: something given is missing, broken or doesn't fit; nothing was written.
    """
    check_rate(frames_per_second)
    check_out(out, frames)
    model = shipped_model() if model is None else model
    facts = ExportedModel.read(model)
    facts.sampling(steps, guidance_scale, seed)
    facts.located(model, base, vision_model)
    start = read_start(frames, facts)
    if not prompt.strip():
        _say("the prompt is empty: the video goes on as the model likes")
    from fca.sample.pipeline import FCAPipeline

    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: _say(str(message))
        pipeline = FCAPipeline.from_pretrained(model, base, vision_model, precision)
        video = pipeline(
            frames=start,
            prompt=prompt,
            negative_prompt=negative_prompt,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            seed=seed,
        )
    write_video(video, out, frames_per_second)
    print(out)


def shipped_model() -> Path:
    """The pocket adapter of the working directory, or of the repository that this module is installed from."""
    for root in (Path(), Path(__file__).parents[3]):
        if (root / SHIPPED / FILE).is_file():
            return root / SHIPPED
    raise FcaError(
        f"there is no {SHIPPED} here to predict with",
        "a model's folder, as `fca train` writes it (data_dir/scale/DATASET/models/VARIANT)",
        "name it with --model",
    )


def _say(message: str) -> None:
    print(f"fca predict: {message}", file=sys.stderr)
