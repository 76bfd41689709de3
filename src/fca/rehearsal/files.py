"""The files of random networks: what each holds, how large it is, whether it is there, how it is written."""

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from tqdm import tqdm

from fca.artifacts.atomic import write_aside
from fca.rehearsal.tensors import Safetensors, Spec


class File(Protocol):
    """A file to be: complete or not there."""

    @property
    def size(self) -> int:
        """Bytes."""

    def is_at(self, path: Path) -> bool:
        """Whether `path` is this file."""

    def write(self, path: Path, bar: tqdm) -> None:
        """Write it to `path`; `bar` counts bytes."""


Files = dict[str, File]
"""Path below a folder -> file, in the order of writing"""


@dataclass(frozen=True)
class Bytes:
    """A file that fits into memory."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def is_at(self, path: Path) -> bool:
        return path.is_file() and path.stat().st_size == self.size and path.read_bytes() == self.content

    def write(self, path: Path, bar: tqdm) -> None:
        with write_aside(path) as aside:
            bar.update(aside.write_bytes(self.content))


@dataclass(frozen=True)
class Link:
    """A relative link to another folder."""

    target: str
    size: int = 0

    def is_at(self, path: Path) -> bool:
        return path.is_symlink() and os.readlink(path) == self.target

    def write(self, path: Path, bar: tqdm) -> None:
        with write_aside(path) as aside:
            aside.symlink_to(self.target)


def as_json(content: Mapping[str, Any]) -> Bytes:
    """A JSON file."""
    return Bytes((json.dumps(content, indent=2) + "\n").encode())


def pickled(tensors: Mapping[str, Spec], name: str, seed: int) -> Bytes:
    """A pickled state dict, made in memory; the same arguments give the same bytes."""
    state = {key: torch.cat(list(spec.parts(seed, name, key))).reshape(spec.shape) for key, spec in tensors.items()}
    content = io.BytesIO()
    torch.save(state, content)
    return Bytes(content.getvalue())


def weight_files(tensors: Mapping[str, Spec], folder: str, name: str, seed: int, most: int) -> Files:
    """`folder`/`name`.safetensors; or shards of at most `most` bytes, filled in order, then their index."""
    shards: list[dict[str, Spec]] = [{}]
    room = most
    for key, spec in tensors.items():
        if spec.size > room and shards[-1]:
            shards.append({})
            room = most
        shards[-1][key] = spec
        room -= spec.size
    if len(shards) == 1:
        return {f"{folder}/{name}.safetensors": Safetensors(shards[0], folder, seed)}

    files: Files = {}
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        file = f"{name}-{number:05}-of-{len(shards):05}.safetensors"
        files[f"{folder}/{file}"] = Safetensors(shard, folder, seed)
        weight_map |= dict.fromkeys(shard, file)
    total = sum(spec.size for spec in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    return files | {f"{folder}/{name}.safetensors.index.json": as_json(index)}
