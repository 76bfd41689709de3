"""Hashes of the frozen networks and library clips that a step reads: it runs again when they change."""

import hashlib
from pathlib import Path

from fca.config import BaseKind, Config
from fca.config.dataset import CLIP_LIST
from fca.config.layout import CARD
from fca.config.shipped import located
from fca.config.vbench import WEIGHTS

LARGE = 50 * 2**20  # bytes; of a larger file only the size and samples are hashed, so that a dry run stays quick
SAMPLES, SAMPLE = 64, 2**16  # evenly spaced samples and the bytes of each, the first and the last included


def weights_hash(config: Config, step: str, variant: str | None = None, base: BaseKind = "text") -> dict[str, str]:
    """Path -> hash of each local folder or file that the step reads, for a variant or for one of the bases.

    A network on the hub is identified by `base.revision` only, so set it.
    """
    networks = config.base_called(base) if variant is None else config.base_of(variant)
    folder = Path(networks.model)
    encoders = [folder / "vae", folder / "text_encoder", folder / "tokenizer", Path(networks.vision_model)]
    denoiser = [folder / "transformer", folder / "scheduler"]
    settings = config.score.vbench
    libraries = {Path(own.library.folder) for own in config.datasets.values() if own.library is not None}
    lists = [library / CLIP_LIST for library in sorted(libraries)]
    reader = config.positions.network
    start = config.init_from(variant) if variant is not None else None
    read = {
        "fetch": sorted(libraries),
        "encode": encoders,
        "train": [*denoiser, *([start] if start else [])],
        "sample": [*denoiser, *encoders, *lists],  # the decoder; opposite captions are encoded here
        "sample_edited": [*denoiser, *encoders],
        "score": [Path(config.features.network), *([Path(reader)] if reader else []), *lists],
        "measure_vae_roundtrip": [folder / "vae", Path(config.features.network)],
        "score_vae_roundtrip": [folder / "vae", Path(config.features.network)],
        "vbench": [Path(settings.weights) / file.name for file in WEIGHTS] if settings and settings.weights else [],
    }
    return {str(path): folder_hash(located(path)) for path in read.get(step, []) if located(path).exists()}


def folder_hash(path: Path) -> str:
    """Hash of a file or of all files in a folder, by name and content; of large files their size and samples."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    files = [file for file in files if file.name != CARD]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(path)}\0{_content(file)}\n".encode())
    return digest.hexdigest()


def _content(file: Path) -> str:
    size = file.stat().st_size
    if size <= LARGE:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    digest = hashlib.sha256(f"{size} bytes".encode())
    with file.open("rb") as opened:
        for number in range(SAMPLES):
            opened.seek(max(0, size - SAMPLE) * number // (SAMPLES - 1))
            digest.update(opened.read(SAMPLE))
    return digest.hexdigest()
