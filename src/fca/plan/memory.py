"""Count the GPU memory and the trained weights of a variant on networks without values."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import CogVideoXDDIMScheduler
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

from fca.config import Config
from fca.model import Denoiser, InitialFrames, Prompt
from fca.model.build import new_denoiser
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


class NormsInFloat32(TorchFunctionMode):
    """Autocast computes layer norms in float32 on a GPU, but not on the CPU, where this runs."""

    def __torch_function__(self, function, types, args=(), kwargs=None) -> Any:
        if function is not F.layer_norm:
            return function(*args, **(kwargs or {}))
        with torch.autocast("cpu", enabled=False):
            floats = [each.float() if isinstance(each, Tensor) else each for each in args]
            named = {k: v.float() if isinstance(v, Tensor) else v for k, v in (kwargs or {}).items()}
            return function(*floats, **named)


class Kept:
    """Bytes of every storage that autograd keeps, except weights and their bf16 copies, counted elsewhere."""

    def __init__(self, model: Denoiser):
        self.weights = {storage(weight) for weight in model.parameters()}
        linears = (module for module in model.modules() if isinstance(module, nn.Linear))
        trained = (linear for linear in linears if linear.weight.requires_grad)
        self.copies = {tuple(sorted(linear.weight.shape)) for linear in trained}  # no activation has such a shape
        self.bytes: dict[int, int] = {}

    def note(self, tensor: Tensor) -> Tensor:
        copied = tensor.dtype == torch.bfloat16 and tuple(sorted(tensor.shape)) in self.copies
        if storage(tensor) not in self.weights and not copied:
            self.bytes[storage(tensor)] = tensor.untyped_storage().nbytes()
        return tensor


def storage(tensor: Tensor) -> int:
    """An identifier shared by tensors on the same memory."""
    return tensor.untyped_storage()._cdata


def activations(
    model: Denoiser, initial: InitialFrames, prompt: Prompt, noisy: Tensor, timestep: Tensor, autocast: bool = True
) -> int:
    """Bytes kept for the backward pass, without weights and their copies; `autocast`: bf16, as on a GPU."""
    kept = Kept(model)
    hooks = torch.autograd.graph.saved_tensors_hooks(kept.note, lambda tensor: tensor)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast), NormsInFloat32(), hooks:
        model.prepare(initial, prompt)(noisy, timestep)
    return sum(kept.bytes.values())
