"""The pocket base from nothing to its card, in a few steps of each training: the order of the parts and their files."""

import pytest

from fca.config import Base
from fca.encode.networks import load_vae
from fca.model import FCAAdapter
from fca.model.build import load_denoiser
from fca.model.image_to_video import ImageToVideo
from fca.pocket.build import PARTS, main
from fca.sample import FCAPipeline

STEPS = {"features": 50, "vae": 2, "base": 100, "vision": 50, "adapter": 100, "image_base": 2}


@pytest.mark.slow
def test_every_part_can_be_trained_from_nothing_and_works_together(tmp_path):
    root = tmp_path / "base"
    settings = ["--output", str(root), "--cache", str(tmp_path / "cache"), "--clips", "24", "--held-out", "8"]
    assert set(STEPS) == set(PARTS)
    main([*settings, *[f"--{part.replace('_', '-')}-steps={steps}" for part, steps in STEPS.items()]])
    assert {path.name for path in root.iterdir()} >= {"vae", "transformer", "text_encoder", "tokenizer", "scheduler"}
    assert "held-out reconstruction" in (root / "README.md").read_text()
    assert FCAAdapter.from_pretrained(root / "adapter").config.queries_per_frame == 16
    assert FCAPipeline.from_pretrained(root / "adapter").scheduler is not None
    image = Base(model=str(tmp_path / "image-base"), vision_model=str(root / "vision"), text_tokens=16)
    denoiser, _ = load_denoiser(image, None, "fp32")
    assert isinstance(denoiser, ImageToVideo)
    assert load_vae(image, "fp32").config.latent_channels == 16  # a link to the pocket base's
