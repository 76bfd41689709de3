"""Captions of two bases with the same T5 are stored once."""

import shutil

import h5py
import numpy as np
import pytest

from fca.artifacts.check import check
from fca.artifacts.shards import Shard
from fca.config import Layout
from fca.encode.shard import encode
from fca.errors import FcaError
from tests.conftest import write_clips

TABLES = ("prompt_embeds", "text_embeds", "text_mask")


@pytest.fixture
def project(project, random_base, random_image_base):
    """Both bases, with the text networks in folders of their own that are the same to the byte."""
    networks = {"model": str(random_image_base), "vision_model": str(random_base / "vision")}
    return project.model_copy(update={"image_base": project.image_base.model_copy(update=networks)})


def shard(config, base: str) -> Shard:
    return Shard(Layout(config).latents("ssv2", "validation", 0, base), kind="latents")


def links(config) -> list[str]:
    with h5py.File(Layout(config).latents("ssv2", "validation", 0, "image")) as file:
        return [name for name in file if isinstance(file.get(name, getlink=True), h5py.ExternalLink)]


def test_the_tables_are_those_of_the_other_base_and_take_no_space(project, tmp_path):
    alone = encode(project, "ssv2", "validation", 0, "image")
    values = {name: shard(project, "image")[name][:] for name in shard(project, "image").names}
    assert links(project) == []
    size = Layout(project).latents("ssv2", "validation", 0, "image").stat().st_size

    encode(project, "ssv2", "validation", 0, "text")
    linked = encode(project, "ssv2", "validation", 0, "image")
    assert links(project) == sorted(TABLES)
    assert linked.sha256 == alone.sha256, "the content is the same"
    for name, value in values.items():
        assert np.array_equal(shard(project, "image")[name][:], value), name
    saved = size - Layout(project).latents("ssv2", "validation", 0, "image").stat().st_size
    assert saved > 0.9 * sum(values[name].nbytes for name in TABLES)
    assert shard(project, "image").verify()

    # The folder moves, and what it holds moves along.
    layout = Layout(project)
    moved = layout.root.rename(tmp_path / "elsewhere")
    with Shard(moved / layout.latents("ssv2", "validation", 0, "image").relative_to(layout.root)) as again:
        assert np.array_equal(again["prompt_embeds"][:], values["prompt_embeds"])


def test_another_t5_or_another_length_is_encoded(project, random_image_base, tmp_path):
    encode(project, "ssv2", "validation", 0, "text")
    shorter = project.image_base.model_copy(update={"text_tokens": 8})
    encode(project.model_copy(update={"image_base": shorter}), "ssv2", "validation", 0, "image")
    assert links(project) == []

    folder = shutil.copytree(random_image_base, tmp_path / "base")
    weights = folder / "text_encoder/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    other = project.image_base.model_copy(update={"model": str(folder)})
    encode(project.model_copy(update={"image_base": other}), "ssv2", "validation", 0, "image")
    assert links(project) == []


def test_tables_of_other_clips_are_never_read(project):
    encode(project, "ssv2", "validation", 0, "text")
    encode(project, "ssv2", "validation", 0, "image")
    write_clips(project, change=7)
    encode(project, "ssv2", "validation", 0, "text")
    with pytest.raises(FcaError, match=r"text/validation-0000\.h5, which holds its prompt_embeds, was made again"):
        shard(project, "image")
    assert [bad.state for bad in check(project, ["ssv2"])[1]] == ["damaged", "stale"]
    encode(project, "ssv2", "validation", 0, "image")
    assert links(project) == sorted(TABLES)
    assert check(project, ["ssv2"])[1] == []

    Layout(project).latents("ssv2", "validation", 0, "text").unlink()
    with pytest.raises(FcaError, match=r"text/validation-0000\.h5, which holds its prompt_embeds, is missing"):
        shard(project, "image")
