"""Download and unpack what a dataset's folder lacks, once its licence is accepted."""

import errno
import fcntl
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path

from fca.config import Dataset
from fca.config.dataset_formats import FORMATS
from fca.data.datasets.reader import reader_of
from fca.data.download.archive import Choice, Limits, unpack
from fca.data.download.digests import Digests, check_digests, read_sums
from fca.data.download.files import RemoteFile, download
from fca.data.download.http import Client, name_of
from fca.errors import FcaError

LOCK = ".fetching"


class Source:
    """Where a dataset's files come from."""

    def __init__(self, dataset: str, settings: Dataset, root: Path, client: Client, seed: int = 0) -> None:
        self.dataset, self.settings, self.root, self.client, self.seed = dataset, settings, root, client, seed
        self.publication = reader_of(settings).publication
        self.advice = self.publication.advice
        self.archives = Path(settings.archives).expanduser().absolute() if settings.archives else root / "archives"
        self.checksums = Path(settings.checksums).expanduser() if settings.checksums else None
        self.folders = [url for url in settings.urls if url.endswith("/")]
        self.files: dict[str, str] = {}
        """Name of a file -> its address"""
        for url in settings.urls:
            if not url.endswith("/"):
                if (name := name_of(url)) in self.files:
                    raise FcaError(f"datasets.{dataset}.urls has two addresses of {name}", "one for each file")
                self.files[name] = url

    @cached_property
    def sums(self) -> dict[str, Digests]:
        """Name of a file -> its published hash, from lines of md5sum or sha256sum."""
        return read_sums(self.checksums) if self.checksums else {}

    def expect(self, names: str, folders: int, shown: str) -> None:
        """Refuse addresses that the dataset can't use: names that don't match the pattern, too many folders."""
        unknown = [url for name, url in self.files.items() if not re.fullmatch(names, name)] + self.folders[folders:]
        if unknown:
            raise FcaError(f"datasets.{self.dataset}.urls: there is no use for {unknown[0]}", shown)

    def permit(self, what: str) -> None:
        """Refuse to go on with `what` (a download, an archive) unless the user has accepted the licence."""
        published = self.publication
        if not self.settings.licence_accepted:
            raise FcaError(
                f"{self.dataset}: {what} needs your acceptance of {published.licence}",
                f"datasets.{self.dataset}.licence_accepted: true",
                f"read the licence on {published.page}; if you accept it, say so in the configuration",
            )

    def remote(self, name: str, path: Path, url: str | None = None, digests: Digests | None = None) -> RemoteFile:
        """A file to download, with every hash known: the user's own address for that name goes before `url`.

        `digests`: published hashes; None: look them up in the user's file of hashes.
        """
        hashes = self.publication.sha256
        published = {"sha256": hashes[name]} if name in hashes else {}
        known = self.sums.get(name, {}) if digests is None else digests
        address = self.files.get(name, url)
        if address is None:
            raise FcaError(f"{self.dataset}: there is no {path}", f"the file, or its address in urls: .../{name}")
        return RemoteFile(address, path, None, {**published, **known})

    def download(self, files: Iterable[RemoteFile]) -> None:
        """Download missing files, and check existing ones by their published hashes."""
        wanted = list(files)
        if missing := [file.path.name for file in wanted if not file.path.exists()]:
            self.permit(f"downloading {missing[0]}{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}")
        download(wanted, self.settings.download_workers, self.client)

    def unpack(
        self, parts: Sequence[Path], target: Path, limits: Limits, choose: Choice, digests: Digests | None = None
    ) -> None:
        """Check an archive by its published hashes, if known, and unpack it once the licence is accepted."""
        self.permit(f"unpacking {parts[0].name}")
        for path in parts:
            known = self.sums.get(path.name, {}) if digests is None else digests
            check_digests(path, known, str(path), f"remove {path} and {self.advice}")
        unpack(parts, target, limits, choose)


def obtain(dataset: str, settings: Dataset, root: Path, seed: int = 0, client: Client | None = None) -> None:
    """Complete the folder `root` of a dataset from its archives and addresses, if the settings name any.

    Existing files stay, so a second run does nothing and a run after a kill resumes.

    Args:
        seed: which chooses the clips of a split, if only their files are downloaded.

    Raises:
        FcaError: something is missing and the licence isn't accepted, or a download or an archive failed.
    """
    if settings.archives is None and not settings.urls:
        return
    with _alone(root):
        module = import_module(FORMATS[settings.format].download)
        module.obtain(Source(dataset, settings, root, client or Client(), seed))


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep other processes from completing the same folder; a read-only one needs no lock."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        file = open(root / LOCK, "a")  # noqa: SIM115
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        yield
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FcaError(f"another process is fetching {root}", "one at a time", "wait for it, or stop it") from None
        yield
