"""What the page computes: pictures and sentences in, video files out. One model is kept at a time."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fca.config import Layout, load
from fca.config.shipped import located
from fca.errors import FcaError
from fca.pretrained.exported import ExportedModel
from fca.pretrained.load import DTYPES, device
from fca.sample.media import check_prompt, read_start
from fca.sample.pipeline import FCAPipeline
from fca.seeds import generator
from fca.video.write import write_video

MOST_STEPS, MOST_VIDEOS = 100, 4
FRAMES_PER_SECOND = 8

Progress = Callable[[float, str], None]


class Predictor:
    """Predicts with one of `models`, by name; `precision` is that of `fca predict`."""

    def __init__(self, models: dict[str, Path], precision: str = "fp32"):
        self.models, self.precision = models, precision
        self._loaded: tuple[str, FCAPipeline] | None = None

    def exported(self, model: str) -> ExportedModel:
        """The description of a model; raises FcaError if it isn't one."""
        return ExportedModel.read(self.models[model])

    def pipeline(self, model: str) -> FCAPipeline:
        """The model, loaded if it isn't the last one."""
        if self._loaded is None or self._loaded[0] != model:
            self._loaded = None  # never two in memory
            pipeline = FCAPipeline.from_pretrained(self.models[model], dtype=DTYPES[self.precision])
            pipeline.to(device())
            pipeline.set_progress_bar_config(disable=True)
            self._loaded = model, pipeline
        return self._loaded[1]

    def predict(
        self,
        model: str,
        pictures: Sequence[Path],
        prompts: Sequence[str],
        seeds: Sequence[int],
        folder: Path,
        steps: int | None = None,
        guidance: float | None = None,
        progress: Progress = lambda share, text: None,
    ) -> Iterator[tuple[str, int, Path]]:
        """Yield (prompt, seed, video file) for each sentence and seed as soon as it is there.

        Args:
            pictures: the initial frames, or one video whose start is used (`fca.sample.media.read_start`).
            folder: where the videos (H.264, 8 frames a second) are written.

        Raises:
            FcaError: a picture, sentence or setting is invalid; before anything is loaded.
        """
        # Refuse what is wrong before a network is loaded.
        if not pictures:
            raise FcaError("there is no initial frame", "a picture, or an example")
        if not any(prompt.strip() for prompt in prompts):
            raise FcaError("there is no sentence", "what happens in the video, such as 'open the blue laptop'")
        for prompt in prompts:
            check_prompt(prompt)
        exported = self.exported(model)
        exported.sampling(steps, guidance)
        start = read_start(pictures, exported)

        progress(0, "loading the model")
        pipeline = self.pipeline(model)
        wanted = [(prompt, seed) for prompt in prompts if prompt.strip() for seed in seeds]
        for number, (prompt, seed) in enumerate(wanted):

            def stepped(pipe: FCAPipeline, step: int, _timestep: int, _: dict[str, Any], done: int = number) -> dict:
                share = (done + (step + 1) / pipe.num_timesteps) / len(wanted)
                progress(share, f"video {done + 1} of {len(wanted)}, step {step + 1} of {pipe.num_timesteps}")
                return {}

            values = pipeline(
                image=start,
                prompt=prompt,
                num_inference_steps=steps,
                guidance_scale=guidance,
                generator=generator(seed, "predict"),
                output_type="np",
                callback_on_step_end=stepped,
            ).frames[0]
            path = folder / f"fca-{number + 1}-seed-{seed}.mp4"
            write_video((values * 255).round().astype(np.uint8), path, FRAMES_PER_SECOND)
            yield prompt, seed, path


def known_models(extra: Path | None, configurations: Sequence[Path]) -> dict[str, Path]:
    """Models by name: `extra`, those that the configurations' trainings have exported, and the shipped one."""
    found = {} if extra is None else {str(extra): extra}
    for path in configurations:
        config = load(path)
        for dataset in config.datasets:
            for variant in config.every_variant:
                folder = Layout(config).model(dataset, variant)
                if (folder / "model.json").is_file():
                    found[f"{config.scale}, {dataset}, {variant}"] = folder
    return found | {"pocket, as shipped": located(Path("config/pocket-base/adapter"))}
