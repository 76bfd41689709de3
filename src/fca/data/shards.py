"""Shards: one HDF5 file of equally long arrays with a manifest beside it; one writer and one reader for all
kinds.

A shard's identity is the sha256 of its content (`content_hash`), not of the file. The bytes of the file are
nevertheless the same for the same content and library versions: no times are stored and the format version is
fixed. Arrays lie in chunks of whole rows, each with a checksum that HDF5 verifies on every read, so a damaged
row is found when it is used and `Shard.verify` finds one anywhere.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from fca.data.clip import storable
from fca.data.files import require_space, write_aside
from fca.data.manifest import Manifest
from fca.data.quarantine import Quarantine
from fca.errors import FcaError

TABLES = {"prompt_embeds", "text_embeds", "text_mask"}  # one row per distinct caption, not per clip
MADE_BY = {"clips": "fca resample", "latents": "fca encode", "samples": "fca sample"}
FORMAT = ("v110", "v110")
CHUNK_BYTES = 2**18
ROOM = 2**20  # bytes beside the arrays: strings' heap, chunk index, manifest

Column = np.ndarray | list[str]


def manifest_path(shard: Path | str) -> Path:
    """The manifest beside a shard: the same name with `.json`."""
    return Path(shard).with_suffix(".json")


def content_hash(columns: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    """Hex SHA-256 over meta and, in the order of their names, every column's name, dtype, shape and bytes.

    A column is a numeric array (numpy, or anything sliced like one: rows are read in blocks) or a list of
    strings, of which the UTF-8 bytes count, each with its length before it. Numbers count as little-endian,
    row-major.
    """
    digest = hashlib.sha256(_json(meta).encode())
    for name in sorted(columns):
        column = columns[name]
        if isinstance(column, list):
            digest.update(f"{name}|text|{len(column)}\n".encode())
            for text in column:
                encoded = text.encode("utf-8")
                digest.update(f"{len(encoded)}:".encode() + encoded)
        else:
            digest.update(
                f"{name}|{np.dtype(column.dtype).newbyteorder('<').str}|{tuple(column.shape)}\n".encode()
            )
            for block in _blocks(column):
                digest.update(np.ascontiguousarray(block, dtype=block.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


def write_shard(
    path: Path | str,
    kind: str,
    arrays: Mapping[str, Column],
    ids: Sequence[str],
    parents: Mapping[str, str],
    made_by: Mapping[str, str],
    quarantine: Sequence[Quarantine] = (),
    meta: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Manifest:
    """Write a shard and, last, its manifest; return the manifest.

    `arrays`: name -> array of len(ids) rows (any row shape, bool, integer or float) or list of len(ids)
    strings; the names in TABLES may have another length. The column `id` is added. `meta`: JSON values that
    belong to the content (they count in the hash). `extra`: JSON values for the manifest only.

    Raises `ValueError` for columns that don't fit together, `FcaError` for a full disk (before writing, where
    it can be known).
    """
    path, meta = Path(path), dict(meta or {})
    columns: dict[str, Column] = {"id": list(ids)}
    columns |= {
        name: list(column) if isinstance(column, list | tuple) else np.asarray(column)
        for name, column in arrays.items()
    }
    _check_columns(path, columns)
    require_space(path, ROOM + sum(_bytes(column) for column in columns.values()))
    manifest = Manifest(
        kind=kind,
        count=len(ids),
        ids=list(ids),
        sha256=content_hash(columns, meta),
        parents=dict(parents),
        made_by=dict(made_by),
        quarantine=list(quarantine),
        extra=dict(extra or {}),
    )
    with write_aside(path) as aside, _Output(aside) as output, h5py.File(output, "w", libver=FORMAT) as file:
        file.attrs["kind"] = kind
        file.attrs["meta"] = _json(meta)
        for name in sorted(columns):
            _write_column(file, name, columns[name])
    manifest.write(manifest_path(path))
    return manifest


class Shard:
    """A shard opened for reading, safe to send to worker processes and to use after a fork.

    Opening checks that file and manifest are there and agree on kind, ids and counts. The file is opened
    again in every process at its first read, so no handle is ever shared.

        with Shard(path, kind="clips") as shard:
            shard.frames[0]      # (16, H, W, 3) uint8
            shard["mean"][4:8]   # any column, sliced along axis 0
            shard.ids, shard.captions, shard.meta, shard.manifest
    """

    def __init__(self, path: Path | str, kind: str | None = None) -> None:
        self.path = Path(path)
        self.manifest = Manifest.read(manifest_path(self.path))
        self._file: h5py.File | None = None
        self._process = 0
        if not self.path.is_file():
            raise self._damaged("the file is missing")
        if kind not in (None, self.manifest.kind):
            raise FcaError(
                f"{self.path} holds {self.manifest.kind}", f"a shard of {kind}", "give the right file"
            )
        try:
            with self._reading("it can't be opened"):
                self._read_headings()
        finally:
            self.close()

    def _read_headings(self) -> None:
        """Read what every use needs, and compare it with the manifest."""
        file = self._open()
        if (stored := file.attrs["kind"]) != self.manifest.kind:
            raise ValueError(f"the file holds {stored}, its manifest says {self.manifest.kind}")
        self.meta: dict[str, Any] = json.loads(file.attrs["meta"])
        self.names = sorted(file)
        self.ids: list[str] = list(file["id"].asstr()[:])
        self.captions: list[str] = list(file["caption"].asstr()[:]) if "caption" in file else []
        if self.ids != list(self.manifest.ids) or len(self.ids) != self.manifest.count:
            raise ValueError("its ids differ from its manifest's")
        for name in self.names:
            if name not in TABLES and len(file[name]) != len(self.ids):
                raise ValueError(f"{name} has {len(file[name])} rows for {len(self.ids)} clips")

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> "Rows":
        if name not in self.names:
            raise self._damaged(f"it has no array {name!r} among {', '.join(self.names)}")
        return Rows(self, name)

    @property
    def frames(self) -> "Rows":
        """(n, 16, H, W, 3) uint8, of clips and samples."""
        return self["frames"]

    def verify(self) -> Self:
        """Read everything and compare the content hash with the manifest's; `FcaError` when they differ."""
        columns: dict[str, Any] = {}
        for name in self.names:
            rows = self[name]
            columns[name] = list(rows[:]) if rows.is_text else rows
        if content_hash(columns, self.meta) != self.manifest.sha256:
            raise self._damaged("its content is not what its manifest says (sha256 differs)")
        return self

    def close(self) -> None:
        """Close this process's handle; reading again opens it again."""
        if self._file is not None and self._process == os.getpid():
            self._file.close()
        self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None, "_process": 0}

    def _open(self) -> h5py.File:
        """This process's own handle. Shards never change once written, so no lock is taken (network file
        systems).
        """
        if self._file is None or self._process != os.getpid():
            self._file = h5py.File(self.path, "r", locking=False)
            self._process = os.getpid()
        return self._file

    @contextmanager
    def _reading(self, problem: str) -> Iterator[None]:
        """What HDF5 and h5py raise for a damaged file, and our own checks, become one error that names the file."""
        try:
            yield
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError) as error:
            raise self._damaged(f"{problem} ({_short(error)})") from error

    def _damaged(self, problem: str) -> FcaError:
        maker = MADE_BY.get(self.manifest.kind, "the workflow")
        return FcaError(
            f"{self.path} can't be used: {problem}",
            f"{self.manifest.count} {self.manifest.kind} with content sha256 {self.manifest.sha256[:12]}...",
            f"`rm -f {self.path} {manifest_path(self.path)}` and run the workflow again (`{maker}` makes it)",
        )


