"""Hashes of the frozen networks that a step reads: the workflow runs a step again when they change."""

import hashlib
from pathlib import Path

from fca.config import Config

LARGE = 50 * 2**20  # bytes; a larger file stands with its name and size, so that a dry run stays quick


def weights_hash(config: Config, step: str) -> dict[str, str]:
    """Path -> hash of each local folder or file that the step reads.

    A network on the hub is known by `base.revision` alone, so name one.
    """
    base = Path(config.base.model)
    encoders = [base / "vae", base / "text_encoder", base / "tokenizer", Path(config.base.vision_model)]
    denoiser = [base / "transformer", base / "scheduler"]
    read = {
        "encode": encoders,
        "train": [*denoiser, *([Path(config.train.init_from)] if config.train.init_from else [])],
        "sample": [*denoiser, *encoders],  # the decoder, and opposite captions, which have no latents
        "score": [Path(config.features.network)],
    }
    return {str(path): _hash(path) for path in read.get(step, []) if path.exists()}


def _hash(path: Path) -> str:
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    digest = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        content = hashlib.sha256(file.read_bytes()).hexdigest() if size <= LARGE else f"{size} bytes"
        digest.update(f"{file.relative_to(path)}\0{content}\n".encode())
    return digest.hexdigest()
