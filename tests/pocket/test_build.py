"""The pocket base from nothing to its card, in a few steps of each training: the order of the parts and their files."""

import pytest

from fca.config import Base
from fca.encode.vae import load_vae
from fca.model import FCAAdapter
from fca.model.build import load_denoiser
from fca.model.image_to_video import ImageToVideo
from fca.pocket.build import PARTS, build
from fca.sample import FCAPipeline
from tests.pocket.corpora import write_chunks

STEPS = {"features": 50, "positions": 2, "vae": 2, "base": 100, "vision": 50, "adapter": 100, "image_base": 2}


@pytest.mark.slow
def test_every_part_can_be_trained_from_nothing_and_works_together(tmp_path):
    root = tmp_path / "base"
    assert set(STEPS) == set(PARTS)
    write_chunks(tmp_path / "cache", clips=8, held_out=3)
    build(PARTS, root, tmp_path / "cache", seed=0, threads=None, steps=STEPS)
    assert {path.name for path in root.iterdir()} >= {"vae", "transformer", "text_encoder", "tokenizer", "scheduler"}
    assert "held-out reconstruction" in (root / "README.md").read_text()
    assert FCAAdapter.from_pretrained(root / "adapter").config.queries_per_frame == 16
    assert FCAPipeline.from_pretrained(root / "adapter").scheduler is not None
    image = Base(model=str(tmp_path / "image-base"), vision_model=str(root / "vision"), text_tokens=16)
    denoiser, _ = load_denoiser(image, None, "fp32")
    assert isinstance(denoiser, ImageToVideo)
    assert load_vae(image, "fp32").config.latent_channels == 16  # a link to the pocket base's
