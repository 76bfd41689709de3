"""What each step's networks take on one GPU, counted by running the step's own code on networks without values."""

import collections
import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from diffusers import CogVideoXDDIMScheduler
from torch import Tensor, nn

from fca.config import Config
from fca.encode.vae import decoded, encoded
from fca.model import Denoiser, InitialFrames, Prompt
from fca.model.build import bare_denoiser, new_denoiser
from fca.plan.count import Count, autocast_of_a_gpu, filled, without_values
from fca.plan.networks import Networks, feature_network, numbers
from fca.pretrained.load import DTYPES
from fca.train.memory import checkpoint_layers
from fca.train.objective import TrainingModel


@dataclass(frozen=True)
class Work:
    """The work of one process on one GPU."""

    peak: int
    """Most bytes at a time: weights, and every tensor while it is needed"""
    operations: float
    """Of one clip"""
    trained: int = 0
    """Parameters that are trained"""
    frozen: int = 0
    """Other parameters on the GPU"""


def encoding(config: Config, networks: Networks, initial_frames: int) -> Work:
    """`fca encode`, with all three networks on the GPU; each clip has a caption of its own."""
    batch, clip, dtype = config.encode.batch_size, config.clip, DTYPES[config.encode.precision]
    on_meta = copy.deepcopy((networks.vae, networks.text, networks.vision))
    with without_values(), torch.no_grad():
        vae, text, vision = (filled(each, dtype) for each in on_meta)
        pixels = torch.empty(batch, clip.frames, clip.height, clip.width, 3, dtype=torch.uint8)
        size = vision.config.image_size
        with Count(_weights(vae, text, vision)) as count:
            _run(encoded(vae, pixels))
            _run(encoded(vae, pixels[:, :initial_frames]))
            vision(torch.empty(batch, 3, size, size, dtype=dtype))
            of_pixels = count.operations
            text(torch.empty(1, networks.base.text_tokens, dtype=torch.long))
    operations = of_pixels / batch + count.operations - of_pixels
    return Work(count.peak, operations, frozen=sum(map(numbers, (vae, text, vision))))


def training(config: Config, variant: str, networks: Networks) -> Work:
    """One forward and backward pass of `fca train`, between the others of its optimizer step."""
    settings = config.train
    half, batch = settings.precision != "fp32", settings.batch_size
    several = settings.processes > 1 or settings.gradient_accumulation > 1
    on_meta = _denoiser(config, variant, networks, torch.bfloat16 if half else torch.float32)
    with without_values():
        model = filled(on_meta)
        weights = model.trained()
        if several:
            for weight in weights.values():
                weight.grad = torch.empty_like(weight)
        checkpoint_layers(model.transformer, settings.checkpointed_layers)
        objective = TrainingModel(model, torch.empty(1000), settings.loss)
        frames, prompt = _inputs(config, networks, batch)
        clean = _latents(config, networks, batch)
        names = ("initial", "initial_noise", "vision", "prompt_embeds", "text_embeds", "text_mask", "clean", "noise")
        values = dict(zip(names, (*frames, *prompt, clean, clean.clone()), strict=True))
        grads = [weight.grad for weight in weights.values() if weight.grad is not None]
        with autocast_of_a_gpu(half), Count([*_weights(model), *grads]) as count:
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                loss = objective(values | {"timestep": torch.ones(batch, dtype=torch.long)})
            loss.backward()

    trained = sum(weight.numel() for weight in weights.values())
    moments = 2 * 4 * trained
    # The first passes of a step accumulate outside of the buckets in which DistributedDataParallel sums the gradients.
    buckets = 4 * trained if settings.processes > 1 and settings.gradient_accumulation > 1 else 0
    return Work(count.peak + moments + buckets, count.operations / batch, trained, numbers(model) - trained)


