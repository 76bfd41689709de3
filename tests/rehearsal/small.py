"""The published layouts at a small width, and a configuration for them."""

from dataclasses import replace
from pathlib import Path

from fca.config import Config
from fca.pretrained import published
from fca.rehearsal.layouts import Layouts
from fca.rehearsal.weights import write_random_weights
from tests.conftest import small_config
from tests.pretrained.folders import SMALL_QFORMER, SMALL_T5, SMALL_TRANSFORMER, SMALL_VAE, SMALL_VISION

PUBLISHED = Layouts()
ROWS = {"vocab_size": 512}
WIDTH = {"hidden_size": 64, "intermediate_size": 128}
"""That of the pocket scale's adapter"""
T5 = published.TEXT_ENCODER | SMALL_T5 | ROWS
BLIP2 = published.BLIP2 | {
    "vision_config": published.BLIP2["vision_config"] | SMALL_VISION,
    "qformer_config": published.BLIP2["qformer_config"] | SMALL_QFORMER | WIDTH | ROWS,
    "image_text_hidden_size": 8,
}
LAYOUTS = Layouts(
    base=replace(
        PUBLISHED.base,
        transformer=published.TRANSFORMER_2B | SMALL_TRANSFORMER,
        vae=published.VAE_2B | SMALL_VAE,
        text_encoder=T5,
    ),
    image_base=replace(
        PUBLISHED.image_base,
        transformer=published.TRANSFORMER_5B_I2V | SMALL_TRANSFORMER | {"ofs_embed_dim": 16},
        vae=published.VAE_5B_I2V | SMALL_VAE,
        text_encoder=T5,
    ),
    vision=BLIP2,
    shard_bytes=70_000,
)
"""T5 is in two shards, as published."""


def configuration(folder: Path) -> Config:
    """The pocket's settings for four training steps on clips of 48x32 pixels; its networks are replaced."""
    return small_config(folder, folder / "none")


def write(folder: Path) -> Config:
    """All four networks at the small width below `folder`/weights, and the configuration that names them."""
    return write_random_weights(configuration(folder), folder / "weights", image_base=True, layouts=LAYOUTS)
