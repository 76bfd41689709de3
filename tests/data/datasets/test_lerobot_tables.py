"""Tables of LeRobot datasets as others write them: other types, orders and columns, and files that unfold to much."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fca.data.datasets.lerobot import episodes, tables
from fca.errors import FcaError
from tests.data.datasets.lerobot_files import TOP, Made
from tests.data.datasets.test_lerobot import EPISODES, TABLE, by_id, listing, reasons, shown

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

TASKS = "meta/tasks.parquet"
SENTENCES = list(Made.tasks)


def captions(root: Path) -> list[str]:
    return [record.caption for _, record in sorted(by_id(listing(root)).items())]


def cast(path: Path, **kinds: "pa.DataType") -> None:
    """Change the types of columns."""
    table = pq.read_table(path)
    for name, kind in kinds.items():
        table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(kind))
    pq.write_table(table, path)


def with_index(index: list[str], columns: dict[str, object]) -> "pa.Table":
    """A table that pandas wrote with these columns as its index."""
    about = {"index_columns": index, "column_indexes": [], "columns": [], "pandas_version": "2.3.3"}
    return pa.table(columns).replace_schema_metadata({"pandas": json.dumps(about)})


@pytest.mark.parametrize(
    ("index", "columns"),
    [
        (["__index_level_0__"], {"task_index": [0, 1], "kind": ["a", "b"], "__index_level_0__": SENTENCES}),
        (["instruction"], {"task_index": [0, 1], "task": ["a", "b"], "instruction": SENTENCES}),
        (["task"], {"kind": ["a", "b"], "task": SENTENCES, "task_index": [0, 1]}),
        (["task_index"], {"kind": ["a", "b"], "task": SENTENCES, "task_index": [0, 1]}),
        ([{"kind": "range"}], {"sentence": SENTENCES, "task_index": [0, 1]}),
        ([], {"kind": ["a", "b"], "__index_level_0__": SENTENCES, "task_index": [0, 1]}),
    ],
)
def test_the_sentences_are_in_the_index_of_the_table_of_tasks(
    tmp_path: Path, index: list[str], columns: dict[str, object]
) -> None:
    """As LeRobot reads them: `meta.tasks.iloc[...].name`."""
    Made().write(tmp_path)
    pq.write_table(with_index(index, columns), tmp_path / TASKS)
    assert captions(tmp_path) == SENTENCES * 2


def test_a_table_of_tasks_whose_sentences_cannot_be_told_is_refused(tmp_path: Path) -> None:
    Made().write(tmp_path)
    for columns in ({"task_index": [0, 1], "a": ["x", "y"], "b": SENTENCES}, {"task_index": [0, 1]}, {"b": SENTENCES}):
        pq.write_table(pa.table(columns), tmp_path / TASKS)
        with pytest.raises(FcaError, match="has the columns"):
            listing(tmp_path)


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())])
def test_sentences_of_any_type_of_text_are_read(tmp_path: Path, kind: "pa.DataType") -> None:
    Made(tasks=(*SENTENCES, None, "open")).write(tmp_path)
    cast(tmp_path / TASKS, __index_level_0__=kind, task_index=pa.uint8())
    assert captions(tmp_path) == [*SENTENCES, "", "open"]


@pytest.mark.parametrize("kind", [pa.int32(), pa.uint8(), pa.uint64(), pa.float64()])
def test_numbers_of_any_type_are_read(tmp_path: Path, kind: "pa.DataType") -> None:
    made = Made()
    made.write(tmp_path)
    place = {f"videos/{TOP}/{name}": kind for name in ("chunk_index", "file_index")}
    cast(tmp_path / EPISODES, episode_index=kind, length=kind, **place)
    for file in (tmp_path / "data").rglob("*.parquet"):
        cast(file, episode_index=kind, task_index=kind, timestamp=pa.float64())
    found = listing(tmp_path)
    assert reasons(found) == {}
    assert [shown(tmp_path, record)[0] for _, record in sorted(by_id(found).items())] == [0, 20, 51, 65]


def test_a_missing_number_costs_the_table(tmp_path: Path) -> None:
    Made().write(tmp_path)
    table = pq.read_table(tmp_path / TABLE)
    for name, value in (("task_index", None), ("task_index", 0.5), ("episode_index", None), ("timestamp", None)):
        values = [value, *table[name].to_pylist()[1:]]
        changed = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
        pq.write_table(changed, tmp_path / TABLE)
        assert set(reasons(listing(tmp_path))) >= {"episode_000000"}, name


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_episodes_in_any_order_are_read_in_the_order_of_their_numbers(tmp_path: Path, version: str) -> None:
    """As LeRobot's v2 does; in v3, file-1000 is before file-999 if names are sorted."""
    Made(version=version).write(tmp_path)
    if version == "v2.1":
        path = tmp_path / "meta/episodes.jsonl"
        rows = [json.loads(line) | {"robot": "so100"} for line in path.read_text().splitlines()]
        path.write_text("\n".join(json.dumps(row) for row in reversed(rows)))
    else:
        table = pq.read_table(tmp_path / EPISODES)
        pq.write_table(table.slice(0, 2), tmp_path / "meta/episodes/chunk-000/file-999.parquet")
        pq.write_table(table.slice(2), tmp_path / "meta/episodes/chunk-000/file-1000.parquet")
        (tmp_path / EPISODES).unlink()
    found = listing(tmp_path)
    assert [record.id for record in found.records] == [f"episode_00000{number}" for number in range(4)]
    assert reasons(found) == {}


