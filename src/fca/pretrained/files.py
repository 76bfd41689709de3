"""Weight files of a network: their names, content and hashes.

A published network is one file or several shards, which an index names (`model.safetensors.index.json`). Names and
shapes are read from the files' headers, so ten gigabytes are checked in milliseconds; a sha256 reads all of them.
"""

import json
from collections.abc import Callable, Mapping, Set
from contextlib import ExitStack
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from fca.artifacts.atomic import sha256_file
from fca.errors import FcaError, first_line

SAFETENSORS = ("diffusion_pytorch_model.safetensors", "model.safetensors")
"""What diffusers and transformers call a network's weights."""
PICKLE = "pytorch_model.bin"
"""What transformers called them before safetensors."""
AGAIN = "fetch the complete folder again, or rebuild it"

Shapes = dict[str, tuple[int, ...]]


def weight_files(folder: Path, names: tuple[str, ...] = SAFETENSORS) -> list[Path]:
    """The file or the shards that hold a network's weights: the first of `names` that is there, whole or sharded.

    Raises:
        FcaError: none is there, a shard that the index names is missing, or there are both a whole file and shards.
    """
    for name in names:
        whole, index = folder / name, folder / f"{name}.index.json"
        if whole.is_file() and index.is_file():
            raise FcaError(f"{folder} holds both {name} and {index.name}", "one of them", "remove the one not meant")
        if whole.is_file():
            return [whole]
        if index.is_file():
            return _shards(index)
    raise FcaError(f"{folder} holds no weights", f"{' or '.join(names)}, whole or with an index of shards", AGAIN)


def _shards(index: Path) -> list[Path]:
    """The files that an index names, in order."""
    try:
        shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        paths = [index.parent / shard for shard in shards]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"{index} is no index of shards ({type(error).__name__}: {error})"
        raise FcaError(problem, "JSON with a weight_map", AGAIN) from error
    missing = [path.name for path in paths if not path.is_file()]
    if missing or not paths:
        raise FcaError(
            f"{index.parent} lacks {', '.join(missing[:3]) or 'every shard'}",
            f"the {len(paths)} shards that {index.name} names",
            AGAIN,
        )
    return paths


def shapes(files: list[Path]) -> Shapes:
    """Name -> shape of every tensor in safetensors files, from their headers alone.

    Raises:
        FcaError: a file is damaged or cut short.
    """
    found: Shapes = {}
    for path in files:
        try:
            with safe_open(path, framework="pt") as file:
                found |= {name: tuple(file.get_slice(name).get_shape()) for name in _names(file)}
        except (SafetensorError, OSError) as error:
            raise _damaged(path, error) from error
    return found


def read_tensors(files: list[Path], wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    """The tensors whose names are wanted, from safetensors files or pickled state dicts; the rest stays on the disk.

    Pickles are read with `weights_only=True`: such a file can't run code.

    Raises:
        FcaError: a file is damaged, or a pickle holds anything but tensors.
    """
    found: dict[str, Tensor] = {}
    for path in files:
        try:
            if path.suffix == ".safetensors":
                with _opened(path) as file:
                    found |= {name: file.get_tensor(name) for name in _names(file) if wanted(name)}
            else:
                found |= {name: tensor for name, tensor in _unpickle(path).items() if wanted(name)}
        except (SafetensorError, UnpicklingError, RuntimeError, EOFError, OSError) as error:
            raise _damaged(path, error) from error
    return found


def slices(folder: Path, opened: ExitStack) -> dict[str, Any]:
    """Name -> tensor that is read once it is indexed, while the files are `opened`."""
    files = [opened.enter_context(_opened(path)) for path in weight_files(folder)]
    return {name: file.get_slice(name) for file in files for name in _names(file)}


def _opened(path: Path) -> safe_open:
    """A file that is read, not mapped: what is mapped stays resident next to its copies."""
    return safe_open(path, framework="pt", backend="pread")


def _names(file: safe_open) -> list[str]:
    return list(file.keys())


def _unpickle(path: Path) -> dict[str, Tensor]:
    """A pickled state dict, mapped into memory if its format allows it (PyTorch 1.6 and later)."""
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise FcaError(f"{path} is not a state dict", "names and tensors", AGAIN)
    return state


def check_shapes(folder: Path, expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> None:
    """Compare the tensors of `folder` with the expected ones.

    Raises:
        FcaError: tensors are missing, unexpected or of another shape; the message names them.
    """
    missing = sorted(expected.keys() - found.keys())
    extra = sorted(found.keys() - expected.keys())
    wrong = [
        f"{name} is {found[name]} instead of {expected[name]}"
        for name in sorted(expected.keys() & found.keys())
        if tuple(found[name]) != tuple(expected[name])
    ]
    problems = {"missing": missing, "not expected": extra, "of another size": wrong}
    summary = "; ".join(f"{len(names)} {kind}: {', '.join(names[:3])}" for kind, names in problems.items() if names)
    if summary:
        raise FcaError(
            f"the weights in {folder} are not those of its config.json ({summary})",
            f"exactly its {len(expected)} tensors",
            "fetch config.json and weights of one revision, or rebuild the folder",
        )


def check_sha256(folder: Path, expected: Mapping[str, str], setting: str, only: Set[str] | None = None) -> None:
    """Compare files of `folder` with the expected sha256 (path inside the folder -> hash).

    Args:
        setting: the name of the setting with the hashes, for the message.
        only: check only files in these sub-folders.

    Raises:
        FcaError: a file is missing or has another hash.
    """
    for name, right in expected.items():
        if only is not None and name.split("/")[0] not in only:
            continue
        path = folder / name
        if not path.is_file():
            raise FcaError(f"{path} is missing", f"a file with sha256 {right} ({setting})", AGAIN)
        found = sha256_file(path)
        if found != right:
            problem = f"{path} has sha256 {found}"
            raise FcaError(problem, f"{right} ({setting})", "fetch the file again, of the intended revision")


def _damaged(path: Path, error: Exception) -> FcaError:
    return FcaError(f"{path} can't be read as weights ({first_line(error)})", "an undamaged file", AGAIN)
