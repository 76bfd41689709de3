"""Train the pocket image-to-video transformer: CogVideoX1.5-5B-I2V at a small width, for Table 2.

It has that model's particulars: rotary positions, patches of two latent frames, an embedded offset, and separate
channels for the latent of the first frame. Latents, captions and their encoders are those of the pocket base.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXTransformer3DModel
from torch import Tensor, nn

from fca.model.diffusion import diffuse
from fca.model.image_to_video import ImageToVideo
from fca.model.inputs import InitialFrames, Prompt
from fca.pocket.base import BATCH, narrow_transformer
from fca.pocket.corpus import Corpus
from fca.pocket.fit import Curve, continued, fit, write_record
from fca.pocket.text import prompt_embeddings
from fca.pocket.vae import LATENT_CHANNELS
from fca.pretrained.load import device
from fca.train.objective import v_loss

SHARED = ("vae", "text_encoder", "tokenizer", "scheduler")


def build_transformer() -> CogVideoXTransformer3DModel:
    """Four layers of width 160 (2.0 M parameters), otherwise configured as CogVideoX1.5-5B-I2V."""
    return narrow_transformer(
        num_layers=4,
        in_channels=2 * LATENT_CHANNELS,
        ofs_embed_dim=64,
        patch_size_t=2,
        patch_bias=False,
        use_rotary_positional_embeddings=True,
    )


def link_shared(base: Path, root: Path) -> None:
    """Complete the checkpoint with links to the other parts of the pocket base, a folder next to it."""
    root.mkdir(parents=True, exist_ok=True)
    for part in SHARED:
        link = root / part
        link.unlink(missing_ok=True)
        link.symlink_to(Path("..") / base.name / part)


def train(corpus: Corpus, latents: dict[str, Tensor], base: Path, root: Path, steps: int, seed: int) -> None:
    """Train for `steps` steps of 16 clips and save a moving average in float16, with links to the parts of `base`.

    `latents` come from `fca.pocket.base.encode_corpus`. One caption in ten is dropped, for classifier-free guidance.
    Training starts from the weights in `root` if there are any.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    torch_device = device()
    distinct, captions = corpus.distinct_captions()
    embeds = prompt_embeddings(base, [*distinct, ""])
    scheduler = CogVideoXDDIMScheduler.from_pretrained(base / "scheduler")
    transformer = continued(root / "transformer", build_transformer()).to(torch_device)
    model = ImageToVideo(transformer)

    def loss_of(step: int) -> Tensor:
        rows = torch.from_numpy(rng.integers(len(corpus), size=BATCH))
        dropped = torch.from_numpy(rng.random(BATCH) < 0.1)
        clean, first = latents["video"][rows].float().to(torch_device), latents["first"][rows].float().to(torch_device)
        timestep = torch.from_numpy(rng.integers(1000, size=BATCH)).to(torch_device)
        noisy, velocity = diffuse(scheduler.alphas_cumprod, clean, torch.randn_like(clean), timestep)
        prompt = embeds[torch.where(dropped, len(embeds) - 1, captions[rows])].to(torch_device)
        initial_frames = InitialFrames(first, torch.zeros_like(first), torch.empty(BATCH, 0, 0))
        mask = torch.ones(prompt.shape[:2], dtype=torch.bool)
        with torch.autocast(torch_device.type, torch.bfloat16):
            predict = model.prepare(initial_frames, Prompt(prompt, prompt, mask))
            return v_loss(predict(noisy, timestep), velocity)

    def save(average: nn.Module, curve: Curve) -> None:
        link_shared(base, root)
        average.save_pretrained(root / "transformer")
        write_record(root / "transformer", transformer, steps=steps, seed=seed, batch=BATCH, curve=curve)

    fit(transformer, loss_of, save, steps, "pocket image base", weight_decay=1e-3)
