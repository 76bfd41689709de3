"""Archives that are whole are unpacked; those that are broken or mean harm are refused and leave nothing."""

import gzip
import io
import os
import random
import stat
import subprocess
import sys
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fca.data.download.archive import Limits, unpack
from fca.data.download.joined import JoinedParts
from fca.errors import FcaError
from tests.data.corpora import files_below

RANDOM = random.Random(0)
FILES = {f"top/{number}.bin": RANDOM.randbytes(20_000 + number) for number in range(20)} | {"top/empty.bin": b""}
LIMITS = Limits(members=100, bytes=2**20)


def tar_bytes(
    files: dict[str, bytes], mode: str = "w", change: Callable[[tarfile.TarInfo], None] | None = None
) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        folder = tarfile.TarInfo("top")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if change:
                change(info)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zip_bytes(files: dict[str, bytes], mode: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("top")
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return buffer.getvalue()


PACK: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "tar": tar_bytes,
    "tar.gz": lambda files: tar_bytes(files, "w:gz"),
    "zip": zip_bytes,
}


def in_parts(folder: Path, data: bytes, count: int) -> list[Path]:
    """Write the data as files of about the same size, the last one smaller."""
    size = -(-len(data) // count)
    paths = [folder / f"part-{number:02d}" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(data[number * size : (number + 1) * size])
    return paths


def unpacked(target: Path) -> dict[str, bytes]:
    return {name: (target / name).read_bytes() for name in files_below(target)}


def refused(tmp_path: Path, data: bytes, limits: Limits = LIMITS) -> str:
    """The message of the error, once it is known that nothing was made, inside or outside the target."""
    parts = in_parts(tmp_path, data, 1)
    with pytest.raises(FcaError) as caught:
        unpack(parts, tmp_path / "deep" / "target", limits)
    assert not (tmp_path / "deep" / "target").exists()
    assert "part-00" in caught.value.problem
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("deep", "part-00")] == []
    return str(caught.value)


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("kind", PACK)
def test_whole_archives_and_archives_in_parts(tmp_path: Path, kind: str, count: int) -> None:
    parts = in_parts(tmp_path, PACK[kind](FILES), count)
    before = sorted(os.listdir(tmp_path))
    assert unpack(parts, tmp_path / "target", LIMITS) == len(FILES)
    assert unpacked(tmp_path / "target") == FILES
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "target"])
    (tmp_path / "target" / "mine").touch()
    assert unpack([], tmp_path / "target", LIMITS) == 0
    assert (tmp_path / "target" / "mine").exists()


@pytest.mark.parametrize("kind", PACK)
def test_files_are_chosen_and_renamed(tmp_path: Path, kind: str) -> None:
    parts = in_parts(tmp_path, PACK[kind](FILES), 1)
    assert unpack(parts, tmp_path / "target", LIMITS, lambda name: "a/b" if name == "top/3.bin" else None) == 1
    assert unpacked(tmp_path / "target") == {"a/b": FILES["top/3.bin"]}
    with pytest.raises(FcaError, match="holds none of the files"):
        unpack(parts, tmp_path / "other", LIMITS, lambda name: None)
    assert not (tmp_path / "other").exists()


def test_parts_that_are_zips_of_one_part_each(tmp_path: Path) -> None:
    parts = in_parts(tmp_path, tar_bytes(FILES, "w:gz"), 3)
    wrapped = []
    for part in parts:
        wrapped.append(part.with_name(part.name + ".zip"))
        with zipfile.ZipFile(wrapped[-1], "w") as archive:
            archive.write(part, part.name)
    unpack(wrapped, tmp_path / "target", LIMITS)
    assert unpacked(tmp_path / "target") == FILES


