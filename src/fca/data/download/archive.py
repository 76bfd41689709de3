"""Unpack tar, tar.gz and zip archives, whole or in parts, without trusting them.

Parts are read one after the other as one stream, without a joined copy. Only regular files are unpacked, only below the
target and within limits; anything else in an archive is refused, and so is one that ends too early. Files are written
aside and the folder is renamed at the end: the target is complete or absent.
"""

import gzip
import io
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from tqdm import tqdm

from fca.artifacts.atomic import explained_if_full, remove, require_space, sync_tree
from fca.data.download.joined import JoinedParts
from fca.errors import FcaError

CHUNK = 2**20
BLOCK = tarfile.BLOCKSIZE
MAX_HEADER = 2**20  # bytes of a member's name and attributes, which tarfile reads at once
HEADERS = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK
)  # fmt: skip
Choice = Callable[[str], str | None]
"""Name in the archive -> relative path below the target, or None to leave it out"""


def by_file_name(pattern: str) -> Choice:
    """Files whose name matches, without their folders."""
    return lambda path: name if re.fullmatch(pattern, name := path.rpartition("/")[2]) else None


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to; more is refused, as a decompression bomb would be."""

    members: int
    bytes: int


def unpack(parts: Sequence[Path], target: Path, limits: Limits, choose: Choice = lambda name: name) -> int:
    """Unpack the chosen files of one archive, in parts or whole, into the folder `target`; return their number.

    If `target` exists, nothing is done and 0 returned. After a kill, a zip keeps the files whose checksum is right; a
    tar starts again.

    Raises:
        FcaError: a path outside the target, a link or a device, more than the limits, an archive that is truncated,
            damaged or encrypted, nothing to choose in it, or a full disk; it names archive and member.
    """
    if target.exists():
        return 0
    aside = target.with_name(f".unpacking-{target.name}")
    with JoinedParts(parts) as joined, explained_if_full(aside):
        unpacking = _Unpacking(joined, aside, limits, choose)
        head = joined.read(4)
        joined.seek(0)

        try:
            if head.startswith(b"PK"):
                count = unpacking.zip()
            else:
                remove(aside)
                count = unpacking.tar(head.startswith(b"\x1f\x8b"))
        except (
            EOFError, tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, NotImplementedError,
            RecursionError,
        ) as error:  # fmt: skip
            raise FcaError(
                f"{unpacking.shown}: the archive is truncated or damaged ({type(error).__name__}: {error})",
                "the whole archive, with all its parts",
                "compare its size and hash with the published ones and get it again; parts read: "
                + ", ".join(path.name for path in parts),
            ) from error

        if count == 0:
            remove(aside)
            raise FcaError(f"{unpacking.shown} holds none of the files for {target}", "the dataset's archive")
    sync_tree(aside)
    os.replace(aside, target)
    return count


class _Unpacking:
    """One archive while it is unpacked."""

    def __init__(self, joined: JoinedParts, aside: Path, limits: Limits, choose: Choice) -> None:
        self.joined, self.aside, self.limits, self.choose = joined, aside, limits, choose
        self.member, self.members, self.bytes = "", 0, 0
        self.folders: set[Path] = set()

    @property
    def shown(self) -> str:
        """Archive, part and member, for messages."""
        part = f" (at part {self.joined.path.name})" if len(self.joined.paths) > 1 else ""
        return f"{self.joined.paths[0]}{part}{f', {self.member}' if self.member else ''}"

    def tar(self, zipped: bool) -> int:
        """Unpack a tar archive, gzipped or not, in one pass."""
        require_space(self.aside, self.joined.size)
        raw = cast(BinaryIO, io.BufferedReader(self.joined, CHUNK))
        stream = _Watched(cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if zipped else raw)
        count = 0
        with (
            self._bar(self.joined.size) as bar,
            tarfile.open(fileobj=cast(BinaryIO, stream), mode="r|", tarinfo=_Member) as archive,
        ):
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # it would keep every one
                self.member = member.name
                path = self._checked(member.name, member.size)
                if member.isdir():
                    continue
                if not member.isreg() or member.issparse():
                    raise self._refused("is a link, a device or a file with holes")
                if chosen := path and self.choose(path):
                    try:
                        with open(self._path(chosen), "xb") as output:
                            self._copy(cast(IO[bytes], archive.extractfile(member)), output, member.size)
                    except FileExistsError:
                        raise self._refused("is in the archive twice") from None
                    count += 1
                bar.update(self.joined.tell() - bar.n)

            # Read to the end: the archive must close with two empty blocks and nothing behind them.
            end, last, self.member = archive.offset, self.member, ""
            while data := stream.read(CHUNK):
                self._limit(len(data), "after its end")
        if stream.size < end + 2 * BLOCK or stream.data_end > end:
            raise EOFError(f"there is no end mark after {last}")
        return count

    def zip(self) -> int:
        """Unpack a zip archive, keeping what an earlier run has unpacked."""
        with zipfile.ZipFile(cast(IO[bytes], io.BufferedReader(self.joined, CHUNK))) as archive:
            chosen = list(self._chosen(archive))
            self.member = ""
            if len({name for _, name in chosen}) != len(chosen):
                raise self._refused("holds two files of one name")
            missing = [(info, name) for info, name in chosen if not self._is_there(info, name)]
            size = sum(info.file_size for info, _ in missing)
            require_space(self.aside, size)

            with self._bar(size) as bar:
                for info, name in missing:
                    self.member = info.filename
                    if info.flag_bits & 1:
                        raise self._refused("is encrypted")
                    target = self._path(name)
                    partial = target.with_name(target.name + ".part")
                    with archive.open(info) as source, open(partial, "wb") as output:
                        self._copy(source, output, info.file_size)
                    os.replace(partial, target)
                    bar.update(info.file_size)
        return len(chosen)

    def _chosen(self, archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, str]]:
        """The members to unpack and their paths, once all are known to be harmless."""
        for info in archive.infolist():
            self.member = info.filename
            path = self._checked(info.filename, 0)
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise self._refused("is a link or a device")
            if path and not info.is_dir() and (name := self.choose(path)):
                self._limit(info.file_size, "unpacked")
                yield info, name

    def _checked(self, name: str, size: int) -> str:
        """The member's normal path ("" for the root), once it and its size are known to be harmless."""
        if name.startswith("/") or ".." in PurePosixPath(name).parts or re.search(r"[\0\\]", name):
            raise self._refused("has a path that leads out of the folder")
        self.members += 1
        if self.members > self.limits.members:
            raise self._refused(f"is one file too many: at most {self.limits.members} are expected")
        self._limit(size, "unpacked")
        path = PurePosixPath(name).as_posix()
        return "" if path == "." else path

    def _limit(self, more: int, what: str) -> None:
        self.bytes += more
        if self.bytes > self.limits.bytes:
            raise self._refused(f"has more than {self.limits.bytes} bytes {what}")

    def _refused(self, why: str) -> FcaError:
        return FcaError(
            f"{self.shown} {why}", "a dataset's archive: plain files below one folder", "don't use this archive"
        )

    def _path(self, name: str) -> Path:
        """Path of a new file, whose folder exists."""
        path = self.aside / name
        if path.parent not in self.folders:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                raise self._refused("lies below a file, not a folder") from None
            self.folders.add(path.parent)
        return path

    def _copy(self, source: IO[bytes], output: IO[bytes], size: int) -> None:
        left = size
        while left and (data := source.read(min(left, CHUNK))):
            output.write(data)
            left -= len(data)
        if left:
            raise EOFError(f"{size - left} of {size} bytes are there")
        source.read(1)  # a zip compares the checksum at the end

    def _is_there(self, info: zipfile.ZipInfo, name: str) -> bool:
        path, checksum = self.aside / name, 0
        if not path.is_file() or path.stat().st_size != info.file_size:
            return False
        with open(path, "rb") as file:
            while data := file.read(CHUNK):
                checksum = zlib.crc32(data, checksum)
        return checksum == info.CRC

    def _bar(self, total: int) -> tqdm:
        return tqdm(total=total, desc=f"unpack {self.joined.paths[0].name}", unit="B", unit_scale=True, mininterval=1)


class _Member(tarfile.TarInfo):
    """A member of a tar archive; one with an enormous header is damage or an attack on memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in HEADERS and self.size > MAX_HEADER:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc]


class _Watched:
    """A stream that counts its bytes and remembers the end of the last one that isn't zero."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.size, self.data_end = stream, 0, 0

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        if kept := len(data.rstrip(b"\0")):
            self.data_end = self.size + kept
        self.size += len(data)
        return data
