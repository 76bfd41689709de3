"""Count the bytes that autograd keeps of a forward pass, on fake tensors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from fca.model import Denoiser, InitialFrames, Prompt


class NormsInFloat32(TorchFunctionMode):
    """Autocast computes layer norms in float32 on a GPU, but not on the CPU, where this runs."""

    def __torch_function__(self, function, types, args=(), kwargs=None) -> Any:
        if function is not F.layer_norm:
            return function(*args, **(kwargs or {}))
        with torch.autocast("cpu", enabled=False):
            floats = [each.float() if isinstance(each, Tensor) else each for each in args]
            return function(
                *floats, **{k: v.float() if isinstance(v, Tensor) else v for k, v in (kwargs or {}).items()}
            )


class Kept:
    """Bytes of every storage that autograd keeps, except weights and their bf16 copies, counted elsewhere."""

    def __init__(self, model: Denoiser):
        self.weights = {storage(weight) for weight in model.parameters()}
        linears = (module for module in model.modules() if isinstance(module, nn.Linear))
        trained = (linear for linear in linears if linear.weight.requires_grad)
        self.copies = {tuple(sorted(linear.weight.shape)) for linear in trained}  # no activation has such a shape
        self.bytes: dict[int, int] = {}

    def note(self, tensor: Tensor) -> Tensor:
        copied = tensor.dtype == torch.bfloat16 and tuple(sorted(tensor.shape)) in self.copies
        if storage(tensor) not in self.weights and not copied:
            self.bytes[storage(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    @contextmanager
    def counting(self) -> Iterator[None]:
        with torch.autograd.graph.saved_tensors_hooks(self.note, lambda tensor: tensor):
            yield


def storage(tensor: Tensor) -> int:
    """An identifier shared by tensors on the same memory."""
    return tensor.untyped_storage()._cdata


def activations(
    model: Denoiser, initial: InitialFrames, prompt: Prompt, noisy: Tensor, timestep: Tensor, autocast: bool = True
) -> int:
    """Bytes kept for the backward pass, without weights and their copies; `autocast`: bf16, as on a GPU."""
    kept = Kept(model)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast), NormsInFloat32(), kept.counting():
        prediction = model.prepare(initial, prompt)(noisy, timestep)
    del prediction
    return sum(kept.bytes.values())
