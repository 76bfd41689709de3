"""The networks shipped in config/pocket-base: their size, their format, and their results on unseen clips."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLCogVideoX
from transformers import AutoTokenizer

from fca.data.tabletop.captions import caption_text, opposite_caption
from fca.data.tabletop.sample import sample_scene
from fca.data.tabletop.scene import MOTIONS, STYLES
from fca.pocket.corpus import draw, to_video
from fca.pocket.text import TEXT_TOKENS
from fca.pocket.vae import psnr
from fca.score.features import load_network

BASE = Path(__file__).resolve().parents[2] / "config/pocket-base"
FRESH = 77_000_000  # far from the seeds of training, of the held-out clips and of the demo


@pytest.fixture(scope="module")
def fresh() -> tuple[np.ndarray, list[int]]:
    drawn = [draw(FRESH + number) for number in range(48)]
    return np.stack([pixels for pixels, *_ in drawn]), [motion for _, _, motion, _ in drawn]


def test_the_shipped_networks_are_small_and_hold_no_code():
    files = [path for path in BASE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 15 * 2**20
    weights = {path.suffix for path in files if path.stat().st_size > 100_000}
    assert weights == {".safetensors"}
    assert (BASE / "README.md").is_file()


@pytest.mark.parametrize("folder", ["tokenizer", "vision"])
def test_both_text_sides_read_every_caption_to_its_end_word_by_word(folder):
    tokenizer = AutoTokenizer.from_pretrained(BASE / folder)
    rng = np.random.default_rng(FRESH)
    captions = {caption_text(sample_scene(rng, STYLES[number % len(STYLES)])) for number in range(2000)}
    captions |= {opposite_caption(caption) for caption in captions}
    assert len(captions) > 150
    for caption in captions:
        ids = tokenizer(caption).input_ids
        assert len(ids) == len(caption.split()) + 1 <= TEXT_TOKENS
        assert tokenizer.decode(ids, skip_special_tokens=True) == caption


def test_the_vae_reconstructs_unseen_clips(fresh):
    vae = AutoencoderKLCogVideoX.from_pretrained(BASE / "vae", torch_dtype=torch.float32).eval()
    scores = []
    with torch.no_grad():
        for start in range(0, 8, 4):
            video = to_video(fresh[0][start : start + 4])
            scores.append(psnr(vae.decode(vae.encode(video).latent_dist.mode()).sample, video))
    claimed = json.loads((BASE / "vae/training.json").read_text())["held_out_psnr_db"]
    assert claimed >= 30
    assert np.mean(scores) >= claimed - 1.0


def test_the_feature_network_names_the_motions_of_unseen_clips(fresh):
    pixels, motions = fresh
    network = load_network(BASE / "features")
    assert list(network.classes) == list(MOTIONS)
    found = network.extract(pixels, 16).logits.argmax(axis=1)
    assert np.mean(found == np.array(motions)) >= 0.9
