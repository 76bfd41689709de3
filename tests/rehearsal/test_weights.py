"""What is written: the published headers and sizes; a writer that is killed, repeated, refused."""

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from diffusers import CogVideoXTransformer3DModel
from safetensors import safe_open
from tqdm import tqdm

from fca.config import Config, load
from fca.encode.shard import check_networks
from fca.errors import FcaError
from fca.pretrained.load import check_weights
from fca.rehearsal.files import Files
from fca.rehearsal.layouts import I3D_FILE
from fca.rehearsal.tensors import Safetensors
from fca.rehearsal.weights import MARK, are_random, random_files, sizes, with_random_weights, write_random_weights
from fca.score.features import load_network
from tests import kills
from tests.conftest import CONFIG
from tests.rehearsal import small

PAPER = CONFIG.with_name("paper.yaml")
GB = {
    "CogVideoX-2b/transformer/diffusion_pytorch_model.safetensors": 3.39,
    "CogVideoX-2b/vae/diffusion_pytorch_model.safetensors": 0.86,
    "CogVideoX-2b/text_encoder/model-00001-of-00002.safetensors": 4.99,
    "CogVideoX-2b/text_encoder/model-00002-of-00002.safetensors": 4.53,
    "blip2-itm-vit-g/model.safetensors": 4.69,
    "i3d/i3d_pretrained_400.pt": 0.05,
}
"""Sizes as published"""
GB_IMAGE = {
    f"CogVideoX1.5-5B-I2V/transformer/diffusion_pytorch_model-0000{number}-of-00003.safetensors": size
    for number, size in ((1, 4.98), (2, 4.95), (3, 1.22))
} | {"CogVideoX1.5-5B-I2V/vae/diffusion_pytorch_model.safetensors": 0.43}


@pytest.fixture(scope="module")
def paper() -> Config:
    return load(PAPER)


@pytest.fixture(scope="module")
def full_size(paper: Config) -> Files:
    return random_files(paper, image_base=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_sizes_are_the_published_ones(full_size: Files) -> None:
    large = {path: round(size / 1e9, 2) for path, size in sizes(full_size).items() if size > 10**7}
    assert large == GB | GB_IMAGE


def test_headers_of_full_size_pass_every_check_of_the_loaders(tmp_path: Path, paper: Config, full_size: Files) -> None:
    """Files with true headers and holes for numbers: names, shapes, tokenizers and configurations fit each other."""
    with tqdm(disable=True) as bar:
        for path, file in full_size.items():
            if isinstance(file, Safetensors):
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / path).write_bytes(file.header)
                os.truncate(tmp_path / path, file.size)
            else:
                file.write(tmp_path / path, bar)
    config = with_random_weights(paper, tmp_path, image_base=True)
    for base in (config.base, config.image_base):
        check_networks(base)
        check_weights(CogVideoXTransformer3DModel, Path(base.model) / "transformer")

    types: dict[str, set[str]] = {}
    for path in [path for path in GB | GB_IMAGE if path.endswith(".safetensors")]:
        with safe_open(tmp_path / path, framework="pt") as file:
            found = {file.get_slice(name).get_dtype() for name in list(file.keys())}
        types.setdefault(path.rpartition("/")[0], set()).update(found)
    assert types == {
        "CogVideoX-2b/transformer": {"F16"},
        "CogVideoX-2b/text_encoder": {"F16"},
        "CogVideoX-2b/vae": {"F32"},
        "blip2-itm-vit-g": {"F32"},
        "CogVideoX1.5-5B-I2V/transformer": {"BF16"},
        "CogVideoX1.5-5B-I2V/vae": {"BF16"},
    }


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name in ("one", "two"):
        small.write(tmp_path / name)
    one, two = contents(tmp_path / "one" / "weights"), contents(tmp_path / "two" / "weights")
    assert one == two
    other = small.configuration(tmp_path).model_copy(update={"seed": 43})
    write_random_weights(other, tmp_path / "one" / "weights", image_base=True, layouts=small.LAYOUTS)
    replaced = contents(tmp_path / "one" / "weights")
    weights = {path for path in one if path.endswith((".safetensors", ".pt", MARK))}
    assert {path for path in one if replaced[path] != one[path]} == weights


