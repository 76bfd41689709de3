"""Write files so that a reader sees the old one or the new one, never half of one: every step does by `write_aside`."""

import errno
import hashlib
import os
import re
import shutil
import socket
import stat
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fca.errors import FcaError

MANY_FILES = 100
SUFFIXES = ("", ".old", ".partial")  # of temporary names: ours, a folder on its way out, a careful writer's own
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# HDF5 hides the errno of a failed write in the text of its error, h5py sometimes under a RuntimeError; so do
# libraries in Rust such as safetensors.
FULL_IN_TEXT = re.compile(rf"(errno = |os error )({'|'.join(str(code) for code in sorted(FULL))})\b")


@contextmanager
def write_aside(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path next to `path`; the file or folder written there becomes `path` on success.

    On success it is fsynced with everything below it, renamed over `path`, and the parent folder is fsynced. On an
    error, a kill or a lost node `path` stays unchanged: the remedy is to run the same command again. The temporary path
    ends with the name of `path`, so writers that look at the suffix work. An existing folder is moved away first: a
    kill at that moment leaves no folder, never a mixture.

    Raises:
        FcaError: the disk is full, a quota or file size limit is reached, or nothing was written.
    """
    path = Path(path)
    with _aside(path) as aside:
        yield aside
        if not aside.exists():
            raise FcaError(f"nothing was written for {path}", f"the step to make {aside}")
        sync_tree(aside)
        _replace(aside, path)
        _sync(path.parent)


@contextmanager
def trial(path: Path) -> Iterator[Path]:
    """`write_aside` up to its last rename, to see early what can't be written; at the end all is as it was.

    What is written, and the folders that were made for it, are removed. What is at `path` is looked at, never touched.

    Raises:
        OSError: what is at `path` can't be renamed: a mount point, or another user's in a folder such as /tmp.
    """
    made = [folder for folder in path.absolute().parents if not folder.exists()]
    try:
        with _aside(path) as aside:
            yield aside
            sync_tree(aside)
            if os.path.ismount(path):
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            place = path.parent.stat()
            owners = {0, place.st_uid, path.lstat().st_uid} if os.path.lexists(path) else {os.geteuid()}
            if place.st_mode & stat.S_ISVTX and os.geteuid() not in owners:
                raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
    finally:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """A temporary path next to `path`, removed at the end if it is still there."""
    with explained_if_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_overs(path)
        aside = path.with_name(f"{_prefix()}{os.getpid()}-{path.name}")
        try:
            yield aside
        finally:
            for suffix in SUFFIXES:
                remove(aside.with_name(aside.name + suffix))


def write_text(path: Path | str, text: str) -> Path:
    """Write a file in UTF-8, complete or not at all; return its path."""
    with write_aside(path) as aside:
        aside.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


def is_full(error: BaseException | None) -> bool:
    """Whether `error`, or one that caused it, says that the disk, the quota or the file size limit is used up.

    Python, HDF5 and safetensors each raise it in their own way; torch.save raises another error on top.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if isinstance(error, Exception) and FULL_IN_TEXT.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def explained_if_full(path: Path, needed: int | None = None) -> Iterator[None]:
    """Turn an error that says that the disk is full, see `is_full`, into that of `disk_full`."""
    try:
        yield
    except Exception as error:
        if is_full(error):
            raise disk_full(path, needed) from error
        raise


def disk_full(path: Path, needed: int | None = None) -> FcaError:
    """The error for a disk that has no room for `path`, which takes `needed` bytes if that is known."""
    folder = _existing_parent(path)
    free = shutil.disk_usage(folder).free
    return FcaError(
        f"no room to write {path}: {free / 2**20:.1f} MiB free in {folder}",
        expected=f"{needed / 2**20 + 0.05:.1f} MiB free"  # never less than is needed
        if needed
        else "room for the file, within quota and file size limit",
        remedy=f"free space there, or point data_dir (for training, run_dir) at a larger disk, then run the same "
        f"command again ({path.name} was not changed)",
    )


def require_space(path: Path, needed: int) -> None:
    """Raise `FcaError` before the work starts if `needed` bytes don't fit on the disk of `path`."""
    if shutil.disk_usage(_existing_parent(Path(path))).free < needed:
        raise disk_full(Path(path), needed)


def sha256_file(path: Path | str) -> str:
    """Hex SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_tree(folder: Path, without: Container[str] = ()) -> tuple[int, str]:
    """Number of files below `folder`, and one hex SHA-256 over their sorted relative names and their hashes."""
    files = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    files = [(name, path) for name, path in files if name not in without]
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(f"{name}\0{sha256_file(path)}\n".encode())
    return len(files), digest.hexdigest()


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _prefix() -> str:
    """The prefix of this machine's temporary names, `.aside-<host>-`; the process id follows."""
    return f".aside-{re.sub(r'[^A-Za-z0-9.]', '_', socket.gethostname())}-"


def _remove_left_overs(path: Path) -> None:
    """Remove what killed processes of this machine left next to `path`."""
    pattern = re.compile(rf"{re.escape(_prefix())}(\d+)-{re.escape(path.name)}({'|'.join(map(re.escape, SUFFIXES))})")
    for name in os.listdir(path.parent):
        match = pattern.fullmatch(name)
        if match and not _is_running(int(match[1])):
            remove(path.with_name(name))


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


def _existing_parent(path: Path) -> Path:
    """The nearest folder above `path` that exists."""
    return next(parent for parent in path.absolute().parents if parent.is_dir())


def _replace(aside: Path, path: Path) -> None:
    """Rename `aside` to `path`, also if either is a folder."""
    if os.path.lexists(path) and (path.is_dir() or aside.is_dir()):
        old = aside.with_name(f"{aside.name}.old")
        os.replace(path, old)
        try:
            os.replace(aside, path)
        except OSError:
            os.replace(old, path)
            raise
        remove(old)
    else:
        os.replace(aside, path)


def sync_tree(path: Path) -> None:
    """Flush a file, or a folder with everything below it, to the disk."""
    if path.is_symlink():
        return
    below = list(path.rglob("*")) if path.is_dir() else []
    if len(below) > MANY_FILES:
        os.sync()  # fsync costs 5 ms a file: more than a minute for the frames of a dataset
        return
    for item in (*below, path):
        if not item.is_symlink():
            _sync(item)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
