"""The user's archives, addresses and hashes of one dataset."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fca.config import Dataset
from fca.data.datasets.reader import Publication, reader_of
from fca.data.download.digests import Digests, check_digests, read_sums
from fca.data.download.files import RemoteFile, download
from fca.data.download.http import Client, name_of
from fca.errors import FcaError


@dataclass(frozen=True)
class Source:
    """Where a dataset's files come from."""

    dataset: str
    settings: Dataset
    root: Path
    archives: Path
    files: dict[str, str]
    """Name of a file -> its address"""
    folders: list[str]
    """Addresses of folders, each ending in /"""
    client: Client

    @classmethod
    def of(cls, dataset: str, settings: Dataset, root: Path, client: Client) -> "Source":
        """The source that the settings describe.

        Raises:
            FcaError: two addresses end with the same name.
        """
        archives = Path(settings.archives).expanduser().absolute() if settings.archives else root / "archives"
        files: dict[str, str] = {}
        for url in settings.urls:
            if url.endswith("/"):
                continue
            if (name := name_of(url)) in files:
                raise FcaError(f"datasets.{dataset}.urls has two addresses of {name}", "one for each file")
            files[name] = url
        folders = [url for url in settings.urls if url.endswith("/")]
        return cls(dataset, settings, root, archives, files, folders, client)

    @property
    def publication(self) -> Publication:
        """What is published about the dataset."""
        return reader_of(self.settings).publication

    @property
    def advice(self) -> str:
        """What to get and where, for messages."""
        return self.publication.advice

    @property
    def checksums(self) -> Path | None:
        """The user's file of published hashes."""
        return Path(self.settings.checksums).expanduser() if self.settings.checksums else None

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
        published = {"sha256": self.publication.sha256[name]} if name in self.publication.sha256 else {}
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

    def check(self, paths: Iterable[Path]) -> None:
        """Check the user's own archives by their published hashes, if known."""
        for path in paths:
            check_digests(path, self.sums.get(path.name, {}), str(path), f"get it again, and remove {path}")
