"""The columns of a shard: allowed types, content hash, and storage in HDF5.

The same content gives the same bytes: no times are stored and the format version is fixed. Every column is stored in
chunks of whole rows, each with a checksum that HDF5 verifies when it reads. Nothing uses HDF5's heap for strings of
variable length: it has no checksum, and reading a damaged one can loop forever.
"""

import hashlib
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fca.config.captions import storable

TABLES = {"prompt_embeds", "text_embeds", "text_ids", "text_mask"}  # one row per distinct caption, not per clip
FORMAT = ("v110", "v110")
CHUNK_BYTES = 2**18
HASH_BYTES = 2**24

Column = np.ndarray | list[str]


def content_hash(columns: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    """Hex SHA-256 of meta and, sorted by name, every column's name, dtype, shape and bytes.

    A column is a numeric array (numpy, or anything sliced like one; rows are read in blocks), hashed as little-endian
    and row-major, or a list of strings, hashed as UTF-8 with each length in front.
    """
    digest = hashlib.sha256(to_json(meta).encode())
    for name in sorted(columns):
        column = columns[name]
        if isinstance(column, list):
            digest.update(f"{name}|text|{len(column)}\n".encode())
            for text in column:
                encoded = text.encode("utf-8")
                digest.update(f"{len(encoded)}:".encode() + encoded)
        else:
            digest.update(f"{name}|{np.dtype(column.dtype).newbyteorder('<').str}|{tuple(column.shape)}\n".encode())
            row_bytes = max(1, math.prod(column.shape[1:]) * np.dtype(column.dtype).itemsize)
            step = max(1, HASH_BYTES // row_bytes)
            for start in range(0, len(column), step):
                block = np.asarray(column[start : start + step])
                digest.update(np.ascontiguousarray(block, dtype=block.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


def check_columns(path: Path, columns: Mapping[str, Column]) -> None:
    """Refuse columns that a reader would refuse, before writing anything."""
    count = len(columns["id"])
    for name, column in columns.items():
        if name not in TABLES and len(column) != count:
            raise ValueError(f"{name} has {len(column)} rows for {count} ids in {path}")
        if isinstance(column, list):
            for text in column:
                if not isinstance(text, str) or not storable(text):
                    raise ValueError(f"{name} of {path} holds {text!r}, not a text that can be stored")
        elif column.dtype.kind not in "biuf" or column.ndim == 0 or 0 in column.shape[1:]:
            raise ValueError(f"{name} of {path} is {column.dtype} {column.shape}, not rows of numbers")


def bytes_of(column: Column) -> int:
    return sum(len(text.encode()) + 32 for text in column) if isinstance(column, list) else column.nbytes


def write_hdf5(
    path: Path, attributes: Mapping[str, str], columns: Mapping[str, Column], links: Mapping[str, str] | None = None
) -> None:
    """Write a whole HDF5 file. `links`: column -> file, relative to this one's folder, that holds it by the same name.

    Raises:
        OSError: the operating system's own, such as that of a full disk.
    """
    with _Output(path, "w+") as output, h5py.File(output, "w", libver=FORMAT) as file:
        for name, text in attributes.items():
            file.attrs[name] = np.bytes_(text.encode("utf-8"))
        for name in sorted(columns):
            if links and name in links:
                file[name] = h5py.ExternalLink(links[name], name)
            else:
                _write_column(file, name, columns[name])


def chunk_rows(count: int, row_bytes: int) -> int:
    """Rows in a chunk of a column of `count` rows, at least 1. They are equally long: the last is stored whole."""
    chunks = math.ceil(count / max(1, CHUNK_BYTES // row_bytes))
    return math.ceil(count / chunks) if chunks else 1


def stored_bytes(count: int, row_bytes: int) -> int:
    """Bytes of a column in a file: whole chunks, each with a checksum and an entry in the list of chunks."""
    rows = chunk_rows(count, row_bytes)
    return math.ceil(count / rows) * (rows * row_bytes + 4 + 8)


def _write_column(file: h5py.File, name: str, column: Column) -> None:
    """Write a column; strings get a fixed length in bytes, and a column without rows has no chunks."""
    if isinstance(column, list):
        encoded = [text.encode("utf-8") for text in column]
        dtype = h5py.string_dtype("utf-8", max([1, *map(len, encoded)]))
        column = np.array(encoded, dtype=dtype)
    else:
        dtype = column.dtype.newbyteorder("<")
    rows = chunk_rows(len(column), column.dtype.itemsize * math.prod(column.shape[1:]))
    chunked = {"chunks": (rows, *column.shape[1:]), "fletcher32": True} if len(column) else {}
    stored = file.create_dataset(name, column.shape, dtype, track_times=False, **chunked)
    for start in range(0, len(column), rows):
        stored[start : start + rows] = column[start : start + rows]


class _Output(io.FileIO):
    """The unbuffered file that HDF5 writes to. It holds back the first error and raises it at the end.

    If HDF5 learns of a full disk, it crashes the process while it closes the file.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        view, done = memoryview(data), 0
        while self.error is None and done < len(view):
            try:
                done += super().write(view[done:])
            except OSError as error:
                self.error = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        return size or 0 if self.error else super().truncate(size)

    def __exit__(self, *_: object) -> None:
        """Close; an error of writing takes precedence over what HDF5 raised because of the missing bytes."""
        self.close()
        if self.error is not None:
            raise self.error


def to_json(meta: Mapping[str, Any]) -> str:
    return json.dumps(meta, sort_keys=True, ensure_ascii=False)
