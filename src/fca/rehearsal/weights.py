"""Random weights in the published layouts, at full size: what a rehearsal loads before the real ones are here.

The files have the published names, keys, shapes, types and sizes, so that reading, memory and time are those of the
real ones. What such networks make is noise. Every folder says so in `RANDOM-WEIGHTS.json` and README.md.
"""

from pathlib import Path
from typing import Any

from tqdm import tqdm

from fca.artifacts.atomic import require_space
from fca.config import Config
from fca.errors import FcaError
from fca.rehearsal.files import Bytes, Files, as_json
from fca.rehearsal.layouts import I3D_FILE, Layouts

MARK = "RANDOM-WEIGHTS.json"
README = """# Random weights

The numbers in this folder are random. It has the files of {name} as published, with their names, keys, shapes and
types, to rehearse reading and computing at the real size. Whatever is made with them is noise: never report it, and
never publish the folder. Delete it once the published weights are here.
"""
PUBLISHED = Layouts()


def random_files(config: Config, image_base: bool = False, layouts: Layouts = PUBLISHED) -> Files:
    """Path below a folder -> file, for every network that the configuration names, without writing anything.

    The image-to-video base is among them only if `image_base`.
    """
    found: Files = {}
    for name, files in layouts.files(config.seed, image_base).items():
        mark = as_json({"random": True, "layout": name, "seed": config.seed})
        own = {MARK: mark, "README.md": Bytes(README.format(name=name).encode())} | files
        found |= {f"{name}/{path}": file for path, file in own.items()}
    return found


def sizes(files: Files) -> dict[str, int]:
    """Bytes of each file."""
    return {path: file.size for path, file in files.items()}


def write_random_weights(
    config: Config, folder: Path, image_base: bool = False, layouts: Layouts = PUBLISHED
) -> Config:
    """Write random weights for the networks of a configuration below `folder`; return it with these networks.

    Files that are complete already are kept, so an interrupted writer continues where it was. The numbers depend on
    `config.seed`, the part of the checkpoint and the key alone.

    Raises:
        FcaError: a folder of a network is there and isn't of random weights, or there is no room for what is missing.
    """
    folder = folder.absolute()
    files = random_files(config, image_base, layouts)
    for name in sorted({path.partition("/")[0] for path in files}):
        _refuse_others(folder / name)

    missing = {path: file for path, file in files.items() if not file.is_at(folder / path)}
    if missing:
        require_space(folder / next(iter(missing)), sum(sizes(missing).values()))
    with tqdm(
        total=sum(sizes(missing).values()), desc="random weights", unit="B", unit_scale=True, disable=not missing
    ) as bar:
        for path, file in missing.items():
            file.write(folder / path, bar)
    return with_random_weights(config, folder, image_base, layouts)


def with_random_weights(config: Config, folder: Path, image_base: bool = False, layouts: Layouts = PUBLISHED) -> Config:
    """The configuration with the networks that `write_random_weights` writes, without commits and hashes."""
    folder = folder.absolute()
    unpinned: dict[str, Any] = {"revision": None, "vision_revision": None, "sha256": {}, "vision_sha256": {}}
    vision = {"vision_model": str(folder / layouts.vision_name)}
    base = config.base.model_copy(update=unpinned | vision | {"model": str(folder / layouts.base.name)})
    network = str(folder / layouts.features_name / I3D_FILE)
    changes = {"base": base, "features": config.features.model_copy(update={"network": network, "sha256": None})}
    if image_base:
        model = {"model": str(folder / layouts.image_base.name)}
        changes["image_base"] = config.base_called("image").model_copy(update=unpinned | vision | model)
    return config.model_copy(update=changes)


def are_random(path: Path) -> bool:
    """Whether a network's folder, a part of it, or its file is one of `write_random_weights`."""
    return any((place / MARK).is_file() for place in (path, path.parent))


def _refuse_others(folder: Path) -> None:
    """Refuse a folder that holds anything and no mark: it may hold the real weights."""
    if folder.is_dir() and any(folder.iterdir()) and not are_random(folder / "part"):
        raise FcaError(
            f"{folder} is there, and its weights aren't marked as random",
            f"no folder, or one with {MARK}",
            "name another folder for random weights, or use those",
        )
