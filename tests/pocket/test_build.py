"""The pocket base from nothing to a card, in two steps of everything: the order of the parts and what they hand on."""

import pytest

from fca.model import FCAAdapter
from fca.pocket.build import PARTS, main
from fca.sample import FCAPipeline

ONE = [f"--{part}-steps=100" if part in ("base", "adapter") else f"--{part}-steps=2" for part in PARTS]


@pytest.mark.slow
def test_every_part_can_be_made_from_nothing_and_works_together(tmp_path):
    root = tmp_path / "base"
    settings = ["--output", str(root), "--cache", str(tmp_path / "cache"), "--clips", "24", "--held-out", "8"]
    main([*settings, *[step.replace("=2", "=50") if "vision" in step or "features" in step else step for step in ONE]])
    assert {path.name for path in root.iterdir()} >= {"vae", "transformer", "text_encoder", "tokenizer", "scheduler"}
    assert "held-out reconstruction" in (root / "README.md").read_text()
    assert FCAAdapter.from_pretrained(root / "adapter").config.queries_per_frame == 16
    assert FCAPipeline.from_pretrained(root, adapter=root / "adapter").scheduler is not None