def test_deleted_episodes_leave_a_gap(tmp_path: Path) -> None:
    Made(version="v2.1").write(tmp_path)
    path = tmp_path / "meta/episodes.jsonl"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if '"episode_index": 1,' not in line))
    assert sorted(by_id(listing(tmp_path))) == ["episode_000000", "episode_000002", "episode_000003"]


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_tables_of_another_version_are_not_read(tmp_path: Path, version: str) -> None:
    """A folder that was converted in place has those of both."""
    Made(version=version).write(tmp_path)
    other = "v3.0" if version == "v2.1" else "v2.1"
    stale = Made(version=other, tasks=("a", "b"), lengths=(5, 6)).write(tmp_path / "stale") / "meta"
    for path in stale.rglob("*.*"):
        target = tmp_path / "meta" / path.relative_to(stale)
        if path.name != "info.json":
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    assert captions(tmp_path) == SENTENCES * 2


def test_a_folder_without_tables_of_episodes_names_the_missing_file(tmp_path: Path) -> None:
    for version, name in (("v3.0", EPISODES), ("v2.1", "meta/episodes.jsonl")):
        root = Made(version=version).write(tmp_path / version)
        (root / name).unlink()
        with pytest.raises(FcaError, match=f"there is no {root}/{name}"):
            listing(root)


# Files that unfold to much


def unfolding_tasks(root: Path) -> None:
    """A sentence of 256 kB in 3,000 rows: 29 kB on disk, 786 MB as Arrow's strings."""
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(3000, np.int32)), pa.array(["x" * 2**18]))
    table = pa.table({"task_index": np.arange(3000), "task": texts})
    pq.write_table(table, root / TASKS, dictionary_pagesize_limit=2**30, store_schema=False)


def unfolding_text(root: Path) -> None:
    """The same where a number belongs."""
    unfolding_tasks(root)
    table = pq.read_table(root / TASKS, read_dictionary=["task"]).rename_columns(["index", "task_index"])
    table = table.append_column("timestamp", table["index"]).append_column("episode_index", table["index"])
    pq.write_table(table, root / TABLE, dictionary_pagesize_limit=2**30, store_schema=False)
    Made().write(root / "whole")
    (root / TASKS).write_bytes((root / "whole" / TASKS).read_bytes())


def unfolding_frames(root: Path) -> None:
    """Twenty million rows: 1 MB on disk."""
    rows = np.zeros(2_000_000)
    table = pa.table({"episode_index": rows.astype(int), "task_index": rows.astype(int), "timestamp": rows})
    with pq.ParquetWriter(root / TABLE, table.schema) as writer:
        for _ in range(10):
            writer.write_table(table)


@pytest.mark.parametrize("make", [unfolding_tasks, unfolding_text, unfolding_frames])
def test_a_small_file_that_unfolds_to_much_takes_little_memory(tmp_path: Path, make: Callable[[Path], None]) -> None:
    Made().write(tmp_path)
    make(tmp_path)
    code = (
        "import resource, sys; from pathlib import Path; from tests.data.datasets.test_lerobot import listing\n"
        "import pyarrow.parquet; limit = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + 300 * 1024\n"
        "listing(Path(sys.argv[1])); assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < limit"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


def test_more_rows_or_bytes_than_a_dataset_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Made().write(tmp_path)
    for module, name, value, problem in (
        (tables, "TASK_ROWS", 1, "2 rows"),
        (tables, "LARGEST_TASKS", 8, "bytes in these columns"),
        (tables, "FRAME_ROWS", 3, "4 rows"),
        (episodes, "MOST", 3, "more than 3 episodes"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            with pytest.raises(FcaError, match=problem):
                listing(tmp_path)
