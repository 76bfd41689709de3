"""Shards: same content, same bytes; damage is found; workers and forks read safely."""

import contextlib
import hashlib
import multiprocessing
import os
import pickle
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from fca.artifacts.columns import CHUNK_BYTES, chunk_rows, content_hash, stored_bytes
from fca.artifacts.manifest import Manifest
from fca.artifacts.quarantine import Quarantine
from fca.artifacts.shards import Shard, write_shard
from fca.config import Layout
from fca.errors import FcaError

CAPTIONS = ["push <b>it</b>", "é", ""]
IDS = ["task/0", "task/1", "task/2"]
GONE = Quarantine("ssv2", "train", "7", "exclude", "7.webm", "the camera falls over")


def arrays(seed: int = 0) -> dict:
    random = np.random.default_rng(seed)
    return {
        "frames": random.integers(0, 256, (3, 4, 8, 12, 3), dtype=np.uint8),
        "mean": random.normal(size=(3, 4, 2)).astype(np.float16),
        "prompt": np.array([0, 1, 0], dtype=np.int32),
        "prompt_embeds": random.normal(size=(2, 5, 6)).astype(np.float32),
        "caption": CAPTIONS,
    }


def write(path: Path, seed: int = 0, **more) -> Manifest:
    return write_shard(path, "clips", arrays(seed), IDS, {"index": "x"}, {"fca": "0"}, **more)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    manifest = write(tmp_path / "s.h5", meta={"fps": 12})
    expected = arrays()
    with Shard(tmp_path / "s.h5", kind="clips") as shard:
        shard.verify()
        assert len(shard) == 3
        assert shard.ids == IDS
        assert shard.captions == CAPTIONS
        assert shard.meta == {"fps": 12}
        assert shard.manifest == manifest
        for name in ("frames", "mean", "prompt", "prompt_embeds"):
            assert shard[name].shape == expected[name].shape
            assert shard[name].dtype == expected[name].dtype
            np.testing.assert_array_equal(np.asarray(shard[name]), expected[name])
        np.testing.assert_array_equal(shard.frames[1], expected["frames"][1])
        np.testing.assert_array_equal(shard.frames[[0, 2]], expected["frames"][[0, 2]])
        assert shard["caption"][1] == "é"
        assert list(shard["caption"][:]) == CAPTIONS
        assert "frames" in shard
        assert "vision" not in shard
    assert sorted(os.listdir(tmp_path)) == ["s.h5", "s.json"]


def test_same_content_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    write(tmp_path / "a" / "s.h5")
    time.sleep(1.1)  # HDF5's times have whole seconds
    write(tmp_path / "b" / "s.h5")
    assert (tmp_path / "a" / "s.h5").read_bytes() == (tmp_path / "b" / "s.h5").read_bytes()
    assert (tmp_path / "a" / "s.json").read_bytes() == (tmp_path / "b" / "s.json").read_bytes()


def test_the_hash_is_of_the_content() -> None:
    columns = {"x": np.arange(6, dtype=np.int32).reshape(2, 3), "text": ["ab", "c"]}
    first = content_hash(columns, {})
    assert content_hash(dict(reversed(columns.items())), {}) == first
    assert content_hash(columns | {"x": columns["x"].astype(">i4")}, {}) == first
    assert content_hash(columns | {"x": np.asfortranarray(columns["x"])}, {}) == first
    others = [
        content_hash(columns | {"x": columns["x"].reshape(3, 2)}, {}),
        content_hash(columns | {"x": columns["x"].view(np.uint32)}, {}),
        content_hash(columns | {"text": ["a", "bc"]}, {}),
        content_hash({"y": columns["x"], "text": columns["text"]}, {}),
        content_hash(columns, {"fps": 12}),
    ]
    assert len({first, *others}) == 6


