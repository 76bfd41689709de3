"""What each step's networks take on one GPU, counted by running the step's own code on networks without values."""

import copy
import math
from dataclasses import dataclass

import torch
from diffusers import CogVideoXDDIMScheduler
from torch import Tensor, nn

from fca.config import Config
from fca.encode.vae import decoded, encoded
from fca.model import Denoiser, InitialFrames, Prompt
from fca.model.build import bare_denoiser, new_denoiser
from fca.plan.count import Count, autocast_of_a_gpu, filled, without_values
from fca.plan.frozen import (
    Part,
    image_encoder,
    latents,
    run,
    size_of,
    text_encoder,
    vae_decoding,
    vae_encoding,
    weights,
)
from fca.plan.networks import Networks, feature_network, numbers
from fca.pretrained.load import DTYPES
from fca.score.features import prepared
from fca.train.memory import checkpoint_denoiser
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
    host: int = 0
    """Bytes next to these that stay on the host"""


def encoding(config: Config, networks: Networks, initial_frames: int) -> Work:
    """`fca encode`, one network after the other; each clip has a caption of its own."""
    batch, dtype = config.encode.batch_size, DTYPES[config.encode.precision]
    vae = vae_encoding(config, networks, (config.clip.frames, initial_frames), dtype)
    vision, text = image_encoder(networks, batch, dtype), text_encoder(networks, dtype)
    peak = max(vae.peak, vision.peak, text.peak)
    operations = vae.operations + vision.operations / batch + text.operations
    return Work(peak, operations, frozen=vae.numbers + vision.numbers + text.numbers)


def training(config: Config, variant: str, networks: Networks) -> Work:
    """One forward and backward pass of `fca train`, between the others of its optimizer step."""
    settings = config.train
    half, batch = settings.precision != "fp32", settings.batch_size
    several = settings.processes > 1 or settings.gradient_accumulation > 1
    on_meta = _denoiser(config, variant, networks, torch.bfloat16 if half else torch.float32)
    with without_values():
        model = filled(on_meta)
        trained = model.trained()
        if several:
            for weight in trained.values():
                weight.grad = torch.empty_like(weight)
        checkpoint_denoiser(model, settings.checkpointed_layers)
        objective = TrainingModel(model, torch.empty(1000), settings.loss)
        values = training_batch(config, networks, batch)
        grads = [weight.grad for weight in trained.values() if weight.grad is not None]
        with autocast_of_a_gpu(half), Count([*weights(model), *grads]) as count:
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                loss = objective(values)
            loss.backward()

    trainable = sum(weight.numel() for weight in trained.values())
    moments = 2 * 4 * trainable
    # The first passes of a step accumulate outside of the buckets in which DistributedDataParallel sums the gradients.
    buckets = 4 * trainable if settings.processes > 1 and settings.gradient_accumulation > 1 else 0
    return Work(count.peak + moments + buckets, count.operations / batch, trainable, numbers(model) - trainable)


def sampling(config: Config, variant: str, networks: Networks) -> Work:
    """`fca sample`: DDIM as in `predict_latents`, then the VAE."""
    settings, dtype = config.of(variant).sample, DTYPES[config.sample.precision]
    batch, copies = settings.batch_size, 2 if settings.guidance_scale != 1 else 1
    on_meta = _denoiser(config, variant, networks, dtype), copy.deepcopy(networks.vae)
    with without_values(), torch.no_grad():
        model, vae = (filled(each, dtype) for each in on_meta)
        frames, prompt = _inputs(config, networks, copies * batch)
        noisy = latents(config, networks, copies * batch).to(dtype)
        with Count(weights(model, vae)) as count:
            velocity = model.prepare(frames, prompt.to(dtype))
            once = count.operations
            velocity(noisy, torch.ones(len(noisy), dtype=torch.long))
            step = count.operations - once
            del velocity
            run(decoded(vae, noisy[:batch].float()))
    operations = (count.operations + (settings.steps - 1) * step) / batch
    return Work(count.peak, operations, frozen=numbers(model) + numbers(vae))


