"""The parts of an archive read one after the other as one file, without a joined copy on the disk."""

import io
import os
import zipfile
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import IO


class JoinedParts(io.RawIOBase):
    """Files read one after the other as one. A part may be the only member of its own zip file."""

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__()
        self.paths = list(paths)
        self._members = [_lone_member(path) if len(self.paths) > 1 else None for path in self.paths]
        self._sizes = [
            member.file_size if member else path.stat().st_size
            for path, member in zip(self.paths, self._members, strict=True)
        ]
        self._starts = [0, *accumulate(self._sizes[:-1])]
        self.size, self._position = sum(self._sizes), 0
        self._files: dict[int, IO[bytes]] = {}

    @property
    def path(self) -> Path:
        """The part being read."""
        return self.paths[self._part()[0]]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence])
        return self._position

    def readinto(self, buffer) -> int:
        if self._position >= self.size:
            return 0
        number, offset = self._part()
        if number not in self._files:
            path, member = self.paths[number], self._members[number]
            self._files[number] = zipfile.ZipFile(path).open(member) if member else path.open("rb")  # noqa: SIM115
        file = self._files[number]
        if file.tell() != offset:
            file.seek(offset)
        data = file.read(min(len(buffer), self._sizes[number] - offset))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        super().close()

    def _part(self) -> tuple[int, int]:
        """Number of the part at the position, and the position in it; the last part at the end."""
        number = bisect_right(self._starts, self._position) - 1
        return number, self._position - self._starts[number]


def _lone_member(path: Path) -> zipfile.ZipInfo | None:
    """The only member of a zip file that wraps one part of an archive, or None for a part as it is."""
    with open(path, "rb") as file:
        if file.read(4) != b"PK\3\4":
            return None
        try:
            infos = zipfile.ZipFile(file).infolist()
        except zipfile.BadZipFile:
            return None
    return infos[0] if len(infos) == 1 and path.name.startswith(infos[0].filename.rpartition("/")[2]) else None
