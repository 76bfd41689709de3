"""The step `sample`: predict the clips of one validation shard."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX
from tqdm import tqdm

from fca.artifacts.fingerprint import made_by
from fca.artifacts.manifest import Manifest
from fca.artifacts.measured import Job, measured
from fca.artifacts.shards import Shard, reused, write_shard
from fca.config import Config, Dataset, Layout
from fca.data.library.ids import record_of, records_of
from fca.encode.vae import decode, load_vae
from fca.errors import FcaError
from fca.model import Denoiser, InitialFrames, Prompt
from fca.model.build import Scheduler, load_denoiser
from fca.model.diffusion import draw_posterior
from fca.sample.ddim import predict_latents
from fca.sample.prompts import encoded_prompts, prompts_of
from fca.seeds import generator, seed_of


def sample(config: Config, dataset: str, variant: str, kind: str, shard: int) -> Manifest:
    """Predict the clips of a validation shard and write them as frames (n, 16, H, W, 3) uint8, as the model made them.

    `kind` is "validation" (the clips' own captions) or "opposite" (captions that ask for the opposite task, on the
    same initial frames and from the same noise; clips without such a caption are left out). A clip's random numbers
    depend on `config.seed`, the dataset and the clip's id alone, so shards and batches of any size and order give the
    same videos.

    Raises:
        FcaError: the variant predicts nothing, its latents or networks are missing or damaged, or a network's output
            isn't finite.
    """
    layout = Layout(config)
    if config.variant(variant).prediction != "model":
        raise FcaError(f"the variant {variant} predicts nothing", "a variant with prediction: model")
    source_path = layout.latents(dataset, "validation", shard, config.variant(variant).base)
    path, made = layout.samples(dataset, variant, kind, shard), made_by(config, "sample", dataset, variant)
    with Shard(source_path, kind="latents") as source:
        parents = {str(source_path.relative_to(layout.root)): source.manifest.sha256}
        parents |= model_parent(layout, dataset, variant)
        if found := reused(path, "samples", parents, made, source.manifest.quarantine):
            return found

        # Encode other captions before the networks that predict are loaded.
        with measured(config, "sample", dataset, variant, f"{kind}-{shard:04d}") as work:
            rows, captions = list(range(len(source))), source.captions
            if kind == "opposite":
                rows, captions = opposite_captions(config.datasets[dataset], source.ids)
                prompts, empty = encoded_prompts(config, variant, captions)
            else:
                prompts, empty = prompts_of(source)
            networks = load_networks(config, dataset, variant)

            title = f"sample {dataset} {variant} {kind} {shard}"
            frames = predict_clips(config.of(variant), dataset, networks, source, rows, prompts, empty, title, work)
            ids = [source.ids[row] for row in rows]
            seeds = [seed_of(config.seed, "sample", dataset, id) for id in ids]
            manifest = write_shard(
                path,
                "samples",
                {"frames": frames, "caption": captions, "seed": np.array(seeds, dtype=np.int64)},
                ids,
                parents=parents,
                made_by=made,
                quarantine=source.manifest.quarantine,
            )
            work.clips, work.written = manifest.count, path.stat().st_size
        return manifest


def opposite_captions(settings: Dataset, ids: Sequence[str]) -> tuple[list[int], list[str]]:
    """The rows of the clips that have an opposite caption, and these captions.

    Raises:
        FcaError: the library can't be read or makes no such clip.
    """
    records = records_of(settings)
    found = [(row, record_of(records, name).opposite) for row, name in enumerate(ids)]
    chosen = [(row, caption) for row, caption in found if caption is not None]
    return [row for row, _ in chosen], [caption for _, caption in chosen]


class SamplingNetworks(NamedTuple):
    """The networks that predict a variant's clips."""

    denoiser: Denoiser
    scheduler: Scheduler
    vae: AutoencoderKLCogVideoX