def test_joined_parts_read_like_one_file(tmp_path: Path) -> None:
    data = RANDOM.randbytes(1000)
    with JoinedParts(in_parts(tmp_path, data, 7)) as joined:
        for start, count in ((0, 1000), (142, 3), (143, 143), (999, 5), (1000, 1), (0, 1)):
            joined.seek(start)
            found = b""
            while len(found) < count and (more := joined.read(count - len(found))):
                found += more
            assert found == data[start : start + count]
        assert joined.seek(-10, os.SEEK_END) == 990


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("name", ["../x", "top/../../x", "/tmp/fca-x", "top/..", "a\\..\\x"])
def test_paths_that_lead_out(tmp_path: Path, kind: str, name: str) -> None:
    message = refused(tmp_path, PACK[kind]({**FILES, name: b"x"}))
    assert "leads out of the folder" in message
    assert name in message
    assert not Path("/tmp/fca-x").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("target", ["0.bin", "/etc/passwd", "../../x"])
def test_links_and_devices_in_a_tar(tmp_path: Path, kind: bytes, target: str) -> None:
    def change(info: tarfile.TarInfo) -> None:
        if info.name == "top/link":
            info.type, info.linkname = kind, target

    message = refused(tmp_path, tar_bytes({**FILES, "top/link": b""}, "w", change))
    assert "link" in message
    assert "top/link" in message


def test_a_link_in_a_zip(tmp_path: Path) -> None:
    assert "is a link" in refused(tmp_path, zip_bytes({"link": b"/etc/passwd"}, stat.S_IFLNK | 0o777))


@pytest.mark.parametrize("kind", PACK)
def test_more_than_the_limits(tmp_path: Path, kind: str) -> None:
    assert "one file too many" in refused(tmp_path, PACK[kind](FILES), Limits(10, 2**20))
    assert "more than 50000 bytes" in refused(tmp_path, PACK[kind](FILES), Limits(100, 50_000))


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_a_decompression_bomb(tmp_path: Path, kind: str) -> None:
    data = PACK[kind]({"top/bomb": bytes(2**25)})
    assert len(data) < 2**17
    assert "more than 1048576 bytes" in refused(tmp_path, data)


def test_a_bomb_after_the_end_of_a_tar(tmp_path: Path) -> None:
    assert "after its end" in refused(tmp_path, gzip.compress(tar_bytes(FILES) + bytes(2**25)))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_would_fill_the_memory(tmp_path: Path, kind: bytes) -> None:
    """64 MiB of attributes pack into 64 KiB of gzip."""
    member = tarfile.TarInfo("attributes")
    member.type, member.size = kind, 2**26
    data = gzip.compress(member.tobuf(tarfile.USTAR_FORMAT) + b" " * 2**26 + tar_bytes({"a/1.txt": b"one"}))
    tracemalloc.start()
    assert "header of 67108864 bytes" in refused(tmp_path, data)
    assert tracemalloc.get_traced_memory()[1] < 2**25
    tracemalloc.stop()


def test_headers_of_headers_without_end(tmp_path: Path) -> None:
    member = tarfile.TarInfo("attributes")
    member.type, member.size = tarfile.XHDTYPE, 0
    assert "truncated or damaged" in refused(tmp_path, member.tobuf(tarfile.USTAR_FORMAT) * 5000)


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", PACK)
def test_a_truncated_archive(tmp_path: Path, kind: str, kept: float) -> None:
    data = PACK[kind](FILES)
    end = len(data) if kind != "tar" else tarfile_end(data)
    message = refused(tmp_path, data[: int(kept * end)])
    assert "truncated or damaged" in message
    if kind != "zip" and kept > 0.1:
        assert "top/" in message


def tarfile_end(data: bytes) -> int:
    """Where the last file of a tar ends and the padding begins."""
    return len(data.rstrip(b"\0"))


def test_a_tar_that_ends_between_two_files(tmp_path: Path) -> None:
    data = tar_bytes(FILES)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        end = archive.getmember("top/5.bin").offset
    assert "no end mark after top/4.bin" in refused(tmp_path, data[:end])
    assert "no end mark" in refused(tmp_path, gzip.compress(data[:end]))


