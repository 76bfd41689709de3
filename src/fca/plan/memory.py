"""Count the GPU memory and the trained weights of a variant on networks without values."""

from dataclasses import dataclass

import torch
from diffusers import CogVideoXDDIMScheduler
from torch._subclasses.fake_tensor import FakeTensorMode

from fca.config import Config
from fca.model import Denoiser, InitialFrames, Prompt
from fca.model.build import new_denoiser
from fca.plan.activations import activations
from fca.plan.networks import Networks, numbers
from fca.train.memory import checkpoint_layers

BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}


@dataclass(frozen=True)
class Weights:
    """Parameters of a variant's networks, and the bytes that one training process takes on its GPU."""

    trained: int
    frozen: int
    training: int
    """Weights, gradients, AdamW's moments, autocast's copies, and the activations of one forward pass if counted."""
    counts_activations: bool
    """Only for the paper's adapter: peft and ControlNet's copies can't be built from fake tensors."""


def weights(config: Config, variant: str, networks: Networks) -> Weights:
    """The weights of a trained variant, built as for training."""
    fresh = config.model_copy(update={"train": config.train.model_copy(update={"init_from": None})})
    half, counted = config.train.precision != "fp32", config.variant(variant).adapter == "fca"
    state = torch.get_rng_state()  # making a model seeds torch's own generator
    try:
        with FakeTensorMode(allow_non_fake_inputs=True) if counted else torch.device("meta"):
            torch.set_default_dtype(torch.bfloat16 if half else torch.float32)
            transformer = type(networks.transformer).from_config(networks.transformer.config)
            transformer.requires_grad_(False).eval()
            torch.set_default_dtype(torch.float32)
            model = new_denoiser(fresh, variant, transformer, CogVideoXDDIMScheduler(), networks.vision_width)
            trained = sum(parameter.numel() for parameter in model.trained().values())
            frozen = numbers(model) - trained
            checkpoint_layers(transformer, config.train.checkpointed_layers)
            kept = _activations(config, model, networks, half) if counted else 0
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_rng_state(state)
    each = 4 + 4 + 8 + (2 if half else 0)
    return Weights(trained, frozen, each * trained + BYTES[config.train.precision] * frozen + kept, counted)


def _activations(config: Config, model: Denoiser, networks: Networks, half: bool) -> int:
    clip, base, batch = config.clip, networks.base, config.train.batch_size
    latent = (networks.latent_channels, clip.height // 8, clip.width // 8)
    noisy = torch.empty(batch, clip.frames // 4, *latent)
    initial = torch.empty(batch, 1, *latent)
    frames = InitialFrames(initial, initial, torch.empty(batch, networks.vision_tokens, networks.vision_width))
    prompt = Prompt(
        torch.empty(batch, base.text_tokens, networks.prompt_width),
        torch.empty(batch, base.caption_tokens, networks.text_width),
        torch.ones(batch, base.caption_tokens, dtype=torch.bool),
    )
    return activations(model, frames, prompt, noisy, torch.ones(batch, dtype=torch.long), autocast=half)
