"""The captions file of a folder of videos: one row a video, from CSV or JSON lines.

The file is untrusted: names must stay below the folder, also through links, and texts must be displayable. Nothing is
repaired or skipped: the first ten problems are reported together, each with its line, so that the file is edited once.
"""

import codecs
import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from tqdm import tqdm

from fca.config.captions import caption_problem, storable
from fca.config.dataset_formats import FORMATS
from fca.errors import FcaError
from fca.video.files import on_disk

NAMES = FORMATS["folder"].watched
COLUMNS = ("file", "caption", "split", "source")
SPLITS = ("train", "validation")
DELIMITERS = (",", ";", "\t", "|")
SHOWN = 10
GUIDE = "docs/data/folder.md describes it"

Fields = dict[str, str]


@dataclass(frozen=True)
class CaptionRow:
    """One video of the captions file."""

    line: int
    file: str
    """Path below the folder, with /."""
    caption: str
    split: str
    """train, validation, or empty if the file has no splits."""
    source: str
    """What the video was cut from; the file itself if the captions file doesn't say."""


class _Problems(list[str]):
    """Mistakes in a captions file."""

    def at(self, line: int, text: str) -> None:
        self.append(f"line {line}: {text}")


def find_captions(root: Path) -> Path:
    """The one captions file of a folder."""
    found = [root / name for name in NAMES if (root / name).is_file()]
    if not found:
        raise FcaError(f"{root} has no captions", " or ".join(NAMES), f"write one row for each video; {GUIDE}")
    if len(found) > 1:
        raise FcaError(f"{root} has two files of captions: {' and '.join(NAMES)}", "one of them", "remove the other")
    return found[0]


def read_captions(root: Path) -> list[CaptionRow]:
    """The rows of a folder's captions file, in order; every video exists.

    Raises:
        FcaError: it has problems; the first ten are named with their lines.
    """
    path, problems = find_captions(root), _Problems()
    fields = (_csv_fields if path.suffix == ".csv" else _json_fields)(path, _text(path), problems)
    rows = [_row(line, values, problems) for line, values in fields]
    _check_files(root, path.name, rows, problems)
    _check_splits(rows, problems)
    if problems:
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        raise FcaError(
            "\n".join([f"{path} has {count}:", *problems[:SHOWN], *more]),
            f"one row for each video: {', '.join(COLUMNS[:2])}, optionally {' and '.join(COLUMNS[2:])}",
            f"edit or remove these lines, then run the same command again; {GUIDE}",
        )
    if not rows:
        raise FcaError(f"{path} names no video", "one row for each video", GUIDE)
    return rows


def _text(path: Path) -> str:
    """The file as text, with or without a byte order mark."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        line = 1 if utf_16 else data.count(b"\n", 0, error.start) + 1
        raise FcaError(
            f"{path}, line {line} is not UTF-8" + (" but UTF-16" if utf_16 else ""),
            "text in UTF-8",
            "save it as UTF-8 (in a spreadsheet program: `CSV UTF-8`)",
        ) from None


def _csv_fields(path: Path, text: str, problems: _Problems) -> Iterator[tuple[int, Fields]]:
    """(line, fields) of every record; the delimiter is the one that splits the first line into known columns."""
    first = re.split("[\r\n]", text, maxsplit=1)[0]
    for delimiter in DELIMITERS:
        columns = [name.strip().casefold() for name in next(csv.reader([first[:1000]], delimiter=delimiter), [])]
        if {"file", "caption"} <= set(columns):
            break
    else:
        raise FcaError(
            f"{path}, line 1 doesn't name the columns: {first[:200]!r}",
            f"file and caption, optionally {' and '.join(COLUMNS[2:])}, such as `file,caption`",
            f"put the columns' names in the first line; {GUIDE}",
        )
    if len(set(columns)) < len(columns):
        problems.at(1, "a column is repeated")
    for name in (name for name in columns if name not in COLUMNS):
        problems.at(1, f"there is no column {name!r}; columns are {', '.join(COLUMNS)}")

    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    next(reader)
    line = reader.line_num + 1
    try:
        for values in reader:
            is_filled = any(value.strip() for value in values)
            if is_filled and len(values) == len(columns):
                yield line, dict(zip(columns, values, strict=True))
            elif is_filled:
                quote = f"; a text with {delimiter!r} in it needs quotes" if len(values) > len(columns) else ""
                problems.at(line, f"has {len(values)} fields, not {len(columns)}{quote}")
            line = reader.line_num + 1
    except csv.Error as error:
        problems.at(line, f"is not CSV ({error}); the rest was not read")


def _json_fields(path: Path, text: str, problems: _Problems) -> Iterator[tuple[int, Fields]]:
    """(line, fields) of every line that isn't empty."""
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            values = json.loads(content)
        except (ValueError, RecursionError) as error:
            problems.at(line, f"is not JSON ({getattr(error, 'msg', type(error).__name__)})")
            continue
        if not isinstance(values, dict):
            problems.at(line, 'is not an object such as {"file": "a.mp4", "caption": "push the block"}')
        elif unknown := [key for key in values if key not in COLUMNS]:
            problems.at(line, f"there is no key {unknown[0]!r}; keys are {', '.join(COLUMNS)}")
        elif wrong := [key for key, value in values.items() if not isinstance(value, str | None)]:
            problems.at(line, f"{wrong[0]} is not a text: {values[wrong[0]]!r}"[:200])
        else:
            yield line, {key: value or "" for key, value in values.items()}


