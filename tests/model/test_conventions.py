"""What diffusers offers for any model works for the adapter: attention backends, checkpointing, casting, precision."""

import pytest
import torch
import torch.nn.functional as F

import fca.model.attention
from fca.model import FCAAdapter
from tests.model.conftest import small_adapter, small_transformer
from tests.model.test_adapter import run


def test_the_default_attention_is_torchs_to_the_last_bit(world, monkeypatch):
    found = run(world, world.condition())
    monkeypatch.setattr(
        fca.model.attention,
        "attend",
        lambda query, keys, values, _=None: F.scaled_dot_product_attention(query, keys, values),
    )
    assert torch.equal(run(world, world.condition()), found)


def test_an_attention_backend_of_the_transformer_reaches_the_adapter(world, monkeypatch):
    used = []
    dispatch = fca.model.attention.dispatch_attention_fn
    monkeypatch.setattr(
        fca.model.attention,
        "dispatch_attention_fn",
        lambda *states, backend: used.append(backend) or dispatch(*states, backend=backend),
    )
    expected = run(world, world.condition())
    assert set(used) == {None}
    used.clear()
    world.transformer.set_attention_backend("_native_math")
    try:
        found = run(world, world.condition())
    finally:
        world.transformer.reset_attention_backend()
        world.transformer.set_attention_backend("native")
        world.transformer.reset_attention_backend()
    assert {backend.value for backend in used} == {"_native_math"}
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_gradient_checkpointing_of_the_adapter_changes_no_gradient(world):
    gradients = []
    for _ in range(2):
        world.adapter.zero_grad()
        run(world, world.condition()).square().sum().backward()
        gradients.append({name: weight.grad.clone() for name, weight in world.adapter.named_parameters()})
        world.adapter.enable_gradient_checkpointing()
    assert world.adapter.is_gradient_checkpointing
    for name, gradient in gradients[0].items():
        assert torch.equal(gradient, gradients[1][name]), name


def test_checkpointing_keeps_fewer_activations(world):
    def kept() -> int:
        sizes: dict[int, int] = {}

        def pack(tensor):
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            run(world, world.condition())
        return sum(sizes.values())

    before = kept()
    world.adapter.enable_gradient_checkpointing()
    assert kept() < before


def test_scales_stay_in_float32_when_the_adapter_is_loaded_in_bf16(tmp_path):
    small_adapter(small_transformer()).save_pretrained(tmp_path)
    adapter = FCAAdapter.from_pretrained(tmp_path, dtype=torch.bfloat16)
    kept = {name for name, weight in adapter.named_parameters() if weight.dtype == torch.float32}
    assert kept == {f"layers.{index}.attention.scale" for index in range(2)}
    assert adapter.dtype == torch.bfloat16


def test_a_base_stored_in_float8_predicts_nearly_the_same(world):
    expected = run(world, world.condition())
    world.transformer.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)
    assert world.transformer.transformer_blocks[0].ff.net[2].weight.dtype == torch.float8_e4m3fn
    assert world.transformer.dtype == torch.float32
    found = run(world, world.condition())
    assert 0 < (found - expected).norm() / expected.norm() < 0.1


@pytest.mark.parametrize("kind", [FCAAdapter._repeated_blocks, FCAAdapter._no_split_modules])
def test_the_named_blocks_exist(kind):
    adapter = small_adapter(small_transformer())
    assert set(kind) <= {type(module).__name__ for module in adapter.modules()}