class Rows:
    """One column of a shard, read row by row from the disk; strings come as str."""

    def __init__(self, shard: Shard, name: str) -> None:
        self._shard, self._name = shard, name
        with shard._reading(f"{name} can't be read"):
            dataset = shard._open()[name]
            self.shape: tuple[int, ...] = dataset.shape
            self.is_text = h5py.check_string_dtype(dataset.dtype) is not None
            self.dtype: np.dtype = dataset.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        """Rows by index, slice or increasing list of indices; `FcaError` when their checksum is wrong."""
        with self._shard._reading(f"{self._name}[{rows}] can't be read"):
            dataset = self._shard._open()[self._name]
            return (dataset.asstr() if self.is_text else dataset)[rows]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)


class _Output:
    """The file that HDF5 writes to: it keeps the first error to itself and raises it at the end.

    HDF5, told of a full disk, crashes the process while it closes the file; so it isn't told.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "w+b", buffering=0)
        self._error: OSError | None = None

    def write(self, data: Any) -> int:
        view, done = memoryview(data), 0
        while self._error is None and done < len(view):
            try:
                done += self._file.write(view[done:])
            except OSError as error:
                self._error = error
        return len(view)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer) or 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int) -> int:
        return size if self._error else self._file.truncate(size)

    def flush(self) -> None:
        """Nothing is buffered here."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close; an error of writing goes before whatever HDF5 made of the missing bytes."""
        self._file.close()
        if self._error is not None:
            raise self._error


def _check_columns(path: Path, columns: Mapping[str, Column]) -> None:
    """Refuse columns that a reader would refuse, before anything is written."""
    count = len(columns["id"])
    if count == 0:
        raise FcaError(
            f"no clip is left for {path}", "at least one usable clip in a shard", "see the quarantined clips"
        )
    for name, column in columns.items():
        if name not in TABLES and len(column) != count:
            raise ValueError(f"{name} has {len(column)} rows for {count} ids in {path}")
        if isinstance(column, list):
            for text in column:
                if not isinstance(text, str) or not storable(text):
                    raise ValueError(f"{name} of {path} holds {text!r}, not a text that can be stored")
        elif column.dtype.kind not in "biuf" or column.ndim == 0 or 0 in column.shape:
            raise ValueError(f"{name} of {path} is {column.dtype} {column.shape}, not rows of numbers")


def _write_column(file: h5py.File, name: str, column: Column) -> None:
    if isinstance(column, list):
        file.create_dataset(name, data=column, dtype=h5py.string_dtype("utf-8"), track_times=False)
        return
    rows = min(len(column), max(1, CHUNK_BYTES * len(column) // column.nbytes))
    file.create_dataset(
        name,
        shape=column.shape,
        dtype=column.dtype.newbyteorder("<"),
        chunks=(rows, *column.shape[1:]),
        fletcher32=True,
        track_times=False,
    )
    for start in range(0, len(column), rows):
        file[name][start : start + rows] = column[start : start + rows]


def _blocks(column: Any) -> Iterator[np.ndarray]:
    """The rows of a column in blocks of about 16 MiB."""
    row_bytes = max(1, int(np.prod(column.shape[1:])) * np.dtype(column.dtype).itemsize)
    step = max(1, 2**24 // row_bytes)
    for start in range(0, len(column), step):
        yield np.asarray(column[start : start + step])


def _bytes(column: Column) -> int:
    return sum(len(text.encode()) + 32 for text in column) if isinstance(column, list) else column.nbytes


def _json(meta: Mapping[str, Any]) -> str:
    return json.dumps(meta, sort_keys=True, ensure_ascii=False)


def _short(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
