"""The published networks at their full size, without a byte of memory or disk: parameters, names, files.

Weight files are written with a true header and nothing behind it (a hole in the file), as large as the published
ones; names and shapes are all that is read of them here.
"""

import json
from pathlib import Path

import pytest
from accelerate import init_empty_weights
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from torch import nn
from transformers import Blip2Config, Blip2ForImageTextRetrieval, T5Config, T5EncoderModel

from benchmarks.hollow import write_folder
from fca.errors import FcaError
from fca.model import FCAAdapter
from fca.pretrained import published as configs
from fca.pretrained.load import check_weights


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def diffusers_network(kind: type, settings: configs.Settings) -> nn.Module:
    with init_empty_weights():
        return kind.from_config(settings)


@pytest.fixture(scope="module")
def transformer_2b() -> nn.Module:
    return diffusers_network(CogVideoXTransformer3DModel, configs.TRANSFORMER_2B)


@pytest.fixture(scope="module")
def transformer_5b() -> nn.Module:
    return diffusers_network(CogVideoXTransformer3DModel, configs.TRANSFORMER_5B_I2V)


@pytest.fixture(scope="module")
def text_encoder() -> T5EncoderModel:
    with init_empty_weights():
        network = T5EncoderModel(T5Config(**configs.TEXT_ENCODER))
    network.encoder.embed_tokens = network.shared  # tied, and once in the files
    return network


def linear(inner: int, outer: int) -> int:
    return inner * outer + outer


def transformer_parameters(width: int, layers: int, patch: int, output: int, offset_width: int = 0) -> int:
    """CogVideoX's transformer counted manually; a patch has `patch` numbers coming in and `output` going out."""
    attention = 4 * linear(width, width) + 2 * 2 * 64
    feed_forward = linear(width, 4 * width) + linear(4 * width, width)
    adaptive_norm = linear(512, 6 * width) + 2 * width
    block = attention + feed_forward + 2 * adaptive_norm
    ends = linear(patch, width) + linear(4096, width) + linear(width, output)
    times = linear(width, 512) + linear(512, 512) + 2 * (linear(offset_width, offset_width) if offset_width else 0)
    norms = 2 * width + linear(512, 2 * width) + 2 * width
    return layers * block + ends + times + norms


def adapter_parameters(width: int) -> dict[str, int]:
    """One layer of the adapter counted manually, with 904 queries of width 768 and a ViT of width 1408."""
    self_attention = 4 * linear(768, 768) + 2 * 768
    cross_attention = 2 * linear(768, 768) + 2 * linear(1408, 768) + 2 * 768
    feed_forward = linear(768, 3072) + linear(3072, 768) + 2 * 768
    return {
        "attention": 4 * linear(width, width) + 2 * 2 * 64 + 1,
        "pre_norm": 2 * width + linear(512, 2 * width),
        "conditioning": 904 * 768 + self_attention + cross_attention + feed_forward + linear(768, width),
    }


def test_the_transformer_of_cogvideox_2b(transformer_2b: nn.Module) -> None:
    network = transformer_2b
    assert parameters(network) == 1_693_783_872
    assert parameters(network) == transformer_parameters(1920, 30, patch=16 * 4, output=16 * 4)
    assert parameters(network.transformer_blocks[0]) == 56_081_536
    names = set(network.state_dict())
    assert {"patch_embed.proj.weight", "patch_embed.text_proj.bias", "time_embedding.linear_2.weight"} <= names
    assert {f"transformer_blocks.29.attn1.{part}.bias" for part in ("norm_q", "norm_k", "to_q", "to_out.0")} <= names
    assert {"transformer_blocks.0.norm1.linear.weight", "transformer_blocks.0.ff.net.0.proj.weight"} <= names
    assert {"norm_final.weight", "norm_out.linear.weight", "norm_out.norm.bias", "proj_out.weight"} <= names
    assert "patch_embed.pos_embedding" not in names  # computed


def test_the_transformer_of_cogvideox_15_5b_i2v(transformer_5b: nn.Module) -> None:
    network = transformer_5b
    assert parameters(network) == 5_571_594_880
    assert parameters(network) == transformer_parameters(3072, 42, patch=32 * 8, output=16 * 8, offset_width=512)
    assert {"ofs_embedding.linear_1.weight", "patch_embed.proj.weight"} <= set(network.state_dict())


@pytest.mark.parametrize("settings", [configs.VAE_2B, configs.VAE_5B_I2V])
def test_the_vae(settings: configs.Settings) -> None:
    network = diffusers_network(AutoencoderKLCogVideoX, settings)
    counts = [round(parameters(part) / 1e6, 1) for part in (network, network.encoder, network.decoder)]
    assert counts == [215.6, 92.2, 123.4]
    assert network.config.scaling_factor == settings["scaling_factor"]
    assert network.config.invert_scale_latents == settings.get("invert_scale_latents", False)


