"""Downloads from a server that misbehaves: a complete, checked file, or an error that can be gone on from."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fca.data.download import http
from fca.data.download.digests import digest_file
from fca.data.download.files import RemoteFile, download
from fca.data.download.http import Client
from fca.errors import FcaError
from tests.data.download.server import Manners, Server, serve

DATA = random.Random(0).randbytes(3_000_000)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "a.bin").write_bytes(DATA)
    with serve(tmp_path / "served") as state:
        yield state


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(pauses: list[float]) -> Client:
    return Client(timeout=5, tries=4, pause=pauses.append)


def remote(server: Server, tmp_path: Path, **more) -> RemoteFile:
    return RemoteFile(server.url + "a.bin", tmp_path / "got" / "a.bin", **more)


def left(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "got").iterdir())


def refused(file: RemoteFile, client: Client) -> FcaError:
    with pytest.raises(FcaError) as caught:
        download([file], 2, client)
    assert not file.path.exists()
    return caught.value


GOOD_IN_THE_END = {
    "well": Manners(),
    "dropped three times": Manners(drop_after=[1_000_000, 500_000, 1]),
    "dropped before the first byte": Manners(drop_after=[0, 0]),
    "busy": Manners(statuses=[500, 503, 429]),
    "ignores ranges": Manners(drop_after=[1_000_000, 2_000_000], ranges=False),
    "sends the wrong range": Manners(drop_after=[1_000_000], wrong_range=True),
    "no validators": Manners(drop_after=[1_000_000], validators=False),
    "a weak validator": Manners(drop_after=[1_000_000], weak=True),
    "chunked": Manners(length="chunked"),
    "chunked and dropped": Manners(length="chunked", drop_after=[1_000_000]),
}


@pytest.mark.parametrize("hashed", [False, True])
@pytest.mark.parametrize("name", GOOD_IN_THE_END)
def test_a_complete_file_in_the_end(server: Server, client: Client, tmp_path: Path, name: str, hashed: bool) -> None:
    given = GOOD_IN_THE_END[name]
    server.manners["a.bin"] = Manners(
        **vars(given) | {"drop_after": [*given.drop_after], "statuses": [*given.statuses]}
    )
    download([remote(server, tmp_path, digests={"sha256": SHA256} if hashed else {})], 2, client)
    assert (tmp_path / "got" / "a.bin").read_bytes() == DATA
    assert left(tmp_path) == ["a.bin"]


def test_tries_go_on_where_the_last_one_stopped(server: Server, client: Client, tmp_path: Path, pauses) -> None:
    server.manners["a.bin"].drop_after = [1_000_000, 500_000]
    download([remote(server, tmp_path)], 1, client)
    first, *others = server.ranges("a.bin")
    assert first is None
    assert others == ["bytes=1000000-", "bytes=1500000-"]
    assert pauses == [1.0, 1.0]  # a try that came further starts the count again


def test_a_new_query_is_still_the_same_file_and_shown_nowhere(server: Server, client: Client, tmp_path: Path) -> None:
    server.manners["a.bin"].drop_after = [1_000_000, 0, 0, 0]
    target = tmp_path / "got" / "a.bin"
    error = refused(RemoteFile(server.url + "a.bin?key=secret", target), client)
    assert "secret" not in str(error)
    assert "secret" not in (tmp_path / "got" / "a.bin.part.json").read_text()
    download([RemoteFile(server.url + "a.bin?key=other", target)], 1, client)
    assert server.ranges("a.bin")[-1] == "bytes=1000000-"
    assert target.read_bytes() == DATA


def test_more_drops_than_tries_are_fine_while_bytes_come(server: Server, client: Client, tmp_path: Path) -> None:
    server.manners["a.bin"].drop_after = [200_000] * 12
    download([remote(server, tmp_path)], 1, client)
    assert (tmp_path / "got" / "a.bin").read_bytes() == DATA


def test_another_run_goes_on(server: Server, client: Client, tmp_path: Path, pauses: list[float]) -> None:
    server.manners["a.bin"].drop_after = [1_000_000, 0, 0, 0]
    error = refused(remote(server, tmp_path), client)
    assert "in 4 tries" in error.problem
    assert "same command again" in error.remedy
    assert left(tmp_path) == ["a.bin.part", "a.bin.part.json"]
    assert pauses == [1.0, 2.0, 4.0]
    server.manners.clear()
    download([remote(server, tmp_path)], 1, client)
    assert server.ranges("a.bin")[-1] == "bytes=1000000-"
    assert (tmp_path / "got" / "a.bin").read_bytes() == DATA
    asked = len(server.asked)
    download([remote(server, tmp_path)], 1, client)
    assert len(server.asked) == asked


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_changed_between_tries_starts_again(
    server: Server, client: Client, tmp_path: Path, if_range: bool
) -> None:
    server.manners["a.bin"] = Manners(drop_after=[1_000_000, 0, 0, 0], if_range=if_range)
    refused(remote(server, tmp_path), client)
    new = DATA[::-1]
    (server.folder / "a.bin").write_bytes(new)
    download([remote(server, tmp_path)], 1, client)
    assert (tmp_path / "got" / "a.bin").read_bytes() == new


def test_a_file_that_became_shorter_starts_again(server: Server, client: Client, tmp_path: Path) -> None:
    server.manners["a.bin"] = Manners(drop_after=[1_000_000, 0, 0, 0], if_range=False)
    refused(remote(server, tmp_path), client)
    (server.folder / "a.bin").write_bytes(b"short")
    download([remote(server, tmp_path)], 1, client)
    assert (tmp_path / "got" / "a.bin").read_bytes() == b"short"


def test_wrong_bytes_are_refused_with_both_hashes(server: Server, client: Client, tmp_path: Path) -> None:
    error = refused(remote(server, tmp_path, digests={"md5": "0" * 32}), client)
    assert hashlib.md5(DATA).hexdigest() in error.problem
    assert "0" * 32 in error.expected
    assert left(tmp_path) == []


@pytest.mark.parametrize("claim", [len(DATA) + 1000, len(DATA) - 1000])
def test_a_server_that_lies_about_the_length(server: Server, client: Client, tmp_path: Path, claim: int) -> None:
    server.manners["a.bin"].claim = claim
    error = refused(remote(server, tmp_path, digests={"sha256": SHA256}), client)
    assert SHA256 in error.expected if claim < len(DATA) else "could not be downloaded" in error.problem


def test_another_size_than_the_published_one(server: Server, client: Client, tmp_path: Path) -> None:
    error = refused(remote(server, tmp_path, size=7), client)
    assert "offers 3000000 bytes, 7 are published" in error.problem


def test_a_length_that_nobody_says(server: Server, client: Client, tmp_path: Path) -> None:
    server.manners["a.bin"].length = "none"
    assert "doesn't say how long" in refused(remote(server, tmp_path), client).problem
    server.manners["a.bin"].drop_after = [1_000_000]
    assert SHA256 in refused(remote(server, tmp_path, digests={"sha256": SHA256}), client).expected
    download([remote(server, tmp_path, digests={"sha256": SHA256})], 1, client)
    assert (tmp_path / "got" / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize("status, remedy", [(404, "check the address"), (403, "in a browser"), (401, "in a browser")])
def test_what_only_the_user_can_mend_is_not_tried_again(
    server: Server, client: Client, tmp_path: Path, pauses: list[float], status: int, remedy: str
) -> None:
    server.manners["a.bin"].statuses = [status]
    error = refused(remote(server, tmp_path), client)
    assert str(status) in error.problem
    assert remedy in error.remedy
    assert pauses == []


def test_a_page_to_sign_in_is_no_archive(server: Server, client: Client, tmp_path: Path) -> None:
    server.manners["a.bin"].kind = "text/html; charset=utf-8"
    assert "sign in" in refused(remote(server, tmp_path), client).problem


def test_only_http(server: Server, client: Client, tmp_path: Path) -> None:
    assert "https://" in refused(RemoteFile((tmp_path / "x").as_uri(), tmp_path / "got" / "x"), client).expected
    for address in ("file:///etc/hostname", "ftp://127.0.0.1/a.bin"):
        server.manners["a.bin"].redirect = address
        assert "isn't http or https" in refused(remote(server, tmp_path), client).problem
    server.manners["a.bin"].redirect = server.url + "b.bin"
    (server.folder / "b.bin").write_bytes(b"b")
    download([remote(server, tmp_path)], 1, client)
    assert (tmp_path / "got" / "a.bin").read_bytes() == b"b"


def test_no_server(tmp_path: Path, client: Client, pauses: list[float]) -> None:
    with serve(tmp_path) as server:
        pass
    error = refused(remote(server, tmp_path), client)
    assert "in 4 tries" in error.problem
    assert len(pauses) == 3


def test_many_files_and_one_that_fails(server: Server, client: Client, tmp_path: Path) -> None:
    for number in range(8):
        (server.folder / f"{number}.bin").write_bytes(DATA[: 1000 * number])
    files = [RemoteFile(f"{server.url}{number}.bin", tmp_path / "got" / f"{number}.bin") for number in range(8)]
    download(files, 3, client)
    assert [file.path.read_bytes() for file in files] == [DATA[: 1000 * number] for number in range(8)]
    missing = RemoteFile(f"{server.url}none.bin", tmp_path / "got" / "none.bin")
    assert "404" in refused(missing, client).problem
    with pytest.raises(ValueError, match="same path"):
        download([files[0], files[0]])


def test_a_file_that_is_there_is_checked(server: Server, client: Client, tmp_path: Path) -> None:
    file = remote(server, tmp_path, digests={"sha256": SHA256}, size=len(DATA))
    file.path.parent.mkdir()
    file.path.write_bytes(DATA)
    download([file], 1, client)
    assert server.asked == []
    file.path.write_bytes(b"x" * len(DATA))
    with pytest.raises(FcaError, match="not the published file"):
        download([file], 1, client)
    file.path.write_bytes(b"x")
    with pytest.raises(FcaError, match="has 1 bytes"):
        download([file], 1, client)


def test_too_little_room_is_said_before_the_first_byte(server: Server, client: Client, tmp_path: Path) -> None:
    with pytest.raises(FcaError, match="no room"):
        download([remote(server, tmp_path, size=2**60)], 1, client)
    assert server.asked == []


def test_a_killed_process_is_gone_on_from_and_two_at_once_are_refused(server: Server, tmp_path: Path) -> None:
    (server.folder / "a.bin").write_bytes(DATA)
    code = (
        "import sys, time; from pathlib import Path; from fca.data.download import files as d\n"
        "old = d.chunks\n"
        "def slow(response):\n"
        "    for chunk in old(response):\n"
        "        yield chunk\n"
        "        time.sleep(0.2)\n"
        "d.chunks = slow\n"
        "d.download([d.RemoteFile(sys.argv[1], Path(sys.argv[2]))])\n"
    )
    target = tmp_path / "got" / "a.bin"
    command = [sys.executable, "-c", code, server.url + "a.bin", str(target)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    part = target.with_name("a.bin.part")
    while not (part.exists() and part.stat().st_size > http.CHUNK):
        assert process.poll() is None
        time.sleep(0.01)
    with pytest.raises(FcaError, match="another process"):
        download([remote(server, tmp_path)])
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    size = part.stat().st_size
    assert 0 < size < len(DATA)
    download([remote(server, tmp_path)])
    assert server.ranges("a.bin")[-1] == f"bytes={size}-"
    assert target.read_bytes() == DATA


def test_a_note_that_is_damaged_means_starting_again(server: Server, client: Client, tmp_path: Path) -> None:
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "a.bin.part").write_bytes(b"something else")
    (tmp_path / "got" / "a.bin.part.json").write_text("{")
    download([remote(server, tmp_path)], 1, client)
    assert (tmp_path / "got" / "a.bin").read_bytes() == DATA


def test_a_folder_is_listed_and_nothing_outside_it(server: Server, client: Client) -> None:
    (server.folder / "tree" / "a folder").mkdir(parents=True)
    (server.folder / "tree" / "im_0.jpg").touch()
    assert client.listing(server.url + "tree/") == (["a folder"], ["im_0.jpg"])


def test_git_names_files_by_this_hash(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello\n")
    assert digest_file(tmp_path / "file", "git") == "ce013625030ba8dba906f756967f9e9ca394464a"
