"""LeRobot datasets that this project writes: frame for frame and caption for caption what was given."""

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from fca.artifacts.atomic import sha256_tree
from fca.data.datasets.lerobot import write as module
from fca.data.datasets.lerobot.info import read_info
from fca.data.datasets.lerobot.write import Episode, write_lerobot
from fca.errors import FcaError
from tests.data.datasets.test_lerobot import by_id, listing, shown
from tests.video.numbered import numbered

pytest.importorskip("pyarrow")

CAMERA, OTHER = "observation.images.predicted", "observation.images.ground_truth"
LENGTHS = (16, 9, 16, 12)
TASKS = ("push the red block left", "öffne die Schublade", "push the red block left", "lift the cup")


def made(cameras: tuple[str, ...] = (CAMERA,), lengths: tuple[int, ...] = LENGTHS) -> Iterator[Episode]:
    start = 0
    for length, task in zip(lengths, TASKS, strict=False):
        yield (
            {
                camera: np.stack([numbered(start + frame + 100 * place) for frame in range(length)])
                for place, camera in enumerate(cameras)
            },
            task,
        )
        start += length


@pytest.mark.parametrize("fps", [8, 30])
def test_what_is_written_is_read_back(tmp_path: Path, fps: int) -> None:
    assert write_lerobot(tmp_path / "own", made((CAMERA, OTHER)), fps) == 4
    for place, camera in enumerate((CAMERA, OTHER)):
        found = by_id(listing(tmp_path / "own", camera=camera))
        start = 100 * place
        for episode, (length, task) in enumerate(zip(LENGTHS, TASKS, strict=True)):
            record = found[f"episode_{episode:06d}"]
            assert (record.caption, shown(tmp_path / "own", record)) == (task, list(range(start, start + length)))
            start += length
    assert read_info(tmp_path / "own").fps == fps


def test_the_same_episodes_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_lerobot(tmp_path / name, made(), 8)
    assert sha256_tree(tmp_path / "a") == sha256_tree(tmp_path / "b")


def test_videos_are_cut_between_episodes_at_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VIDEO_MB", 0)
    monkeypatch.setattr(module, "CHUNK", 3)
    write_lerobot(tmp_path / "own", made(), 8)
    videos = sorted(path.relative_to(tmp_path / "own").as_posix() for path in (tmp_path / "own").rglob("*.mp4"))
    assert [name.partition("chunk-")[2] for name in videos] == [
        "000/file-000.mp4", "000/file-001.mp4", "000/file-002.mp4", "001/file-000.mp4",
    ]  # fmt: skip
    found = listing(tmp_path / "own")
    assert [shown(tmp_path / "own", record)[0] for record in sorted(found.records, key=lambda record: record.id)] == [
        sum(LENGTHS[:episode]) for episode in range(4)
    ]


def test_statistics_are_those_of_all_frames(tmp_path: Path) -> None:
    import json

    write_lerobot(tmp_path / "own", made(), 8)
    stats = json.loads((tmp_path / "own/meta/stats.json").read_text())
    pixels = np.concatenate([frames[CAMERA] for frames, _ in made()]).reshape(-1, 3) / 255
    for name, values in (
        ("mean", pixels.mean(0)),
        ("std", pixels.std(0)),
        ("min", pixels.min(0)),
        ("max", pixels.max(0)),
    ):
        np.testing.assert_allclose(np.ravel(stats[CAMERA][name]), values, atol=1e-9)
    assert np.shape(stats[CAMERA]["mean"]) == (3, 1, 1)
    assert stats["index"] == {"min": [0], "max": [52], "mean": [26], "std": [np.arange(53).std()], "count": [53]}


def test_what_cannot_be_stored_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    frames = np.zeros((4, 32, 48, 3), np.uint8)
    for episodes, problem in (
        ([], "no episode"),
        ([({CAMERA: frames[:, :31]}, "lift")], "48x31 pixels"),
        ([({CAMERA: frames[:, :, :47]}, "lift")], "47x32 pixels"),
        ([({CAMERA: frames}, "lift"), ({CAMERA: frames[:, :16]}, "lift")], "has the cameras"),
        ([({CAMERA: frames, OTHER: frames[:3]}, "lift")], "has the cameras"),
        ([({CAMERA: frames[:0]}, "lift")], "has the cameras"),
        ([({CAMERA: frames}, "")], "its caption is empty"),
        ([({CAMERA: frames}, "x" * 2001)], "its caption has 2,001 characters"),
        ([({CAMERA: frames / 255}, "lift")], "has frames of .* float64"),
        ([({CAMERA: frames[..., 0]}, "lift")], "has frames of "),
        ([({}, "lift")], "has the cameras"),
        ([({"../../evil": frames}, "lift")], "can't be a folder"),
        ([({str(tmp_path / "evil"): frames}, "lift")], "can't be a folder"),
        ([({"": frames}, "lift")], "can't be a folder"),
        ([({"timestamp": frames}, "lift")], "is a column of every dataset"),
    ):
        with pytest.raises(FcaError, match=problem):
            write_lerobot(tmp_path / "own", iter(episodes), 8)
        assert list(tmp_path.iterdir()) == []
    for fps in (0, -1, 29.97):
        with pytest.raises(FcaError, match="a whole number"):
            write_lerobot(tmp_path / "own", made(), fps)  # type: ignore[arg-type]
    (tmp_path / "own").mkdir()
    with pytest.raises(FcaError, match="exists already"):
        write_lerobot(tmp_path / "own", made(), 8)


def test_an_interrupted_or_full_disk_leaves_nothing(tmp_path: Path) -> None:
    def stopped() -> Iterator[Episode]:
        yield from made()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lerobot(tmp_path / "own", stopped(), 8)
    assert list(tmp_path.iterdir()) == []

    code = (
        "import resource, signal, sys; from pathlib import Path; from tests.data.datasets.test_lerobot_write import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "write_lerobot(Path(sys.argv[1]), made(), 8)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "own")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert f"no room to write {tmp_path / 'own'}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_episode_takes_little_more_memory_than_its_frames(tmp_path: Path) -> None:
    """Statistics of all its pixels at once as floats would take 24 times as much."""
    frames = np.zeros((100, 256, 256, 3), np.uint8)
    tracemalloc.start()
    write_lerobot(tmp_path / "own", iter([({CAMERA: frames}, "lift")]), 8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < frames.nbytes


def test_episodes_follow_each_other_in_the_video_without_a_gap(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    write_lerobot(tmp_path / "own", made(), 8)
    rows = pq.read_table(tmp_path / "own/meta/episodes/chunk-000/file-000.parquet").to_pylist()
    spans = [(row[f"videos/{CAMERA}/from_timestamp"], row[f"videos/{CAMERA}/to_timestamp"]) for row in rows]
    assert spans[0][0] == 0
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert spans[-1][1] == sum(LENGTHS) / 8
    starts = [sum(LENGTHS[:episode]) for episode in range(5)]
    assert [(row["dataset_from_index"], row["dataset_to_index"]) for row in rows] == list(pairwise(starts))


def test_tasks_are_numbered_by_their_row_and_the_index_of_the_table(tmp_path: Path) -> None:
    """LeRobot takes the sentence from pandas' index, at the row of that number."""
    pandas = pytest.importorskip("pandas")
    write_lerobot(tmp_path / "own", made(), 8)
    tasks = pandas.read_parquet(tmp_path / "own/meta/tasks.parquet")
    assert tasks.index.tolist() == list(dict.fromkeys(TASKS))
    assert tasks["task_index"].tolist() == [0, 1, 2]
