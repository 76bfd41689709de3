"""Download several files over HTTP at once; the next run resumes what an interrupted one left.

A file grows as `<name>.part`; `<name>.part.json` says what it is a part of. A part is resumed only if the server says
that it still has the same file (ETag or Last-Modified) or a published hash can tell; else the file starts again. It
gets its name once its length and hashes are right.
"""

import fcntl
import json
import os
import re
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import requests
from tqdm import tqdm

from fca.artifacts.atomic import explained_if_full, require_space
from fca.data.download.digests import Digests, check_digests
from fca.data.download.http import BY_HAND, Broken, Client, chunks, content_length, is_chunked, without_query
from fca.errors import FcaError


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server, its path here, and what is known of it."""

    url: str
    path: Path
    size: int | None = None
    digests: Digests = field(default_factory=dict)

    @property
    def part(self) -> Path:
        return self.path.with_name(self.path.name + ".part")


@dataclass(frozen=True)
class _RemoteState:
    """The file on the server that a part belongs to."""

    url: str
    size: int | None
    etag: str | None
    modified: str | None


class _Stopped(Exception):
    """Another file failed."""


def download(files: Sequence[RemoteFile], workers: int = 4, client: Client | None = None) -> None:
    """Download missing files, `workers` at once; files that exist are only checked.

    Raises:
        FcaError: a file can't be downloaded (the parts of all others stay: run the same command again), has another
            hash (its part is removed), or doesn't fit on the disk.
    """
    if len({file.path for file in files}) != len(files):
        raise ValueError("two files to download have the same path")
    client = client or Client()
    for file in files:
        if file.path.exists():
            _check_present(file)
    waiting = [file for file in files if not file.path.exists()]
    if not waiting:
        return
    for file in waiting:
        file.path.parent.mkdir(parents=True, exist_ok=True)
    missing = sum(max(0, (file.size or 0) - _size(file.part)) for file in waiting)
    require_space(waiting[0].path, missing)

    # The first failure stops all others; the errors are raised at the end, the cause first.
    stop = threading.Event()
    with tqdm(total=0, desc=f"download {len(waiting)} files", unit="B", unit_scale=True, mininterval=1) as bar:
        with ThreadPoolExecutor(workers) as pool:
            tasks = [pool.submit(_Download(file, client, bar, stop).fetch) for file in waiting]
            try:
                wait(tasks, return_when=FIRST_EXCEPTION)
            finally:
                if not all(task.done() and not task.exception() for task in tasks):
                    stop.set()
                    pool.shutdown(cancel_futures=True)
        errors = [error for task in tasks if not task.cancelled() and (error := task.exception())]
    for error in sorted(errors, key=lambda error: isinstance(error, _Stopped)):
        raise error


class _Download:
    """One file while it is downloaded."""

    def __init__(self, file: RemoteFile, client: Client, bar: tqdm, stop: threading.Event) -> None:
        self.file, self.client, self.bar, self.stop = file, client, bar, stop
        self.part = file.part
        self.note = self.part.with_name(self.part.name + ".json")
        self.counted = [0, 0]  # what this file has added to the bar and to its total

    def fetch(self) -> None:
        """Resume until the file is complete, check it, and give it its name."""
        with explained_if_full(self.file.path), open(self.part, "ab") as output:
            self._lock(output.fileno())
            self.client.repeated(self.file.url, lambda: self._resume(output.fileno()), lambda: _size(self.part))
            os.fsync(output.fileno())
            self._check()
            os.replace(self.part, self.file.path)
            self.note.unlink(missing_ok=True)

    def _lock(self, output: int) -> None:
        """Keep the part to this process until it is closed."""
        with suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(output, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(output), self.part.stat()):
                return
        raise FcaError(f"another process is downloading {self.file.path}", "one at a time", "wait for it, or stop it")

    def _resume(self, output: int) -> None:
        """One try: from the end of the part to the end of the file."""
        if self.stop.is_set():
            raise _Stopped
        begun = self._begun()
        have = _size(self.part) if begun else 0
        self._count(have, self.file.size or (begun and begun.size) or 0)
        if begun and begun.size is not None and have >= begun.size:
            if have == begun.size:
                return
            have = 0
        headers = {}
        if begun and have:
            validator = begun.etag if begun.etag and not begun.etag.startswith("W/") else begun.modified
            headers = {"Range": f"bytes={have}-"} | ({"If-Range": validator} if validator else {})
        with self.client.get(self.file.url, headers) as response:
            now = _described(self.file.url, response)
            if response.status_code != 200 and not (begun and have and _continues(response, begun, now, have)):
                self._restart(output)
                raise Broken("the server no longer has the file that was begun, or sends another part of it")
            if response.status_code == 200:
                have = 0
                self._start(output, response, now)
            self._receive(output, response, have, now.size)

    def _start(self, output: int, response: requests.Response, now: _RemoteState) -> None:
        """Check the headers of a whole file, and note what the part belongs to."""
        known = self.file.size is not None or bool(self.file.digests)
        kind = response.headers.get("Content-Type", "").lower()
        if kind.startswith("text/html") and not self.file.digests:
            raise FcaError(f"{self.file.url} is a page, perhaps one to sign in, not {self.file.path.name}", "", BY_HAND)
        if self.file.size is not None and now.size not in (None, self.file.size):
            raise Broken(f"the server offers {now.size} bytes, {self.file.size} are published")
        if now.size is None and not is_chunked(response) and not known:
            raise Broken("the server doesn't say how long the file is, so its end could be missing")
        self._restart(output)
        self._count(0, now.size or self.file.size or 0)
        require_space(self.part, int(self.bar.total - self.bar.n))  # of all files being downloaded
        self.note.write_text(json.dumps(asdict(now)), encoding="utf-8")

    def _receive(self, output: int, response: requests.Response, have: int, size: int | None) -> None:
        self._count(have, size or self.file.size or 0)
        for chunk in chunks(response):
            if self.stop.is_set():
                raise _Stopped
            view = memoryview(chunk)
            while view:
                view = view[os.write(output, view) :]
            have += len(chunk)
            self._count(have, size or self.file.size or 0)
        wanted = size if size is not None else self.file.size
        if wanted not in (None, have):
            raise Broken(f"{have} of {wanted} bytes came")

    def _check(self) -> None:
        try:
            check_digests(self.part, self.file.digests, self.file.url, "run the same command again, or ask its owner")
        except FcaError:
            self.part.unlink()
            self.note.unlink(missing_ok=True)
            raise

    def _begun(self) -> _RemoteState | None:
        """What the part belongs to, if it may be resumed."""
        with suppress(OSError, ValueError, TypeError):
            begun = _RemoteState(**json.loads(self.note.read_text(encoding="utf-8")))
            if begun.url == without_query(self.file.url) and (begun.etag or begun.modified or self.file.digests):
                return begun
        return None

    def _restart(self, output: int) -> None:
        self.note.unlink(missing_ok=True)
        os.ftruncate(output, 0)

    def _count(self, have: int, total: int) -> None:
        with self.bar.get_lock():
            self.bar.total += total - self.counted[1]
            self.bar.update(have - self.counted[0])
        self.counted = [have, total]


def _described(url: str, response: requests.Response) -> _RemoteState:
    """What the server says about the whole file."""
    size = content_length(response)
    if response.status_code != 200:
        match = re.fullmatch(r"bytes (?:\d+-\d+|\*)/(\d+)", response.headers.get("Content-Range", ""))
        size = int(match[1]) if match else None
    return _RemoteState(without_query(url), size, response.headers.get("ETag"), response.headers.get("Last-Modified"))


def _continues(response: requests.Response, begun: _RemoteState, now: _RemoteState, have: int) -> bool:
    """Whether a partial answer is the rest of the part."""
    starts = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    same = all(before == after for before, after in ((begun.etag, now.etag), (begun.modified, now.modified)) if after)
    fits = starts is not None and int(starts[1]) == have and begun.size in (None, now.size)
    return response.status_code == 206 and fits and same


def _check_present(file: RemoteFile) -> None:
    remedy = f"remove {file.path} and run the same command again"
    if file.size is not None and _size(file.path) != file.size:
        raise FcaError(f"{file.path} has {_size(file.path)} bytes", f"{file.size} bytes", remedy)
    check_digests(file.path, file.digests, str(file.path), remedy)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