@pytest.mark.parametrize("count", [2, 3])
def test_missing_parts(tmp_path: Path, count: int) -> None:
    parts = in_parts(tmp_path, tar_bytes(FILES, "w:gz"), 3)
    with pytest.raises(FcaError, match="truncated or damaged") as caught:
        unpack([parts[0], parts[2]][: count - 1] if count == 2 else [parts[0], parts[2]], tmp_path / "x", LIMITS)
    assert "part-00" in str(caught.value)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("kind", PACK)
def test_damaged_bytes(tmp_path: Path, kind: str) -> None:
    data = bytearray(PACK[kind](FILES))
    if kind == "tar":
        with tarfile.open(fileobj=io.BytesIO(bytes(data))) as archive:
            data[archive.getmember("top/7.bin").offset + 148] ^= 1  # the header's checksum
    else:
        data[len(data) // 2] ^= 0xFF
    assert "truncated or damaged" in refused(tmp_path, bytes(data))


@pytest.mark.parametrize("data", [b"", b"<html>no archive</html>" * 100, b"PK", bytes(10_000)])
def test_no_archive_at_all(tmp_path: Path, data: bytes) -> None:
    refused(tmp_path, data)


def test_the_same_name_twice(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for data in (b"one", b"two"):
            info = tarfile.TarInfo("a")
            info.size = 3
            archive.addfile(info, io.BytesIO(data))
    assert "twice" in refused(tmp_path, buffer.getvalue())
    with pytest.raises(FcaError, match="two files of one name"):
        unpack(in_parts(tmp_path, zip_bytes(FILES), 1), tmp_path / "t", LIMITS, lambda name: "same")


def test_a_zip_goes_on_where_a_killed_run_stopped(tmp_path: Path) -> None:
    parts = in_parts(tmp_path, zip_bytes(FILES), 1)
    aside = tmp_path / ".unpacking-target" / "top"
    aside.mkdir(parents=True)
    (aside / "0.bin").write_bytes(FILES["top/0.bin"])
    (aside / "1.bin").write_bytes(bytes(len(FILES["top/1.bin"])))
    (aside / "2.bin.part").write_bytes(b"half")
    kept = (aside / "0.bin").stat().st_ino
    unpack(parts, tmp_path / "target", LIMITS)
    assert (tmp_path / "target" / "top" / "0.bin").stat().st_ino == kept
    assert unpacked(tmp_path / "target") == FILES


@pytest.mark.parametrize("kind", PACK)
def test_a_process_that_is_killed_leaves_no_target_and_the_next_completes_it(tmp_path: Path, kind: str) -> None:
    [path] = in_parts(tmp_path, PACK[kind](FILES), 1)
    code = (
        "import sys, time; from pathlib import Path; from fca.data.download import archive\n"
        "copy = archive._Unpacking._copy\n"
        "archive._Unpacking._copy = lambda *given: (time.sleep(0.05), copy(*given))\n"
        "archive.unpack([Path(sys.argv[1])], Path(sys.argv[2]), archive.Limits(100, 2**20))\n"
    )
    target, aside = tmp_path / "target", tmp_path / ".unpacking-target"
    process = subprocess.Popen([sys.executable, "-c", code, str(path), str(target)], stderr=subprocess.DEVNULL)
    while not (aside / "top" / "2.bin").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not target.exists()
    assert not (aside / "top" / "19.bin").exists()
    unpack([path], target, LIMITS)
    assert unpacked(target) == FILES
    assert not aside.exists()


def test_a_tar_starts_again_after_a_killed_run(tmp_path: Path) -> None:
    parts = in_parts(tmp_path, tar_bytes(FILES), 1)
    (tmp_path / ".unpacking-target").mkdir()
    (tmp_path / ".unpacking-target" / "rubbish").touch()
    unpack(parts, tmp_path / "target", LIMITS)
    assert unpacked(tmp_path / "target") == FILES
