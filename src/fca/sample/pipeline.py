"""`FCAPipeline`: one or two frames and a sentence in, a video out."""

import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from fca.encode.networks import Encoders
from fca.encode.vae import decode
from fca.errors import FcaError
from fca.model import Denoiser, InitialFrames, Prompt
from fca.model.build import load_denoiser
from fca.model.diffusion import draw_posterior
from fca.model.image_to_video import ImageToVideo
from fca.pretrained.exported import ExportedModel
from fca.pretrained.load import DTYPES
from fca.sample.ddim import Scheduler, predict_latents
from fca.sample.media import check_prompt
from fca.sample.picture import fitted, rgb
from fca.seeds import generator

Frame = Image.Image | np.ndarray


class FCAPipeline:
    """Text-video prediction: a frozen CogVideoX, BLIP-2's frozen parts, and a trained adapter (or none).

    pipeline = FCAPipeline.from_pretrained("config/pocket-base/adapter")
    video = pipeline(frames=[Image.open("start.png")], prompt="push red block left")  # (16, H, W, 3) uint8

    `scheduler` is the checkpoint's as DDIM, which the paper uses. As in diffusers, it may be replaced:
    pipeline.scheduler = CogVideoXDPMScheduler.from_config(pipeline.scheduler.config)
    """

    def __init__(self, encoders: Encoders, denoiser: Denoiser, scheduler: Scheduler, exported: ExportedModel):
        self.encoders, self.denoiser, self.scheduler, self.exported = encoders, denoiser, scheduler, exported

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        base: str | Path | None = None,
        vision_model: str | Path | None = None,
        precision: str = "fp32",
    ) -> Self:
        """Load a trained model and the frozen networks that it belongs to.

        Args:
            model: folder of an exported model with its `model.json`, as `fca train` writes it.
            base: folder or hub name of the CogVideoX checkpoint; by default the one in `model.json`, a relative folder
                from the working directory or from a folder above the model's.
            vision_model: folder or hub name of the BLIP-2 checkpoint; by default the folder `vision` of the
                argument `base`, else the one in `model.json`.
            precision: fp32, bf16 or fp16.

        Raises:
            FcaError: a folder or file is missing, or doesn't fit the others.
        """
        if precision not in DTYPES:
            raise FcaError(f"the precision is {precision!r}", f"one of {', '.join(DTYPES)}")
        names = [None if name is None else str(name) for name in (base, vision_model)]
        exported = ExportedModel.read(model).located(model, *names)
        denoiser, scheduler = load_denoiser(exported.networks(), Path(model), precision)
        return cls(Encoders(exported.networks(), precision), denoiser, scheduler, exported)

    def __call__(
        self,
        frames: Sequence[Frame],
        prompt: str,
        negative_prompt: str = "",
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        seed: int = 42,
        progress: bool = True,
    ) -> np.ndarray:
        """Predict a video (F, H, W, 3) uint8, of the model's length and size, that starts with `frames`.

        Args:
            frames: the initial frames, as many as the model was trained with: Pillow pictures or arrays (H, W, 3)
                uint8 of any size, resized by the model's own rule.
            prompt: what happens; may be empty. A warning tells what the model doesn't read of a long one.
            negative_prompt: the caption of the unconditional branch.
            num_inference_steps: DDIM steps; by default the model's own (`model.json`).
            guidance_scale: weight of the prompt, 1 turns guidance off; by default the model's own.
            seed: the same seed gives the same video.
            progress: show a bar over the steps.

        Raises:
            FcaError: a frame, their number, a prompt or a setting is invalid, or a network's output isn't finite.
        """
        steps, guidance = self.exported.sampling(num_inference_steps, guidance_scale, seed)
        pixels = self._pixels(frames)  # (1, k, H, W, 3)
        for caption in (prompt, negative_prompt):
            self._check_prompt(caption)

        # Encode the initial frames and the captions.
        random = generator(seed, "predict")
        alone = isinstance(self.denoiser, ImageToVideo)  # such a base starts from one picture
        scale = self.encoders.initial_scaling_factor(alone)
        mean, logvar = self.encoders.posterior(pixels[:, :1] if alone else pixels)
        initial = draw_posterior(mean[0].numpy(), logvar[0].numpy(), random, scale)[None]
        latent_frames = self.exported.frames // self.encoders.vae.config.temporal_compression_ratio
        device = self.denoiser.transformer.device
        initial_frames = InitialFrames(
            initial.to(device),
            torch.randn(initial.shape, generator=random).to(device),
            self.encoders.blip2.image_features(pixels[:, 0]).float().to(device),
        )
        prompts = Prompt(*(part.to(device) for part in self.encoders.captions([prompt, negative_prompt])))

        noise = torch.randn((1, latent_frames, *initial.shape[2:]), generator=random).to(device)
        latents = predict_latents(
            self.denoiser,
            self.scheduler,
            initial_frames,
            prompts.rows([0]),
            prompts.rows([1]),
            noise,
            steps,
            guidance,
            progress=partial(tqdm, desc="predict", unit="step", disable=not progress),
            random=random,
        )
        return decode(self.encoders.vae, latents)[0].numpy()

    def _pixels(self, frames: Sequence[Frame]) -> torch.Tensor:
        """Frames of any size -> (1, k, H, W, 3) uint8 at the model's size."""
        if isinstance(frames, Image.Image | str | Path) or not isinstance(frames, Sequence | np.ndarray):
            raise FcaError(
                f"frames is a {type(frames).__name__}", "a list of pictures: frames=[Image.open('start.png')]"
            )
        if isinstance(frames, np.ndarray) and frames.ndim != 4:
            raise FcaError(f"frames is an array of shape {frames.shape}", "(k, H, W, 3), or a list of pictures")
        self.exported.check_count(len(frames))
        size = (self.exported.width, self.exported.height, self.exported.resize)
        return torch.from_numpy(np.stack([fitted(rgb(frame), *size) for frame in frames]))[None]

    def _check_prompt(self, caption: str) -> None:
        """Warn if T5 or BLIP-2 truncates the caption, and name the part that is read."""
        check_prompt(caption)
        t5 = ("T5", self.encoders.tokenizer, self.encoders.text_tokens)
        for name, tokenizer, limit in (t5, ("BLIP-2", self.encoders.blip2.tokenizer, self.encoders.caption_tokens)):
            count = len(tokenizer(caption, verbose=False).input_ids)
            if count > limit:
                read = tokenizer(caption, truncation=True, max_length=limit).input_ids
                part = tokenizer.decode(read, skip_special_tokens=True)
                warnings.warn(
                    f"the prompt is cut off: {name} reads {limit} of its {count} tokens, {part!r}", stacklevel=3
                )
