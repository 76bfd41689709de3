"""Weight files of any size that take no disk: a true header, and a hole in the file in place of numbers (zeros)."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

BYTES = {"F16": 2, "F32": 4}
"""Of a number, by safetensors' name of its type."""


def write_hollow(path: Path, tensors: dict[str, torch.Tensor], code: str) -> None:
    """A safetensors file of these names and shapes whose numbers are a hole, of the type `code`."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in tensors.items():
        end = offset + tensor.numel() * BYTES[code]
        header[name] = {"dtype": code, "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(path, 8 + len(text) + offset)


def write_folder(
    folder: Path, settings: dict[str, Any], network: nn.Module, name: str, shards: int, code: str = "F16"
) -> Path:
    """A part of a checkpoint in the published layout: config.json, and one weight file or shards with an index."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(settings))
    state = {key: tensor for key, tensor in network.state_dict().items() if key != "encoder.embed_tokens.weight"}
    if shards == 1:
        write_hollow(folder / f"{name}.safetensors", state, code)
        return folder
    keys, weight_map = list(state), {}
    for shard in range(shards):
        file = f"{name}-{shard + 1:05}-of-{shards:05}.safetensors"
        part = keys[shard * len(keys) // shards : (shard + 1) * len(keys) // shards]
        write_hollow(folder / file, {key: state[key] for key in part}, code)
        weight_map |= dict.fromkeys(part, file)
    total = BYTES[code] * sum(tensor.numel() for tensor in state.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / f"{name}.safetensors.index.json").write_text(json.dumps(index))
    return folder
