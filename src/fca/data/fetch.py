"""The step `fetch`: clips of the clip library, or the licensed dataset in the user's folder.

The library's clips are packed as the dataset is published and then taken as a user's archives are taken. The user's
folder is first completed from the archives and addresses in the settings, if there are any (`fca.data.download`).
It stays where it is and the raw folder links to it; a missing file is an error that says what to get and where.
"""

import hashlib
import logging
import os
from importlib import import_module
from pathlib import Path

from fca.artifacts.atomic import remove, sha256_file, sha256_tree, write_aside
from fca.artifacts.fingerprint import made_by
from fca.artifacts.manifest import Manifest
from fca.config import Config, Dataset, Layout
from fca.config.dataset_formats import FORMATS
from fca.data.datasets.reader import reader_of
from fca.data.download.obtain import LOCK, obtain
from fca.data.library.ids import records_of
from fca.errors import FcaError, require_known

log = logging.getLogger(__name__)


def fetch(config: Config, dataset: str) -> Manifest:
    """Make, complete or check the raw folder of a dataset; write and return its manifest (kind raw).

    Library: `sha256` is over the sorted relative names and the hashes of all files. Archive: over the annotation files
    and the names of the media (`extra["hashed"]` says which), so that no terabytes are read.
    """
    require_known("dataset", dataset, sorted(config.datasets))
    settings, layout = config.datasets[dataset], Layout(config)
    raw = layout.raw(dataset)
    extra = {"source": settings.source, "hashed": "names and content"}
    if settings.library is not None:
        with write_aside(raw) as aside:
            unpack_library(dataset, settings, aside)
        count, sha256 = sha256_tree(raw)
    else:
        root = Path(settings.root or "").expanduser().absolute()
        obtain(dataset, settings, root, config.seed)
        count, sha256 = check_archive(settings, root)
        with write_aside(raw) as aside:
            os.symlink(root, aside)
        licence = reader_of(settings).publication.licence
        extra |= {"hashed": "annotations and names of media", "licence": licence}
        log.info("%s: %d media in %s, which you use under %s", dataset, count, root, licence)

    manifest = Manifest("raw", count, [], sha256, {}, made_by(config, "fetch", dataset), [], extra)
    manifest.write(layout.raw_manifest(dataset))
    return manifest


def unpack_library(dataset: str, settings: Dataset, root: Path) -> None:
    """Write clips of the library to the folder `root` in the dataset's layout, by way of its published packaging.

    Raises:
        FcaError: the library can't be read, or has fewer clips than the settings ask for.
        ValueError: the source isn't the library.
    """
    if settings.library is None:
        raise ValueError(f"the source of {dataset} isn't the library")
    records = records_of(settings)
    packer = import_module(FORMATS[settings.format].library)
    packer.pack(Path(settings.library.folder), records, root, **settings.own)

    # The library is the project's own, so there is no licence to accept.
    archives = root / "archives"
    packed = settings.model_copy(update={"archives": str(archives), "licence_accepted": True})
    obtain(dataset, packed, root)
    check_archive(settings, root)
    remove(archives)
    remove(root / LOCK)


def check_archive(settings: Dataset, root: Path) -> tuple[int, str]:
    """Number of media and fingerprint of a folder; only a user's annotations must be the published ones.

    Raises:
        FcaError: something is missing or not the published file; it says where that is published.
    """
    reader = reader_of(settings)
    publication, expected = reader.publication, f"the files of the {settings.format} format"
    advice = f"{publication.advice}; docs/data/{settings.format}.md shows how"
    hashes = publication.sha256 if settings.source == "archive" else {}
    if not root.is_dir():
        raise FcaError(f"there is no folder {root}", expected, advice)

    digest = hashlib.sha256()
    for path in reader.annotation_files(root):
        found, published = sha256_file(path), hashes.get(path.name)
        if published not in (None, found):
            raise FcaError(f"{path} is not the published file: sha256 {found}", f"sha256 {published}", advice)
        digest.update(f"{path.relative_to(root).as_posix()}\0{found}\n".encode())
    names = list(reader.media_names(root))
    for name in names:
        digest.update(f"{name}\n".encode())
    if not names:
        raise FcaError(f"{root} has no media", expected, advice)
    return len(names), digest.hexdigest()
