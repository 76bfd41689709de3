"""Networks and inputs of both scales: the shipped pocket networks, or the paper's sizes with random weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXTransformer3DModel
from torch import Tensor, nn
from transformers import Blip2VisionConfig, Blip2VisionModel, T5Config, T5EncoderModel

from benchmarks import flops
from fca.config import Config, load
from fca.encode.blip2 import Blip2Folder, preprocess
from fca.encode.captions import TextNetworks
from fca.encode.vae import load_vae
from fca.model import FCA, FCAAdapter, InitialFrames, Prompt
from fca.model.build import load_base
from fca.pocket.base import build_scheduler
from fca.pretrained.load import DTYPES, vision_folder

CONFIG = Path(__file__).resolve().parents[1] / "config"
LATENT_CHANNELS = 16


@dataclass
class FrozenEncoders:
    """VAE, T5's encoder and BLIP-2's ViT on one device."""

    vae: AutoencoderKLCogVideoX
    text_encoder: T5EncoderModel
    vision_model: Blip2VisionModel

    @torch.no_grad()
    def latent(self, pixels: Tensor) -> Tensor:
        """(B, F, H, W, 3) uint8 -> a scaled sample of the posterior (B, f, C, h, w) float32."""
        video = pixels.permute(0, 4, 1, 2, 3).to(self.vae.device, torch.float32) / 127.5 - 1
        sample = self.vae.encode(video.to(self.vae.dtype)).latent_dist.sample().float()
        return self.vae.config.scaling_factor * sample.transpose(1, 2)

    @torch.no_grad()
    def prompt(self, token_ids: Tensor) -> Tensor:
        """(B, l) -> (B, l, width) float32."""
        return self.text_encoder(token_ids.to(self.vae.device))[0].float()

    @torch.no_grad()
    def vision(self, pictures: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 -> (B, tokens, width) float32."""
        prepared = preprocess(pictures, self.vision_model.config.image_size)
        return self.vision_model(prepared.to(self.vae.device, self.vae.dtype)).last_hidden_state.float()


@dataclass
class Clips:
    """A batch in the memory of the CPU, as pixels and words, and as what `fca encode` makes of them."""

    pixels: Tensor
    token_ids: Tensor
    initial_frames: InitialFrames
    prompt: Prompt
    clean: Tensor
    noise: Tensor
    timestep: Tensor


def make_model(
    scale: str, device: torch.device, trainable_dtype: torch.dtype, dtype: torch.dtype
) -> tuple[Config, FCA]:
    """The configuration of a scale and its FCA model: the frozen transformer in `dtype`, the adapter in its own."""
    config = load(CONFIG / f"{scale}.yaml")
    torch.manual_seed(config.seed)
    scheduler: CogVideoXDDIMScheduler = build_scheduler()
    if scale == "pocket":
        transformer, scheduler = load_base(config.base, dtype)
        transformer.to(device)
    else:
        with building(device, dtype):
            transformer = CogVideoXTransformer3DModel(
                num_attention_heads=30, attention_head_dim=64, num_layers=30, attention_bias=True
            )
    vision_width = 64 if scale == "pocket" else 1408
    with building(device, trainable_dtype):
        adapter = FCAAdapter.for_transformer(
            transformer,
            latent_frames=config.clip.frames // 4,
            queries_per_frame=config.adapter.queries_per_frame,
            text_width=config.adapter.ftc_width,
            vision_width=vision_width,
            conditioning_heads=config.adapter.ftc_heads,
        )
    transformer.requires_grad_(False).eval()
    return config, FCA(transformer, adapter, scheduler.alphas_cumprod.to(device), config.base.t_ref)


def make_encoders(config: Config, device: torch.device, precision: str) -> FrozenEncoders:
    """The frozen encoders of a scale."""
    if config.scale == "pocket":
        vision = Blip2Folder(vision_folder(config.base)).image_encoder(DTYPES[precision])
        networks = (load_vae(config.base, precision), TextNetworks.load(config.base, precision).text_encoder, vision)
        return FrozenEncoders(*(network.to(device) for network in networks))
    with building(device, DTYPES[precision]):
        networks = (
            AutoencoderKLCogVideoX(  # CogVideoX-2B's; the class's other defaults are its own
                down_block_types=("CogVideoXDownBlock3D",) * 4,
                up_block_types=("CogVideoXUpBlock3D",) * 4,
                block_out_channels=(128, 256, 256, 512),
                latent_channels=LATENT_CHANNELS,
            ),
            T5EncoderModel(  # T5 v1.1 XXL
                T5Config(d_model=4096, d_ff=10240, d_kv=64, num_layers=24, num_heads=64, feed_forward_proj="gated-gelu")
            ),
            Blip2VisionModel(Blip2VisionConfig()),  # ViT-g of 39 layers
        )
    return FrozenEncoders(*(network.requires_grad_(False).eval() for network in networks))


def make_clips(config: Config, batch: int) -> Clips:
    """A random batch of clips, on the CPU."""
    clip, base = config.clip, config.base
    pocket = config.scale == "pocket"
    random = torch.Generator().manual_seed(config.seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    latent = (batch, clip.frames // 4, LATENT_CHANNELS, clip.height // 8, clip.width // 8)
    initial = (batch, 1, *latent[2:])
    vision_tokens, vision_width, prompt_width = (65, 64, 64) if pocket else (257, 1408, 4096)
    pixels = torch.randint(256, (batch, clip.frames, clip.height, clip.width, 3), generator=random, dtype=torch.uint8)
    text = normal(batch, base.caption_tokens, config.adapter.ftc_width)
    return Clips(
        pixels,
        torch.randint(3, 32, (batch, base.text_tokens), generator=random),
        InitialFrames(normal(*initial), normal(*initial), normal(batch, vision_tokens, vision_width)),
        Prompt(normal(batch, base.text_tokens, prompt_width), text, torch.ones(text.shape[:2], dtype=torch.bool)),
        normal(*latent),
        normal(*latent),
        torch.randint(1000, (batch,), generator=random),
    )


def sizes_of(model: FCA, config: Config, clips: Clips) -> flops.Sizes:
    """The sizes that the closed form of `benchmarks.flops` needs."""
    latent = (config.clip.height // 8, config.clip.width // 8)
    tokens = (config.base.text_tokens, config.base.caption_tokens, clips.initial_frames.vision.shape[1])
    return flops.Sizes.of(model.transformer, model.adapter, latent, *tokens)


@contextmanager
def building(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Modules made inside have their weights on the device, in this precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            yield
    finally:
        torch.set_default_dtype(before)


def parameters(module: nn.Module) -> int:
    """How many numbers a network has."""
    return sum(parameter.numel() for parameter in module.parameters())
