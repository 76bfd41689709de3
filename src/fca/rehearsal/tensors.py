"""Random tensors by name, streamed into safetensors files of any size: four million numbers at a time are in memory.

The values keep activations of about unit size through any depth: matrices and convolutions are divided by the square
root of their inputs, norms start as the identity, biases at zero.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from fca.artifacts.atomic import write_aside
from fca.pretrained.published import Settings
from fca.seeds import generator

CHUNK = 2**22
"""Numbers drawn at once; other values follow from another number."""
CODES = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32", torch.int64: "I64"}
"""safetensors' names of types."""
FREE_STD = 0.02
"""Of embeddings and other parameters that are neither a norm's nor a layer's; also of T5's relative position bias."""
WORDS = "shared.weight"
"""T5's word embeddings, of unit size: its first norm has nothing else to work on."""
QUERIES = "SelfAttention.q.weight"
"""T5 doesn't divide attention logits by the root of a head's width: its queries carry that factor."""


@dataclass(frozen=True)
class Spec:
    """A tensor to be: its shape, its type, and normal values; whole numbers count 0, 1, 2, ..."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    mean: float
    std: float

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.count * self.dtype.itemsize

    def parts(self, *seed: int | str) -> Iterator[Tensor]:
        """The flat values, a chunk at a time; a function of `seed` alone."""
        random = generator("random weights", *seed)
        for start in range(0, self.count, CHUNK):
            count = min(CHUNK, self.count - start)
            if not self.dtype.is_floating_point:
                yield torch.arange(start, start + count, dtype=self.dtype)
            elif self.std == 0:
                yield torch.full((count,), self.mean, dtype=self.dtype)
            else:
                yield torch.empty(count).normal_(self.mean, self.std, generator=random).to(self.dtype)


def specs(network: nn.Module, dtype: torch.dtype, gain: float = 1.0) -> dict[str, Spec]:
    """Name -> tensor of a network's file, from the network on the meta device; without second names of tied weights.

    Args:
        dtype: of floating-point numbers in the file.
        gain: factor of matrices and convolutions, sqrt(2) before ReLUs.
    """
    tied = set(getattr(network, "_tied_weights_keys", None) or {})
    found = {}
    for name, tensor in network.state_dict().items():
        if name not in tied:
            mean, std = _mean_and_std(name, network, tensor, gain)
            kept = dtype if tensor.is_floating_point() else tensor.dtype
            found[name] = Spec(tuple(tensor.shape), kept, mean, std)
    return found


def _mean_and_std(name: str, network: nn.Module, tensor: Tensor, gain: float) -> tuple[float, float]:
    owner, _, kind = name.rpartition(".")
    if kind in ("bias", "running_mean") or not tensor.is_floating_point():
        return 0, 0
    if tensor.ndim == 1:  # of norms, and running_var
        return 1, 0
    if name == WORDS:
        return 0, 1
    if kind != "weight" or isinstance(network.get_submodule(owner), nn.Embedding):
        return 0, FREE_STD

    std = gain * math.sqrt(len(tensor) / tensor.numel())
    if name.endswith(QUERIES):
        attention: Any = network.get_submodule(owner.rpartition(".")[0])
        std /= math.sqrt(attention.key_value_proj_dim)
    return 0, std


@dataclass(frozen=True)
class Safetensors:
    """A weight file: its tensors in order, under a header that says that the numbers are random."""

    tensors: dict[str, Spec]
    name: str
    """Part of the seed, with `seed` and the name of a tensor"""
    seed: int

    @property
    def header(self) -> bytes:
        """The file's beginning: eight bytes of length, then JSON, padded to eight bytes."""
        entries: Settings = {"__metadata__": {"format": "pt", "random": f"random numbers of seed {self.seed}"}}
        offset = 0
        for name, spec in self._ordered:
            end = offset + spec.size
            entries[name] = {"dtype": CODES[spec.dtype], "shape": list(spec.shape), "data_offsets": [offset, end]}
            offset = end
        text = json.dumps(entries, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text

    @property
    def size(self) -> int:
        return len(self.header) + sum(spec.size for spec in self.tensors.values())

    def is_at(self, path: Path) -> bool:
        """Whether `path` is this file, by its header and its length: a file is there whole or not at all."""
        header = self.header
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        with path.open("rb") as file:
            return file.read(len(header)) == header

    def write(self, path: Path, bar: tqdm) -> None:
        """Write the file, complete or not at all; `bar` counts bytes."""
        with write_aside(path) as aside, aside.open("wb") as file:
            bar.update(file.write(self.header))
            for name, spec in self._ordered:
                for part in spec.parts(self.seed, self.name, name):
                    bar.update(file.write(part.view(torch.uint8).numpy().data))

    @property
    def _ordered(self) -> list[tuple[str, Spec]]:
        """The widest types first, so that every tensor is aligned, as safetensors itself writes them."""
        return sorted(self.tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
