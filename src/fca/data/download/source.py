"""What the user's settings say about where a dataset's files come from, and what is published about them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fca.config import Dataset
from fca.data.datasets import bridge, epic, folder, ssv2
from fca.data.download.digests import Digests, check_digests, read_epic_table, read_sums
from fca.data.download.files import RemoteFile, download
from fca.data.download.http import Client, name_of
from fca.errors import FcaError

READERS = {"ssv2": ssv2, "bridge": bridge, "epic": epic, "folder": folder}
PUBLISHED = {bridge.LIST_NAME: bridge.LIST_SHA256, "EPIC_100_validation.csv": epic.VALIDATION_SHA256}


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
    sums: dict[str, Digests]
    """Name of a file -> its published hash"""
    table: dict[tuple[str, str], str]
    """(path on the server, version) -> md5; Epic only"""
    client: Client

    @classmethod
    def of(cls, dataset: str, settings: Dataset, root: Path, client: Client) -> "Source":
        """The source that the settings describe; reads the file of published hashes."""
        archives = Path(settings.archives).expanduser().absolute() if settings.archives else root / "archives"
        files: dict[str, str] = {}
        for url in settings.urls:
            if url.endswith("/"):
                continue
            if (name := name_of(url)) in files:
                raise FcaError(f"datasets.{dataset}.urls has two addresses of {name}", "one for each file")
            files[name] = url
        folders = [url for url in settings.urls if url.endswith("/")]
        sums: dict[str, Digests] = {}
        table: dict[tuple[str, str], str] = {}
        if settings.checksums and settings.format == "epic":
            table = read_epic_table(Path(settings.checksums).expanduser())
        elif settings.checksums:
            sums = read_sums(Path(settings.checksums).expanduser())
        return cls(dataset, settings, root, archives, files, folders, sums, table, client)

    def expect(self, names: str, folders: int, shown: str) -> None:
        """Refuse addresses that the dataset has no use for: other names than the pattern's, more folders."""
        unknown = [url for name, url in self.files.items() if not re.fullmatch(names, name)] + self.folders[folders:]
        if unknown:
            raise FcaError(f"datasets.{self.dataset}.urls: there is no use for {unknown[0]}", shown)

    @property
    def advice(self) -> str:
        """What to get and where, for messages."""
        reader = READERS[self.settings.format]
        return f"get {reader.WHERE}, under {reader.LICENCE}"

    def permit(self, what: str) -> None:
        """Refuse to go on with `what` (a download, an archive) unless the user has accepted the licence."""
        reader = READERS[self.settings.format]
        if not self.settings.licence_accepted:
            raise FcaError(
                f"{self.dataset}: {what} needs your acceptance of {reader.LICENCE}",
                f"datasets.{self.dataset}.licence_accepted: true",
                f"read the licence on {reader.PAGE}; if you accept it, say so in the configuration",
            )

    def remote(self, name: str, path: Path, url: str | None = None, digests: Digests | None = None) -> RemoteFile:
        """A file to download: from the user's own address for that name before `url`, with every hash known."""
        published = {"sha256": PUBLISHED[name]} if name in PUBLISHED else {}
        address = self.files.get(name, url)
        if address is None:
            raise FcaError(f"{self.dataset}: there is no {path}", f"the file, or its address in urls: .../{name}")
        return RemoteFile(address, path, None, {**published, **self.sums.get(name, {}), **(digests or {})})

    def download(self, files: Iterable[RemoteFile]) -> None:
        """Download what is missing, and check what is there by its published hash."""
        wanted = list(files)
        if missing := [file.path.name for file in wanted if not file.path.exists()]:
            self.permit(f"downloading {missing[0]}{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}")
        download(wanted, self.settings.download_workers, self.client)

    def check(self, paths: Iterable[Path]) -> None:
        """Check the user's own archives by their published hashes, where there are any."""
        for path in paths:
            check_digests(path, self.sums.get(path.name, {}), str(path), f"get it again, and remove {path}")
