"""Small real networks: CogVideoX's own transformer, an adapter made for it, and random conditions."""

from dataclasses import dataclass

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel
from torch import Tensor

from fca.model import FCAAdapter, InitialFrames, Prompt
from fca.model.adapter import embed_initial_frames
from fca.model.processor import Condition

BATCH, FRAMES, CHANNELS, HEIGHT, WIDTH, TEXT = 2, 4, 4, 4, 6, 5


ROTARY = {"use_rotary_positional_embeddings": True}
"""CogVideoX-5B: positions are rotations."""
PATCHES_IN_TIME = ROTARY | {"patch_size_t": 2, "patch_bias": False}
"""CogVideoX 1.5: patches of two latent frames, too."""
IMAGE_TO_VIDEO = PATCHES_IN_TIME | {"in_channels": 2 * CHANNELS, "ofs_embed_dim": 8}
"""CogVideoX1.5-5B-I2V: the latent of a picture in channels of its own, and an embedded offset."""


def small_transformer(layers: int = 2, **changes) -> CogVideoXTransformer3DModel:
    torch.manual_seed(0)
    settings = {
        "num_attention_heads": 2,
        "attention_head_dim": 16,
        "in_channels": CHANNELS,
        "out_channels": CHANNELS,
        "time_embed_dim": 8,
        "text_embed_dim": 10,
        "num_layers": layers,
        "attention_bias": True,
        "sample_width": WIDTH,
        "sample_height": HEIGHT,
        "sample_frames": 13,
        "patch_size": 2,
        "max_text_seq_length": TEXT,
    }
    transformer = CogVideoXTransformer3DModel(**settings | changes)
    with torch.no_grad():  # freshly made gates and output are near zero: make every path count
        for parameter in transformer.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return transformer.eval()


def small_adapter(transformer: CogVideoXTransformer3DModel, **settings) -> FCAAdapter:
    torch.manual_seed(1)
    settings = {
        "latent_frames": FRAMES,
        "queries_per_frame": 3,
        "text_width": 8,
        "vision_width": 6,
        "conditioning_heads": 2,
    } | settings
    adapter = FCAAdapter.for_transformer(transformer, **settings)
    with torch.no_grad():  # zero-initialised modulations would hide mistakes
        for parameter in adapter.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return adapter.eval()


@dataclass
class World:
    """One small base with its adapter and inputs for both."""

    transformer: CogVideoXTransformer3DModel
    adapter: FCAAdapter | None
    noisy: Tensor
    initial: Tensor
    initial_noise: Tensor
    prompt: Tensor
    timestep: Tensor
    text: Tensor
    text_mask: Tensor
    vision: Tensor

    def features(self) -> list[Tensor]:
        return embed_initial_frames(self.transformer, self.initial, self.prompt, reference_timestep=1)

    @property
    def initial_frames(self) -> InitialFrames:
        return InitialFrames(self.initial, self.initial_noise, self.vision)

    @property
    def whole_prompt(self) -> Prompt:
        return Prompt(self.prompt, self.text, self.text_mask)

    def batch(self, noise: Tensor) -> dict[str, Tensor]:
        """What `TrainingModel` takes, with `noisy` as the clean latents."""
        return {
            "clean": self.noisy,
            "noise": noise,
            "initial": self.initial,
            "initial_noise": self.initial_noise,
            "timestep": self.timestep,
            "prompt_embeds": self.prompt,
            "text_embeds": self.text,
            "text_mask": self.text_mask,
            "vision": self.vision,
        }

    def condition(self) -> Condition:
        return self.adapter.make_condition(self.features(), self.text, self.text_mask, self.vision)


@pytest.fixture
def world() -> World:
    transformer = small_transformer()
    adapter = small_adapter(transformer)
    adapter.attach(transformer)
    return make_world(transformer, adapter)


def make_world(transformer: CogVideoXTransformer3DModel, adapter: FCAAdapter | None) -> World:
    """Random inputs for the transformer and the adapter."""
    random = torch.Generator().manual_seed(2)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    mask = torch.tensor([[True, True, True, False], [True, True, False, False]])
    return World(
        transformer,
        adapter,
        noisy=normal(BATCH, FRAMES, CHANNELS, HEIGHT, WIDTH),
        initial=normal(BATCH, 1, CHANNELS, HEIGHT, WIDTH),
        initial_noise=normal(BATCH, 1, CHANNELS, HEIGHT, WIDTH),
        prompt=normal(BATCH, TEXT, 10),
        timestep=torch.tensor([700, 30]),
        text=normal(BATCH, 4, 8),
        text_mask=mask,
        vision=normal(BATCH, 7, 6),
    )
