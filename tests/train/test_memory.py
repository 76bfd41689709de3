"""Checkpointed layers: exactly those asked for, fewer numbers kept, and the same gradients."""

from itertools import pairwise

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import flops
from fca.train.memory import checkpoint_denoiser, checkpoint_layers
from tests.model.test_variants import make, run

LAYERS = 3


def kept_bytes_and_gradients(model, world) -> tuple[int, list[torch.Tensor]]:
    """Bytes that autograd keeps for the backward pass, each storage once, and the gradients."""
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    model.zero_grad()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = run(model, world).square().sum()
    loss.backward()
    return sum(kept.values()), [weight.grad.clone() for weight in model.trained().values()]


@pytest.mark.parametrize("variant", ["fca", "uniform_refined", "after_gate"])
def test_any_range_of_layers_changes_no_gradient(variant):
    model, world = make(variant, LAYERS)
    _, expected = kept_bytes_and_gradients(model, world)
    for layers in (1, 2, LAYERS, LAYERS + 5, 0):
        checkpoint_layers(model.transformer, layers)
        _, found = kept_bytes_and_gradients(model, world)
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("variant", ["fca", "uniform_refined"])
def test_gamma_runs_again_only_if_all_layers_do(variant):
    """Its gradients stay the same bits, and less is kept."""
    model, world = make(variant, LAYERS)
    gamma = model.adapter.conditioning or model.adapter.layers[0].conditioning
    calls: list[int] = []
    gamma.register_forward_pre_hook(lambda *_: calls.append(1))
    found = {}
    for layers in (LAYERS - 1, LAYERS, LAYERS + 5, 0):
        calls.clear()
        checkpoint_denoiser(model, layers)
        found[layers] = kept_bytes_and_gradients(model, world)
        assert len(calls) == (2 if layers >= LAYERS else 1), layers
    assert all(map(torch.equal, found[LAYERS][1], found[0][1]))
    checkpoint_layers(model.transformer, LAYERS)
    assert found[LAYERS][0] < kept_bytes_and_gradients(model, world)[0]


@pytest.mark.parametrize("layers", [0, 1, 2, LAYERS])
def test_the_first_layers_and_no_others_run_again(layers):
    model, world = make("fca", LAYERS)
    checkpoint_layers(model.transformer, layers)
    calls = [0] * LAYERS

    def count(index: int):
        return lambda module, args, output: calls.__setitem__(index, calls[index] + 1)

    for index, block in enumerate(model.transformer.transformer_blocks):
        block.norm2.register_forward_hook(count(index))
    velocity = model.prepare(world.initial_frames, world.whole_prompt)
    calls[:] = [0] * LAYERS  # the reference pass needs no gradients
    velocity(world.noisy, world.timestep).square().sum().backward()
    assert calls == [2] * layers + [1] * (LAYERS - layers)


def test_each_layer_saves_memory():
    kept = []
    for layers in range(LAYERS + 1):
        model, world = make("fca", LAYERS)
        checkpoint_layers(model.transformer, layers)
        kept.append(kept_bytes_and_gradients(model, world)[0])
    assert all(more > fewer for more, fewer in pairwise(kept))


def test_what_runs_again_is_what_the_closed_form_says():
    model, world = make("fca", LAYERS)
    sizes = flops.Sizes.of(model.transformer, model.adapter, tuple(world.noisy.shape[-2:]), 5, 4, 7)
    counted = []
    for layers in (0, 2):
        checkpoint_layers(model.transformer, layers)
        with sdpa_kernel(SDPBackend.MATH):
            prediction = run(model, world)
            with FlopCounterMode(display=False) as counter:
                prediction.square().sum().backward()
        counted.append(counter.get_total_flops())
    assert counted[0] == len(world.noisy) * flops.backward(sizes)
    assert counted[1] - counted[0] == len(world.noisy) * flops.recomputed(sizes, layers=2)
