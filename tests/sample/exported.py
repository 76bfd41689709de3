"""A small exported model with random weights, and calls of its pipeline."""

from pathlib import Path

import numpy as np
import torch
from diffusers import CogVideoXTransformer3DModel
from PIL import Image

from fca.model import FCAAdapter
from fca.pretrained.exported import ExportedModel
from fca.sample import FCAPipeline

SHIPPED = Path(__file__).resolve().parents[2] / "config/pocket-base/adapter"
SIZE = WIDTH, HEIGHT = 48, 32
SHAPE = HEIGHT, WIDTH


def write_model(folder: Path, base: Path) -> None:
    """The adapter and its model.json, for the frozen networks in `base`."""
    transformer = CogVideoXTransformer3DModel.from_pretrained(base / "transformer", dtype=torch.float32)
    sizes = {"latent_frames": 4, "queries_per_frame": 16, "text_width": 64, "vision_width": 64}
    torch.manual_seed(2)
    FCAAdapter.for_transformer(transformer, conditioning_heads=4, **sizes).save_pretrained(folder)
    own = {"base": str(base), "vision_model": str(base / "vision"), "steps": 2, "width": WIDTH, "height": HEIGHT}
    ExportedModel.read(SHIPPED).model_copy(update=own).write(folder)


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((width, height))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def predict(pipeline: FCAPipeline, image=None, prompt="lift blue cup", seed=42, output_type="np", **settings):
    """The first video of a call: an array (F, H, W, 3) in [0, 1], unless asked otherwise."""
    image = picture(320, 240) if image is None else image
    return pipeline(image, prompt, generator=seeded(seed), output_type=output_type, **settings).frames[0]
