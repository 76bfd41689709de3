"""The prediction of v by a frozen CogVideoX transformer, bare or adapted, behind one method.

Training and sampling don't know which variant they run: they call `Denoiser.prepare`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from diffusers.pipelines.cogvideo.pipeline_cogvideox import get_resize_crop_region_for_grid
from torch import Tensor, nn

from fca.errors import FcaError
from fca.model.attention import Rotary
from fca.model.inputs import InitialFrames, Prompt

Velocity = Callable[[Tensor, Tensor], Tensor]
"""(x_t (B, f, C, h, w), t (B,)) -> v (B, f, C, h, w), for the caption and the initial frames it was made for."""


class Denoiser(nn.Module, ABC):
    """A frozen transformer and, in the subclasses, the trained parts next to or in it."""

    def __init__(self, transformer: CogVideoXTransformer3DModel):
        super().__init__()
        self.transformer = transformer

    @abstractmethod
    def prepare(self, initial_frames: InitialFrames, prompt: Prompt) -> Velocity:
        """Compute what doesn't depend on the noise level, once a video; return the prediction of v for any x_t, t.

        Tensors have the transformer's precision, or autocast is on.
        """

    def trained(self) -> dict[str, nn.Parameter]:
        """The parameters that are trained, by name."""
        return {name: parameter for name, parameter in self.named_parameters() if parameter.requires_grad}

    def save(self, folder: Path) -> None:
        """Write what was trained to a folder, as safetensors."""
        raise FcaError("this model has nothing that is trained", "a variant with an adapter")


class TextToVideo(Denoiser):
    """The bare base: it reads the caption and never sees the initial frames."""

    def prepare(self, initial_frames: InitialFrames, prompt: Prompt) -> Velocity:
        return lambda noisy, timestep: predict_velocity(self.transformer, noisy, prompt.prompt_embeds, timestep)


def predict_velocity(
    transformer: CogVideoXTransformer3DModel,
    noisy: Tensor,
    prompt_embeds: Tensor,
    timestep: Tensor,
    attention_kwargs: dict[str, Any] | None = None,
) -> Tensor:
    """One call of the transformer with the positions that its kind of CogVideoX needs.

    noisy (B, f, C, h, w), prompt_embeds (B, l_t, width), timestep (B,); the result is (B, f, C_out, h, w).
    """
    offset = None if transformer.config.ofs_embed_dim is None else noisy.new_full((1,), 2.0)  # as in diffusers' I2V
    return transformer(
        noisy,
        prompt_embeds,
        timestep,
        ofs=offset,
        image_rotary_emb=rotary_positions(transformer, noisy),
        attention_kwargs=attention_kwargs,
        return_dict=False,
    )[0]


def rotary_positions(transformer: CogVideoXTransformer3DModel, noisy: Tensor) -> Rotary | None:
    """Cosines and sines of the video tokens' positions, as diffusers' pipelines make them; None for the 2B."""
    config = transformer.config
    if not config.use_rotary_positional_embeddings:
        return None
    frames, _, height, width = noisy.shape[1:]
    return rotary_table(
        config.attention_head_dim,
        (config.sample_height // config.patch_size, config.sample_width // config.patch_size),
        (height // config.patch_size, width // config.patch_size),
        frames,
        config.patch_size_t,
        noisy.device,
    )


@lru_cache(maxsize=8)
def rotary_table(
    width: int,
    sample: tuple[int, int],
    grid: tuple[int, int],
    frames: int,
    patch_frames: int | None,
    device: torch.device,
) -> Rotary:
    """Cosines and sines for a grid of patches, each kept once made."""
    if patch_frames is None:  # CogVideoX 1.0: positions scaled to the grid that the base was trained on
        crop = get_resize_crop_region_for_grid(grid, sample[1], sample[0])
        return get_3d_rotary_pos_embed(width, crop, grid, frames, device=device)
    blocks = -(-frames // patch_frames)
    return get_3d_rotary_pos_embed(width, None, grid, blocks, grid_type="slice", max_size=sample, device=device)
