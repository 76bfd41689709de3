"""The step `sample`: predict the clips of one validation shard."""

import numpy as np
import torch
from tqdm import tqdm

from fca.config import Config, Layout
from fca.data.manifest import Manifest, made_by
from fca.data.shards import Shard, write_shard
from fca.data.tabletop import opposite_caption
from fca.encode.networks import Encoders
from fca.encode.vae import decode, load_vae
from fca.errors import FcaError
from fca.model import Given, Prompt
from fca.model.build import load_denoiser
from fca.model.diffusion import draw_posterior
from fca.sample.pipeline import encode_prompt
from fca.sample.predict import predict_latents
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
    base, trained = config.base_of(variant), config.variant(variant).trained
    source_path = layout.latents(dataset, "validation", shard, config.variant(variant).base)
    denoiser, scheduler = load_denoiser(base, layout.model(dataset, variant) if trained else None, settings.precision)
    place = denoiser.transformer.device
    vae = load_vae(base, settings.precision)
    with Shard(source_path, kind="latents") as source:
        parents = {str(source_path.relative_to(layout.root)): source.manifest.sha256}
        if trained:
            manifest = layout.model_manifest(dataset, variant)
            parents[str(manifest.relative_to(layout.root))] = Manifest.read(manifest).sha256
        captions = source.captions
        rows, prompts = source["prompt"][:], stored_prompts(source, place)
        if kind == "opposite":
            captions = [opposite_caption(caption) for caption in source.captions]
            prompts = encode_prompt(Encoders(base, settings.precision), ["", *captions], place)
            rows = np.arange(1, len(captions) + 1)
        frames, seeds = [], [seed_of(config.seed, "sample", dataset, id) for id in source.ids]
        starts = range(0, len(source), settings.batch_size)
        for start in tqdm(starts, desc=f"sample {dataset} {variant} {kind} {shard}", unit="batch"):
            batch = range(start, min(start + settings.batch_size, len(source)))
            given, noise = starting_point(config, dataset, source, batch, place)
            latents = predict_latents(
                denoiser,
                scheduler,
                given,
                take(prompts, rows[batch.start : batch.stop]),
                take(prompts, np.zeros(len(batch), dtype=np.int64)),
                noise,
                settings.steps,
                settings.guidance_scale,
            )
            frames.append(decode(vae, latents).numpy())
        return write_shard(
            layout.samples(dataset, variant, kind, shard),
            "samples",
            {"frames": np.concatenate(frames), "caption": captions, "seed": np.array(seeds, dtype=np.int64)},
            source.ids,
            parents=parents,
            made_by=made_by(config, "sample", dataset, variant),
            quarantine=source.manifest.quarantine,
        )


def stored_prompts(source: Shard, device: torch.device) -> Prompt:
    """The caption tables of a latents shard; row 0 is the empty caption."""
    return Prompt(
        torch.from_numpy(source["prompt_embeds"][:]).float().to(device),
        torch.from_numpy(source["text_embeds"][:]).float().to(device),
        torch.from_numpy(source["text_mask"][:]).to(device),
    )


def take(prompts: Prompt, rows: np.ndarray) -> Prompt:
    """Rows of a table of captions, as a batch."""
    index = torch.from_numpy(np.asarray(rows, dtype=np.int64)).to(prompts.prompt_embeds.device)
    return Prompt(prompts.prompt_embeds[index], prompts.text_embeds[index], prompts.text_mask[index])


def starting_point(
    config: Config, dataset: str, source: Shard, batch: range, device: torch.device
) -> tuple[Given, torch.Tensor]:
    """Initial latents, their noise, ViT features, and the noise to start from, each clip from its own generator."""
    initial, initial_noise, noise = [], [], []
    scale = source.meta["initial_scaling_factor"]
    for row in batch:
        random = generator(config.seed, "sample", dataset, source.ids[row])
        initial.append(draw_posterior(source["init_mean"][row], source["init_logvar"][row], random, scale))
        initial_noise.append(torch.randn(initial[-1].shape, generator=random))
        channels, latent_frames, *size = source["mean"].shape[1:]
        noise.append(torch.randn((latent_frames, channels, *size), generator=random))
    vision = torch.from_numpy(source["vision"][batch.start : batch.stop]).float()
    given = Given(torch.stack(initial).to(device), torch.stack(initial_noise).to(device), vision.to(device))
    return given, torch.stack(noise).to(device)
