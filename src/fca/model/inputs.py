"""What a prediction starts from: a caption and the initial frames, as the frozen networks give them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Prompt:
    """A batch of captions through both frozen text networks.

    prompt_embeds: T5's (B, l_t, width). text_embeds: BLIP-2's (B, m, width); text_mask (B, m) is true on real tokens.
    """

    prompt_embeds: Tensor
    text_embeds: Tensor
    text_mask: Tensor

    def joined(self, other: "Prompt") -> "Prompt":
        """Both along the batch."""
        return Prompt(
            torch.cat([self.prompt_embeds, other.prompt_embeds]),
            torch.cat([self.text_embeds, other.text_embeds]),
            torch.cat([self.text_mask, other.text_mask]),
        )

    def rows(self, index: Sequence[int] | slice) -> Self:
        """Some of the batch; a row may come more than once."""
        return type(self)(self.prompt_embeds[index], self.text_embeds[index], self.text_mask[index])

    def to(self, dtype: torch.dtype) -> Self:
        """The embeddings in another precision."""
        return type(self)(self.prompt_embeds.to(dtype), self.text_embeds.to(dtype), self.text_mask)


@dataclass(frozen=True)
class InitialFrames:
    """The initial frames: their scaled latent and its noise (B, 1, C, h, w), and ViT tokens (B, v, w) of the first."""

    latent: Tensor
    noise: Tensor
    vision: Tensor

    def repeated(self, copies: int) -> Self:
        """`copies` times along the batch."""
        latent, noise = (tensor.repeat(copies, 1, 1, 1, 1) for tensor in (self.latent, self.noise))
        return type(self)(latent, noise, self.vision.repeat(copies, 1, 1))