def test_a_killed_writer_leaves_nothing_that_looks_complete_and_continues(tmp_path: Path) -> None:
    """Killed as it writes I3D's file: that isn't there, and the files before it aren't written again."""
    for _ in range(10):
        shutil.rmtree(tmp_path / "killed", ignore_errors=True)
        folder = tmp_path / "killed" / "weights"
        if kills.kill_while_writing(folder / "i3d", I3D_FILE, small.write, tmp_path / "killed"):
            break
    else:
        pytest.fail("the writer always finished first")

    with pytest.raises(FcaError, match="no feature network"):
        load_network(folder / "i3d" / I3D_FILE)
    assert are_random(folder / "i3d" / I3D_FILE)
    complete = {path: path.stat().st_ino for path in folder.rglob("[!.]*.safetensors")}
    assert complete
    small.write(tmp_path / "killed")
    small.write(tmp_path / "whole")
    assert contents(folder) == contents(tmp_path / "whole" / "weights")
    assert {path: path.stat().st_ino for path in complete} == complete


def test_a_checkpoint_without_its_last_file_is_refused_by_the_loaders(tmp_path: Path) -> None:
    """Whatever a killed writer had begun: each part's configuration comes after its weights."""
    config = small.write(tmp_path)
    order = [path.partition("/")[2] for path in random_files(config, layouts=small.LAYOUTS) if "CogVideoX-2b" in path]
    for part in ("transformer", "vae", "text_encoder"):
        names = [path for path in order if path.startswith(part)]
        assert names[-1] == f"{part}/config.json"
    (Path(config.base.model) / "vae" / "config.json").unlink()
    with pytest.raises(FcaError, match=r"config.json is missing"):
        check_networks(config.base)


def test_a_damaged_file_is_written_again(tmp_path: Path) -> None:
    config = small.write(tmp_path)
    before = contents(tmp_path / "weights")
    for path in (Path(config.features.network), *Path(config.base.model).rglob("*.safetensors")):
        path.write_bytes(path.read_bytes()[:-1])
    (Path(config.base.model) / "tokenizer" / "spiece.model").unlink()
    small.write(tmp_path)
    assert contents(tmp_path / "weights") == before


def test_a_full_disk_is_refused_before_anything_is_written(tmp_path: Path, paper, monkeypatch) -> None:
    usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 18 * 10**9))
    with pytest.raises(FcaError, match="no room") as error:
        write_random_weights(paper, tmp_path / "weights")
    # without the image base, which wasn't asked for
    assert error.value.expected == "17657.1 MiB free"
    assert not list(tmp_path.iterdir())


def test_only_what_is_missing_needs_room(tmp_path: Path, monkeypatch) -> None:
    config = small.write(tmp_path)
    usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 0))
    small.write(tmp_path)
    next(Path(config.base.model).rglob("*.safetensors")).unlink()
    with pytest.raises(FcaError, match="no room"):
        small.write(tmp_path)


def test_weights_that_are_not_marked_as_random_are_never_touched(tmp_path: Path) -> None:
    real = tmp_path / "weights" / "blip2-itm-vit-g" / "model.safetensors"
    real.parent.mkdir(parents=True)
    real.write_bytes(b"real")
    with pytest.raises(FcaError, match="aren't marked as random"):
        small.write(tmp_path)
    assert [path.relative_to(tmp_path / "weights").as_posix() for path in (tmp_path / "weights").rglob("*")] == [
        "blip2-itm-vit-g", "blip2-itm-vit-g/model.safetensors",
    ]  # fmt: skip


def test_every_network_says_that_it_is_random(tmp_path: Path, random_base: Path) -> None:
    config = small.write(tmp_path)
    model = Path(config.base.model)
    for path in (model, model / "vae", Path(config.base.vision_model), Path(config.features.network)):
        assert are_random(path)
        assert (
            "noise"
            in next(place / "README.md" for place in (path, path.parent) if (place / MARK).is_file()).read_text()
        )
    assert are_random(Path(config.image_base.model) / "transformer")
    assert not are_random(random_base)
    assert not are_random(random_base / "vae")
    with safe_open(next(model.rglob("*.safetensors")), framework="pt") as file:
        assert "random" in file.metadata()["random"]


def test_pins_of_the_real_weights_are_dropped(tmp_path: Path, paper: Config) -> None:
    pins = {"revision": "a" * 40, "vision_revision": "b" * 40, "sha256": {"vae/config.json": "c" * 64}}
    pinned = load(PAPER, {"base": pins, "features": {"sha256": "d" * 64}})
    config = with_random_weights(pinned, tmp_path)
    assert (config.base.revision, config.base.vision_revision, config.base.sha256) == (None, None, {})
    assert config.features.sha256 is None
    assert config.image_base == paper.image_base
    assert config.base.text_tokens == paper.base.text_tokens
