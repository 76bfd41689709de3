"""Train the pocket image-to-video transformer: CogVideoX1.5-5B-I2V's kind at a small width, for Table 2.

It has what sets that model apart: rotary positions, patches of two latent frames, an embedded offset, and the latent
of the first frame in channels of its own. Latents, captions and their encoders are the pocket base's.
"""

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXTransformer3DModel
from torch import Tensor, nn
from transformers import AutoTokenizer, T5EncoderModel

from fca.model.diffusion import diffuse
from fca.model.image_to_video import ImageToVideo
from fca.model.inputs import InitialFrames, Prompt
from fca.pocket.corpus import Corpus
from fca.pocket.fit import Curve, fit
from fca.pocket.text import TEXT_TOKENS, TEXT_WIDTH
from fca.pocket.vae import LATENT_CHANNELS
from fca.pretrained.load import device
from fca.train.objective import v_loss

BATCH = 16
SHARED = ("vae", "text_encoder", "tokenizer", "scheduler")


def build_transformer() -> CogVideoXTransformer3DModel:
    """Four layers of width 160 (2.0 M parameters), otherwise configured as CogVideoX1.5-5B-I2V."""
    return CogVideoXTransformer3DModel(
        num_attention_heads=5,
        attention_head_dim=32,
        in_channels=2 * LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        time_embed_dim=64,
        ofs_embed_dim=64,
        text_embed_dim=TEXT_WIDTH,
        num_layers=4,
        attention_bias=True,
        sample_width=12,
        sample_height=8,
        patch_size=2,
        patch_size_t=2,
        patch_bias=False,
        max_text_seq_length=TEXT_TOKENS,
        use_rotary_positional_embeddings=True,
    )


def link_shared(base: Path, root: Path) -> None:
    """Complete the checkpoint with links to the pocket base's other parts, which stand beside it."""
    root.mkdir(parents=True, exist_ok=True)
    for part in SHARED:
        link = root / part
        link.unlink(missing_ok=True)
        link.symlink_to(Path("..") / base.name / part)


@torch.no_grad()
def prompts(corpus: Corpus, base: Path) -> Tensor:
    """T5 embeddings of every distinct caption in order, and of the empty one last: (n, l_t, width)."""
    captions = [*sorted(set(corpus.captions)), ""]
    tokenizer = AutoTokenizer.from_pretrained(base / "tokenizer")
    text_encoder = T5EncoderModel.from_pretrained(base / "text_encoder", dtype=torch.float32).eval()
    tokens = tokenizer(captions, padding="max_length", max_length=TEXT_TOKENS, truncation=True, return_tensors="pt")
    return text_encoder(tokens.input_ids)[0]


def train(corpus: Corpus, latents: dict[str, Tensor], base: Path, root: Path, steps: int, seed: int) -> None:
    """Train for `steps` steps of 16 clips and save a moving average in float16, with links to the parts of `base`.

    `latents` come from `fca.pocket.base.encode_corpus`. One caption in ten is dropped, for guidance.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    place = device()
    embeds = prompts(corpus, base)
    rows_of = {caption: row for row, caption in enumerate(sorted(set(corpus.captions)))}
    captions = torch.tensor([rows_of[caption] for caption in corpus.captions])
    scheduler = CogVideoXDDIMScheduler.from_pretrained(base / "scheduler")
    transformer = build_transformer().to(place)
    model = ImageToVideo(transformer)

    def loss_of(step: int) -> Tensor:
        rows = torch.from_numpy(rng.integers(len(corpus), size=BATCH))
        dropped = torch.from_numpy(rng.random(BATCH) < 0.1)
        clean, first = latents["video"][rows].float().to(place), latents["first"][rows].float().to(place)
        timestep = torch.from_numpy(rng.integers(1000, size=BATCH)).to(place)
        noisy, velocity = diffuse(scheduler.alphas_cumprod, clean, torch.randn_like(clean), timestep)
        prompt = embeds[torch.where(dropped, len(embeds) - 1, captions[rows])].to(place)
        given = InitialFrames(first, torch.zeros_like(first), torch.empty(BATCH, 0, 0))
        with torch.autocast(place.type, torch.bfloat16):
            predict = model.prepare(given, Prompt(prompt, prompt, torch.ones(prompt.shape[:2], dtype=torch.bool)))
            return v_loss(predict(noisy, timestep), velocity)

    def save(average: nn.Module, curve: Curve) -> None:
        link_shared(base, root)
        average.save_pretrained(root / "transformer")
        parameters = sum(parameter.numel() for parameter in transformer.parameters())
        figures = {"parameters": parameters, "steps": steps, "seed": seed, "batch": BATCH, "curve": curve}
        (root / "transformer" / "training.json").write_text(json.dumps(figures, indent=1) + "\n")

    fit(transformer, loss_of, save, steps, "pocket image base", weight_decay=1e-3)
