"""A NaN in any network is an error that names clip and step, and leaves no result: real networks, one bad weight."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from fca.artifacts.finite import finite
from fca.artifacts.shards import Shard
from fca.cli.main import main
from fca.config import Config, Layout
from fca.encode.shard import encode
from fca.errors import FcaError
from fca.sample import sample
from fca.score.score import score, write_json
from fca.score.vae_roundtrip import score_vae_roundtrip
from tests.conftest import CAPTIONS, CONFIG, small_config, write_clips

SHARD = ("clip0", "clip1", "clip2")
TEXTS = ("", *sorted(CAPTIONS[:3]))
FEATURES = CONFIG.parent / "pocket-base/features"


def spoil(file: Path, part: str) -> None:
    """Put a NaN into the first weight whose name contains `part`."""
    state = load_file(file)
    name = next(name for name in state if part in name)
    state[name].view(-1)[0] = torch.nan
    save_file(state, file)


def spoiled(config: Config, folder: Path, file: str, part: str) -> Config:
    """The configuration with a copy of its networks, one weight of which is NaN."""
    shutil.copytree(config.base.model, folder)
    spoil(folder / file, part)
    base = config.base.model_copy(update={"model": str(folder), "vision_model": str(folder / "vision")})
    return config.model_copy(update={"base": base})


def files(config: Config, *kinds: str) -> list[Path]:
    found = (path for path in Layout(config).root.rglob("*") if path.is_file())
    return sorted(path for path in found if set(kinds) & set(path.relative_to(Layout(config).root).parts))


def test_rows_are_named_and_everything_else_passes_as_it_is():
    good = torch.ones(3, 2, dtype=torch.bfloat16)
    assert finite(good, "latents", "abc") is good
    assert finite(np.empty((0, 4)), "features").shape == (0, 4)
    bad = np.ones((8, 2, 2))
    bad[[1, 3], 1, 0] = np.inf, np.nan
    with pytest.raises(FcaError, match="latents: NaN or infinite for 'b', 'd'\nexpected: finite"):
        finite(bad, "latents", "abcdefgh")
    with pytest.raises(FcaError, match="'a', 'b', 'c', 'd', 'e' and 3 more"):
        finite(bad * np.nan, "latents", "abcdefgh")
    with pytest.raises(FcaError, match="latents: NaN or infinite\n"):
        finite(torch.tensor(torch.nan), "latents")


@pytest.mark.parametrize(
    ("file", "part", "what", "names"),
    [
        ("vae/diffusion_pytorch_model.safetensors", "encoder", "the VAE's latents", SHARD[:1]),
        ("vision/model.safetensors", "vision_model", "BLIP-2's image features", SHARD),
        ("vision/model.safetensors", "embeddings.word_embeddings", "BLIP-2's text embeddings", TEXTS),
        ("text_encoder/model.safetensors", "layer_norm", "T5's embeddings", ("",)),
    ],
)
def test_encode(project, tmp_path, file, part, what, names):
    config = spoiled(project, tmp_path / "networks", file, part)
    with pytest.raises(FcaError) as caught:
        encode(config, "ssv2", "validation", 0)
    assert caught.value.problem == f"{what}: NaN or infinite for {', '.join(map(repr, names))}"
    assert files(config, "latents") == []


@pytest.mark.parametrize(
    ("file", "part", "problem"),
    [
        (
            *("transformer", "transformer_blocks.1.attn1.to_q"),
            "the latents after step 1 of 3 (timestep 999): NaN or infinite for 'clip0', 'clip1'",
        ),
        ("vae", "decoder", "the decoded pixels: NaN or infinite for 'clip0'"),  # clip by clip
    ],
)
def test_sample(project, tmp_path, file, part, problem):
    for shard in (0, 1):
        encode(project, "ssv2", "validation", shard)
    config = spoiled(project, tmp_path / "networks", f"{file}/diffusion_pytorch_model.safetensors", part)
    with pytest.raises(FcaError) as caught:
        sample(config, "ssv2", "base", "validation", 0)
    assert caught.value.problem == problem
    assert files(config, "samples") == []
    if file == "vae":
        with pytest.raises(FcaError, match=problem):
            score_vae_roundtrip(config, "ssv2")
        assert files(config, "scores") == []


def test_the_one_bad_clip_is_named(project):
    encode(project, "ssv2", "validation", 0)
    path = Layout(project).latents("ssv2", "validation", 0)
    with Shard(path) as source:
        ids = source.ids
    from fca.sample import ddim, shard

    networks = shard.load_networks(project, "ssv2", "base")
    with Shard(path) as source:
        prompts, empty = shard.prompts_of(source)
        start, noise, _ = shard.starting_point(project, "ssv2", source, [0, 1, 2], torch.device("cpu"))
    noise[1, 2, 3, 3, 5] = torch.nan
    with pytest.raises(FcaError, match=r"step 1 of 2 \(timestep 999\): NaN or infinite for 'clip1'\n"):
        ddim.predict_latents(
            networks.denoiser, networks.scheduler, start, prompts, empty.rows([0] * 3), noise, 2, 2.0, clips=ids
        )


def test_score(project, tmp_path):
    network = tmp_path / "features"
    shutil.copytree(FEATURES, network)
    spoil(network / "model.safetensors", "conv3d.weight")
    features = project.features.model_copy(update={"network": str(network)})
    config = project.model_copy(update={"features": features})
    with pytest.raises(
        FcaError, match=r"(logits|features) of [a-z0-9-]+: NaN or infinite for 'clip0', 'clip1', 'clip2'"
    ):
        score(config, "ssv2", "repeat")
    assert files(config, "scores", "features") == []


def test_a_score_that_is_not_finite_is_named_and_no_file_is_written(tmp_path):
    rows = [{"id": "clip0", "imaging_quality": 0.5}, {"id": "clip1", "imaging_quality": float("nan")}]
    values = {"scores": {"fvd": {"value": float("inf"), "low": 1.0}}, "clips": rows, "count": 2, "ssim": [0.1, None]}
    with pytest.raises(FcaError, match=r"NaN or infinite for 'scores\.fvd\.value', 'clips\.clip1\.imaging_quality'\n"):
        write_json(tmp_path / "scores.json", values)
    assert list(tmp_path.iterdir()) == []


def test_predict(tmp_path, random_base, capsys):
    config = small_config(tmp_path, random_base)
    write_clips(config)
    config = spoiled(config, tmp_path / "networks", "transformer/diffusion_pytorch_model.safetensors", "proj_out")
    model = tmp_path / "model"
    shutil.copytree(CONFIG.parent / "pocket-base/adapter", model)
    start, out = tmp_path / "start.png", tmp_path / "next.mp4"
    Image.new("RGB", (96, 64), "teal").save(start)
    command = ["predict", "--frames", str(start), "--prompt", "look left", "--out", str(out), "--steps", "2"]
    assert main([*command, "--model", str(model), "--base", config.base.model]) == 1
    assert "the latents after step 1 of 2 (timestep 999): NaN or infinite" in capsys.readouterr().err
    assert not out.exists()
