"""The BLIP-2 side of the pocket base: a small ViT and text embeddings, under BLIP-2's key names.

Only `vision_model`, `embeddings` and `qformer.layernorm` of a BLIP-2 checkpoint are ever read, so only these are
made. The ViT is trained to reconstruct masked patches of first frames, as in SimMIM. The text embeddings keep their
random initialisation: fixed, distinct vectors for words and positions are all that the layers trained on them need.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm
from transformers import Blip2Config, Blip2QFormerConfig, Blip2VisionConfig, Blip2VisionModel, PreTrainedTokenizerFast
from transformers.models.blip_2.modeling_blip_2 import Blip2TextEmbeddings

from fca.encode.blip2 import preprocess
from fca.pocket.corpus import Corpus
from fca.pocket.fit import write_record
from fca.pocket.text import load_tokenizer

WIDTH, IMAGE, PATCH = 64, 64, 8


def build_config(vocabulary: int) -> Blip2Config:
    """BLIP-2's configuration with a two-layer ViT of width 64 for 64x64 images, 65 tokens, and text of width 64."""
    sizes = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": 4}
    text = {"max_position_embeddings": 32, "encoder_hidden_size": WIDTH, "use_qformer_text_input": True}
    vision = Blip2VisionConfig(**sizes, num_hidden_layers=2, image_size=IMAGE, patch_size=PATCH)
    qformer = Blip2QFormerConfig(**sizes, **text, vocab_size=vocabulary)
    return Blip2Config(vision_config=vision.to_dict(), qformer_config=qformer.to_dict(), image_text_hidden_size=32)


def train(corpus: Corpus, root: Path, steps: int, seed: int) -> None:
    """Train the ViT for `steps` steps of 64 first frames and write `root`/vision in BLIP-2's layout.

    The tokenizer is a copy of the T5 encoder's.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    tokenizer = load_tokenizer(root, corpus.words)
    config, output = build_config(len(tokenizer)), root / "vision"
    vision = Blip2VisionModel(config.vision_config)
    head = nn.Linear(WIDTH, 3 * PATCH * PATCH)
    optimizer = torch.optim.AdamW([*vision.parameters(), *head.parameters()], lr=1e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps)

    curve = []
    for step in (bar := tqdm(range(steps), desc="pocket ViT")):
        # Mask four patches in ten and predict their pixels.
        frames = np.stack([corpus.pixels[row, 0] for row in rng.integers(len(corpus), size=64)])
        images = preprocess(torch.from_numpy(frames), IMAGE)  # (64, 3, 64, 64)
        patches = F.unfold(images, PATCH, stride=PATCH).transpose(1, 2)  # (64, 64 patches, 3 * 8 * 8)
        hidden = torch.from_numpy(rng.random((64, 1, IMAGE // PATCH, IMAGE // PATCH)) < 0.4)
        masked = images.masked_fill(F.interpolate(hidden.float(), scale_factor=PATCH) > 0.5, 0.0)
        prediction = head(vision(masked).last_hidden_state[:, 1:])
        loss = F.l1_loss(prediction, patches)

        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 50 == 49:
            curve.append({"step": step + 1, "loss": loss.item()})
            bar.set_postfix(loss=f"{loss.item():.3f}")
    save(config, vision, tokenizer, output)
    write_record(output, vision, steps=steps, seed=seed, curve=curve)


def save(config: Blip2Config, vision: Blip2VisionModel, tokenizer: PreTrainedTokenizerFast, output: Path) -> None:
    """Write the ViT, random text embeddings (from torch's generator) and the tokenizer, under BLIP-2's key names."""
    text = Blip2TextEmbeddings(config.qformer_config)
    for table in (text.word_embeddings, text.position_embeddings):
        nn.init.normal_(table.weight, std=0.02)
    parts = {"vision_model": vision, "embeddings": text, "qformer.layernorm": nn.LayerNorm(WIDTH)}
    state = {f"{part}.{key}": value for part, module in parts.items() for key, value in module.state_dict().items()}
    output.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(output)
    tokenizer.save_pretrained(output)
    save_file({key: value.half().contiguous() for key, value in state.items()}, output / "model.safetensors")