def test_large_columns_are_hashed_in_blocks() -> None:
    column = np.zeros((40, 2**20), dtype=np.uint8)
    assert content_hash({"x": column}, {}) == content_hash({"x": np.asfortranarray(column)}, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write(tmp_path / "s.h5")
    (tmp_path / "s.h5").unlink()
    with pytest.raises(FcaError, match="missing") as caught:
        Shard(tmp_path / "s.h5")
    assert f"rm -f {tmp_path / 's.h5'} {tmp_path / 's.json'}" in caught.value.remedy
    assert "fca resample" in caught.value.remedy


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_found_on_opening(tmp_path: Path, share: float) -> None:
    write(tmp_path / "s.h5")
    data = (tmp_path / "s.h5").read_bytes()
    (tmp_path / "s.h5").write_bytes(data[: int(share * len(data))])
    with pytest.raises(FcaError, match="can't be opened"):
        Shard(tmp_path / "s.h5")


def test_a_flipped_bit_of_the_data_is_found(tmp_path: Path) -> None:
    """On every read of the row (checksum), and by verify."""
    write(tmp_path / "s.h5")
    data = bytearray((tmp_path / "s.h5").read_bytes())
    data[data.index(arrays()["frames"].tobytes()[:64]) + 5] ^= 4
    (tmp_path / "s.h5").write_bytes(data)
    shard = Shard(tmp_path / "s.h5")
    with pytest.raises(FcaError, match=r"s\.h5 can't be used"):
        shard.frames[0]
    with pytest.raises(FcaError, match=r"s\.h5 can't be used"):
        shard.verify()


def test_changed_content_with_good_checksums_is_found_by_verify(tmp_path: Path) -> None:
    write(tmp_path / "s.h5")
    with h5py.File(tmp_path / "s.h5", "r+") as file:
        file["mean"][0, 0, 0] += 1
    with Shard(tmp_path / "s.h5") as shard, pytest.raises(FcaError, match="sha256 differs"):
        shard.verify()


def test_a_flipped_bit_anywhere_is_found_or_harmless(tmp_path: Path) -> None:
    """No flip crashes, hangs (as one in HDF5's heap of strings would), or gets past opening and verify."""
    write(tmp_path / "s.h5")
    good = (tmp_path / "s.h5").read_bytes()
    for position in np.random.default_rng(0).integers(0, len(good), 150):
        data = bytearray(good)
        data[position] ^= 1 << int(position) % 8
        (tmp_path / "s.h5").write_bytes(data)
        with contextlib.suppress(FcaError), Shard(tmp_path / "s.h5") as shard:
            shard.verify()
            np.testing.assert_array_equal(np.asarray(shard.frames), arrays()["frames"])  # it hit an unused byte


def test_the_file_of_another_shard_with_the_same_clips_is_found(tmp_path: Path) -> None:
    for name, value in (("s.h5", 0), ("t.h5", 1)):
        write_shard(tmp_path / name, "samples", {"frames": np.full((1, 2), value, np.uint8)}, ["a"], {}, {})
    (tmp_path / "t.h5").replace(tmp_path / "s.h5")
    with pytest.raises(FcaError, match="another shard's file"):
        Shard(tmp_path / "s.h5")


def test_a_manifest_of_another_shard_is_found(tmp_path: Path) -> None:
    write(tmp_path / "s.h5")
    write_shard(tmp_path / "t.h5", "clips", {"frames": np.zeros((1, 2), np.uint8)}, ["other"], {}, {})
    Layout.manifest(tmp_path / "t.h5").replace(Layout.manifest(tmp_path / "s.h5"))
    with pytest.raises(FcaError, match="ids differ"):
        Shard(tmp_path / "s.h5")


def test_the_wrong_kind_and_a_missing_array_are_named(tmp_path: Path) -> None:
    write(tmp_path / "s.h5")
    with pytest.raises(FcaError, match="holds clips"):
        Shard(tmp_path / "s.h5", kind="latents")
    with pytest.raises(FcaError, match="no array 'vision'"):
        Shard(tmp_path / "s.h5")["vision"]


def test_a_wrong_index_is_the_callers_mistake(tmp_path: Path) -> None:
    write(tmp_path / "s.h5")
    shard = Shard(tmp_path / "s.h5")
    with pytest.raises(IndexError):
        shard.frames[3]
    assert len(list(shard["caption"])) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"x": np.zeros((2, 4))},
        {"x": np.zeros((3, 0))},
        {"x": np.zeros(3, dtype=complex)},
        {"x": np.array(["a", "b", "c"])},
        {"caption": ["a", "b"]},
        {"caption": ["a", "b", "c\0"]},
    ],
)
def test_columns_that_do_not_fit_are_refused_before_writing(tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(ValueError, match=r"s\.h5"):
        write_shard(tmp_path / "s.h5", "clips", wrong, IDS, {}, {})
    assert os.listdir(tmp_path) == []


def write_empty(path: Path) -> Manifest:
    """Nothing of every column, but a row of the table."""
    none = {name: column if name == "prompt_embeds" else column[:0] for name, column in arrays().items()}
    return write_shard(path, "clips", none, [], {"index": "x"}, {"fca": "0"}, [GONE], {"fps": 12})


def test_a_shard_without_clips_keeps_shapes_types_and_quarantine(tmp_path: Path) -> None:
    manifest = write_empty(tmp_path / "s.h5")
    assert (manifest.count, manifest.ids, manifest.quarantine) == (0, [], [GONE])
    with Shard(tmp_path / "s.h5", kind="clips") as shard:
        shard.verify()
        assert shard.manifest == manifest == Manifest.read(tmp_path / "s.json")
        assert (len(shard), shard.ids, shard.captions, shard.meta) == (0, [], [], {"fps": 12})
        for name, column in arrays().items():
            if name != "caption":
                read = np.asarray(shard[name])
                assert (read.shape[1:], read.dtype) == (column.shape[1:], column.dtype)
                assert len(read) == (2 if name == "prompt_embeds" else 0)
        assert list(shard["caption"][:]) == []
        assert shard.frames[0:2].shape == (0, 4, 8, 12, 3)
        with pytest.raises(IndexError):
            shard.frames[0]


def test_shards_without_clips_have_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    write_empty(tmp_path / "a" / "s.h5")
    time.sleep(1.1)  # HDF5's times have whole seconds
    write_empty(tmp_path / "b" / "s.h5")
    assert (tmp_path / "a" / "s.h5").read_bytes() == (tmp_path / "b" / "s.h5").read_bytes()
    assert (tmp_path / "a" / "s.json").read_bytes() == (tmp_path / "b" / "s.json").read_bytes()


def test_a_shard_without_clips_is_not_taken_for_another_one(tmp_path: Path) -> None:
    """Of other shapes, of other clips' table, or with clips: each has a content of its own."""
    write_empty(tmp_path / "s.h5")
    write_shard(tmp_path / "t.h5", "clips", {"frames": np.zeros((0, 2), np.uint8)}, [], {}, {})
    (tmp_path / "t.h5").replace(tmp_path / "s.h5")
    with pytest.raises(FcaError, match="another shard's file"):
        Shard(tmp_path / "s.h5")
    write(tmp_path / "s.h5")
    write_empty(tmp_path / "t.h5")
    Layout.manifest(tmp_path / "t.h5").replace(Layout.manifest(tmp_path / "s.h5"))
    with pytest.raises(FcaError, match="ids differ"):
        Shard(tmp_path / "s.h5")


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 100, 101])
@pytest.mark.parametrize("row_bytes", [1, 4, 2**17, 2**18, 2**20])
def test_chunks_hold_every_row_once_and_are_alike(rows: int, row_bytes: int) -> None:
    chunk = chunk_rows(rows, row_bytes)
    assert 1 <= chunk <= max(1, rows)
    assert chunk == 1 or chunk * row_bytes <= CHUNK_BYTES
    chunks = -(-rows // chunk)
    assert rows <= chunks * chunk < rows + max(chunks, 1)
    assert stored_bytes(rows, row_bytes) == chunks * (chunk * row_bytes + 12)


def _sum(task: tuple[Shard, int]) -> int:
    shard, row = task
    return int(shard.frames[row].sum())


def in_a_fresh_process(function: str, path: Path, method: str) -> None:
    """Call a function of this module: a fork of the tests' own process would inherit other tests' threads and locks."""
    code = f"from pathlib import Path; from {__name__} import {function}; {function}(Path({str(path)!r}), {method!r})"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_read_a_shard_that_the_parent_has_read(tmp_path: Path, method: str) -> None:
    in_a_fresh_process("read_by_workers", tmp_path, method)


def read_by_workers(tmp_path: Path, method: str) -> None:
    write(tmp_path / "s.h5")
    frames = arrays()["frames"]
    with Shard(tmp_path / "s.h5") as shard:
        assert shard.frames[0].sum() == frames[0].sum()
        with multiprocessing.get_context(method).Pool(2) as pool:
            sums = pool.map_async(_sum, [(shard, row % 3) for row in range(60)]).get(timeout=60)
        assert sums == [int(frames[row % 3].sum()) for row in range(60)]
        assert shard.frames[1].sum() == frames[1].sum()


def _read_all(task: tuple[Shard, int, str]) -> int:
    """Every row of the parent's shard and of one opened here, many times, in an order of its own."""
    shard, seed, digest = task
    with Shard(shard.path) as own:
        for row in np.random.default_rng(seed).integers(0, 3, 300):
            for opened in (shard, own):
                assert hashlib.sha256(opened.frames[int(row)].tobytes()).hexdigest() == digest.split()[row]
                assert opened["prompt_embeds"][int(row) % 2].any()
    return seed


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_concurrent_readers_never_see_each_others_bytes(tmp_path: Path, method: str) -> None:
    """Processes and threads at once on one shard: a shared file position would mix their rows up."""
    in_a_fresh_process("read_at_once", tmp_path, method)


def read_at_once(tmp_path: Path, method: str) -> None:
    write(tmp_path / "s.h5")
    digest = " ".join(hashlib.sha256(frames.tobytes()).hexdigest() for frames in arrays()["frames"])
    with Shard(tmp_path / "s.h5") as shard:
        assert shard.frames[0].any()
        with multiprocessing.get_context(method).Pool(3) as pool:
            others = pool.map_async(_read_all, [(shard, seed, digest) for seed in range(6)])
            with ThreadPoolExecutor(3) as threads:
                here = threads.map(_read_all, [(shard, seed, digest) for seed in range(3)])
                assert list(here) == [0, 1, 2]
            assert others.get(timeout=120) == [0, 1, 2, 3, 4, 5]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_data_loader_workers_that_inherit_the_shard(tmp_path: Path) -> None:
    """torch's DataLoader forks while the parent's handle is open."""
    torch = pytest.importorskip("torch")
    write(tmp_path / "s.h5")

    class Dataset(torch.utils.data.Dataset):
        def __init__(self, shard: Shard) -> None:
            self.shard = shard

        def __len__(self) -> int:
            return 30

        def __getitem__(self, row: int):
            return self.shard.frames[row % 3]

    with Shard(tmp_path / "s.h5") as shard:
        assert shard.frames[0].any()
        loader = torch.utils.data.DataLoader(Dataset(shard), batch_size=3, num_workers=2, timeout=60)
        for batch in loader:
            np.testing.assert_array_equal(batch.numpy(), arrays()["frames"])


def test_a_closed_shard_opens_again_and_pickles_without_its_handle(tmp_path: Path) -> None:
    write(tmp_path / "s.h5")
    shard = Shard(tmp_path / "s.h5")
    assert shard.frames[0].any()
    copy = pickle.loads(pickle.dumps(shard))
    shard.close()
    assert copy.frames[0].any()
    assert shard.frames[0].any()


def test_a_disk_that_fills_while_writing_is_named(tmp_path: Path) -> None:
    """HDF5 reports it in its own way, and must leave neither file nor a process that dies without a word."""
    code = f"""
import resource, signal, numpy as np
from fca.artifacts.shards import write_shard
from fca.errors import FcaError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    ids = list(map(str, range(100)))
    arrays = {{"x": np.ones((100, 10_000), np.uint8)}}
    write_shard({str(tmp_path / "s.h5")!r}, "clips", arrays, ids, {{}}, {{}})
except FcaError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "no room to write" in result.stdout
    assert "s.h5" in result.stdout
    assert os.listdir(tmp_path) == []
