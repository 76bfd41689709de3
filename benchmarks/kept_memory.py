"""What training keeps in memory at the paper's size, by counting, on any machine: `python -m benchmarks.kept_memory`

CogVideoX-2B and the adapter are made of tensors that have a shape and no numbers (torch's fake tensors), and what
autograd keeps of one forward pass is added up, under the rules of a GPU's autocast. It is an estimate: kernels' work
space, temporary tensors and the allocator's rounding are not in it.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

from benchmarks.networks import make_clips, make_model, parameters
from fca.model import FCA, Given, Prompt
from fca.train.memory import checkpoint_layers

GIB = 2**30


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
    """Bytes of every storage that autograd keeps, apart from weights and their bf16 copies, which are counted apart."""

    def __init__(self, model: FCA):
        self.weights = {storage(weight) for weight in model.parameters()}
        linears = (module for module in model.adapter.modules() if isinstance(module, nn.Linear))
        self.copies = {tuple(sorted(linear.weight.shape)) for linear in linears}  # no activation has such a shape
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
    """A number that tensors on the same memory share."""
    return tensor.untyped_storage()._cdata


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--checkpointed-layers", type=int, nargs="+", default=[30, 20, 10, 0], help="each is counted")
    options.add_argument("--batch-size", type=int, default=1, help="clips in one forward pass")
    chosen = options.parse_args()
    with FakeTensorMode(allow_non_fake_inputs=True):
        config, model = make_model("paper", torch.device("cpu"), torch.float32, torch.bfloat16)
        clips = make_clips(config, chosen.batch_size)
        trained, frozen = parameters(model.adapter), parameters(model.transformer)
        fixed = {
            f"{trained / 1e6:.1f} M trained weights, fp32": 4 * trained,
            "their gradients, fp32": 4 * trained,
            "AdamW's two moments, fp32": 8 * trained,
            "their copies for autocast, bf16": 2 * trained,
            f"{frozen / 1e6:.1f} M frozen weights, bf16": 2 * frozen,
        }
        for name, size in fixed.items():
            print(f"{size / GIB:8.2f} GiB  {name}")
        print(f"{sum(fixed.values()) / GIB:8.2f} GiB  together")
        for layers in chosen.checkpointed_layers:
            checkpoint_layers(model.transformer, layers)
            size = activations(model, clips.given, clips.prompt, clips.noise, clips.timestep)
            print(f"{size / GIB:8.2f} GiB  activations kept with checkpointed_layers {layers}")


def activations(model: FCA, given: Given, prompt: Prompt, noisy: Tensor, timestep: Tensor) -> int:
    """Bytes kept for the backward pass, without weights and their copies."""
    kept = Kept(model)
    with torch.autocast("cpu", torch.bfloat16), NormsInFloat32(), kept.counting():
        prediction = model.condition(given, prompt)(noisy, timestep)
    del prediction
    return sum(kept.bytes.values())


if __name__ == "__main__":
    main()