def _row(line: int, values: Fields, problems: _Problems) -> CaptionRow:
    """A record with its texts checked."""
    texts, before = {name: values.get(name, "").strip() for name in COLUMNS}, len(problems)
    for name, text in texts.items():
        if controls := [letter for letter in text if unicodedata.category(letter) == "Cc"]:
            problems.at(line, f"the {name} has the control character U+{ord(controls[0]):04X}")
        elif not storable(text):
            problems.at(line, f"the {name} is not valid text: {text[:100]!r}")
    if not texts["file"]:
        problems.at(line, "names no file")
    if not texts["caption"]:
        problems.at(line, f"{texts['file']!r} has no caption")
    elif (problem := caption_problem(texts["caption"])) and len(problems) == before:
        problems.at(line, problem)
    if texts["split"] not in ("", *SPLITS):
        problems.at(line, f"there is no split {texts['split'][:100]!r}; splits are {' and '.join(SPLITS)}")
    file = PurePosixPath(texts["file"]).as_posix() if texts["file"] else ""
    return CaptionRow(line, file, texts["caption"], texts["split"], texts["source"] or file)


def _check_files(root: Path, captions: str, rows: list[CaptionRow], problems: _Problems) -> None:
    """Check that every row's file is below the folder, and no other row's."""
    resolved_root = root.resolve()
    seen: dict[Path, int] = {}
    for row in tqdm(rows, desc=captions, unit="clip"):
        if not row.file or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in row.file):
            continue  # named by _row
        problem, path = _resolved(resolved_root, row.file)
        if path is None:
            problems.at(row.line, f"{row.file!r} {problem}")
        elif path in seen:
            problems.at(row.line, f"{row.file!r} is the file of line {seen[path]}")
        else:
            seen[path] = row.line


def _resolved(root: Path, name: str) -> tuple[str, Path | None]:
    """The file that a name leads to through links, or what is wrong with the name."""
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive:
        return "is absolute, not a path below the folder", None
    if ".." in PurePosixPath(name).parts:
        return "leads out of the folder with ..", None
    try:
        path = on_disk(root / name).resolve()
        if not path.is_relative_to(root):
            return "is a link out of the folder", None
        if not path.is_file():
            kind = "is not a file" if path.exists() else "is missing"
            return kind + (" (write / between folders)" if "\\" in name else ""), None
    except (OSError, RuntimeError) as error:
        return f"can't be found ({getattr(error, 'strerror', None) or 'links in a circle'})", None
    return "", path


def _check_splits(rows: list[CaptionRow], problems: _Problems) -> None:
    """Check that all rows have a split or none has, both splits have rows, and no source is in both."""
    with_split = [row for row in rows if row.split]
    if not with_split:
        return
    for row in rows:
        if not row.split:
            problems.at(row.line, f"{row.file!r} has no split, line {with_split[0].line} has one: all rows or none")
    first: dict[str, CaptionRow] = {}
    for row in with_split:
        other = first.setdefault(row.source, row)
        if other.split != row.split:
            both = f"in {row.split} here and in {other.split} in line {other.line}"
            problems.at(row.line, f"the source {row.source!r} is {both}")
    if len({row.split for row in with_split} & set(SPLITS)) == 1:
        problems.append(f"every row is in {with_split[0].split}: both {' and '.join(SPLITS)} need videos")
