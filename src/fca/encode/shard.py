"""The step `encode`: run the frozen encoders on one shard of clips, so that training never loads them.

The VAE, the ViT and the text networks are loaded one after the other, so the largest of them decides the memory.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX
from tqdm import tqdm
from transformers import Blip2VisionModel, T5EncoderModel

from fca.artifacts.columns import TABLES, Column
from fca.artifacts.fingerprint import made_by
from fca.artifacts.manifest import Manifest
from fca.artifacts.measured import measured
from fca.artifacts.shards import Shard, reused, write_shard
from fca.config import Base, BaseKind, Config, Layout
from fca.data.clip_source import Clips, clips_to_encode
from fca.encode.blip2 import Blip2Folder, image_features
from fca.encode.captions import TextNetworks, caption_tables, half
from fca.encode.shared import has_captions, shard_with_captions
from fca.encode.vae import initial_scaling_factor, load_vae, posterior
from fca.pretrained.load import (
    DTYPES,
    base_folder,
    check_weights,
    device,
    load_tokenizer,
    loading_network,
    read_json,
    vision_folder,
)


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
    clip is usable, the arrays have no rows, and the tables only the empty caption. If both bases have the same text
    networks, the shard of `image_base` links to the tables of that of `base` instead of holding them again.

    Raises:
        FcaError: clips, index or networks are missing or damaged, or a network's output isn't finite.
    """
    source = clips_to_encode(config, dataset, split, shard) if source is None else source
    layout = Layout(config)
    path = layout.latents(dataset, split, shard, base)
    made, parents = made_by(config, "encode", dataset, base=base), dict(source.parents)
    other = shard_with_captions(config, dataset, split, shard, base, source)
    if other is not None:
        parents[other.path.relative_to(layout.root).as_posix()] = other.manifest.sha256
    if found := reused(path, "latents", parents, made, source.quarantine):
        return found

    with measured(config, "encode", dataset, base, f"{split}-{shard:04d}") as work:
        # an image-to-video base starts from one picture
        initial_frames = config.datasets[dataset].initial_frames if base == "text" else 1
        columns, ids, linked, scales = _columns(config, base, source, initial_frames, other)
        manifest = write_shard(
            path,
            "latents",
            columns,
            ids,
            parents=parents,
            made_by=made,
            quarantine=source.quarantine,
            meta=scales | {"initial_frames": initial_frames},
            linked=linked,
        )
        work.clips, work.written = manifest.count, path.stat().st_size
    return manifest


def _columns(
    config: Config, base: BaseKind, source: Clips, initial_frames: int, other: Shard | None
) -> tuple[dict[str, Column], list[str], dict[str, Path], dict[str, float]]:
    """The columns of a shard, its ids, where the columns are that another shard holds, and the VAE's scales.

    One network after the other, so that the largest alone decides the memory.
    """
    own, precision = config.base_called(base), config.encode.precision
    check_networks(own)

    vae = load_vae(own, precision)
    scales = {
        "scaling_factor": float(vae.config.scaling_factor),
        "initial_scaling_factor": initial_scaling_factor(vae, base == "image"),
    }
    columns, ids, captions, first_frames = _latents(config, vae, source, initial_frames)
    del vae
    columns["vision"] = _vision(own, precision, first_frames, ids, config.encode.batch_size)

    if other is not None and has_captions(other, ids, captions):
        linked = dict.fromkeys(sorted(TABLES & set(other.names)), other.path)
        return (
            columns | {"caption": captions} | {name: other[name][:] for name in ("prompt", *linked)},
            ids,
            linked,
            scales,
        )
    tables = caption_tables(TextNetworks.load(own, precision), captions)
    return columns | {"caption": captions} | tables, ids, {}, scales


def check_networks(base: Base) -> None:
    """Find out what is wrong with the files of any encoder before the first one is loaded.

    Raises:
        FcaError: a file is missing or damaged.
    """
    folder = base_folder(base, "vae", "text_encoder", "tokenizer")
    check_weights(AutoencoderKLCogVideoX, folder / "vae")
    check_weights(T5EncoderModel, folder / "text_encoder")
    load_tokenizer(folder / "tokenizer", rows=int(read_json(folder / "text_encoder/config.json")["vocab_size"]))
    Blip2Folder(vision_folder(base)).check()


def _latents(
    config: Config, vae: AutoencoderKLCogVideoX, source: Clips, initial_frames: int
) -> tuple[dict[str, np.ndarray], list[str], list[str], np.ndarray]:
    """The VAE's columns of all clips, their ids and captions, and their first frames (n, H, W, 3) uint8."""

    def encoded(frames: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
        """The columns of clips (n, F, H, W, 3) uint8."""
        pixels = torch.from_numpy(frames)
        mean, logvar = posterior(vae, pixels, names)
        init_mean, init_logvar = posterior(vae, pixels[:, :initial_frames], names)
        found = {"mean": mean, "logvar": logvar, "init_mean": init_mean, "init_logvar": init_logvar}
        return {name: half(name, value, names) for name, value in found.items()}

    parts: list[dict[str, np.ndarray]] = []
    ids: list[str] = []
    captions: list[str] = []
    first_frames: list[np.ndarray] = []
    with tqdm(total=len(source), desc=f"encode {source.name}", unit="clip") as progress:
        for clip in source:
            parts.append(encoded(clip.frames[None], [clip.id]))
            ids.append(clip.id)
            captions.append(clip.caption)
            first_frames.append(clip.frames[0])
            progress.update()

    if not parts:  # no rows, but their shape
        black = np.zeros((1, config.clip.frames, config.clip.height, config.clip.width, 3), np.uint8)
        parts = [{name: value[:0] for name, value in encoded(black, [""]).items()}]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    size = config.clip.height, config.clip.width, 3
    return columns, ids, captions, np.array(first_frames, dtype=np.uint8).reshape(-1, *size)


def _vision(base: Base, precision: str, first_frames: np.ndarray, names: list[str], batch: int) -> np.ndarray:
    """ViT tokens (n, 1 + patches, width) float16 of first frames (n, H, W, 3) uint8, `batch` at a time."""
    with loading_network():
        image_encoder = Blip2Folder(vision_folder(base)).image_encoder(DTYPES[precision]).to(device())
    if not len(first_frames):  # no rows, but their shape
        return _vision_of(image_encoder, np.zeros((1, *first_frames.shape[1:]), np.uint8), [""])[:0]
    starts = range(0, len(first_frames), batch)
    parts = [slice(start, start + batch) for start in starts]
    return np.concatenate([_vision_of(image_encoder, first_frames[part], names[part]) for part in parts])


def _vision_of(image_encoder: Blip2VisionModel, pictures: np.ndarray, names: list[str]) -> np.ndarray:
    return half("vision", image_features(image_encoder, torch.from_numpy(pictures), names).float().cpu(), names)
