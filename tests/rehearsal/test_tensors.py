"""Values by name: their sizes by what a parameter does, in chunks, streamed into files that safetensors reads."""

import json
from pathlib import Path

import pytest
import torch
from accelerate import init_empty_weights
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm
from transformers import Blip2Config, Blip2VisionModel, T5Config, T5EncoderModel

from fca.pretrained import published
from fca.rehearsal.files import weight_files
from fca.rehearsal.tensors import CHUNK, Safetensors, Spec, specs
from fca.score.i3d import InceptionI3d
from tests.pretrained.folders import SMALL_T5, SMALL_VISION


def values(spec: Spec, *seed: int | str) -> Tensor:
    return torch.cat(list(spec.parts(*seed)))


def test_values_are_sized_by_what_a_parameter_does() -> None:
    """T5's are those of its own initialisation: its queries carry the factor of attention logits."""
    with init_empty_weights():
        found = specs(T5EncoderModel(T5Config(**published.TEXT_ENCODER | SMALL_T5)), torch.float32)
        vision = specs(Blip2VisionModel(Blip2Config(vision_config=SMALL_VISION).vision_config), torch.float32)
        i3d = specs(InceptionI3d(width=0.125), torch.float32, gain=2**0.5)
    assert "encoder.embed_tokens.weight" not in found  # one tensor with shared.weight
    layer, width, head = "encoder.block.0.layer.0", SMALL_T5["d_model"], SMALL_T5["d_kv"]
    stds = {
        "shared.weight": 1.0,
        f"{layer}.SelfAttention.q.weight": (width * head) ** -0.5,
        f"{layer}.SelfAttention.k.weight": width**-0.5,
        f"{layer}.SelfAttention.relative_attention_bias.weight": 0.02,
        "encoder.block.1.layer.1.DenseReluDense.wo.weight": SMALL_T5["d_ff"] ** -0.5,
    }
    for name, std in stds.items():
        assert values(found[name], name).std().item() == pytest.approx(std, rel=0.2), name

    assert values(vision["embeddings.patch_embedding.weight"]).std().item() == pytest.approx((3 * 64) ** -0.5, rel=0.1)
    assert values(vision["embeddings.position_embedding"]).std().item() == pytest.approx(0.02, rel=0.2)
    assert (values(vision["post_layernorm.weight"]) == 1).all()
    assert not values(vision["post_layernorm.bias"]).any()
    unit = "Mixed_3b.b1b"
    inputs = 27 * i3d[f"{unit}.conv3d.weight"].shape[1]
    assert values(i3d[f"{unit}.conv3d.weight"]).std().item() == pytest.approx((2 / inputs) ** 0.5, rel=0.1)
    assert (values(i3d[f"{unit}.bn.running_var"]) == 1).all()
    assert not values(i3d[f"{unit}.bn.running_mean"]).any()
    assert i3d[f"{unit}.bn.num_batches_tracked"] == Spec((), torch.int64, 0, 0)


def test_large_tensors_come_in_chunks_that_differ() -> None:
    spec = Spec((2, CHUNK + 3), torch.float16, 0, 1)
    parts = list(spec.parts(0, "large"))
    assert [len(part) for part in parts] == [CHUNK, CHUNK, 6]
    assert not torch.equal(parts[0], parts[1])
    assert sum(part.nbytes for part in parts) == spec.size
    again = values(spec, 0, "large")
    assert torch.equal(again, torch.cat(parts))
    assert not torch.equal(again[:100], values(spec, 0, "other")[:100])
    assert torch.equal(values(Spec((CHUNK + 2,), torch.int64, 0, 0)), torch.arange(CHUNK + 2))


def test_a_file_holds_its_tensors_whatever_their_types(tmp_path: Path) -> None:
    file = Safetensors(
        {
            "half": Spec((3, 5), torch.float16, 0, 1),
            "count": Spec((4,), torch.int64, 0, 0),
            "brain": Spec((7,), torch.bfloat16, 1, 0),
            "single": Spec((2, 2, 2), torch.float32, 0, 1),
            "scalar": Spec((), torch.int64, 0, 0),
        },
        "part",
        seed=3,
    )
    with tqdm(disable=True) as bar:
        file.write(tmp_path / "file.safetensors", bar)
    found = load_file(tmp_path / "file.safetensors")
    assert found.keys() == file.tensors.keys()
    for name, tensor in found.items():
        spec = file.tensors[name]
        assert (tensor.dtype, tuple(tensor.shape)) == (spec.dtype, spec.shape)
        assert torch.equal(tensor.flatten(), values(spec, 3, "part", name))
    header = json.loads(file.header[8:])
    for name, spec in file.tensors.items():
        start = len(file.header) + header[name]["data_offsets"][0]
        assert start % spec.dtype.itemsize == 0, f"{name} isn't aligned"
    assert (tmp_path / "file.safetensors").stat().st_size == file.size
    assert file.is_at(tmp_path / "file.safetensors")


def test_shards_are_filled_in_order_up_to_a_size() -> None:
    tensors = {name: Spec((size,), torch.float16, 1, 0) for name, size in (("a", 30), ("b", 20), ("c", 60), ("d", 10))}
    files = weight_files(tensors, "part", "model", seed=0, most=100)
    index = json.loads(files.pop("part/model.safetensors.index.json").content)
    assert [sorted(file.tensors) for file in files.values()] == [["a", "b"], ["c"], ["d"]]
    assert list(files) == [f"part/model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
    assert index["metadata"] == {"total_size": 240}
    assert index["weight_map"] == {name: Path(path).name for path, file in files.items() for name in file.tensors}
    assert list(weight_files(tensors, "part", "model", seed=0, most=240)) == ["part/model.safetensors"]
