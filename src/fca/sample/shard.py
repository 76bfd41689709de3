"""The step `sample`: predict the clips of one validation shard."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler
from tqdm import tqdm

from fca.artifacts.manifest import Manifest, made_by
from fca.artifacts.shards import Shard, write_shard
from fca.config import Config, Layout
from fca.data.tabletop import opposite_caption
from fca.encode.networks import Encoders
from fca.encode.vae import decode, load_vae
from fca.errors import FcaError
from fca.model import Denoiser, InitialFrames, Prompt
from fca.model.build import load_denoiser
from fca.model.diffusion import draw_posterior
from fca.pretrained.load import device
from fca.sample.ddim import predict_latents
from fca.sample.pipeline import encode_prompt
from fca.seeds import generator, seed_of


def sample(config: Config, dataset: str, variant: str, kind: str, shard: int) -> Manifest:
    """Predict the clips of a validation shard and write them as frames (n, 16, H, W, 3) uint8, as the model made them.

    `kind` is "validation" (the clips' own captions) or "opposite" (captions that ask for the opposite motion, on the
    same initial frames and from the same noise). A clip's random numbers depend on `config.seed`, the dataset and the
    clip's id alone, so shards and batches of any size and order give the same videos.
    """
    layout, settings = Layout(config), config.sample
    if config.variant(variant).prediction != "model":
        raise FcaError(f"the variant {variant} predicts nothing", "a variant with prediction: model")
    source_path = layout.latents(dataset, "validation", shard, config.variant(variant).base)
    networks = load_networks(config, dataset, variant)
    with Shard(source_path, kind="latents") as source:
        parents = {str(source_path.relative_to(layout.root)): source.manifest.sha256}
        captions = source.captions
        rows, prompts = source["prompt"][:], stored_prompts(source)
        if kind == "opposite":
            captions = [opposite_caption(caption) for caption in source.captions]
            encoders = Encoders(config.base_of(variant), settings.precision)
            prompts = encode_prompt(encoders, ["", *captions], device())
            rows = np.arange(1, len(captions) + 1)
        frames = predict_clips(
            config,
            dataset,
            networks,
            source,
            range(len(source)),
            take(prompts, rows),
            take(prompts, np.zeros(1, dtype=np.int64)),
            f"sample {dataset} {variant} {kind} {shard}",
        )
        seeds = [seed_of(config.seed, "sample", dataset, id) for id in source.ids]
        return write_shard(
            layout.samples(dataset, variant, kind, shard),
            "samples",
            {"frames": frames, "caption": captions, "seed": np.array(seeds, dtype=np.int64)},
            source.ids,
            parents=parents | model_parent(layout, dataset, variant),
            made_by=made_by(config, "sample", dataset, variant),
            quarantine=source.manifest.quarantine,
        )


class Networks(NamedTuple):
    """What predicts a variant's clips."""

    denoiser: Denoiser
    scheduler: CogVideoXDDIMScheduler
    vae: AutoencoderKLCogVideoX


def load_networks(config: Config, dataset: str, variant: str) -> Networks:
    """The variant's networks, its trained model among them where it has one; `FcaError` where that is missing."""
    base, precision = config.base_of(variant), config.sample.precision
    model = Layout(config).model(dataset, variant) if config.variant(variant).trained else None
    denoiser, scheduler = load_denoiser(base, model, precision)
    return Networks(denoiser, scheduler, load_vae(base, precision))


def model_parent(layout: Layout, dataset: str, variant: str) -> dict[str, str]:
    """The trained model as a manifest's parent; nothing where the variant has none."""
    if not layout.config.variant(variant).trained:
        return {}
    manifest = layout.model_manifest(dataset, variant)
    return {str(manifest.relative_to(layout.root)): Manifest.read(manifest).sha256}


def predict_clips(
    config: Config,
    dataset: str,
    networks: Networks,
    source: Shard,
    rows: Sequence[int],
    prompts: Prompt,
    empty: Prompt,
    title: str,
) -> np.ndarray:
    """Frames (n, F, H, W, 3) uint8 of the clips in these rows of a latents shard, each from its own prompt.

    `prompts`: one for each of `rows`; `empty`: the empty caption, once. A clip may come more than once.
    """
    settings, frames = config.sample, []
    for start in tqdm(range(0, len(rows), settings.batch_size), desc=title, unit="batch"):
        batch = rows[start : start + settings.batch_size]
        given, noise = starting_point(config, dataset, source, batch, networks.denoiser.transformer.device)
        latents = predict_latents(
            networks.denoiser,
            networks.scheduler,
            given,
            take(prompts, np.arange(start, start + len(batch))),
            take(empty, np.zeros(len(batch), dtype=np.int64)),
            noise,
            settings.steps,
            settings.guidance_scale,
        )
        frames.append(decode(networks.vae, latents).numpy())
    return joined(config, frames)


def joined(config: Config, parts: Sequence[np.ndarray]) -> np.ndarray:
    """The clips of all parts, (n, F, H, W, 3) uint8, where there may be none."""
    clip = config.clip
    return np.concatenate(parts) if parts else np.empty((0, clip.frames, clip.height, clip.width, 3), np.uint8)


def stored_prompts(source: Shard) -> Prompt:
    """The caption tables of a latents shard; row 0 is the empty caption."""
    place = device()
    return Prompt(
        torch.from_numpy(source["prompt_embeds"][:]).float().to(place),
        torch.from_numpy(source["text_embeds"][:]).float().to(place),
        torch.from_numpy(source["text_mask"][:]).to(place),
    )


def take(prompts: Prompt, rows: np.ndarray) -> Prompt:
    """Rows of a table of captions, as a batch."""
    index = torch.from_numpy(np.asarray(rows, dtype=np.int64)).to(prompts.prompt_embeds.device)
    return Prompt(prompts.prompt_embeds[index], prompts.text_embeds[index], prompts.text_mask[index])


def starting_point(
    config: Config, dataset: str, source: Shard, batch: Sequence[int], place: torch.device
) -> tuple[InitialFrames, torch.Tensor]:
    """Initial latents, their noise, ViT features, and the noise to start from, each clip from its own generator."""
    initial, initial_noise, noise = [], [], []
    scale = source.meta["initial_scaling_factor"]
    for row in batch:
        random = generator(config.seed, "sample", dataset, source.ids[row])
        initial.append(draw_posterior(source["init_mean"][row], source["init_logvar"][row], random, scale))
        initial_noise.append(torch.randn(initial[-1].shape, generator=random))
        channels, latent_frames, *size = source["mean"].shape[1:]
        noise.append(torch.randn((latent_frames, channels, *size), generator=random))
    vision = torch.from_numpy(np.stack([source["vision"][row] for row in batch])).float()
    given = InitialFrames(torch.stack(initial).to(place), torch.stack(initial_noise).to(place), vision.to(place))
    return given, torch.stack(noise).to(place)
