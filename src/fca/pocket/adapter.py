"""Train the shipped pocket adapter: FCA on the frozen pocket base, with simulated clips of all three places.

The demo continues from this adapter on each dataset's own clips (`train.init_from`). The model, the objective and the
conditioning are the workflow's own (`fca.train.objective.TrainingModel`).
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import CogVideoXDDIMScheduler, CogVideoXTransformer3DModel
from torch import Tensor, nn
from tqdm import tqdm

from fca.encode.blip2 import Blip2Folder, image_features
from fca.encode.captions import tokens_of
from fca.model import FCA, FCAAdapter
from fca.pocket.base import BATCH
from fca.pocket.corpus import FRAMES, HEIGHT, WIDTH, Corpus
from fca.pocket.fit import Curve, continued, fit, write_record
from fca.pocket.text import TEXT_TOKENS, TEXT_WIDTH, prompt_embeddings
from fca.pretrained.exported import ExportedModel
from fca.pretrained.load import device
from fca.train.objective import TrainingModel


def exported_model(root: Path) -> ExportedModel:
    """Description of the adapter, with the sampling settings of `config/pocket.yaml`."""
    return ExportedModel(
        base=str(root),
        revision=None,
        vision_model=str(root / "vision"),
        vision_revision=None,
        text_tokens=TEXT_TOKENS,
        caption_tokens=32,
        t_ref=1,
        frames=FRAMES,
        width=WIDTH,
        height=HEIGHT,
        resize="stretch",
        initial_frames=None,
        steps=25,
        guidance_scale=1.5,
    )


@torch.no_grad()
def conditions(corpus: Corpus, root: Path, cache: Path) -> dict[str, Tensor]:
    """Frozen features: `vision` of each clip, and its row `prompt` in `prompt_embeds`, `text_embeds`, `text_mask`."""
    captions, prompt = corpus.distinct_captions()
    prompt_embeds = prompt_embeddings(root, captions)
    blip2 = Blip2Folder(root / "vision")
    if not cache.exists():
        starts = tqdm(range(0, len(corpus), 64), desc="image features")
        first = (torch.from_numpy(np.ascontiguousarray(corpus.pixels[start : start + 64, 0])) for start in starts)
        image_encoder = blip2.image_encoder(torch.float32)
        torch.save(torch.cat([image_features(image_encoder, pixels).half() for pixels in first]), cache)
    tokens = tokens_of(blip2.tokenizer, captions, 32)
    return {
        "prompt": prompt,
        "prompt_embeds": prompt_embeds,
        "text_embeds": blip2.caption_embeddings()(tokens.input_ids),
        "text_mask": tokens.attention_mask.bool(),
        "vision": torch.load(cache, weights_only=True),
    }


def train(corpus: Corpus, latents: dict[str, Tensor], root: Path, cache: Path, steps: int, seed: int) -> None:
    """Train for `steps` steps of 16 clips and save a moving average of the adapter to `root`/adapter.

    `latents` come from `fca.pocket.base.encode_corpus`. Clips of the hand have two initial frames, the others one, as
    in the datasets that they stand in for. Training starts from the weights in `root`/adapter if there are any.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    frozen = conditions(corpus, root, cache)

    # Build FCA on the frozen base.
    transformer = CogVideoXTransformer3DModel.from_pretrained(root / "transformer", torch_dtype=torch.float32)
    scheduler = CogVideoXDDIMScheduler.from_pretrained(root / "scheduler")
    adapter = FCAAdapter.for_transformer(
        transformer,
        latent_frames=4,
        queries_per_frame=TEXT_TOKENS,
        text_width=TEXT_WIDTH,
        vision_width=frozen["vision"].shape[-1],
        conditioning_heads=4,
    )
    adapter, torch_device = continued(root / "adapter", adapter), device()
    adapter.to(torch_device)
    alphas = scheduler.alphas_cumprod.float()
    model = TrainingModel(FCA(transformer, adapter, alphas, t_ref=1), alphas).to(torch_device)

    two_frames = torch.from_numpy(corpus.places == "hand")
    initial = torch.where(two_frames.view(-1, 1, 1, 1, 1), latents["two"], latents["first"])

    def loss_of(step: int) -> Tensor:
        rows = torch.from_numpy(rng.integers(len(corpus), size=BATCH))
        captions = frozen["prompt"][rows]
        clean = latents["video"][rows].float()
        batch = {
            "clean": clean,
            "initial": initial[rows].float(),
            "noise": torch.randn_like(clean),
            "initial_noise": torch.randn_like(clean[:, :1]),
            "timestep": torch.from_numpy(rng.integers(1000, size=BATCH)),
            **{name: frozen[name][captions] for name in ("prompt_embeds", "text_embeds", "text_mask")},
            "vision": frozen["vision"][rows].float(),
        }
        with torch.autocast(torch_device.type, torch.bfloat16):
            return model({name: tensor.to(torch_device) for name, tensor in batch.items()})

    def save(average: nn.Module, curve: Curve) -> None:
        average.save_pretrained(root / "adapter")
        exported_model(root).write(root / "adapter")
        write_record(root / "adapter", adapter, steps=steps, seed=seed, batch=BATCH, curve=curve)

    fit(adapter, loss_of, save, steps, "pocket adapter", weight_decay=1e-4)
