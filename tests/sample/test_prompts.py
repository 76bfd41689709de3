"""A caption is the same input wherever it comes from: a clip's own, its opposite, or an edit."""

import numpy as np
import pytest
import torch

from fca.artifacts.shards import Shard, write_shard
from fca.config import Config, Layout
from fca.encode.captions import TextNetworks, caption_tables
from fca.encode.shard import encode
from fca.sample import sample
from fca.sample.edited import sample_edited
from fca.sample.prompts import encoded_prompts, prompts_of
from tests.conftest import CAPTIONS
from tests.library import clip


def encoded_with(config: Config, precision: str) -> Config:
    """Validation latents whose captions are encoded in another precision than the model predicts in.

    Their clips are encoded in fp32: convolutions in bf16 take a CPU minutes.
    """
    values = config.model_dump(mode="json")
    values["encode"]["precision"] = precision
    values["sample"]["batch_size"] = 1  # batches of another size round differently in the transformer
    edits = {"clip0": [CAPTIONS[0], "push red block right"], "clip2": ["lift blue cup", CAPTIONS[2]]}
    values["datasets"]["ssv2"]["edited_captions"] = edits
    changed = type(config).model_validate(values)
    for shard in (0, 1):
        encode(config, "ssv2", "validation", shard)
        path = Layout(config).latents("ssv2", "validation", shard)
        with Shard(path) as source:
            columns = {name: source[name][:] for name in source.names if name not in ("id", "caption")}
            columns |= caption_tables(TextNetworks.load(changed.base, precision), source.captions)
            write_shard(path, "latents", columns | {"caption": source.captions}, source.ids, {}, {}, meta=source.meta)
    return changed


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_stored_and_new_captions_have_the_same_embeddings_bit_for_bit(project, precision):
    config = encoded_with(project, precision)
    new, new_empty = encoded_prompts(config, "fca", ["look left", *reversed(CAPTIONS), "a caption of no clip"])
    for number in (0, 1):
        with Shard(Layout(config).latents("ssv2", "validation", number)) as source:
            stored, empty = prompts_of(source)
            rows = [len(CAPTIONS) - CAPTIONS.index(caption) for caption in source.captions]
        for name in ("prompt_embeds", "text_embeds", "text_mask"):
            assert torch.equal(getattr(stored, name), getattr(new.rows(rows), name)), name
            assert torch.equal(getattr(empty, name), getattr(new_empty, name)), name


def test_a_captions_embedding_does_not_depend_on_the_others(project):
    networks = TextNetworks.load(project.base, "bf16")
    alone = caption_tables(networks, ["lift blue cup"])
    among = caption_tables(networks, [*CAPTIONS, "lift blue cup"])
    assert among["prompt"].tolist()[1] == among["prompt"].tolist()[-1] != 0
    for name in ("prompt_embeds", "text_embeds", "text_mask"):
        assert np.array_equal(alone[name][1], among[name][among["prompt"][1]]), name
        assert np.array_equal(alone[name][0], among[name][0]), name


def test_the_same_caption_as_own_opposite_and_edited_gives_the_same_pixels(trained, opposites):
    config = encoded_with(trained, "fp32")  # the VAE would decode for minutes in bf16; embeddings in bf16: see above
    layout = Layout(config)

    def frames(kind: str, id: str) -> np.ndarray:
        with Shard(layout.samples("ssv2", "fca", kind, 0)) as shard:
            return shard.frames[shard.ids.index(id)]

    for kind in ("validation", "opposite"):
        sample(config, "ssv2", "fca", kind, 0)
    sample_edited(config, "ssv2", "fca")
    assert np.array_equal(frames("edited", "clip0/1"), frames("validation", "clip0"))
    assert np.array_equal(frames("edited", "clip0/2"), frames("opposite", "clip0"))
    assert np.array_equal(frames("edited", "clip2/1"), frames("opposite", "clip2"))
    assert np.array_equal(frames("edited", "clip2/2"), frames("validation", "clip2"))
    assert not np.array_equal(frames("opposite", "clip0"), frames("validation", "clip0"))

    opposites |= {f"clip{row}": clip(opposite=caption) for row, caption in enumerate(CAPTIONS)}
    layout.samples("ssv2", "fca", "opposite", 0).unlink()  # else it is reused: no setting has changed
    sample(config, "ssv2", "fca", "opposite", 0)
    for id in ("clip0", "clip1", "clip2"):
        assert np.array_equal(frames("opposite", id), frames("validation", id))