def test_the_text_encoder(text_encoder: T5EncoderModel) -> None:
    assert round(parameters(text_encoder) / 1e9, 3) == 4.762


def test_blip2() -> None:
    with init_empty_weights():
        network = Blip2ForImageTextRetrieval(Blip2Config.from_dict(configs.BLIP2))
    assert parameters(network) == 1_172_032_258
    assert parameters(network.vision_model) == 985_952_256
    assert parameters(network.embeddings) == 23_834_880
    names = set(network.state_dict())
    layer = "vision_model.encoder.layers.38"
    assert {f"{layer}.self_attn.qkv.bias", f"{layer}.self_attn.projection.weight", f"{layer}.mlp.fc2.bias"} <= names
    assert {"vision_model.embeddings.class_embedding", "vision_model.embeddings.position_embedding"} <= names
    assert {"embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"} <= names
    assert {"qformer.layernorm.weight", "vision_model.post_layernorm.bias"} <= names


@pytest.mark.parametrize(
    "base, millions",
    [
        ("transformer_2b", {"attention": 442.6, "pre_norm": 59.2, "conditioning": 378.2}),
        ("transformer_5b", {"attention": 1586.0, "pre_norm": 132.6, "conditioning": 566.6}),
    ],
)
def test_the_adapter_module_by_module(base: str, millions: dict[str, float], request: pytest.FixtureRequest) -> None:
    transformer = request.getfixturevalue(base)
    with init_empty_weights():
        adapter = FCAAdapter.for_transformer(
            transformer,
            latent_frames=4,
            queries_per_frame=226,
            text_width=768,
            vision_width=1408,
            conditioning_heads=12,
        )
    found = {name: sum(parameters(getattr(layer, name)) for layer in adapter.layers) for name in millions}
    counted = adapter_parameters(transformer.config.num_attention_heads * 64)
    assert found == {name: transformer.config.num_layers * count for name, count in counted.items()}
    assert {name: round(count / 1e6, 1) for name, count in found.items()} == millions
    assert parameters(adapter) == sum(found.values())
    if base == "transformer_2b":
        assert parameters(adapter) == 879_985_950  # 880 M


def problem(kind: type, folder: Path) -> str:
    with pytest.raises(FcaError) as error:
        check_weights(kind, folder)
    return error.value.problem


def test_one_file_of_full_size_fits_and_another_size_is_named(tmp_path: Path, transformer_2b: nn.Module) -> None:
    kind, settings, name = CogVideoXTransformer3DModel, configs.TRANSFORMER_2B, "diffusion_pytorch_model"
    folder = write_folder(tmp_path / "transformer", settings, transformer_2b, name, shards=1)
    assert round((folder / f"{name}.safetensors").stat().st_size / 1e9, 2) == 3.39
    check_weights(kind, folder)
    (folder / "config.json").write_text(json.dumps(settings | {"num_attention_heads": 29, "num_layers": 29}))
    told = problem(kind, folder)
    assert "not expected: transformer_blocks.29.attn1.norm_k.bias" in told
    assert "norm_final.bias is (1920,) instead of (1856,)" in told


def test_shards_of_full_size_fit_and_a_missing_one_is_named(
    tmp_path: Path, transformer_5b: nn.Module, text_encoder: T5EncoderModel
) -> None:
    name = "diffusion_pytorch_model"
    folder = write_folder(tmp_path / "transformer", configs.TRANSFORMER_5B_I2V, transformer_5b, name, shards=3)
    check_weights(CogVideoXTransformer3DModel, folder)
    (folder / f"{name}-00002-of-00003.safetensors").unlink()
    assert f"lacks {name}-00002-of-00003.safetensors" in problem(CogVideoXTransformer3DModel, folder)

    folder = write_folder(tmp_path / "text_encoder", configs.TEXT_ENCODER, text_encoder, "model", shards=2)
    sizes = [path.stat().st_size for path in folder.glob("model-0000?-of-00002.safetensors")]
    assert round(sum(sizes) / 1e9, 2) == 9.52
    check_weights(T5EncoderModel, folder)
    (folder / "model-00001-of-00002.safetensors").rename(folder / "model.safetensors")
    assert "both" in problem(T5EncoderModel, folder)
    (folder / "model.safetensors").unlink()
    assert "lacks model-00001-of-00002.safetensors" in problem(T5EncoderModel, folder)
    index = folder / "model.safetensors.index.json"
    index.write_text("{}")
    assert f"{index} is no index" in problem(T5EncoderModel, folder)
