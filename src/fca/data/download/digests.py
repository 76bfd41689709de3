"""Published hashes: of one file, and the lists that come with a dataset."""

import csv
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from fca.errors import FcaError

Digests = Mapping[str, str]
"""Name of a hash (md5, sha1, sha256, or git: that of a git blob) -> its hexadecimal digits"""
LENGTHS = {32: "md5", 40: "sha1", 64: "sha256"}
EPIC_COLUMNS = ["md5", "file_remote_path", "version"]


def digest_file(path: Path, name: str) -> str:
    """Hexadecimal hash of a file."""
    digest = hashlib.new("sha1" if name == "git" else name, usedforsecurity=False)
    if name == "git":
        digest.update(b"blob %d\0" % path.stat().st_size)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: digest).hexdigest()


def check_digests(path: Path, expected: Digests, shown: str, remedy: str) -> None:
    """Refuse a file that differs from its published hashes; `shown` names it."""
    for name, wanted in expected.items():
        if (found := digest_file(path, name)) != wanted.lower():
            raise FcaError(f"{shown} is not the published file: {name} {found}", f"{name} {wanted}", remedy)


def read_sums(path: Path) -> dict[str, Digests]:
    """Hashes by file name, from the lines that `md5sum` or `sha256sum` write."""
    found: dict[str, Digests] = {}
    for number, line in enumerate(_lines(path), 1):
        match = re.fullmatch(r"([0-9a-fA-F]+)[ \t]+\*?(\S.*?)\s*", line)
        if not line.strip() or line.startswith("#"):
            continue
        if not match or len(match[1]) not in LENGTHS:
            raise FcaError(f"{path}, line {number} is not a hash and a name: {line!r}", "lines of md5sum or sha256sum")
        found[Path(match[2]).name] = {LENGTHS[len(match[1])]: match[1].lower()}
    return found


def read_epic_table(path: Path) -> dict[tuple[str, str], str]:
    """(path on the server, version) -> md5, from the md5.csv of Epic's download scripts."""
    reader = csv.DictReader(_lines(path))
    if reader.fieldnames != EPIC_COLUMNS:
        raise FcaError(
            f"{path} has the columns {', '.join(reader.fieldnames or ['(none)'])}",
            ", ".join(EPIC_COLUMNS),
            "get data/md5.csv from https://github.com/epic-kitchens/epic-kitchens-download-scripts",
        )
    return {(row["file_remote_path"], row["version"]): row["md5"] for row in reader}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FcaError(f"{path} can't be read: {error}", "a text file with the published hashes") from error
