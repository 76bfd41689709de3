"""Compiled layers: the same gradients, and as many graphs for many layers as for few."""

import pytest
import torch
import torch._dynamo
from torch._dynamo.utils import counters

from fca.train.compile import compile_layers
from fca.train.memory import checkpoint_layers
from tests.model.test_variants import make, run


def gradients(model, world) -> dict[str, torch.Tensor]:
    model.zero_grad()
    run(model, world).square().sum().backward()
    return {name: weight.grad.clone() for name, weight in model.trained().items()}


def graphs(variant: str, layers: int) -> int:
    """How many graphs a step of this many layers is compiled to, its gradients being those of the step as it was."""
    model, world = make(variant, layers)
    checkpoint_layers(model.transformer, 2)
    expected = gradients(model, world)
    torch._dynamo.reset()
    counters.clear()
    compile_layers(model, backend="aot_eager")  # the graphs of inductor, without waiting for its C++ compiler
    found = gradients(model, world)
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert not counters["graph_break"]
    return counters["stats"]["unique_graphs"]


@pytest.mark.parametrize("variant", ["fca", pytest.param("after_gate", marks=pytest.mark.slow)])
def test_more_layers_are_no_more_to_compile_and_have_the_same_gradients(variant):
    assert 0 < graphs(variant, 3) == graphs(variant, 5) < 15
