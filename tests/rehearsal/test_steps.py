"""Random weights go through the real loaders and steps; everything that they make is finite and follows its input."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import CogVideoXTransformer3DModel
from transformers import T5Config, T5EncoderModel

from fca.artifacts.shards import Shard
from fca.config import Config, Layout
from fca.encode.shard import encode
from fca.pretrained import published
from fca.pretrained.load import load_pretrained
from fca.rehearsal.layouts import I3D_FILE, i3d_files
from fca.rehearsal.tensors import specs
from fca.sample import sample
from fca.score.features import load_network
from fca.train.loop import train
from tests.conftest import encode_stored, write_clips
from tests.rehearsal import small


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A project with random networks, whose clips are stored."""
    config = small.write(tmp_path_factory.mktemp("rehearsal"))
    write_clips(config)
    return config


def differ(arrays: np.ndarray) -> bool:
    """Whether the first two rows are neither equal nor constant."""
    return not np.array_equal(arrays[0], arrays[1]) and arrays.std() > 0


def test_clips_are_encoded_and_predicted_by_both_bases(config: Config) -> None:
    layout = Layout(config)
    for base, variant in (("text", "base"), ("image", "image_to_video")):
        encode(config, "ssv2", "validation", 0, base)
        with Shard(layout.latents("ssv2", "validation", 0, base), kind="latents") as shard:
            assert all(differ(shard[name][:]) for name in ("mean", "init_mean", "vision", "prompt_embeds"))
            assert 0.1 < shard["mean"][:].std() < 10
        sample(config, "ssv2", variant, "validation", 0)
        with Shard(layout.samples("ssv2", variant, "validation", 0), kind="samples") as shard:
            assert differ(shard.frames[:])


def test_an_adapter_is_trained_on_the_base_and_predicts(config: Config) -> None:
    for shard in (0, 1):
        encode_stored(config, "train", shard)
    encode(config, "ssv2", "validation", 0)
    train(config, "ssv2", "fca")
    sample(config, "ssv2", "fca", "validation", 0)
    with Shard(Layout(config).samples("ssv2", "fca", "validation", 0), kind="samples") as shard:
        assert differ(shard.frames[:])


def test_the_i3d_file_is_read_as_the_published_one(config: Config) -> None:
    network = load_network(config.features.network)
    assert network.config.name == "i3d"
    clips = np.random.default_rng(0).integers(0, 256, (2, 8, 32, 48, 3), dtype=np.uint8)
    clips[1] //= 2
    logits = network.features(clips)
    assert logits.shape == (2, 400)
    assert differ(logits)
    assert 0.01 < logits.std() < 100


@torch.no_grad()
def filled(kind: type, settings: object) -> torch.nn.Module:
    """A network with the values of its `specs`, without files."""
    network = kind(settings) if isinstance(settings, T5Config) else kind.from_config(settings)
    values = specs(network, torch.float32)
    state = {name: torch.cat(list(spec.parts(0, name))).reshape(spec.shape) for name, spec in values.items()}
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert set(missing) <= {"encoder.embed_tokens.weight"}
    assert not unexpected
    return network.eval()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@torch.no_grad()
def test_activations_keep_their_size_through_the_published_depth(dtype: torch.dtype) -> None:
    """A narrow T5 of 24 layers and a narrow transformer of 30: outputs of about unit size in any precision."""
    narrow = {"d_model": 128, "d_kv": 32, "d_ff": 320, "num_heads": 4, "vocab_size": 512}
    text = filled(T5EncoderModel, T5Config(**published.TEXT_ENCODER | narrow)).to(dtype)
    tokens = torch.arange(32).view(2, 16) + 100
    prompt = text(tokens)[0].float()
    assert 0.3 < prompt.std() < 3
    assert (prompt[0] - prompt[1]).std() > 0.3

    narrow = {"num_attention_heads": 4, "attention_head_dim": 32, "time_embed_dim": 64, "text_embed_dim": 128}
    sizes = {"sample_height": 4, "sample_width": 6, "sample_frames": 13, "max_text_seq_length": 16}
    transformer = filled(CogVideoXTransformer3DModel, published.TRANSFORMER_2B | narrow | sizes).to(dtype)
    latents = torch.randn(2, 4, 16, 4, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    time = torch.full((2,), 500)
    velocity = transformer(latents, prompt.to(dtype), time).sample.float()
    assert 0.3 < velocity.std() < 3
    other = transformer(latents, prompt.flip(0).to(dtype), time).sample.float()
    assert (velocity - other).abs().mean() > 0.003  # the caption counts


def test_the_transformer_has_the_values_of_its_specs(config: Config) -> None:
    """Through files, shards and loaders: every weight is where its name says."""
    network = load_pretrained(CogVideoXTransformer3DModel, Path(config.base.model) / "transformer", torch.float16)
    expected = specs(network, torch.float16)
    for name, tensor in network.state_dict().items():
        values = torch.cat(list(expected[name].parts(config.seed, "transformer", name)))
        assert torch.equal(tensor, values.reshape(tensor.shape)), name


def test_the_i3d_is_the_same_from_run_to_run() -> None:
    files = [i3d_files(seed)[I3D_FILE].content for seed in (0, 0, 1)]
    assert files[0] == files[1] != files[2]
