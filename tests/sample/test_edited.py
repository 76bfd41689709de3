"""Predictions from edited captions: the sentence alone differs from the clip's own prediction."""

from dataclasses import replace

import numpy as np
import pytest

from fca.artifacts.check import check
from fca.artifacts.manifest import Manifest
from fca.artifacts.quarantine import Quarantine
from fca.artifacts.shards import Shard
from fca.config import Config, Layout
from fca.encode.shard import encode
from fca.errors import FcaError
from fca.report.collect import collect
from fca.sample import sample
from fca.sample.edited import sample_edited
from tests.conftest import CAPTIONS


def with_edits(config: Config, edits: dict[str, list[str]]) -> Config:
    """The configuration with these edited captions of ssv2, and no other; batches of one, which round alike."""
    values = config.model_dump(mode="json")
    values["datasets"]["ssv2"]["edited_captions"] = edits
    values["sample"]["batch_size"] = 1
    return type(config).model_validate(values)


def own_predictions(config: Config, variant: str = "fca") -> dict[str, tuple[np.ndarray, int]]:
    """Frames and seed of each clip, from its own caption."""
    layout, found = Layout(config), {}
    for number in layout.shards("ssv2", "validation"):
        sample(config, "ssv2", variant, "validation", number)
        with Shard(layout.samples("ssv2", variant, "validation", number)) as shard:
            found |= dict(zip(shard.ids, zip(shard.frames[:], shard["seed"][:], strict=True), strict=True))
    return found


def test_a_clips_own_caption_gives_its_own_prediction_to_the_last_bit(trained):
    """Same initial frames, same noise, same rounding of the text: clips of both shards, in another order."""
    edits = {"clip4": ["look left", CAPTIONS[4]], "clip0": [CAPTIONS[0]], "clip2": [CAPTIONS[2], "lift blue cup"]}
    config = with_edits(trained, edits)
    own = own_predictions(config)
    manifest = sample_edited(config, "ssv2", "fca")
    with Shard(Layout(config).samples("ssv2", "fca", "edited", 0), kind="samples") as edited:
        edited.verify()
        assert sorted(edited.ids) == ["clip0/1", "clip2/1", "clip2/2", "clip4/1", "clip4/2"]
        for row, name in enumerate(edited.ids):
            clip, number = name.split("/")
            frames, seed = own[clip]
            caption = edits[clip][int(number) - 1]
            assert edited.captions[row] == caption
            assert edited["seed"][row] == seed
            same = np.array_equal(edited.frames[row], frames)
            assert same == (caption == CAPTIONS[int(clip[-1])]), name
    assert sorted(manifest.parents) == [
        "ssv2/latents/text/validation-0000.h5",
        "ssv2/latents/text/validation-0001.h5",
        "ssv2/models/fca.json",
    ]
    found = collect(config)[0].variant("fca")
    assert found
    assert sorted(found.edited) == sorted(manifest.ids)
    assert found.edited.read("clip4/1")[1] == "look left"


def test_an_unknown_clip_is_refused_before_any_network_is_loaded(project, monkeypatch):
    for shard in (0, 1):
        encode(project, "ssv2", "validation", shard)

    def load(*_: object) -> None:
        raise AssertionError("a network was loaded")

    monkeypatch.setattr("fca.sample.prompts.TextNetworks.load", load)
    monkeypatch.setattr("fca.sample.edited.load_networks", load)
    config = with_edits(project, {"clip0": ["look left"], "clip_99": ["look left"], "7": ["look left"]})
    with pytest.raises(FcaError) as caught:
        sample_edited(config, "ssv2", "fca")
    assert caught.value.problem == "datasets.ssv2.edited_captions: '7', 'clip_99' are no validation clips in use"
    assert caught.value.expected == "ids of the 5 that are, such as 'clip0', 'clip1', 'clip2'"
    assert not Layout(config).samples("ssv2", "fca", "edited", 0).exists()
    monkeypatch.setattr("fca.sample.edited.model_parent", lambda *_: {})
    with pytest.raises(AssertionError, match="a network was loaded"):
        sample_edited(with_edits(project, {"clip0": ["look left"]}), "ssv2", "fca")


@pytest.mark.parametrize("variant", ["base", "no_ftc", "repeat"])
def test_only_trained_variants_of_the_results_are_asked(project, variant):
    config = with_edits(project, {"clip0": ["look left"]})
    with pytest.raises(FcaError, match="no edited captions"):
        sample_edited(config, "ssv2", variant)


def test_without_the_latents_it_says_which_step_is_missing(project):
    encode(project, "ssv2", "validation", 0)
    with pytest.raises(FcaError, match=r"no manifest .*validation-0001\.json"):
        sample_edited(with_edits(project, {"clip0": ["look left"]}), "ssv2", "fca")


def test_a_quarantined_clip_has_a_row_and_no_prediction(trained):
    row = Quarantine("ssv2", "validation", "gone", "index", "videos/gone.webm", "no such file")
    path = Layout.manifest(Layout(trained).latents("ssv2", "validation", 1))
    replace(Manifest.read(path), quarantine=[row]).write(path)

    config = with_edits(trained, {"gone": ["look left"], "clip0": ["look left"]})
    made = sample_edited(config, "ssv2", "fca")
    assert (list(made.ids), list(made.quarantine)) == (["clip0/1"], [row])
    with Shard(Layout(config).samples("ssv2", "fca", "edited", 0), kind="samples") as edited:
        own = edited.frames[:]

    config = with_edits(trained, {"gone": ["look left"]})
    made = sample_edited(config, "ssv2", "fca")
    assert (made.count, list(made.quarantine)) == (0, [row])
    with Shard(Layout(config).samples("ssv2", "fca", "edited", 0), kind="samples") as none:
        assert (none.manifest, none.frames.shape) == (made, (0, *own[0].shape))
    assert row in collect(config)[0].quarantine
    assert check(config, ["ssv2"], workers=1)[1] == []
