"""The networks shipped in config/pocket-base: their size, their format, and their results on the library's clips."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLCogVideoX
from transformers import AutoTokenizer

from fca.data.library.clips import read_clips
from fca.pocket.text import TEXT_TOKENS
from fca.score.features import load_network
from fca.score.pixels import psnr
from tests.library import pixels, shipped

BASE = Path(__file__).resolve().parents[2] / "config/pocket-base"
PLACES = {"ssv2": "hand", "bridge": "arm", "epic": "kitchen"}


def test_the_shipped_networks_are_small_and_hold_no_code():
    files = [path for path in BASE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 15 * 2**20
    weights = {path.suffix for path in files if path.stat().st_size > 100_000}
    assert weights == {".safetensors"}
    assert (BASE / "README.md").is_file()


@pytest.mark.parametrize("folder", ["tokenizer", "vision"])
def test_both_text_sides_read_every_caption_to_its_end_word_by_word(folder):
    tokenizer = AutoTokenizer.from_pretrained(BASE / folder)
    clips = read_clips(BASE.with_name("pocket-clips"))
    captions = {caption for clip in clips for caption in (clip.caption, clip.opposite) if caption is not None}
    assert len(captions) > 150
    for caption in captions:
        ids = tokenizer(caption).input_ids
        assert len(ids) == len(caption.split()) + 1 <= TEXT_TOKENS
        assert tokenizer.decode(ids, skip_special_tokens=True) == caption


def test_the_vae_reconstructs_validation_clips():
    vae = AutoencoderKLCogVideoX.from_pretrained(BASE / "vae", torch_dtype=torch.float32).eval()
    scores = []
    for dataset in PLACES:
        clips = [pixels(clip) for clip in list(shipped(dataset, "validation").values())[:3]]
        video = torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3) / 127.5 - 1
        with torch.no_grad():
            decoded = vae.decode(vae.encode(video).latent_dist.mode()).sample
        levels = (127.5 * (decoded.clamp(-1, 1) + 1)).round().byte().permute(0, 2, 3, 4, 1).numpy()
        scores += [psnr(one, other).mean() for one, other in zip(levels, clips, strict=True)]
    claimed = json.loads((BASE / "vae/training.json").read_text())["held_out_psnr_db"]
    assert claimed >= 30
    assert np.mean(scores) >= claimed - 1.0


@pytest.mark.parametrize("dataset", PLACES)
def test_the_feature_network_names_the_tasks_of_validation_clips(dataset):
    clips = list(shipped(dataset, "validation").values())[:24]
    network = load_network(BASE / "features")
    logits = network.extract(np.stack([pixels(clip) for clip in clips]), 16).logits
    labels = [network.classes[index] for index in logits.argmax(axis=1)]
    assert np.mean([one == clip.label for one, clip in zip(labels, clips, strict=True)]) >= 0.7
