"""The step `encode`: run the frozen encoders on one shard of clips, so that training never loads them."""

from collections.abc import Iterator

import numpy as np
import torch
from tqdm import tqdm

from fca.artifacts.fingerprint import made_by
from fca.artifacts.manifest import Manifest
from fca.artifacts.shards import reused, write_shard
from fca.config import BaseKind, Config, Layout
from fca.data.clip_source import Clips, DecodedClip, clips_to_encode
from fca.encode.captions import caption_tables, half
from fca.encode.networks import Encoders


def encode(
    config: Config, dataset: str, split: str, shard: int, base: BaseKind = "text", source: Clips | None = None
) -> Manifest:
    """Write a latents shard with the networks of `base` or `image_base`, and return its manifest.

    Clips come from `source`. By default validation clips come from their stored shard and train clips directly from the
    videos, which other processes decode while the networks run.

    Per clip: `mean`, `logvar` of the VAE posterior of all frames, `init_mean`, `init_logvar` of the initial frames
    encoded as a short video of their own (paper section 3.2: slicing the clip's latents would leak its future),
    `vision` (ViT tokens of the first frame) and `prompt`, a row of the tables of distinct captions: `prompt_embeds`
    (T5) and `text_embeds`, `text_mask` (BLIP-2). Values are float16; row 0 of the tables is the empty caption. If no
    clip is usable, the arrays have no rows, and the tables only the empty caption.

    Raises:
        FcaError: clips, index or networks are missing or damaged, or a network's output isn't finite.
    """
    source = clips_to_encode(config, dataset, split, shard) if source is None else source
    path = Layout(config).latents(dataset, split, shard, base)
    made = made_by(config, "encode", dataset, base=base)
    if found := reused(path, "latents", source.parents, made, source.quarantine):
        return found

    encoders = Encoders(config.base_called(base), config.encode.precision)
    # an image-to-video base starts from one picture
    initial_frames = config.datasets[dataset].initial_frames if base == "text" else 1

    def encoded(frames: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
        """The columns of clips (n, F, H, W, 3) uint8."""
        pixels = torch.from_numpy(frames)
        mean, logvar = encoders.posterior(pixels, names)
        init_mean, init_logvar = encoders.posterior(pixels[:, :initial_frames], names)
        vision = encoders.blip2.image_features(pixels[:, 0], names).float().cpu()
        found = {"mean": mean, "logvar": logvar, "init_mean": init_mean, "init_logvar": init_logvar, "vision": vision}
        return {name: half(name, value, names) for name, value in found.items()}

    parts: list[dict[str, np.ndarray]] = []
    ids: list[str] = []
    captions: list[str] = []
    with tqdm(total=len(source), desc=f"encode {source.name}", unit="clip") as progress:
        for batch in batches(source, config.encode.batch_size):
            parts.append(encoded(np.stack([clip.frames for clip in batch]), [clip.id for clip in batch]))
            ids += [clip.id for clip in batch]
            captions += [clip.caption for clip in batch]
            progress.update(len(batch))

    if not parts:  # no rows, but their shape
        black = encoded(np.zeros((1, config.clip.frames, config.clip.height, config.clip.width, 3), np.uint8), [""])
        parts = [{name: value[:0] for name, value in black.items()}]
    return write_shard(
        path,
        "latents",
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        | {"caption": captions}
        | caption_tables(encoders, captions),
        ids,
        parents=source.parents,
        made_by=made,
        quarantine=source.quarantine,
        meta={
            "scaling_factor": float(encoders.vae.config.scaling_factor),
            "initial_scaling_factor": encoders.initial_scaling_factor(base == "image"),
            "initial_frames": initial_frames,
        },
    )


def batches(clips: Clips, size: int) -> Iterator[list[DecodedClip]]:
    """Lists of `size` clips in order; the last may be shorter."""
    batch: list[DecodedClip] = []
    for clip in clips:
        batch.append(clip)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
