"""What `fca doctor` finds of a configuration's files: room on the disk, weights, datasets."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from fca.config import Base, Config, Layout
from fca.config.dataset import CLIP_LIST
from fca.config.shipped import HUB, located, network_folder
from fca.data.fetch import check_archive
from fca.doctor.finding import Finding
from fca.errors import FcaError
from fca.plan import plan
from fca.plan.disk import readable
from fca.vbench.weights import require


def disk(config: Config) -> list[Finding]:
    """Room for what `fca plan` counts, and permission to write it."""
    layout, found = Layout(config), []
    for name, folder in (("data_dir", layout.root), ("run_dir", layout.runs)):
        start = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
        free = shutil.disk_usage(start).free
        problem = "" if os.access(start, os.W_OK) else f"{start} can't be written to"
        shown = f"{folder}: {readable(free)} free"
        if name == "data_dir":
            needed = sum(plan(config).disk().values())
            shown += f", {readable(needed)} in all by `fca plan`"
            if not problem and needed > free and (left := needed - _used(folder)) > free:
                problem = f"{readable(left)} are still to be written"
        found.append(Finding(name, shown, problem, f"make room, or set {name} to another disk" if problem else ""))
    return found


def _used(folder: Path) -> int:
    """Bytes of the files of a folder, links not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def weights(config: Config) -> list[Finding]:
    """Frozen networks, feature network, position reader, starting adapter, VBench: there, missing or not the same."""
    found = [*_networks(config.base, "")]
    if "image" in (variant.base for variant in config.variants.values()):
        found += _networks(config.base_called("image"), "image_")
    found.append(_checked("features.network", config.features.network, lambda: _features(config)))
    if config.positions.network:
        found.append(_checked("positions.network", config.positions.network, lambda: _positions(config)))
    if config.train.init_from:
        found.append(_checked("train.init_from", config.train.init_from, lambda: _adapter(str(config.train.init_from))))
    if config.score.vbench is not None:
        try:
            require(config.score.vbench)
            found.append(Finding("score.vbench", "there"))
        except FcaError as error:  # not a problem: the report says what isn't measured
            found.append(Finding("score.vbench", "not measured", remedy=f"{error.problem}; {error.remedy}"))
    return found


def _checked(name: str, path: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, f"{path}: {check()}")
    except FcaError as error:
        return Finding.of(name, error)


def _networks(base: Base, prefix: str) -> Iterator[Finding]:
    """Both checkpoints of `base` or `image_base`."""
    parts = (("model", base.revision, base.sha256, _diffusion),
             ("vision_model", base.vision_revision, base.vision_sha256, _vision))  # fmt: skip
    for name, revision, pins, check in parts:
        value = getattr(base, name)
        setting = f"{prefix}base.{name}"
        try:
            folder = network_folder(value) or _cached(value, revision)
            check(base.model_copy(update={name: str(folder)}))
            hashes = f"{len(pins)} hashes match" if pins else "names and shapes match, no sha256 is set"
            yield Finding(setting, f"{value}: {hashes}")
        except FcaError as error:
            yield Finding.of(setting, error)


def _cached(name: str, revision: str | None) -> Path:
    """A checkpoint's folder in the hub's cache; nothing is downloaded."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    name = name.removeprefix(HUB)
    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        pinned = f" --revision {revision}" if revision else ""
        raise FcaError(
            f"{name} is not in the hub's cache",
            "the file, before jobs run on nodes without a network",
            f"hf download {name}{pinned}; the first step that needs it would also fetch it",
        ) from error


def _diffusion(base: Base) -> None:
    from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
    from transformers import T5EncoderModel

    from fca.pretrained.load import base_folder, check_weights

    folder = base_folder(base, "vae", "text_encoder", "tokenizer", "transformer", "scheduler")
    kinds = {"vae": AutoencoderKLCogVideoX, "text_encoder": T5EncoderModel, "transformer": CogVideoXTransformer3DModel}
    for part, kind in kinds.items():
        check_weights(kind, folder / part)


def _vision(base: Base) -> None:
    from fca.encode.blip2 import Blip2Folder
    from fca.pretrained.load import vision_folder

    Blip2Folder(vision_folder(base)).check()


def _features(config: Config) -> str:
    from fca.score.features import load_network

    network = load_network(config.features.network, config.features.sha256)
    return "its hash matches" if config.features.sha256 else f"sha256 {network.sha256[:12]}, none is set"


def _positions(config: Config) -> str:
    from fca.score.positions import load_reader

    load_reader(str(config.positions.network))
    return "there"


def _adapter(folder: str) -> str:
    from fca.pretrained.exported import ExportedModel

    ExportedModel.read(located(folder))
    return "there"


def datasets(config: Config) -> list[Finding]:
    """The source of each dataset: the clip library, or the user's folder with its published annotations."""
    found = []
    for name, settings in config.datasets.items():
        if settings.library is not None:
            source = located(Path(settings.library.folder) / CLIP_LIST)
            told = ("", "") if source.is_file() else (f"there is no {source}", "`make clip-library`, or a whole clone")
            found.append(Finding(name, f"clip library {settings.library.folder}", *told))
            continue
        root = Path(settings.root or "").expanduser()
        try:
            if not root.is_dir() and (settings.urls or settings.archives):
                raise FcaError(f"there is no folder {root}", "the unpacked dataset", f"`fca fetch {name}` fills it")
            count, _ = check_archive(settings, root)
            found.append(Finding(name, f"{root}: {count:,} media; `fca data verify {name}` opens them"))
        except FcaError as error:
            found.append(Finding.of(name, error))
    return found
