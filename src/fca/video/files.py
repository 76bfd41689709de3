"""Files that are opened here or by FFmpeg: one rule for their names, what is refused unopened, words for errors."""

import os
import re
import stat
import unicodedata
from pathlib import Path

from fca.artifacts.quarantine import ClipError
from fca.errors import first_line

MAX_PIXELS = 2**26  # of one frame: eight times 4K; more is a mistake or an attack


def address(path: Path) -> str:
    """A path in FFmpeg's notation: without the prefix, `12:30.mp4` would name a protocol `12`."""
    return f"file:{path}"


def on_disk(path: Path) -> Path:
    """The path as spelled on disk, where `ü` may be one character or two; unchanged if there is no such file."""
    if os.path.lexists(path) or path == path.parent:
        return path
    parent = on_disk(path.parent)
    if path.name.isascii():
        return parent / path.name
    wanted = unicodedata.normalize("NFC", path.name)
    try:
        same = [name for name in os.listdir(parent) if unicodedata.normalize("NFC", name) == wanted]
    except (OSError, ValueError):
        same = []
    return parent / min(same, default=path.name)


def check_file(path: Path) -> Path:
    """The path as spelled on disk; ClipError if no regular file or folder is there, or the file is empty."""
    path = on_disk(path)
    try:
        status = path.stat()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):  # opening a named pipe waits for ever
            raise ClipError("it is no regular file")
        if status.st_size == 0:
            raise ClipError("the file is empty")
    except OSError as error:
        raise ClipError(file_problem(error)) from error
    return path


def check_size(width: int, height: int) -> None:
    """ClipError for a frame that is too large to decode."""
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise ClipError(f"a frame of {width}x{height} pixels is refused (at most {MAX_PIXELS} pixels)")


def file_problem(error: BaseException) -> str:
    """Why a file can't be read."""
    return "it is missing" if isinstance(error, FileNotFoundError) else f"it can't be read ({reason(error)})"


def reason(error: BaseException) -> str:
    """An error's own words without paths and addresses, so that manifests are the same on every machine."""
    return tidied(getattr(error, "strerror", None) or first_line(error))


def tidied(text: str) -> str:
    """A message of one line without paths and addresses."""
    return re.sub(r"'?(file:|/)\S+|<.*?>|0x[0-9a-f]+", "...", " ".join(text.split()))