def sampling(config: Config, variant: str, networks: Networks) -> Work:
    """`fca sample`: DDIM as in `predict_latents`, then the VAE."""
    settings, dtype = config.sample, DTYPES[config.sample.precision]
    batch, copies = settings.batch_size, 2 if settings.guidance_scale != 1 else 1
    on_meta = _denoiser(config, variant, networks, dtype), copy.deepcopy(networks.vae)
    with without_values(), torch.no_grad():
        model, vae = (filled(each, dtype) for each in on_meta)
        frames, prompt = _inputs(config, networks, copies * batch)
        noisy = _latents(config, networks, copies * batch).to(dtype)
        with Count(_weights(model, vae)) as count:
            velocity = model.prepare(frames, prompt.to(dtype))
            once = count.operations
            velocity(noisy, torch.ones(len(noisy), dtype=torch.long))
            step = count.operations - once
            del velocity
            _run(decoded(vae, noisy[:batch].float()))
    operations = (count.operations + (settings.steps - 1) * step) / batch
    return Work(count.peak, operations, frozen=numbers(model) + numbers(vae))


def scoring(config: Config) -> Work:
    """One pass of the feature network, in float32, on a batch of clips."""
    batch = config.score.batch_size
    module, own = feature_network(config)
    side = own.short_side
    width = (
        side
        if own.crop
        else side * max(config.clip.width, config.clip.height) // min(config.clip.width, config.clip.height)
    )
    with without_values(), torch.no_grad():
        module = filled(module)
        with Count(_weights(module)) as count:
            module(torch.empty(batch, 3, config.clip.frames, side, width))
    return Work(count.peak, count.operations / batch, frozen=numbers(module))


def round_trip(config: Config, networks: Networks) -> Work:
    """The VAE's part of `fca measure-vae-roundtrip`: a clip decoded, and with one frame more encoded and decoded."""
    batch, clip = config.sample.batch_size, config.clip
    on_meta = copy.deepcopy(networks.vae)
    with without_values(), torch.no_grad():
        latents = _latents(config, networks, batch)
        vae = filled(on_meta, DTYPES[config.encode.precision])
        with Count(_weights(vae)) as count:
            _run(encoded(vae, torch.empty(batch, clip.frames + 1, clip.height, clip.width, 3, dtype=torch.uint8)))
            _run(decoded(vae, torch.cat([latents[:, :1], latents], dim=1)))
            _run(decoded(vae, latents))
    return Work(count.peak, count.operations / batch, frozen=numbers(vae))


def _denoiser(config: Config, variant: str, networks: Networks, frozen: torch.dtype) -> Denoiser:
    """A variant's model on the meta device: the base in `frozen`, what is trained in float32."""
    fresh = config.model_copy(update={"train": config.train.model_copy(update={"init_from": None})})
    state = torch.get_rng_state()  # making a model seeds torch's own generator
    try:
        with torch.device("meta"):
            transformer = copy.deepcopy(networks.transformer).requires_grad_(False).eval()
            nn.Module.to(transformer, frozen)
            if not config.variant(variant).trained:
                return bare_denoiser(transformer)
            return new_denoiser(fresh, variant, transformer, CogVideoXDDIMScheduler(), networks.vision_width)
    finally:
        torch.set_rng_state(state)


def _inputs(config: Config, networks: Networks, batch: int) -> tuple[InitialFrames, Prompt]:
    initial = _latents(config, networks, batch)[:, :1].clone()
    base = networks.base
    return (
        InitialFrames(initial, initial.clone(), torch.empty(batch, networks.vision_tokens, networks.vision_width)),
        Prompt(
            torch.empty(batch, base.text_tokens, networks.prompt_width),
            torch.empty(batch, base.caption_tokens, networks.text_width),
            torch.ones(batch, base.caption_tokens, dtype=torch.bool),
        ),
    )


def _latents(config: Config, networks: Networks, batch: int) -> Tensor:
    clip = config.clip
    return torch.empty(batch, clip.frames // 4, networks.latent_channels, clip.height // 8, clip.width // 8)


def _run(results: Iterator[object]) -> None:
    """One after the other, none kept: what `posterior` and `decode` keep leaves the GPU."""
    collections.deque(results, maxlen=0)


def _weights(*modules: nn.Module) -> list[Tensor]:
    return [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]
