"""`FCAPipeline`: one or two frames and a sentence in, a video out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXTransformer3DModel
from PIL import Image

from fca.checkpoints import DTYPES, base_folder, device, load_pretrained
from fca.config.models import Base
from fca.data.resize import resize
from fca.encode.networks import Encoders
from fca.errors import FcaError
from fca.model import FCAAdapter
from fca.model.diffusion import draw_posterior
from fca.sample.predict import Given, Prompt, decode, predict_latents
from fca.seeds import generator

Frame = Image.Image | np.ndarray


class FCAPipeline:
    """Text-video prediction: a frozen CogVideoX, BLIP-2's frozen parts, and a trained adapter (or none).

    pipeline = FCAPipeline.from_pretrained("config/pocket-base", adapter="config/pocket-base/adapter")
    video = pipeline(frames=[Image.open("start.png")], prompt="push red block left")  # (16, H, W, 3) uint8
    """

    def __init__(
        self,
        encoders: Encoders,
        transformer: CogVideoXTransformer3DModel,
        scheduler: CogVideoXDDIMScheduler,
        adapter: FCAAdapter | None,
        t_ref: int = 1,
    ):
        self.encoders, self.transformer, self.scheduler = encoders, transformer, scheduler
        self.adapter, self.t_ref = adapter, t_ref  # attached to the transformer, see `load_adapter`

    @classmethod
    def from_pretrained(
        cls,
        base: str | Path,
        adapter: str | Path | None,
        vision_model: str | Path | None = None,
        text_tokens: int | None = None,
        t_ref: int = 1,
        precision: str = "fp32",
    ) -> Self:
        """Load the networks.

        Args:
            base: folder or hub name of a CogVideoX checkpoint in diffusers' layout.
            adapter: folder of an exported adapter; None predicts from text alone.
            vision_model: folder or hub name of a BLIP-2 checkpoint; by default the folder `vision` of `base`.
            text_tokens: T5 tokens of a prompt; by default what the transformer was made for (226).
            t_ref: diffusion step of the initial frames' reference pass.
            precision: fp32, bf16 or fp16.

        Raises:
            FcaError: a folder or file is missing or doesn't fit.
        """
        settings = Base(
            model=str(base),
            vision_model=str(vision_model if vision_model is not None else Path(base) / "vision"),
            text_tokens=text_tokens or 1,
            t_ref=t_ref,
        )
        transformer, scheduler = load_denoiser(settings, precision)
        if text_tokens is None:
            settings = settings.model_copy(update={"text_tokens": transformer.config.max_text_seq_length})
        encoders = Encoders(settings, precision)
        return cls(encoders, transformer, scheduler, load_adapter(adapter, transformer, precision), t_ref)

    def __call__(
        self,
        frames: Sequence[Frame],
        prompt: str,
        negative_prompt: str = "",
        num_inference_steps: int = 50,
        guidance_scale: float = 6.0,
        seed: int = 42,
    ) -> np.ndarray:
        """Predict a video (16, H, W, 3) uint8 that starts with `frames`.

        Args:
            frames: the initial frame or frames, as many as the adapter was trained with (1 or 2), pictures of any
                size: they are stretched to the model's.
            prompt: what happens.
            negative_prompt: the caption of the unconditional branch.
            num_inference_steps: DDIM steps.
            guidance_scale: 1 turns guidance off.
            seed: the same seed gives the same video.
        """
        pixels = self._pixels(frames)  # (1, k, H, W, 3)
        random = generator(seed, "predict")
        scale = self.encoders.vae.config.scaling_factor
        mean, logvar = self.encoders.posterior(pixels)
        initial = draw_posterior(mean[0].numpy(), logvar[0].numpy(), random, scale)[None]
        latent_frames = self.adapter.config.latent_frames if self.adapter is not None else 4
        place = self.transformer.device
        given = Given(
            initial.to(place),
            torch.randn(initial.shape, generator=random).to(place),
            self.encoders.blip2.image_features(pixels[:, 0]).float().to(place),
        )
        noise = torch.randn((1, latent_frames, *initial.shape[2:]), generator=random).to(place)
        latents = predict_latents(
            self.transformer,
            self.adapter,
            self.scheduler,
            given,
            self._prompt(prompt),
            self._prompt(negative_prompt),
            noise,
            num_inference_steps,
            guidance_scale,
            self.t_ref,
        )
        return decode(self.encoders.vae, latents)[0].numpy()

    def _pixels(self, frames: Sequence[Frame]) -> torch.Tensor:
        """Frames of any size -> (1, k, H, W, 3) uint8 at the model's size."""
        if not 1 <= len(frames) <= 4:
            raise FcaError(f"{len(frames)} frames were given", "one or two, as in the adapter's training")
        config = self.transformer.config
        scale = 2 ** (len(self.encoders.vae.config.block_out_channels) - 1)
        width, height = config.sample_width * scale, config.sample_height * scale
        resized = []
        for frame in frames:
            pixels = np.asarray(frame.convert("RGB") if isinstance(frame, Image.Image) else frame)
            if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
                raise FcaError(
                    f"a frame is {pixels.dtype} of shape {pixels.shape}", "an RGB picture, or uint8 (H, W, 3)"
                )
            stretched = resize(pixels.astype(np.float32), width, height, "stretch")
            resized.append(np.clip(np.floor(stretched + 0.5), 0, 255).astype(np.uint8))
        return torch.from_numpy(np.stack(resized))[None]

    def _prompt(self, caption: str) -> Prompt:
        return encode_prompt(self.encoders, [caption], self.transformer.device)


def encode_prompt(encoders: Encoders, captions: list[str], place: torch.device) -> Prompt:
    """Captions through both text sides."""
    text_embeds, text_mask = encoders.blip2.text_embeddings(captions, encoders.caption_tokens)
    return Prompt(encoders.prompt(captions).to(place), text_embeds.to(place), text_mask.to(place))


def load_denoiser(base: Base, precision: str) -> tuple[CogVideoXTransformer3DModel, CogVideoXDDIMScheduler]:
    """The frozen transformer on the device, and the checkpoint's DDIM scheduler."""
    folder = base_folder(base, "transformer", "scheduler")
    transformer = load_pretrained(CogVideoXTransformer3DModel, folder / "transformer", DTYPES[precision])
    scheduler = CogVideoXDDIMScheduler.from_pretrained(folder / "scheduler")
    return transformer.requires_grad_(False).eval().to(device()), scheduler


def load_adapter(
    folder: str | Path | None, transformer: CogVideoXTransformer3DModel, precision: str
) -> FCAAdapter | None:
    """An exported adapter in the transformer's precision, attached to it, for prediction."""
    if folder is None:
        return None
    if not (Path(folder) / "config.json").is_file():
        raise FcaError(
            f"{folder} holds no adapter", "a folder written by `fca train`", "train first, or give another folder"
        )
    adapter = load_pretrained(FCAAdapter, Path(folder), DTYPES[precision])
    adapter.requires_grad_(False).eval().to(transformer.device).attach(transformer)
    return adapter
