"""Train the pocket VAE: diffusers' AutoencoderKLCogVideoX at a small width, on simulated clips.

It sees the inputs of the pipeline: clips of 16 frames, and videos of one or two frames, because initial frames are
encoded separately (paper section 3.2).
"""

import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX
from tqdm import tqdm

from fca.pocket.corpus import DATASETS, Corpus, to_video
from fca.pocket.fit import Curve, continued, write_record
from fca.pretrained.load import device
from fca.score.pixels import ssim

LATENT_CHANNELS = 16


def build() -> AutoencoderKLCogVideoX:
    """2.6 M parameters, compression 8x8x4 and 16 latent channels as in CogVideoX-2B."""
    return AutoencoderKLCogVideoX(
        block_out_channels=(16, 32, 64, 64),
        latent_channels=LATENT_CHANNELS,
        layers_per_block=1,
        norm_num_groups=8,
        sample_height=64,
        sample_width=96,
    )


def psnr(prediction: torch.Tensor, target: torch.Tensor) -> float:
    """PSNR in dB of videos in [-1, 1] (peak to peak 2), over all elements of the batch."""
    error = (prediction.clamp(-1, 1) - target).square().mean()
    return float(10 * torch.log10(4 / error))


class ConvolutionMuon:
    """Muon for convolutions, AdamW for the rest, with one learning rate.

    torch.optim.Muon accepts only matrices, so a filter bank is seen as one (out, in x kernel), as in Muon's recipe.
    """

    def __init__(self, vae: AutoencoderKLCogVideoX, learning_rate: float, steps: int):
        ends = (vae.encoder.conv_in.conv.weight, vae.decoder.conv_out.conv.weight)  # to and from pixels
        self.filters: list[torch.nn.Parameter] = []
        others: list[torch.nn.Parameter] = []
        for parameter in vae.parameters():
            inner = parameter.ndim >= 4 and all(parameter is not end for end in ends)
            (self.filters if inner else others).append(parameter)
        # The matrices share the filters' memory, so a step on them is a step on the filters.
        self.matrices = [torch.nn.Parameter(bank.data.view(len(bank), -1)) for bank in self.filters]
        self.optimizers = [
            torch.optim.Muon(self.matrices, learning_rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, learning_rate, betas=(0.9, 0.95), weight_decay=1e-4),
        ]

        def factor(step: int) -> float:
            return min(step / (0.05 * steps), 0.5 + 0.5 * math.cos(math.pi * step / steps))

        self.schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, factor) for optimizer in self.optimizers]

    def step(self) -> None:
        """Take a step with the gradients of the VAE's parameters, and clear them."""
        for matrix, bank in zip(self.matrices, self.filters, strict=True):
            matrix.grad = None if bank.grad is None else bank.grad.view_as(matrix)
            bank.grad = None
        for optimizer, schedule in zip(self.optimizers, self.schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)


def train(corpus: Corpus, held_out: Corpus, output: Path, steps: int, seed: int) -> None:
    """Train for `steps` steps, from the weights in `output` if there are any; save the VAE with its curve."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    torch_device = device()
    vae = build()
    with torch.no_grad():  # begin with a narrow posterior, to learn reconstruction before noise
        vae.encoder.conv_out.conv.bias[LATENT_CHANNELS:] = -6
    vae = continued(output, vae).to(torch_device)
    optimizer = ConvolutionMuon(vae, 2e-3, steps)

    curve: Curve = []
    started = time.time()
    bar = tqdm(range(steps), desc="pocket VAE")
    for step in bar:
        # Evaluate the loss: reconstruction, and a small KL divergence.
        video = draw_batch(corpus, rng, step).to(torch_device)
        with torch.autocast(torch_device.type, torch.bfloat16):
            posterior = vae.encode(video).latent_dist
            decoded = vae.decode(posterior.sample()).sample
        decoded = decoded.float()
        target = video if decoded.shape == video.shape else video.mean(2, keepdim=True)  # two frames -> one latent
        reconstruction = (decoded - target).abs().mean() + 2 * (decoded - target).square().mean()
        divergence = posterior.kl().float().mean() / posterior.mean[0].numel()
        loss = reconstruction + 1e-4 * divergence

        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()

        if step % 50 == 0 or step == steps - 1:
            curve.append({"step": step, "loss": loss.item(), "seconds": round(time.time() - started, 1)})
            bar.set_postfix(loss=f"{loss.item():.4f}", psnr=f"{psnr(decoded.detach(), target):.1f}")
        if step % 500 == 499:
            save(vae, held_out, output, seed, curve)
    save(vae, held_out, output, seed, curve)


def draw_batch(corpus: Corpus, rng: np.random.Generator, step: int) -> torch.Tensor:
    """Two clips cropped to half the width, for cheap steps; in every fourth step eight videos of one or two frames."""
    if step % 4 == 3:
        frames = 1 + int(rng.integers(2))
        rows = np.sort(rng.integers(len(corpus), size=8))
        first = int(rng.integers(15))
        return to_video(np.stack([corpus.pixels[row, first : first + frames] for row in rows]))
    rows = np.sort(rng.integers(len(corpus), size=2))
    left = 8 * int(rng.integers(7))
    return to_video(np.stack([corpus.pixels[row, :, :, left : left + 48] for row in rows]))


@torch.no_grad()
def save(vae: AutoencoderKLCogVideoX, held_out: Corpus, output: Path, seed: int, curve: Curve) -> None:
    """Measure held-out PSNR and SSIM and the scale of the latents; write the folder in float16, with the record."""
    vae.eval()
    scores, likeness, latents = [], [], []
    measured = np.linspace(0, len(held_out) - 1, min(len(held_out), 60)).round().astype(int)
    for rows in np.split(measured, range(4, len(measured), 4)):
        video = to_video(held_out.pixels[rows]).to(vae.device)
        with torch.autocast(vae.device.type, torch.bfloat16):
            mode = vae.encode(video).latent_dist.mode()
            decoded = vae.decode(mode).sample.float()
        scores += [psnr(*pair) for pair in zip(decoded, video, strict=True)]
        frames = to_frames(decoded)
        likeness += [ssim(clip, held_out.pixels[row]).mean() for clip, row in zip(frames, rows, strict=True)]
        latents.append(mode.float())
    scale = 1 / float(torch.cat(latents).std())
    vae.register_to_config(scaling_factor=scale)

    copy.deepcopy(vae).half().cpu().save_pretrained(output)
    found = {"held_out_psnr_db": round(float(np.mean(scores)), 2), "held_out_ssim": round(float(np.mean(likeness)), 4)}
    places = {
        place: round(float(np.mean(np.array(scores)[held_out.places[measured] == place])), 2) for place in DATASETS
    }
    write_record(output, vae, seed=seed, curve=curve, **found, held_out_psnr_db_by_place=places, scaling_factor=scale)
    print(f"held-out {found}, by place {places}, scaling factor {scale:.3f}", flush=True)
    vae.train()


def to_frames(video: torch.Tensor) -> np.ndarray:
    """(B, 3, F, H, W) in [-1, 1] -> (B, F, H, W, 3) uint8."""
    return ((video.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 4, 1).cpu().numpy()
