"""Count what a piece of work takes, on networks without values: the peak of its memory and its operations."""

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, register_flop_formula

from fca.model.denoiser import rotary_table

M = TypeVar("M", bound=nn.Module)
CPU_ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
CPU_ATTENTION_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


class Count(TorchDispatchMode):
    """Counts what runs inside; the tensors `held` are in memory from the start.

    Memory is that of every storage from the operation that makes it until nothing refers to it any more. What kernels
    take for themselves, the context and the allocator's rounding are not in it.
    """

    def __init__(self, held: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.peak = 0
        """Most bytes at a time so far"""
        self.operations = 0
        """Of products, convolutions and attention; a multiply-add is two, as in torch's FlopCounterMode"""
        self._sizes: dict[int, int] = {}
        self._now = 0
        for tensor in held:
            self._note(tensor)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, Tensor):
                self._note(each)
        if (formula := flop_registry.get(func._overloadpacket)) is not None:
            self.operations += formula(*args, **(kwargs or {}), out_val=result)
        return result

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._sizes:
            self._sizes[storage._cdata] = storage.nbytes()
            self._now += storage.nbytes()
            self.peak = max(self.peak, self._now)
            weakref.finalize(storage, self._freed, storage._cdata)

    def _freed(self, identifier: int) -> None:
        self._now -= self._sizes.pop(identifier)


@register_flop_formula(CPU_ATTENTION)
def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    """Operations of the attention that torch chooses where this runs; it has formulas for GPUs' only."""
    batch, heads, queries, width = query
    return 2 * batch * heads * queries * key[2] * (width + value[3])


@register_flop_formula(CPU_ATTENTION_BACKWARD)
def _attention_backward(grad: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    """Twice the forward pass, without the scores that a kernel computes again."""
    return 2 * _attention(query, key, value)


@contextmanager
def without_values() -> Iterator[None]:
    """Tensors made inside have a shape and a device, the CPU, but no values and no memory."""
    rotary_table.cache_clear()
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            yield
    finally:
        rotary_table.cache_clear()  # so that no tensor without values stays in it


def filled(module: M, dtype: torch.dtype | None = None) -> M:
    """The network, until now on the meta device, with weights for `without_values`, in `dtype` if given."""
    if dtype is not None:
        with unset_fake_temporarily():
            nn.Module.to(module, dtype)  # diffusers' own warns of parts kept in float32, of which there are none
    return module.to_empty(device="cpu")


@contextmanager
def autocast_of_a_gpu(enabled: bool) -> Iterator[None]:
    """Autocast to bf16 on the CPU, but with layer norms in float32 as on a GPU, also while a layer is recomputed."""
    layer_norm = F.layer_norm

    def in_float32(*args: Any, **kwargs: Any) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            values = [each.float() if isinstance(each, Tensor) else each for each in args]
            named = {key: each.float() if isinstance(each, Tensor) else each for key, each in kwargs.items()}
            return layer_norm(*values, **named)

    try:
        if enabled:
            F.layer_norm = in_float32
        yield
    finally:
        F.layer_norm = layer_norm
