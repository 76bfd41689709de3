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
LONGEST_LINE = 2**24
ROWS = 10**8  # of a table
TASKS = ("meta/tasks.parquet", "meta/tasks.jsonl")
EPISODES = ("meta/episodes", "meta/episodes.jsonl")
AGAIN = "fetch it again"


class Frames(NamedTuple):
    """The rows of one episode in the tables of frames."""

    tasks: np.ndarray
    """(n,) int64: index of each frame's task"""
    times: np.ndarray
    """(n,) float64: seconds from the start of the episode"""


def read_tasks(root: Path) -> dict[int, object]:
    """Index -> sentence of every task; a sentence may be missing or not be a text.

    Raises:
        FcaError: the file is missing or not what LeRobot writes.
    """
    table, lines = (root / name for name in TASKS)
    expected = "a table of task_index and the task's sentence"
    rows: Iterator[tuple[object, object]]
    if table.is_file():
        names = column_names(table)
        others = [name for name in names if name != "task_index"]
        # pandas names the sentences' column, its index, as it likes
        sentence = "task" if "task" in others else others[0] if others else ""
        if "task_index" not in names or not sentence:
            raise FcaError(f"{table} has the columns {', '.join(names)}", expected, AGAIN)
        columns = read_columns(table, ("task_index", sentence))
        rows = zip(columns["task_index"].to_pylist(), columns[sentence].to_pylist(), strict=True)
    else:
        rows = ((row.get("task_index"), row.get("task")) for row in read_lines(lines))
    found: dict[int, object] = {}
    for index, task in rows:
        if not isinstance(index, int) or index in found:
            raise FcaError(f"{root / 'meta'}: the task_index {index!r} is repeated or no number", expected, AGAIN)
        found[index] = task
    return found


def read_episodes(root: Path, camera: str) -> Iterator[Mapping[str, Any]]:
    """The row of each episode, in the order of the files, with the columns that exist of those that are needed.

    Raises:
        FcaError: a file is missing or not what LeRobot writes.
    """
    folder, lines = (root / name for name in EPISODES)
    files = sorted(folder.glob("chunk-*/file-*.parquet"))
    if not files:
        yield from read_lines(lines)
        return
    needed = ("episode_index", "length", "data/chunk_index", "data/file_index", *video_columns(camera))
    for path in files:
        names = column_names(path)
        if missing := [name for name in needed[:4] if name not in names]:
            problem = f"{path} has no column {missing[0]}"
            raise FcaError(problem, f"the columns {', '.join(needed)}", AGAIN)
        columns = read_columns(path, [name for name in needed if name in names])
        yield from columns.to_pylist()


def video_columns(camera: str) -> tuple[str, str, str, str]:
    """Names of the columns that say where an episode is in a camera's videos (v3)."""
    names = ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
    return tuple(f"videos/{camera}/{name}" for name in names)  # type: ignore[return-value]


def read_frames(path: Path) -> dict[int, Frames]:
    """The frames of each episode in a table; of one whose rows aren't together, those of the first run.

    Raises:
        FcaError: the table is missing or not what LeRobot writes.
    """
    columns = read_columns(path, ("episode_index", "task_index", "timestamp"))
    try:
        episodes = columns["episode_index"].to_numpy().astype(np.int64, casting="safe")
        tasks = columns["task_index"].to_numpy().astype(np.int64, casting="safe")
        times = columns["timestamp"].to_numpy().astype(np.float64, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise FcaError(f"{path}: {first_line(error)}", "numbers, and none missing", AGAIN) from error
    borders = [0, *(np.flatnonzero(np.diff(episodes)) + 1).tolist(), len(episodes)]
    found: dict[int, Frames] = {}
    for start, stop in pairwise(borders):
        if start < stop:
            found.setdefault(int(episodes[start]), Frames(tasks[start:stop], times[start:stop]))
    return found


def column_names(path: Path) -> list[str]:
    """Names of a parquet file's columns."""
    with _refusing(path):
        return list(parquet().read_schema(path).names)


def read_columns(path: Path, names: Collection[str]) -> Any:
    """Columns of a parquet file as a pyarrow table.

    Raises:
        FcaError: the file is missing, damaged or too large, or lacks a column.
    """
    with _refusing(path), parquet().ParquetFile(path) as file:
        if missing := [name for name in names if name not in file.schema_arrow.names]:
            raise ValueError(f"it has no column {missing[0]}")
        size = _bytes(file.metadata, names)
        if file.metadata.num_rows > ROWS or not 0 <= size <= LARGEST:
            raise ValueError(f"it has {file.metadata.num_rows:,} rows, and {size:,} bytes in these columns")
        return file.read(columns=list(names))


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
            "LeRobot datasets need pyarrow, which isn't installed", "pyarrow", "pip install 'fca[lerobot]'"
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
