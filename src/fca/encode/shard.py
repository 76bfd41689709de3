"""The step `encode`: one shard of clips through the frozen networks, so that training never loads them."""

import numpy as np
import torch
from tqdm import tqdm

from fca.config import BaseKind, Config, Layout
from fca.data.manifest import Manifest, made_by
from fca.data.shards import Shard, write_shard
from fca.encode.networks import Encoders
from fca.errors import FcaError

NO_CAPTION = ""  # row 0 of the caption tables: the unconditional branch of classifier-free guidance


def encode(config: Config, dataset: str, split: str, shard: int, base: BaseKind = "text") -> Manifest:
    """Write the latents shard that belongs to a clips shard, made by the networks of `base` or `image_base`.

    Per clip: `mean`, `logvar` of the VAE posterior of all frames, `init_mean`, `init_logvar` of the initial frames
    encoded as a short video of their own (paper section 3.2: slicing the clip's latents would leak its future),
    `vision` (ViT tokens of the first frame) and `prompt`, a row of the tables of distinct captions: `prompt_embeds`
    (T5) and `text_embeds`, `text_mask` (BLIP-2). Numbers are float16; row 0 of the tables is the empty caption.
    """
    layout = Layout(config)
    networks = config.base_called(base)
    encoders = Encoders(networks, config.encode.precision)
    # an image-to-video base starts from one picture
    initial_frames = config.datasets[dataset].initial_frames if base == "text" else 1
    columns: dict[str, list[np.ndarray]] = {
        name: [] for name in ("mean", "logvar", "init_mean", "init_logvar", "vision")
    }
    source_path = layout.clips(dataset, split, shard)
    with Shard(source_path, kind="clips") as source:
        size = config.encode.batch_size
        starts = range(0, len(source), size)
        for start in tqdm(starts, desc=f"encode {dataset} {split} {shard}", unit="batch"):
            frames = torch.from_numpy(source.frames[start : start + size])  # (n, F, H, W, 3)
            mean, logvar = encoders.posterior(frames)
            init_mean, init_logvar = encoders.posterior(frames[:, :initial_frames])
            vision = encoders.blip2.image_features(frames[:, 0]).float().cpu()
            for name, value in zip(columns, (mean, logvar, init_mean, init_logvar, vision), strict=True):
                columns[name].append(half(name, value))
        captions = [NO_CAPTION, *sorted(set(source.captions) - {NO_CAPTION})]
        rows = {caption: row for row, caption in enumerate(captions)}
        text_embeds, text_mask = encoders.blip2.text_embeddings(captions, networks.caption_tokens)
        prompts = [encoders.prompt(captions[row : row + size]) for row in range(0, len(captions), size)]
        return write_shard(
            layout.latents(dataset, split, shard, base),
            "latents",
            {name: np.concatenate(parts) for name, parts in columns.items()}
            | {
                "caption": source.captions,
                "prompt": np.array([rows[caption] for caption in source.captions], dtype=np.int32),
                "prompt_embeds": half("prompt_embeds", torch.cat(prompts)),
                "text_embeds": half("text_embeds", text_embeds),
                "text_mask": text_mask.numpy(),
            },
            source.ids,
            parents={str(source_path.relative_to(layout.root)): source.manifest.sha256},
            made_by=made_by(config, "encode", dataset, base=base),
            quarantine=source.manifest.quarantine,
            meta={
                "scaling_factor": float(encoders.vae.config.scaling_factor),
                "initial_scaling_factor": encoders.initial_scaling_factor(base == "image"),
                "initial_frames": initial_frames,
            },
        )


def half(name: str, value: torch.Tensor) -> np.ndarray:
    """The numbers as float16; `FcaError` where one is not finite there, before it can spoil a training."""
    with np.errstate(over="ignore"):
        numbers = value.numpy().astype(np.float16)
    if not np.isfinite(numbers).all():
        raise FcaError(
            f"{name} has values that float16 can't hold (largest {value.abs().max().item():.3g})",
            "finite values below 65504",
            "set encode.precision to bf16 or fp32: a network overflows in fp16",
        )
    return numbers
