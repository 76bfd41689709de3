"""A model's folder as training leaves it, with a few bytes for weights."""

from pathlib import Path

from fca.config import Config, load
from fca.pretrained.exported import ExportedModel
from fca.pretrained.hub.card import Training, write_card

ROOT = Path(__file__).parents[3]
WEIGHTS = "diffusion_pytorch_model.safetensors"


def config(base: str = "THUDM/CogVideoX-2b", revision: str | None = None, **overrides: object) -> Config:
    """The pocket configuration on another base."""
    return load(ROOT / "config" / "pocket.yaml", {"base": {"model": base, "revision": revision}} | overrides)


def write_model(folder: Path, settings: Config | None = None, variant: str = "fca") -> Path:
    """The folder of a variant's model on ssv2."""
    settings = settings or config()
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"width": 8}\n')
    (folder / WEIGHTS).write_bytes(bytes(range(256)) * 40)
    ExportedModel.of(settings, "ssv2", variant).write(folder)
    write_card(folder, Training.of(settings, "ssv2", variant))
    return folder
