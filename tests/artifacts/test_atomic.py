"""Files are written whole or not at all: errors, kills, full disks."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fca.artifacts.atomic import is_full, require_space, sha256_file, sha256_tree, write_aside
from fca.errors import FcaError


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment)


def test_a_file_appears_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    with write_aside(path) as aside:
        aside.write_text("new")
        assert aside.parent == path.parent
        assert aside.suffix == path.suffix
        assert not path.exists()
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["file.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail(aside: Path) -> None:
        aside.write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), write_aside(path) as aside:
        fail(aside)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_folder_replaces_a_folder_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").touch()
    with write_aside(path) as aside:
        (aside / "below").mkdir(parents=True)
        (aside / "below" / "new").write_text("new")
    assert [item.name for item in path.rglob("*")] == ["below", "new"]
    assert os.listdir(tmp_path) == ["folder"]


def test_a_link_is_replaced_by_a_folder_and_its_target_kept(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "precious").touch()
    (tmp_path / "raw").symlink_to(tmp_path / "theirs")
    with write_aside(tmp_path / "raw") as aside:
        aside.mkdir()
    assert not (tmp_path / "raw").is_symlink()
    assert (tmp_path / "theirs" / "precious").exists()


def test_a_writers_own_left_overs_go_too(tmp_path: Path) -> None:
    """Some writers work in <folder>.partial."""
    with pytest.raises(FcaError, match="nothing was written"), write_aside(tmp_path / "raw") as aside:
        aside.with_name(f"{aside.name}.partial").mkdir()
    assert os.listdir(tmp_path) == []


def test_writing_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FcaError, match="nothing was written"), write_aside(tmp_path / "file"):
        pass


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_kill_leaves_no_half_file_and_the_next_run_cleans_up(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "target"
    make = "aside.mkdir(); (aside / 'x').write_text('half')" if kind == "folder" else "aside.write_text('half')"
    code = f"""
import time
from pathlib import Path
from fca.artifacts.atomic import write_aside
with write_aside(Path({str(path)!r})) as aside:
    {make}
    print("ready", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not path.exists()
    assert len(os.listdir(tmp_path)) == 1
    with write_aside(path) as aside:
        aside.write_text("whole")
    assert os.listdir(tmp_path) == ["target"]


def test_a_running_process_is_not_robbed_of_its_file(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from fca.artifacts.atomic import write_aside
with write_aside(Path({str(tmp_path / "target")!r})) as aside:
    aside.write_text("theirs")
    print("ready", flush=True)
    input()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    with write_aside(tmp_path / "target") as aside:
        aside.write_text("ours")
    process.communicate("\n")
    assert process.returncode == 0
    assert (tmp_path / "target").read_text() == "theirs"


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """/dev/full answers every write as a full disk does."""
    path = tmp_path / "file.bin"
    with pytest.raises(FcaError) as caught, write_aside(path), open("/dev/full", "wb", buffering=0) as file:
        file.write(b"x")
    assert str(path) in caught.value.problem
    assert "MiB free" in caught.value.problem
    assert "same command again" in caught.value.remedy
    assert os.listdir(tmp_path) == []


def test_a_file_size_limit_is_a_full_disk(tmp_path: Path) -> None:
    result = run(f"""
import resource, signal
from pathlib import Path
from fca.artifacts.atomic import write_aside
from fca.errors import FcaError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    with write_aside(Path({str(tmp_path / "file.bin")!r})) as aside:
        aside.write_bytes(bytes(20_000))
except FcaError as error:
    print(error)
""")
    assert result.returncode == 0, result.stderr
    assert "no room to write" in result.stdout
    assert os.listdir(tmp_path) == []


def test_too_little_space_is_found_before_the_work(tmp_path: Path) -> None:
    require_space(tmp_path / "not" / "yet" / "there", 1)
    with pytest.raises(FcaError, match="no room"):
        require_space(tmp_path / "file", 10**18)


def test_other_errors_are_not_a_full_disk() -> None:
    assert not is_full(FileNotFoundError(2, "no such file"))
    assert not is_full(OSError("errno = 285"))
    assert is_full(OSError("write failed: errno = 28, error message = 'No space left on device'"))


def test_a_tree_hash_knows_names_and_content(tmp_path: Path) -> None:
    for name in ("b/1", "a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    count, first = sha256_tree(tmp_path)
    assert count == 2
    time.sleep(0.01)
    (tmp_path / "a").touch()
    assert sha256_tree(tmp_path) == (2, first)
    (tmp_path / "a").rename(tmp_path / "c")
    assert sha256_tree(tmp_path)[1] != first
    assert sha256_file(tmp_path / "c") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