def load_networks(config: Config, dataset: str, variant: str) -> SamplingNetworks:
    """The variant's networks, including its trained model if it has one.

    Raises:
        FcaError: a network is missing or damaged.
    """
    base, precision = config.base_of(variant), config.sample.precision
    model = Layout(config).model(dataset, variant) if config.variant(variant).trained else None
    denoiser, scheduler = load_denoiser(base, model, precision, config.sample.scheduler)
    return SamplingNetworks(denoiser, scheduler, load_vae(base, precision))


def model_parent(layout: Layout, dataset: str, variant: str) -> dict[str, str]:
    """The trained model as a manifest's parent; empty for a variant without one."""
    if not layout.config.variant(variant).trained:
        return {}
    manifest = layout.model_manifest(dataset, variant)
    return {str(manifest.relative_to(layout.root)): Manifest.read(manifest).sha256}


def predict_clips(
    config: Config,
    dataset: str,
    networks: SamplingNetworks,
    source: Shard,
    rows: Sequence[int],
    prompts: Prompt,
    empty: Prompt,
    title: str,
    work: Job | None = None,
) -> np.ndarray:
    """Frames (n, F, H, W, 3) uint8 of the clips in these rows of a latents shard, each from its own prompt.

    `prompts`: one for each of `rows`; `empty`: the empty caption, once. A clip may come more than once. `work`: the
    job's measurements, to which the time of denoising is added.

    Raises:
        FcaError: a latent or decoded pixel isn't finite; it names the clips and the step.
    """
    settings, frames = config.sample, []
    for start in tqdm(range(0, len(rows), settings.batch_size), desc=title, unit="batch"):
        batch = rows[start : start + settings.batch_size]
        names = [source.ids[row] for row in batch]
        device = networks.denoiser.transformer.device
        initial_frames, noise, randoms = starting_point(config, dataset, source, batch, device)
        latents = predict_latents(
            networks.denoiser,
            networks.scheduler,
            initial_frames,
            prompts.rows(slice(start, start + len(batch))),
            empty.rows([0] * len(batch)),
            noise,
            settings.steps,
            settings.guidance_scale,
            progress=partial(_timed, work) if work else iter,
            random=randoms,
            clips=names,
        )
        frames.append(decode(networks.vae, latents, names).numpy())
    return joined(config, frames)


def _timed(work: Job, transitions: Iterable[Any]) -> Iterator[Any]:
    """The transitions, with the time of what is done after each; what comes before the first is done once."""
    transitions = [*transitions]
    with work.repeating(len(transitions)):
        yield from transitions


def joined(config: Config, parts: Sequence[np.ndarray]) -> np.ndarray:
    """The clips of all parts, (n, F, H, W, 3) uint8; there may be none."""
    clip = config.clip
    return np.concatenate(parts) if parts else np.empty((0, clip.frames, clip.height, clip.width, 3), np.uint8)


def starting_point(
    config: Config, dataset: str, source: Shard, batch: Sequence[int], device: torch.device
) -> tuple[InitialFrames, torch.Tensor, list[torch.Generator]]:
    """Initial latents, their noise, ViT features, and the noise to start from, each clip from its own generator.

    The generators are returned, too: DPM-Solver++ goes on drawing from them.
    """
    initial, initial_noise, noise, randoms = [], [], [], []
    scale = source.meta["initial_scaling_factor"]
    for row in batch:
        random = generator(config.seed, "sample", dataset, source.ids[row])
        initial.append(draw_posterior(source["init_mean"][row], source["init_logvar"][row], random, scale))
        initial_noise.append(torch.randn(initial[-1].shape, generator=random))
        channels, latent_frames, *size = source["mean"].shape[1:]
        noise.append(torch.randn((latent_frames, channels, *size), generator=random))
        randoms.append(random)
    vision = torch.from_numpy(np.stack([source["vision"][row] for row in batch])).float()
    latents, latent_noise = torch.stack(initial).to(device), torch.stack(initial_noise).to(device)
    return InitialFrames(latents, latent_noise, vision.to(device)), torch.stack(noise).to(device), randoms
