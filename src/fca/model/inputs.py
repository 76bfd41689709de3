"""What a prediction starts from: a caption and the initial frames, as the frozen networks give them."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Prompt(NamedTuple):
    """A batch of captions through both frozen text networks.

    prompt_embeds: T5's (B, l_t, width). text_embeds: BLIP-2's (B, m, width); text_mask (B, m) is true on real tokens.
    """

    prompt_embeds: Tensor
    text_embeds: Tensor
    text_mask: Tensor

    def joined(self, other: "Prompt") -> "Prompt":
        """Both along the batch."""
        return Prompt(*(torch.cat(pair) for pair in zip(self, other, strict=True)))

    def rows(self, index: Sequence[int] | slice) -> "Prompt":
        """Some of the batch; a row may come more than once."""
        return Prompt(*(part[index] for part in self))

    def times(self, count: int) -> "Prompt":
        """Each caption `count` times in a row."""
        return Prompt(*(part.repeat_interleave(count, dim=0) for part in self))

    def to(self, dtype: torch.dtype) -> "Prompt":
        """The embeddings in another precision."""
        return Prompt(self.prompt_embeds.to(dtype), self.text_embeds.to(dtype), self.text_mask)


class InitialFrames(NamedTuple):
    """The initial frames: their scaled latent and its noise (B, 1, C, h, w), and ViT tokens (B, v, w) of the first."""

    latent: Tensor
    noise: Tensor
    vision: Tensor

    def repeated(self, copies: int) -> "InitialFrames":
        """`copies` times along the batch."""
        return InitialFrames(*(torch.cat([part] * copies) for part in self))
