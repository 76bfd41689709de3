"""Tables of a LeRobot dataset, as pyarrow or JSON has them: episodes, tasks, frames. Untrusted.

Only the columns that decide what a clip is are read: no statistics, states or actions.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from fca.errors import FcaError, first_line

LARGEST = 2**31  # bytes of a file of JSON lines, and of the columns of a table that are read
LARGEST_TASKS = 2**28  # bytes of the sentences in a table of tasks
LONGEST_LINE = 2**24
BATCH = 2**16  # rows that are decoded at once
FRAME_ROWS, TASK_ROWS = 2**24, 2**20  # of one table: six days of video, a million sentences
TASKS = ("meta/tasks.parquet", "meta/tasks.jsonl")
EPISODES = ("meta/episodes", "meta/episodes.jsonl")
"""For v3 and v2: a converted dataset may have both"""
AGAIN = "fetch it again"


TASK_COLUMNS = "a table of task_index and the task's sentence"


class Frames(NamedTuple):
    """The rows of one episode in the tables of frames."""

    tasks: np.ndarray
    """(n,) int64: index of each frame's task"""
    times: np.ndarray
    """(n,) float64: seconds from the start of the episode"""


def read_tasks(root: Path, lines: bool) -> dict[int, object]:
    """Index -> sentence of every task; a sentence may be missing or not be a text.

    Args:
        lines: v2, whose tables are JSON lines.

    Raises:
        FcaError: the file is missing or not what LeRobot writes.
    """
    found: dict[int, object] = {}
    path = root / TASKS[lines]
    for index, task in _task_lines(path) if lines else _task_rows(path):
        if not isinstance(index, int) or index in found:
            raise FcaError(f"{path}: the task_index {index!r} is repeated or no number", TASK_COLUMNS, AGAIN)
        found[index] = task
    return found


def _task_lines(path: Path) -> Iterator[tuple[object, object]]:
    return ((row.get("task_index"), row.get("task")) for row in read_lines(path))


def _task_rows(path: Path) -> Iterator[tuple[object, object]]:
    with _refusing(path):
        schema = parquet().read_schema(path)
    sentence = _sentence_column(schema)
    if "task_index" not in schema.names or not sentence:
        raise FcaError(f"{path} has the columns {', '.join(schema.names)[:300]}", TASK_COLUMNS, AGAIN)
    for batch in read_batches(path, ("task_index", sentence), TASK_ROWS, LARGEST_TASKS, text=sentence):
        tasks = batch.column(sentence)
        if hasattr(tasks, "dictionary"):  # each sentence once, however many rows repeat it
            known = tasks.dictionary.to_pylist()
            sentences = [None if place is None else known[place] for place in tasks.indices.to_pylist()]
        else:
            sentences = tasks.to_pylist()
        yield from zip(batch.column("task_index").to_pylist(), sentences, strict=True)


def _sentence_column(schema: Any) -> str:
    """The column of the sentences: as in LeRobot pandas' index, whatever its name; empty if that can't be told."""
    others = [name for name in schema.names if name != "task_index"]
    try:
        index = list(schema.pandas_metadata["index_columns"])
    except (TypeError, KeyError, ValueError):  # pandas didn't write it
        index = []
    likely = [name for name in (*index, "__index_level_0__", "task") if name in others]
    return likely[0] if likely else others[0] if len(others) == 1 else ""


def read_episodes(root: Path, camera: str, lines: bool) -> Iterator[Mapping[str, Any]]:
    """The row of each episode, in the order of the files, with the columns that exist of those that are needed.

    `lines`: as `read_tasks`.

    Raises:
        FcaError: a file is missing or not what LeRobot writes.
    """
    folder = root / EPISODES[lines]
    if lines:
        yield from read_lines(folder)
        return
    files = sorted(folder.glob("chunk-*/file-*.parquet"))
    if not files:
        raise FcaError(f"there is no {folder}/chunk-000/file-000.parquet", "the tables that LeRobot writes", AGAIN)
    needed = ("episode_index", "length", "data/chunk_index", "data/file_index", *video_columns(camera))
    for path in files:
        with _refusing(path):
            names = parquet().read_schema(path).names
        if missing := [name for name in needed[:4] if name not in names]:
            problem = f"{path} has no column {missing[0]}"
            raise FcaError(problem, f"the columns {', '.join(needed)}", AGAIN)
        for batch in read_batches(path, [name for name in needed if name in names], FRAME_ROWS):
            yield from batch.to_pylist()


def video_columns(camera: str) -> tuple[str, str, str, str]:
    """Names of the columns that say where an episode is in a camera's videos (v3)."""
    names = ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
    return tuple(f"videos/{camera}/{name}" for name in names)  # type: ignore[return-value]