@dataclass(frozen=True)
class Stages:
    """What `fca predict` does one after the other, for one video with guidance."""

    text: Part
    vision: Part
    start: Part
    """The VAE encodes the initial frames."""
    denoising: Part
    """Transformer and adapter, one step of both branches of guidance."""
    decoding: Part

    def together(self) -> int:
        """Peak with all networks on the GPU."""
        weights = self.text.weights + self.vision.weights + self.denoising.weights + self.decoding.weights
        parts = (self.text, self.vision, self.start, self.denoising, self.decoding)
        return weights + max(part.activations for part in parts)

    def offloaded(self, captions: bool = True) -> int:
        """Peak with `enable_model_cpu_offload`; without `captions`, their embeddings are given.

        A network leaves when the next in `model_cpu_offload_seq` is called. So the ViT is there while the VAE encodes
        the initial frames, before the transformer's turn, and the VAE's weights stay during denoising.
        """
        start, denoising = self.vision.weights + self.start.peak, self.denoising.peak + self.decoding.weights
        peaks = (self.vision.peak, start, denoising, self.decoding.peak)
        return max(*peaks, self.text.peak if captions else 0)


def predicting(config: Config, dataset: str, variant: str, networks: Networks, tiling: bool) -> Stages:
    """`fca predict` of a dataset's model in `sample.precision`; `tiling`: of the VAE, by diffusers' `enable_tiling`."""
    dtype, copies = DTYPES[config.sample.precision], 2 if config.sample.guidance_scale != 1 else 1
    initial_frames = config.datasets[dataset].initial_frames if config.variant(variant).base == "text" else 1
    on_meta = _denoiser(config, variant, networks, dtype)
    with without_values(), torch.no_grad():
        model = filled(on_meta, dtype)
        frames, prompt = _inputs(config, networks, copies)
        noisy = latents(config, networks, copies).to(dtype)
        with Count(weights(model)) as count:
            model.prepare(frames, prompt.to(dtype))(noisy, torch.ones(copies, dtype=torch.long))
        denoising = Part(size_of(weights(model)), count.peak, count.operations, numbers(model))
    return Stages(
        text_encoder(networks, dtype),
        image_encoder(networks, 1, dtype),
        vae_encoding(config, networks, [initial_frames], dtype, tiling),
        denoising,
        vae_decoding(config, networks, dtype, tiling),
    )


def scoring(config: Config) -> Work:
    """One pass of the feature network, in float32, on a batch of clips, whose pixels stay on the host."""
    batch, shape = config.score.batch_size, (config.clip.frames, config.clip.height, config.clip.width, 3)
    module, own = feature_network(config)
    with without_values(), torch.no_grad():
        module = filled(module)
        with Count() as one:
            seen = prepared(torch.empty(*shape, dtype=torch.uint8), own.short_side, own.crop == "center")
        with Count(weights(module)) as count:
            module(torch.empty(batch, *seen.shape))
    pixels = 3 * batch * math.prod(shape)  # ground truth, prediction, and that with the ground truth's initial frames
    return Work(count.peak, count.operations / batch, frozen=numbers(module), host=pixels + one.peak)


def round_trip(config: Config, networks: Networks) -> Work:
    """The VAE's part of `fca measure-vae-roundtrip`: a clip decoded; of 4k frames also with one more, encoded."""
    batch, clip = config.sample.batch_size, config.clip
    on_meta = copy.deepcopy(networks.vae)
    with without_values(), torch.no_grad():
        clean = latents(config, networks, batch)
        vae = filled(on_meta, DTYPES[config.encode.precision])
        with Count(weights(vae)) as count:
            if clip.frames % 8 == 0:  # with the first frame doubled
                run(encoded(vae, torch.empty(batch, clip.frames + 1, clip.height, clip.width, 3, dtype=torch.uint8)))
                run(decoded(vae, torch.cat([clean[:, :1], clean], dim=1)))
            run(decoded(vae, clean))
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


def training_batch(config: Config, networks: Networks, batch: int) -> dict[str, Tensor]:
    """What `TrainingModel` gets, by name, with unset numbers but for timestep and mask."""
    frames, prompt = _inputs(config, networks, batch)
    clean, timestep = latents(config, networks, batch), torch.ones(batch, dtype=torch.long)
    names = ("initial", "initial_noise", "vision", "prompt_embeds", "text_embeds", "text_mask", "clean", "noise")
    values = dict(zip(names, (*frames, *prompt, clean, clean.clone()), strict=True))
    return values | {"timestep": timestep}


def _inputs(config: Config, networks: Networks, batch: int) -> tuple[InitialFrames, Prompt]:
    initial = latents(config, networks, batch)[:, :1].clone()
    base = networks.base
    return (
        InitialFrames(initial, initial.clone(), torch.empty(batch, networks.vision_tokens, networks.vision_width)),
        Prompt(
            torch.empty(batch, base.text_tokens, networks.prompt_width),
            torch.empty(batch, base.caption_tokens, networks.text_width),
            torch.ones(batch, base.caption_tokens, dtype=torch.bool),
        ),
    )
