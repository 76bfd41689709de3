"""The shipped clip library is what `make clip-library` renders."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from simulation.episode import PLACES, place

pytestmark = pytest.mark.simulation

LIBRARY = Path(__file__).parents[2] / "config/pocket-clips"
LINES = [json.loads(line) for line in (LIBRARY / "clips.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_clip_rendered_again_has_the_same_frames_and_positions(name: str, split: str) -> None:
    """Frames within what the codec loses: another machine's renderer may differ in single levels."""
    line = next(line for line in LINES if (line["place"], line["split"]) == (name, split))
    episode = place(name).episode(line["task"], line["seed"])
    assert episode.succeeded

    again, positions = episode.record(), ("effector", "camera")
    assert {key: again[key] for key in again if key not in (*positions, "objects")} == {
        key: line[key] for key in line if key not in (*positions, "objects", "file")
    }
    assert again["objects"].keys() == line["objects"].keys()
    paths = [(again[key], line[key]) for key in positions]
    paths += [(again["objects"][key], line["objects"][key]) for key in line["objects"]]
    for one, other in paths:
        np.testing.assert_allclose(one, other, atol=2e-4)

    with av.open(str(LIBRARY / line["file"])) as video:
        shown = np.array([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)])
    assert shown.shape == episode.frames.shape
    error = np.mean((shown.astype(float) - episode.frames) ** 2)
    assert 10 * np.log10(255**2 / error) > 30


def test_each_place_has_as_many_clips_as_its_card_says() -> None:
    counts = {(name, split): 0 for name in PLACES for split in ("train", "validation")}
    for line in LINES:
        counts[line["place"], line["split"]] += 1
    for name in PLACES:
        tasks = {line["task"] for line in LINES if line["place"] == name}
        assert tasks == set(place(name).TASKS)
    card = (LIBRARY / "README.md").read_text()
    rows = {tuple(cell.strip() for cell in row.split("|")[1:-1]) for row in card.splitlines() if row.startswith("|")}
    for name in PLACES:
        assert any(
            row[0] == f"`{name}`" and row[2:4] == (str(counts[name, "train"]), str(counts[name, "validation"]))
            for row in rows
        ), name
