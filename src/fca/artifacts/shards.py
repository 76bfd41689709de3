"""Shards: an HDF5 file of equally long columns with a manifest next to it; one writer and one reader for all kinds.

The sha256 of its content identifies a shard, not that of the file. Damage to the manifest or the headings is found on
opening, to a row when it is read (HDF5 verifies its checksum), anywhere by `Shard.verify`. The file also holds its own
manifest, so a step that finds a shard of its own job needs to compute nothing: see `reused`.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from fca.artifacts.atomic import require_space, write_aside
from fca.artifacts.columns import TABLES, Column, bytes_of, check_columns, content_hash, to_json, write_hdf5
from fca.artifacts.manifest import Manifest
from fca.artifacts.quarantine import Quarantine
from fca.config import Layout
from fca.errors import FcaError, first_line, remake

log = logging.getLogger(__name__)

MADE_BY = {
    "clips": "fca resample",
    "latents": "fca encode",
    "samples": "fca sample",
    "features": "fca score",
    "roundtrips": "fca measure-vae-roundtrip",
}
MANIFEST = "manifest"  # in the file, the text of the shard's manifest; no column
ROOM = 2**20  # bytes besides the arrays: headers, chunk index, manifest
DAMAGE = (OSError, RuntimeError, KeyError, UnicodeDecodeError)  # what h5py raises when it reads damaged bytes


def write_shard(
    path: Path | str,
    kind: str,
    arrays: Mapping[str, Column],
    ids: Sequence[str],
    parents: Mapping[str, str],
    made_by: Mapping[str, str],
    quarantine: Sequence[Quarantine] = (),
    meta: Mapping[str, Any] | None = None,
    linked: Mapping[str, Path] | None = None,
) -> Manifest:
    """Write a shard and, last, its manifest; return the manifest.

    `arrays`: name -> array of len(ids) rows (any row shape, bool, integer or float) or list of len(ids) strings; the
    names in TABLES may have another length. The column `id` is added. `meta`: JSON values that belong to the content,
    so they are hashed. `linked`: columns that the file of another shard, one of `parents`, holds with the same
    content; they are read from there and take no space here.

    Raises:
        ValueError: columns don't fit together.
        FcaError: the disk is full; before writing, if that is known.
    """
    path, meta, linked = Path(path), dict(meta or {}), dict(linked or {})
    columns: dict[str, Column] = {"id": list(ids)}
    columns |= {
        name: list(column) if isinstance(column, list | tuple) else np.asarray(column)
        for name, column in arrays.items()
    }
    check_columns(path, columns)
    require_space(path, ROOM + sum(bytes_of(column) for name, column in columns.items() if name not in linked))
    manifest = Manifest(
        kind=kind,
        count=len(ids),
        ids=list(ids),
        sha256=content_hash(columns, meta),
        parents=dict(parents),
        made_by=dict(made_by),
        quarantine=list(quarantine),
    )

    attributes = {"name": path.name, "kind": kind, "meta": to_json(meta), "sha256": manifest.sha256}
    columns[MANIFEST] = np.frombuffer(manifest.text().encode(), np.uint8)
    links = {name: os.path.relpath(other, path.parent) for name, other in linked.items()}
    with write_aside(path) as aside:
        write_hdf5(aside, attributes, columns, links)
        Layout.manifest(path).unlink(missing_ok=True)  # never an old manifest next to a new file
    manifest.write(Layout.manifest(path))
    return manifest


def reused(
    path: Path | str,
    kind: str,
    parents: Mapping[str, str],
    made_by: Mapping[str, str],
    quarantine: Sequence[Quarantine] = (),
) -> Manifest | None:
    """Restore and return the manifest of a shard, if the file is intact and the same job made it before.

    The job is known by the file's name, its inputs (`parents`), its fingerprint (`made_by`, except for the version) and
    the clips that were unusable before it (`quarantine`). A shard that lost more clips than these is never reused:
    their media may have been repaired. None: the job must run. All of the shard is read, which takes seconds.
    """
    path = Path(path)
    if not path.is_file():
        return None
    try:
        with h5py.File(path, "r", locking=False) as file:
            if MANIFEST not in file or file.attrs["name"].decode() != path.name:
                return None
            found = Manifest.parse(file[MANIFEST][:].tobytes().decode(), path)
        if not found.is_of(parents, made_by, quarantine):
            return None
        with Shard(path, kind, found) as shard:
            shard.verify()
    except Exception as error:  # whatever a damaged file raises
        log.warning("%s can't be reused and is recomputed (%s)", path, first_line(error))
        return None
    found.write(Layout.manifest(path))
    print(f"{path} is complete: nothing to compute, its manifest is written", flush=True)
    return found


class Shard:
    """A shard opened for reading, safe to send to worker processes and to use after a fork.

    Opening checks that file and manifest exist and agree on kind, ids, counts and the content's hash. Every process
    opens the file itself at its first read, so no handle is ever shared.

        with Shard(path, kind="clips") as shard:
            shard.frames[0]      # (16, H, W, 3) uint8
            shard["mean"][4:8]   # any column, sliced along axis 0
            shard.ids, shard.captions, shard.meta, shard.manifest
    """

    def __init__(self, path: Path | str, kind: str | None = None, manifest: Manifest | None = None) -> None:
        """`manifest`: what the shard is compared with; None: the file next to it."""
        self.path = Path(path)
        self.manifest = manifest or Manifest.read(Layout.manifest(self.path))
        self._file: h5py.File | None = None
        self._datasets: dict[str, h5py.Dataset] = {}
        self._process = 0
        if not self.path.is_file():
            raise self._damaged("the file is missing")
        if kind not in (None, self.manifest.kind):
            raise FcaError(f"{self.path} holds {self.manifest.kind}", f"a shard of {kind}", "give the right file")
        try:
            with self._reading("it can't be opened"):
                self._read_headings()
        finally:
            self.close()

    def _read_headings(self) -> None:
        """Read what every user of the shard needs, and compare it with the manifest."""
        file = self._open()
        if (stored := file.attrs["kind"].decode("utf-8")) != self.manifest.kind:
            raise ValueError(f"the file holds {stored}, its manifest says {self.manifest.kind}")
        self.meta: dict[str, Any] = json.loads(file.attrs["meta"].decode("utf-8"))
        self.names = sorted(set(file) - {MANIFEST})
        self.ids: list[str] = list(file["id"].asstr()[:])
        self.captions: list[str] = list(file["caption"].asstr()[:]) if "caption" in file else []
        if self.ids != list(self.manifest.ids) or len(self.ids) != self.manifest.count:
            raise ValueError("its ids differ from its manifest's")
        if "sha256" in file.attrs and file.attrs["sha256"].decode("utf-8") != self.manifest.sha256:
            raise ValueError("it is another shard's file: the content sha256 that it names is not its manifest's")
        for name in self.names:
            self._check_link(file, name)
            if name not in TABLES and len(file[name]) != len(self.ids):
                raise ValueError(f"{name} has {len(file[name])} rows for {len(self.ids)} clips")

    def _check_link(self, file: h5py.File, name: str) -> None:
        """Refuse a column that another shard's file holds, if that isn't what it was."""
        link = file.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            other = self.path.parent / link.filename
            if not other.is_file():
                raise ValueError(f"{other}, which holds its {name}, is missing")
            if file[name].file.attrs["sha256"].decode("utf-8") not in self.manifest.parents.values():
                raise ValueError(f"{other}, which holds its {name}, was made again since")

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
        """Read everything and compare the content hash with the manifest's.

        Raises:
            FcaError: they differ, or something can't be read.
        """
        with self._reading("it can't be read"):
            rows = {name: self[name] for name in self.names}
            columns = {name: list(column[:]) if column.is_text else column for name, column in rows.items()}
            found = content_hash(columns, self.meta)
        if found != self.manifest.sha256:
            raise self._damaged("its content is not what its manifest says (sha256 differs)")
        return self

    def close(self) -> None:
        """Close this process's handle; the next read reopens it."""
        if self._file is not None and self._process == os.getpid():
            self._file.close()
        self._file, self._datasets = None, {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None, "_datasets": {}, "_process": 0}

    def _open(self) -> h5py.File:
        """This process's own handle. No lock: a written shard never changes, and network disks often can't lock."""
        if self._file is None or self._process != os.getpid():
            self._file, self._datasets = h5py.File(self.path, "r", locking=False), {}
            self._process = os.getpid()
        return self._file

    def _dataset(self, name: str) -> h5py.Dataset:
        """A column of this process's handle, kept open because closing it empties HDF5's cache of chunks."""
        file = self._open()
        if name not in self._datasets:
            self._datasets[name] = file[name]
        return self._datasets[name]

    @contextmanager
    def _reading(self, problem: str, errors: tuple[type[Exception], ...] = (Exception,)) -> Iterator[None]:
        """Turn what a damaged file raises, and failed checks, into one error that names the file."""
        try:
            yield
        except FcaError:
            raise
        except errors as error:
            raise self._damaged(f"{problem} ({first_line(error)})") from error

    def _damaged(self, problem: str) -> FcaError:
        maker, manifest = MADE_BY.get(self.manifest.kind, "a step"), Layout.manifest(self.path)
        return FcaError(
            f"{self.path} can't be used: {problem}",
            f"{self.manifest.count} {self.manifest.kind} with content sha256 {self.manifest.sha256[:12]}...",
            f"`rm -f {self.path} {manifest}`, then {remake(manifest)}; `{maker}` makes it",
        )


class Rows:
    """One column of a shard, read row by row from the disk; strings come as str."""

    def __init__(self, shard: Shard, name: str) -> None:
        self._shard, self._name = shard, name
        with shard._reading(f"{name} can't be read"):
            dataset = shard._dataset(name)
            self.shape: tuple[int, ...] = dataset.shape
            self.is_text = h5py.check_string_dtype(dataset.dtype) is not None
            self.dtype: np.dtype = dataset.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        """Rows by index, slice or increasing list of indices.

        Raises:
            FcaError: their checksum is wrong.
        """
        with self._shard._reading(f"{self._name}[{rows}] can't be read", DAMAGE):
            dataset = self._shard._dataset(self._name)
            return (dataset.asstr() if self.is_text else dataset)[rows]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)