def read_frames(path: Path) -> dict[int, Frames]:
    """The frames of each episode in a table; of one whose rows aren't together, those of the first run.

    Raises:
        FcaError: the table is missing or not what LeRobot writes.
    """
    names = ("episode_index", "task_index", "timestamp")
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for batch in read_batches(path, names, FRAME_ROWS):
        episodes, tasks, times = (batch.column(name).to_numpy(zero_copy_only=False) for name in names)
        try:
            parts.append((_whole(episodes), _whole(tasks), times.astype(np.float64, casting="same_kind")))
        except (TypeError, ValueError) as error:
            raise FcaError(f"{path}: {first_line(error)}", "numbers, and none missing", AGAIN) from error
    if not parts:
        return {}
    episodes, tasks, times = (np.concatenate(column) for column in zip(*parts, strict=True))
    borders = [0, *(np.flatnonzero(np.diff(episodes)) + 1).tolist(), len(episodes)]
    found: dict[int, Frames] = {}
    for start, stop in pairwise(borders):
        if start < stop:
            found.setdefault(int(episodes[start]), Frames(tasks[start:stop], times[start:stop]))
    return found


def _whole(values: np.ndarray) -> np.ndarray:
    """Integers of any type, or floats that are whole numbers, as int64.

    Raises:
        ValueError: a value is missing or no whole number.
    """
    if values.dtype.kind == "f" and (values == np.floor(values)).all() and (np.abs(values) < 2.0**53).all():
        return values.astype(np.int64)
    if values.dtype.kind not in "iu":
        raise ValueError("a whole number is missing, or isn't one")
    return values.astype(np.int64)


def read_batches(
    path: Path, names: Collection[str], rows: int, largest: int = LARGEST, text: str | None = None
) -> Iterator[Any]:
    """Columns of numbers, and one that may be text, of a parquet file: pyarrow's record batches of at most BATCH rows.

    A file of a few kB can state little and unfold to many GB, so columns are decoded piece by piece, and equal texts
    stay one.

    Raises:
        FcaError: the file is missing, damaged or too large, or lacks a column, or has other kinds of values in one.
    """
    with _refusing(path), parquet().ParquetFile(path, read_dictionary=[text] if text else None) as file:
        for name in names:
            _check_kind(file.schema_arrow, name, name == text)
        found, size = file.metadata.num_rows, _bytes(file.metadata, names)
        if found > rows or not 0 <= size <= largest:
            raise ValueError(f"it has {found:,} rows, and {size:,} bytes in these columns")
        found = size = 0
        for batch in file.iter_batches(BATCH, columns=list(names), use_threads=False):
            found, size = found + batch.num_rows, size + batch.nbytes
            if found > rows or size > largest:
                raise ValueError(f"it has more than {found:,} rows, or {size:,} bytes in these columns")
            yield batch


def _check_kind(schema: Any, name: str, text: bool) -> None:
    """Refuse a column that is missing, or whose values could be of any size."""
    import pyarrow.types as kinds

    if name not in schema.names:
        raise ValueError(f"it has no column {name}")
    kind = schema.field(name).type
    number = kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_boolean(kind) or kinds.is_null(kind)
    if not number and not (text and kinds.is_dictionary(kind)):
        raise ValueError(f"its column {name} has values of type {kind}")


def _bytes(about: Any, names: Collection[str]) -> int:
    """Size of columns in memory, as the file's end states it."""
    groups = (about.row_group(number) for number in range(about.num_row_groups))
    columns = (group.column(number) for group in groups for number in range(group.num_columns))
    below = tuple(f"{name}." for name in names)  # where a list has its values
    return sum(
        column.total_uncompressed_size for column in columns
        if column.path_in_schema in names or column.path_in_schema.startswith(below)
    )  # fmt: skip


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines.

    Raises:
        FcaError: the file is missing, or a line is no object.
    """
    number = 0
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it has {path.stat().st_size:,} bytes")
        with open(path, encoding="utf-8-sig", newline="\n") as file:
            while line := file.readline(LONGEST_LINE):
                number += 1
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise ValueError("it is no object")
                    yield row
    except FileNotFoundError:
        raise FcaError(f"there is no {path}", "the tables below meta/ that LeRobot writes", AGAIN) from None
    except (OSError, ValueError, RecursionError) as error:
        raise FcaError(f"{path}, line {number} can't be read ({error})", "one JSON object a line", AGAIN) from error


def parquet() -> ModuleType:
    """pyarrow's reader of parquet files.

    Raises:
        FcaError: pyarrow isn't installed.
    """
    try:
        import pyarrow.parquet
    except ImportError:
        raise FcaError(
            "LeRobot datasets need pyarrow, which isn't installed", "pyarrow", "pip install '.[lerobot]' in a clone"
        ) from None
    return pyarrow.parquet


class _refusing:
    """What goes wrong in reading a parquet file becomes an FcaError that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, FcaError):
            return
        import pyarrow

        if isinstance(error, FileNotFoundError):
            raise FcaError(f"there is no {self.path}", "the tables that LeRobot writes", AGAIN) from None
        if isinstance(error, (OSError, ValueError, KeyError, OverflowError, MemoryError, pyarrow.ArrowException)):
            raise FcaError(f"{self.path} can't be read ({first_line(error)[:200]})", "parquet", AGAIN) from error
