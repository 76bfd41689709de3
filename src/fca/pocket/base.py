"""Train the pocket text-to-video transformer and its T5 encoder: diffusers' CogVideoX classes at a small width.

The base learns what CogVideoX-2B knows before FCA: video from text, and single images from text, so that one latent
frame is a familiar input. It never sees initial frames. One caption in ten is dropped, for classifier-free guidance.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXTransformer3DModel
from torch import Tensor, nn
from tqdm import tqdm

from fca.model.diffusion import diffuse
from fca.pocket.corpus import Corpus, to_video
from fca.pocket.fit import Curve, continued, fit, write_record
from fca.pocket.text import TEXT_TOKENS, TEXT_WIDTH, build_text_encoder, load_tokenizer, tokenize
from fca.pocket.vae import LATENT_CHANNELS
from fca.pretrained.load import device
from fca.train.objective import v_loss

BATCH = 16
ENCODED = 4  # clips at once: as many as a processor's cache holds
IMAGE_BATCHES = 8  # one batch in eight holds single frames


def narrow_transformer(**particulars: Any) -> CogVideoXTransformer3DModel:
    """Layers of width 160 for pocket clips; the rest as in the 2B, except for `particulars`."""
    return CogVideoXTransformer3DModel(
        num_attention_heads=5,
        attention_head_dim=32,
        out_channels=LATENT_CHANNELS,
        time_embed_dim=64,
        text_embed_dim=TEXT_WIDTH,
        sample_width=12,
        sample_height=8,
        max_text_seq_length=TEXT_TOKENS,
        **particulars,
    )


def build_transformer() -> CogVideoXTransformer3DModel:
    """Six layers (2.8 M parameters); fixed sine-cosine positions as in the 2B."""
    return narrow_transformer(
        num_layers=6, in_channels=LATENT_CHANNELS, sample_frames=13, spatial_interpolation_scale=1.0
    )


def build_scheduler() -> CogVideoXDDIMScheduler:
    """The scheduler configuration of the CogVideoX-2B checkpoint, as far as it isn't the class's default."""
    return CogVideoXDDIMScheduler(
        clip_sample=False, prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing"
    )


@torch.no_grad()
def encode_corpus(root: Path, corpus: Corpus, cache: Path) -> dict[str, Tensor]:
    """Scaled latents of all clips, cached: `video` (n, 4, C, h, w), `first` and `two` (n, 1, C, h, w), float16.

    `first` is the first frame encoded as a video of one frame, `two` the first two frames.
    """
    if not cache.exists():
        torch_device = device()
        vae = AutoencoderKLCogVideoX.from_pretrained(root / "vae", torch_dtype=torch.float32).eval().to(torch_device)
        parts: dict[str, list[Tensor]] = {"video": [], "first": [], "two": []}
        for start in tqdm(range(0, len(corpus), ENCODED), desc="encode", disable=None):
            video = to_video(corpus.pixels[start : start + ENCODED]).to(torch_device)
            for name, frames in (("video", video), ("first", video[:, :, :1]), ("two", video[:, :, :2])):
                with torch.autocast(torch_device.type, torch.bfloat16):
                    latent = vae.encode(frames).latent_dist.mode().float()
                parts[name].append((latent * vae.config.scaling_factor).permute(0, 2, 1, 3, 4).half().cpu())
        torch.save({name: torch.cat(tensors) for name, tensors in parts.items()}, cache)
    return torch.load(cache, weights_only=True)


def train(corpus: Corpus, root: Path, cache: Path, steps: int, seed: int) -> None:
    """Train transformer and text encoder for `steps` steps; save their moving average in float16, and the scheduler.

    The transformer starts from the weights in `root`/transformer if there are any, the text encoder from nothing.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    latents = encode_corpus(root, corpus, cache)
    tokenizer = load_tokenizer(root, corpus.words)
    tokens = tokenize(tokenizer, [*corpus.captions, ""])
    scheduler = build_scheduler()
    torch_device = device()
    transformer = continued(root / "transformer", build_transformer())
    modules = torch.nn.ModuleList([transformer, build_text_encoder(len(tokenizer))]).to(torch_device)
    transformer, text_encoder = modules

    def loss_of(step: int) -> Tensor:
        rows = torch.from_numpy(rng.integers(len(corpus), size=BATCH))
        if step % IMAGE_BATCHES == 0:
            clean = latents["first" if step % 16 else "two"][rows].float()
        else:
            clean = latents["video"][rows].float()

        dropped = torch.from_numpy(rng.random(BATCH) < 0.1)
        ids = tokens[torch.where(dropped, len(corpus), rows)]
        timestep = torch.from_numpy(rng.integers(1000, size=BATCH))
        noise = torch.randn_like(clean)
        clean, noise, ids, timestep = (tensor.to(torch_device) for tensor in (clean, noise, ids, timestep))

        noisy, velocity = diffuse(scheduler.alphas_cumprod, clean, noise, timestep)
        with torch.autocast(torch_device.type, torch.bfloat16):
            embeds = text_encoder(ids)[0]
            prediction = transformer(noisy, embeds, timestep, return_dict=False)[0]
        return v_loss(prediction, velocity)

    def save(average: nn.Module, curve: Curve) -> None:
        average[0].save_pretrained(root / "transformer")
        average[1].save_pretrained(root / "text_encoder")
        scheduler.save_pretrained(root / "scheduler")
        record = {"steps": steps, "seed": seed, "batch": BATCH, "final_loss": curve[-1]["loss"], "curve": curve}
        write_record(root / "transformer", transformer, **record)

    fit(modules, loss_of, save, steps, "pocket base", weight_decay=1e-3, counted=lambda step: step % IMAGE_BATCHES > 0)
