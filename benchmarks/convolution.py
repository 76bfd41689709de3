"""One clip through the pocket VAE on one core, by torch's own choice of 3-D convolution and by oneDNN's, taking turns.

python -m benchmarks.convolution
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
from diffusers import AutoencoderKLCogVideoX

from fca.encode.convolution import OneDNNConvolution

VAE = Path(__file__).resolve().parents[1] / "config/pocket-base/vae"
ROUNDS = 5


def seconds(run: Callable[[], object]) -> float:
    """The process's own time, so that other programs don't count."""
    start = time.process_time()
    run()
    return time.process_time() - start


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(1)
    vae = AutoencoderKLCogVideoX.from_pretrained(VAE).eval()
    video = torch.rand(1, 3, 16, 64, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    latents = vae.encode(video).latent_dist.mode()
    for name, run in (("encode", lambda: vae.encode(video)), ("decode", lambda: vae.decode(latents))):
        found: dict[str, list[float]] = {"torch": [], "oneDNN": []}
        for _ in range(ROUNDS):
            for way, context in (("torch", nullcontext()), ("oneDNN", OneDNNConvolution())):
                with context:
                    found[way].append(seconds(run))
        torch_s, onednn_s = (min(found[way]) for way in ("torch", "oneDNN"))
        print(
            f"{name} 16 frames of 96x64: torch {torch_s:.3f} s, oneDNN {onednn_s:.3f} s, {torch_s / onednn_s:.1f} times"
        )


if __name__ == "__main__":
    main()
