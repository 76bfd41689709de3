"""The networks shipped in config/pocket-base: their size, their format, and their results on clips of the library."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLCogVideoX
from transformers import AutoTokenizer

from fca.pocket.corpus import FRAMES, HEIGHT, WIDTH, to_video
from fca.pocket.positions import Clips, errors_by_place
from fca.pocket.text import TEXT_TOKENS
from fca.pocket.vae import psnr
from fca.score.features import load_network
from fca.score.positions import load_reader
from fca.video.frame_selection import cast, cast_plan

ROOT = Path(__file__).resolve().parents[2]
BASE, LIBRARY = ROOT / "config/pocket-base", ROOT / "config/pocket-clips"


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (LIBRARY / "clips.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def unseen(records) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Pixels (48, 16, 64, 96, 3) of clips whose seeds no training has seen, 16 of each place, and their records."""
    chosen: list[dict[str, Any]] = []
    for place in ("hand", "arm", "kitchen"):
        chosen += [record for record in records if (record["place"], record["split"]) == (place, "validation")][:16]
    return np.stack([read(LIBRARY / record["file"]) for record in chosen]), chosen


def read(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return cast(dict(enumerate(frames)), cast_plan(len(frames), FRAMES), WIDTH, HEIGHT, "stretch")


def test_the_shipped_networks_are_small_and_hold_no_code():
    files = [path for path in BASE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 25 * 2**20
    weights = {path.suffix for path in files if path.stat().st_size > 100_000}
    assert weights == {".safetensors"}
    assert (BASE / "README.md").is_file()


@pytest.mark.parametrize("folder", ["tokenizer", "vision"])
def test_both_text_sides_read_every_caption_to_its_end_word_by_word(folder, records):
    tokenizer = AutoTokenizer.from_pretrained(BASE / folder)
    captions = {record[key] for record in records for key in ("caption", "opposite") if record[key]}
    assert len(captions) > 250
    for caption in captions:
        ids = tokenizer(caption).input_ids
        assert len(ids) == len(caption.split()) + 1 <= TEXT_TOKENS
        assert tokenizer.decode(ids, skip_special_tokens=True) == caption


def test_the_vae_reconstructs_unseen_clips(unseen):
    vae = AutoencoderKLCogVideoX.from_pretrained(BASE / "vae", torch_dtype=torch.float32).eval()
    scores = []
    with torch.no_grad():
        for rows in ([0, 1, 16, 17], [32, 33, 20, 4]):
            video = to_video(unseen[0][rows])
            scores.append(psnr(vae.decode(vae.encode(video).latent_dist.mode()).sample, video))
    claimed = json.loads((BASE / "vae/training.json").read_text())["held_out_psnr_db"]
    assert claimed >= 28
    assert np.mean(scores) >= claimed - 1.5


def test_the_feature_network_names_the_tasks_of_unseen_clips(unseen, records):
    pixels, chosen = unseen
    network = load_network(BASE / "features")
    assert network.classes is not None
    assert set(network.classes) == {record["label"] for record in records}
    found = [network.classes[index] for index in network.extract(pixels, 16).logits.argmax(axis=1)]
    assert np.mean([one == record["label"] for one, record in zip(found, chosen, strict=True)]) >= 0.9


def test_the_position_reader_is_as_far_off_unseen_clips_as_its_record_says(unseen):
    pixels, chosen = unseen
    clips = Clips.of_records(pixels, [at_frames_shown(record) for record in chosen])
    record = json.loads((BASE / "positions/training.json").read_text())["held_out_error"]["sharp"]
    found = errors_by_place(load_reader(BASE / "positions"), clips, 0.0)
    for place, claimed in record.items():
        for target in ("effector", "object"):
            assert found[place][target]["end"] < 2 * claimed[target]["end"] < found[place][target]["end_of_start"]


def at_frames_shown(record: dict[str, Any]) -> dict[str, Any]:
    """The record of the 16 frames that a clip of 48 shows."""
    shown = slice(1, None, 3)
    camera = record["camera"] if len(record["camera"]) == 1 else record["camera"][shown]
    objects = {name: path[shown] for name, path in record["objects"].items()}
    return record | {"effector": record["effector"][shown], "objects": objects, "camera": camera}
