"""What each frozen encoder takes by itself, counted by running the steps' own calls on networks without values."""

import collections
import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fca.config import Config
from fca.encode.vae import decoded, encoded
from fca.plan.count import Count, filled, without_values
from fca.plan.networks import Networks, numbers


@dataclass(frozen=True)
class Part:
    """A network and one call of it."""

    weights: int
    """Bytes"""
    peak: int
    """Most bytes at a time, the weights included"""
    operations: float
    numbers: int
    """Parameters"""

    @property
    def activations(self) -> int:
        """Bytes of the peak that aren't weights."""
        return self.peak - self.weights


def vae_encoding(
    config: Config, networks: Networks, frames: Sequence[int], dtype: torch.dtype, tiling: bool = False
) -> Part:
    """The VAE encodes videos of so many frames, one after the other."""
    clip, on_meta = config.clip, copy.deepcopy(networks.vae)
    with without_values(), torch.no_grad():
        vae = filled(on_meta, dtype)
        vae.use_tiling = tiling
        with Count(weights(vae)) as count:
            for number in frames:
                run(encoded(vae, torch.empty(1, number, clip.height, clip.width, 3, dtype=torch.uint8)))
        return _part(vae, count)


def vae_decoding(config: Config, networks: Networks, dtype: torch.dtype, tiling: bool = False) -> Part:
    """The VAE decodes a clip; with `tiling` in overlapping tiles, as by diffusers' `enable_tiling`."""
    on_meta = copy.deepcopy(networks.vae)
    with without_values(), torch.no_grad():
        vae = filled(on_meta, dtype)
        vae.use_tiling = tiling
        with Count(weights(vae)) as count:
            run(decoded(vae, latents(config, networks, 1)))
        return _part(vae, count)


def image_encoder(networks: Networks, batch: int, dtype: torch.dtype) -> Part:
    """The ViT on so many pictures."""
    on_meta = copy.deepcopy(networks.vision)
    with without_values(), torch.no_grad():
        vision = filled(on_meta, dtype)
        size = vision.config.image_size
        with Count(weights(vision)) as count:
            vision(torch.empty(batch, 3, size, size, dtype=dtype))
        return _part(vision, count)


def text_encoder(networks: Networks, dtype: torch.dtype) -> Part:
    """T5 on one caption."""
    on_meta = copy.deepcopy(networks.text)
    with without_values(), torch.no_grad():
        text = filled(on_meta, dtype)
        text.encoder.embed_tokens = text.shared  # one matrix again, which a network without memory has twice
        with Count(weights(text)) as count:
            text(torch.empty(1, networks.base.text_tokens, dtype=torch.long))
        return _part(text, count)


def latents(config: Config, networks: Networks, batch: int) -> Tensor:
    """(batch, f, C, h, w) of clips."""
    clip = config.clip
    return torch.empty(batch, clip.latent_frames, networks.latent_channels, clip.height // 8, clip.width // 8)


def run(results: Iterator[object]) -> None:
    """One after the other, none kept: what `posterior` and `decode` keep leaves the GPU."""
    collections.deque(results, maxlen=0)


def weights(*modules: nn.Module) -> list[Tensor]:
    """The tensors that modules hold."""
    return [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]


def size_of(tensors: Iterable[Tensor]) -> int:
    """Bytes of tensors, each memory once."""
    return sum({each.untyped_storage()._cdata: each.untyped_storage().nbytes() for each in tensors}.values())


def _part(module: nn.Module, count: Count) -> Part:
    return Part(size_of(weights(module)), count.peak, count.operations, numbers(module))
