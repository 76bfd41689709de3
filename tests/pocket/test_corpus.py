"""The rendered corpus: what is trained on, what is measured on, and at which size."""

import json

import numpy as np
import pytest
from PIL import Image

from fca.errors import FcaError
from fca.pocket import corpus
from tests.pocket.corpora import write_chunks


def test_no_clip_to_measure_on_is_trained_on(tmp_path):
    write_chunks(tmp_path / "rendered", clips=3, held_out=2)
    made, unseen = (corpus.read(tmp_path / "rendered", held_out) for held_out in (False, True))
    seeds = [{(record["place"], record["seed"]) for record in clips.records} for clips in (made, unseen)]
    assert [len(made), len(unseen)] == [9, 6]
    assert not seeds[0] & seeds[1]


def test_pixels_belong_to_their_records_and_are_resized_with_a_wide_triangle(tmp_path):
    write_chunks(tmp_path / "rendered", clips=2, held_out=1)
    clips = corpus.read(tmp_path / "rendered", held_out=False)
    row = next(row for row, record in enumerate(clips.records) if (record["place"], record["seed"]) == ("kitchen", 1))
    rendered = np.load(tmp_path / "rendered/kitchen-0000000.npy")[1, 5]
    wanted = Image.fromarray(rendered).resize((corpus.WIDTH, corpus.HEIGHT), Image.Resampling.BILINEAR)
    assert np.abs(clips.pixels[row, 5].astype(int) - np.asarray(wanted)).max() <= 1
    assert clips.captions[row] == "kitchen moves up"
    assert clips.tasks[row] == "kitchen-1"


def test_chunks_that_are_rendered_later_are_read_too(tmp_path):
    write_chunks(tmp_path / "rendered", clips=2, held_out=1)
    assert len(corpus.read(tmp_path / "rendered", held_out=False)) == 6
    first = tmp_path / "rendered/arm-0000000.npy"
    later = first.with_name("arm-0000050.npy")
    np.save(later, np.load(first)[::-1])
    lines = [json.loads(line) for line in first.with_suffix(".jsonl").read_text().splitlines()]
    later.with_suffix(".jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[::-1]))
    clips = corpus.read(tmp_path / "rendered", held_out=False)
    assert len(clips) == 8
    assert np.array_equal(clips.pixels[0], clips.pixels[3])


def test_a_folder_without_clips_names_the_command_that_renders_them(tmp_path):
    with pytest.raises(FcaError, match="make pocket-corpus"):
        corpus.read(tmp_path, held_out=False)
