"""The frozen encoders of clips and captions."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import T5EncoderModel

from fca.artifacts.finite import finite
from fca.config.models import Base
from fca.encode.blip2 import FrozenBlip2
from fca.encode.vae import load_vae, posterior
from fca.pretrained.load import DTYPES, base_folder, device, load_pretrained, load_tokenizer, vision_folder


class Encoders:
    """The frozen VAE, T5 and BLIP-2, loaded once for a shard."""

    def __init__(self, base: Base, precision: str):
        folder = base_folder(base, "text_encoder", "tokenizer")
        dtype = DTYPES[precision]
        self.device = device()
        self.text_tokens, self.caption_tokens = base.text_tokens, base.caption_tokens
        self.vae = load_vae(base, precision)
        text_encoder = load_pretrained(T5EncoderModel, folder / "text_encoder", dtype)
        self.text_encoder = text_encoder.requires_grad_(False).eval().to(self.device)
        self.tokenizer = load_tokenizer(folder / "tokenizer", rows=text_encoder.config.vocab_size)
        self.blip2 = FrozenBlip2(vision_folder(base))
        self.blip2.vision_model.to(self.device, dtype)

    def initial_scaling_factor(self, image_to_video: bool) -> float:
        """Scaling factor of the initial frames' latents: the VAE's, or its inverse in CogVideoX 1.5 image-to-video.

        From diffusers' CogVideoXImageToVideoPipeline (`invert_scale_latents`); text-to-video never inverts it.
        """
        factor = float(self.vae.config.scaling_factor)
        return 1 / factor if image_to_video and self.vae.config.invert_scale_latents else factor

    def posterior(self, pixels: Tensor, clips: Sequence[str] = ()) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the VAE posterior of clips, see `fca.encode.vae.posterior`."""
        return posterior(self.vae, pixels, clips)

    @torch.no_grad()
    def prompt(self, captions: list[str]) -> Tensor:
        """Captions -> T5 embeddings (n, text_tokens, width) float32, padded and without a mask, as in CogVideoX."""
        tokens = self.tokenizer(
            captions, padding="max_length", max_length=self.text_tokens, truncation=True, return_tensors="pt"
        )
        embeds = self.text_encoder(tokens.input_ids.to(self.device))[0].float().cpu()
        return finite(embeds, "T5's embeddings", captions)

    def captions(self, captions: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Captions through both text networks: T5's embeddings, BLIP-2's embeddings and their mask.

        T5 reads one caption at a time, because the rounding of a batch depends on its size: a caption gives the same
        bits whatever the others are.
        """
        prompt_embeds = torch.cat([self.prompt([caption]) for caption in captions])
        return prompt_embeds, *self.blip2.text_embeddings(list(captions), self.caption_tokens)
