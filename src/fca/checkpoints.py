"""Where frozen networks come from: a folder, or a revision on the hub; whole, or not at all."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from fca.config.models import Base
from fca.data.files import sha256_file
from fca.errors import FcaError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def checkpoint_folder(name: str, revision: str | None, patterns: list[str]) -> Path:
    """The local folder of a checkpoint: `name` itself, or its files matching `patterns` from the hub's cache."""
    if Path(name).is_dir():
        return Path(name)
    if name.startswith((".", "/")) or name.count("/") != 1:
        raise FcaError(
            f"the checkpoint folder {name} does not exist",
            "a folder in diffusers' layout, or a hub name such as THUDM/CogVideoX-2b",
            "mend base.model or base.vision_model in the configuration (the pocket base: `snakemake pocket_base`)",
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise FcaError(
            f"{name} at revision {revision} could not be fetched ({type(error).__name__}: {error})",
            "the checkpoint in the hub's cache, or a network that reaches the hub",
            "download it where there is a network and give its folder in the configuration",
        ) from error


def base_folder(base: Base, *parts: str) -> Path:
    """The folder of the CogVideoX checkpoint with the given parts in it (`vae`, `transformer`, ...), hashes checked."""
    folder = checkpoint_folder(base.model, base.revision, [f"{part}/*" for part in parts])
    for part in parts:
        if not (folder / part).is_dir():
            raise FcaError(
                f"{folder} has no folder {part}",
                "a CogVideoX checkpoint in diffusers' layout, complete",
                "fetch the missing part, or mend base.model",
            )
    for name, expected in base.sha256.items():
        if name.split("/")[0] not in parts:
            continue
        found = sha256_file(folder / name) if (folder / name).is_file() else "no such file"
        if found != expected:
            problem = f"{folder / name}: sha256 {found}"
            raise FcaError(problem, f"{expected} (base.sha256)", "fetch the file again, at base.revision")
    return folder


def load_pretrained(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    """A diffusers network of class `kind` from safetensors in `folder`, with every weight it needs and no other.

    Raises:
        FcaError: files are missing or damaged, or weights are missing or left over.
    """
    if not (folder / "config.json").is_file():
        raise FcaError(f"{folder} holds no {kind.__name__} (no config.json)", "a complete folder", "mend or remake it")
    try:
        network, found = kind.from_pretrained(
            folder, torch_dtype=dtype, use_safetensors=True, output_loading_info=True, local_files_only=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FcaError(
            f"{kind.__name__} can't be loaded from {folder}: {reason}",
            "config.json and undamaged safetensors of the same network",
            "fetch or make the folder again",
        ) from error
    problems = {name: found.get(name) for name in ("missing_keys", "unexpected_keys", "mismatched_keys")}
    if any(problems.values()):
        told = ", ".join(f"{name.replace('_', ' ')}: {list(keys)[:2]}" for name, keys in problems.items() if keys)
        raise FcaError(
            f"the weights in {folder} are not those of its config.json ({told})",
            f"exactly the weights of {kind.__name__}",
            "fetch or make the folder again",
        )
    return network
