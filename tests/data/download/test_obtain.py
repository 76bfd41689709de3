"""From published archives on a server to an index equal to that of the original: all three datasets.

Clips of the library are packed as the real ones are and served by a real server. Their annotations can't have the
published hashes, so the tests put those of the library in their place.
"""

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fca.artifacts.atomic import sha256_file
from fca.config import Config, ConfigError
from fca.data.datasets.bridge import LIST_NAME
from fca.data.download import epic
from fca.data.download.bridge import choose_frames
from fca.data.download.http import Client
from fca.data.download.obtain import LOCK, Source
from fca.data.download.ssv2 import LABELS
from fca.data.fetch import fetch
from fca.errors import FcaError
from tests.data.corpora import config_for, files_below, listing_of, pretend_published, write_corpus
from tests.data.download.published import serve_bridge_tree, serve_bridge_zip, serve_epic, serve_ssv2
from tests.data.download.server import Server, serve

CLIPS = {"ssv2": (2, 1), "bridge": (4, 2), "epic": (1, 1)}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "served").mkdir()
    with serve(tmp_path / "served") as state:
        yield state


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, Path]:
    """Format -> the folder of a small corpus; tests don't change it."""
    folder = tmp_path_factory.mktemp("originals")
    for form, clips in CLIPS.items():
        write_corpus(form, folder / form, *clips)
    return {form: folder / form for form in CLIPS}


def settings(server: Server, tmp_path: Path, form: str, **more) -> Config:
    train, validation = CLIPS[form]
    root = str(tmp_path / "theirs")
    return config_for(tmp_path, form, train, validation, **{"root": root, "licence_accepted": True, **more})


SERVE = {
    "ssv2": ("ssv2", serve_ssv2),
    "bridge zip": ("bridge", serve_bridge_zip),
    "bridge tree": ("bridge", serve_bridge_tree),
    "epic": ("epic", serve_epic),
}


@pytest.fixture(params=SERVE)
def published(request, server: Server, tmp_path: Path, monkeypatch, originals) -> tuple[Config, str, Path]:
    """(settings, format, original) of a dataset that the server publishes."""
    form, pack = SERVE[request.param]
    root = originals[form]
    names = pack(root, server.folder)
    pretend_published(monkeypatch, form, root)
    more = {"checksums": str(tmp_path / "md5.csv")} if form == "epic" else {}
    return settings(server, tmp_path, form, urls=[server.url + name for name in names], **more), form, root


def index(form: str, root: Path) -> list:
    listing = listing_of(form, root, form, *CLIPS[form])
    assert listing.quarantine == []
    return [(record.id, record.split, record.caption, record.frames, record.length) for record in listing.records]


def test_from_the_server_to_the_same_index(published, server: Server, tmp_path: Path) -> None:
    config, form, root = published
    manifest = fetch(config, form)
    theirs = tmp_path / "theirs"
    assert index(form, theirs) == index(form, root)
    media = [name for name in files_below(root) if name.endswith((".jpg", ".webm"))]
    got = [name for name in files_below(theirs) if name.endswith((".jpg", ".webm"))]
    assert got == media
    asked = len(server.asked)
    assert fetch(config, form) == manifest
    assert len(server.asked) == asked
    for path in (theirs / "archives").rglob("*"):
        if path.is_file():
            path.unlink()
    assert fetch(config, form) == manifest
    assert len(server.asked) == asked


def test_nothing_without_the_licence(published, server: Server) -> None:
    config, form, _ = published
    accepted = config.datasets[form]
    refused = accepted.model_copy(update={"licence_accepted": False})
    with pytest.raises(FcaError, match="needs your acceptance of") as caught:
        fetch(config.model_copy(update={"datasets": {form: refused}}), form)
    assert f"datasets.{form}.licence_accepted: true" in caught.value.expected
    assert "https://" in caught.value.remedy
    assert server.asked == []
    fetch(config, form)
    fetch(config.model_copy(update={"datasets": {form: refused}}), form)  # what is there already needs no asking


def test_a_download_that_fails_is_gone_on_with(published, server: Server, tmp_path: Path) -> None:
    config, form, root = published
    media = sorted(path for path in server.folder.rglob("*") if path.suffix in (".tar", ".zip", ".jpg"))
    media = [path for path in media if "another_task" not in path.parts]
    server.manners[media[-1].relative_to(server.folder).as_posix()].statuses = [404]
    with pytest.raises(FcaError, match="404"):
        fetch(config, form)
    assert not (tmp_path / "data").exists() or not list((tmp_path / "data").rglob("raw.json"))
    done = {path.relative_to(tmp_path / "theirs").as_posix() for path in (tmp_path / "theirs").rglob("*.[jtz]*")}
    done = {name.replace(".unpacking-", "").partition("raw/")[2] or name.rpartition("/")[2] for name in done}
    asked = len(server.asked)
    fetch(config, form)
    assert index(form, tmp_path / "theirs") == index(form, root)
    again = {name if name.endswith(".jpg") else name.rpartition("/")[2] for name, _ in server.asked[asked:]}
    assert again
    assert not again & done


def test_own_archives_need_no_server(server: Server, tmp_path: Path, originals) -> None:
    root = originals["ssv2"]
    serve_ssv2(root, server.folder)
    sums = tmp_path / "md5sum.txt"
    lines = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.name}" for path in sorted(server.folder.iterdir())]
    sums.write_text("\n".join(lines) + "\n")
    config = settings(server, tmp_path, "ssv2", archives=str(server.folder), checksums=str(sums))
    fetch(config, "ssv2")
    assert index("ssv2", tmp_path / "theirs") == index("ssv2", root)
    assert server.asked == []


def test_own_archives_that_are_not_the_published_ones(server: Server, tmp_path: Path, originals) -> None:
    serve_ssv2(originals["ssv2"], server.folder)
    sums = tmp_path / "sums"
    sums.write_text(f"{'1' * 32} *20bn-something-something-v2-01\n")
    config = settings(server, tmp_path, "ssv2", archives=str(server.folder), checksums=str(sums))
    with pytest.raises(FcaError, match="is not the published file: md5") as caught:
        fetch(config, "ssv2")
    assert "1" * 32 in caught.value.expected
    sums.write_text("what is this\n")
    with pytest.raises(FcaError, match="line 1 is not a hash"):
        fetch(config, "ssv2")


@pytest.mark.parametrize("missing", ["20bn-something-something-v2-00", "20bn-something-something-v2-01", LABELS])
def test_an_archive_of_ssv2_is_missing(server: Server, tmp_path: Path, originals, missing: str) -> None:
    serve_ssv2(originals["ssv2"], server.folder)
    (server.folder / missing).unlink()
    config = settings(server, tmp_path, "ssv2", archives=str(server.folder))
    with pytest.raises(FcaError, match=r"lacks parts|truncated|no annotations"):
        fetch(config, "ssv2")
    assert not (tmp_path / "theirs" / "20bn-something-something-v2").exists()


def test_own_tars_of_epic_as_the_download_scripts_place_them(
    server: Server, tmp_path: Path, monkeypatch, originals
) -> None:
    root = originals["epic"]
    serve_epic(root, server.folder)
    pretend_published(monkeypatch, "epic", root)
    shutil.copytree(root / "annotations", tmp_path / "theirs" / "annotations")
    own = tmp_path / "own" / "EPIC-KITCHENS/P01/rgb_frames"
    own.mkdir(parents=True)
    for path in server.folder.rglob("*.tar"):
        path.rename(own / path.name)
    more = {"archives": str(tmp_path / "own"), "checksums": str(tmp_path / "md5.csv")}
    config = settings(server, tmp_path, "epic", **more)
    fetch(config, "epic")
    assert index("epic", tmp_path / "theirs") == index("epic", root)
    assert server.asked == []
    with open(own / "P01_01.tar", "ab") as file:
        file.write(b"\0")
    shutil.rmtree(tmp_path / "theirs/EPIC-KITCHENS/P01/rgb_frames/P01_01")
    with pytest.raises(FcaError, match="is not the published file: md5"):
        fetch(config, "epic")


def test_addresses_of_epic(server: Server, tmp_path: Path) -> None:
    """The published folders and errata, without asking for them."""
    (tmp_path / "md5.csv").write_text(
        "md5,file_remote_path,version\n"
        f"{'1' * 32},frames_rgb_flow/rgb/test/P01/P01_11.tar,55\n"
        f"{'2' * 32},frames_rgb_flow/flow/test/P01/P01_11.tar,55\n"
        f"{'3' * 32},P01/rgb_frames/P01_101.tar,100\n"
        f"{'4' * 32},P01/rgb_frames/P01_109.tar,errata\n"
        f"{'5' * 32},P01/rgb_frames/P01_109.tar,100\n"
        f"{'6' * 32},videos/test/P01/P01_11.MP4,55\n"
        f"{'7' * 32},P01/videos/P01_109.MP4,100\n"
    )
    config = settings(server, tmp_path, "epic", urls=[epic.SERVER], checksums=str(tmp_path / "md5.csv"))
    source = Source("epic", config.datasets["epic"], tmp_path, Client())
    expected = {
        "P01_11": (f"{epic.SERVER}3h91syskeag572hl6tvuovwv4d/frames_rgb_flow/rgb/test/P01/P01_11.tar", "1"),
        "P01_101": (f"{epic.SERVER}2g1n6qdydwa9u22shpxqzp0t8m/P01/rgb_frames/P01_101.tar", "3"),
        "P01_109": (epic.ERRATA["P01_109"], "4"),
    }
    for video, (url, digit) in expected.items():
        file = epic.remote_file(source, tmp_path / f"{video}.tar", epic.published_files(source, ".tar"))
        assert (file.url, file.digests) == (url, {"md5": digit * 32})
    with pytest.raises(FcaError, match="isn't known"):
        epic.remote_file(source, tmp_path / "P01_12.tar", epic.published_files(source, ".tar"))
    videos = epic.published_files(source, ".MP4")
    for video, place, digit in (
        ("P01_11", "3h91syskeag572hl6tvuovwv4d/videos/test/P01/P01_11.MP4", "6"),
        ("P01_109", "2g1n6qdydwa9u22shpxqzp0t8m/P01/videos/P01_109.MP4", "7"),
    ):
        file = epic.remote_file(source, tmp_path / f"{video}.MP4", videos)
        assert (file.url, file.digests) == (f"{epic.SERVER}{place}", {"md5": digit * 32})


def test_videos_of_epic_from_the_server(server: Server, tmp_path: Path, monkeypatch) -> None:
    """Downloaded to their places, checked by md5; the index of MP4s is that of the frames but for the media."""
    root = tmp_path / "made"
    write_corpus("epic", root, 1, 1, media="video")
    rows = ["md5,file_remote_path,version"]
    for path in sorted(root.rglob("*.MP4")):
        place = f"videos/train/P01/{path.name}"
        target = server.folder / epic.FOLDERS["55"] / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        rows.append(f"{hashlib.md5(path.read_bytes()).hexdigest()},{place},55")
    for path in (root / "annotations").iterdir():
        shutil.copy(path, server.folder)
    (tmp_path / "md5.csv").write_text("\n".join(rows) + "\n")
    pretend_published(monkeypatch, "epic", root)
    urls = [server.url, *(f"{server.url}EPIC_100_{split}.csv" for split in ("train", "validation"))]
    more = {"urls": urls, "checksums": str(tmp_path / "md5.csv"), "media": "video"}
    config = settings(server, tmp_path, "epic", **more)
    fetch(config, "epic")
    listing = listing_of("epic", tmp_path / "theirs", "epic", 1, 1, media="video")
    assert listing.quarantine == []
    assert listing.records == listing_of("epic", root, "epic", 1, 1, media="video").records
    asked = len(server.asked)
    fetch(config, "epic")
    assert len(server.asked) == asked


def test_frames_of_bridge_are_chosen_by_place_and_task() -> None:
    frame = "bridge_data_v1/upenn/kitchen/flip/2021-01-01_00-00-00/raw/traj_group0/traj12/images2/im_30.jpg"
    below = frame.removeprefix("bridge_data_v1/")
    assert choose_frames(f"x/raw/{frame}", {"flip"}) == below
    for other in (
        frame.replace("flip", "flop"),
        frame.replace("images2", "depth_images2"),
        frame.replace("upenn", "cmu"),
        frame.replace("im_30.jpg", "obs_dict.pkl"),
        frame.replace("raw/", "lmdb/"),
        frame.replace("bridge_data_v1", "bridge_data_v2"),
    ):
        assert choose_frames(f"x/{other}", {"flip"}) is None


def test_a_tree_with_none_of_the_tasks(server: Server, tmp_path: Path, originals) -> None:
    (server.folder / "berkeley").mkdir()
    shutil.copyfile(originals["bridge"] / LIST_NAME, server.folder / LIST_NAME)
    sums = tmp_path / "sums"
    sums.write_text(f"{sha256_file(server.folder / LIST_NAME)}  {LIST_NAME}\n")
    urls = [server.url, server.url + LIST_NAME]
    with pytest.raises(FcaError, match="shows none of the tasks"):
        fetch(settings(server, tmp_path, "bridge", urls=urls, checksums=str(sums)), "bridge")


@pytest.mark.parametrize("form", sorted(CLIPS))
def test_addresses_that_nothing_is_done_with(server: Server, tmp_path: Path, form: str) -> None:
    for names in (["strange.rar"], ["one/", "two/"], ["one/P01_01.tar", "two/P01_01.tar"]):
        with pytest.raises(FcaError, match=r"there is no use for|has two addresses"):
            fetch(settings(server, tmp_path, form, urls=[server.url + name for name in names]), form)
    assert server.asked == []


def test_two_at_once_are_refused(server: Server, tmp_path: Path) -> None:
    config = settings(server, tmp_path, "ssv2", archives=str(tmp_path))
    (tmp_path / "theirs").mkdir()
    with open(tmp_path / "theirs" / LOCK, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(FcaError, match="another process is fetching"):
            fetch(config, "ssv2")


def test_part_of_a_tree_is_not_taken_for_all_of_it(server: Server, tmp_path: Path, monkeypatch, originals) -> None:
    root = originals["bridge"]
    names = serve_bridge_tree(root, server.folder)
    pretend_published(monkeypatch, "bridge", root)
    frame = next(path for path in sorted(server.folder.rglob("im_3.jpg")) if "another_task" not in path.parts)
    picture = frame.read_bytes()
    frame.write_bytes(b"<html>busy</html>")
    urls = [server.url + name for name in names]
    with pytest.raises(FcaError, match="is a page, not a picture"):
        fetch(settings(server, tmp_path, "bridge", urls=urls), "bridge")
    with pytest.raises(FcaError, match="is incomplete: the tree"):
        fetch(settings(server, tmp_path, "bridge", urls=urls[1:]), "bridge")
    frame.write_bytes(picture)
    fetch(settings(server, tmp_path, "bridge", urls=urls), "bridge")
    assert index("bridge", tmp_path / "theirs") == index("bridge", root)
    fetch(settings(server, tmp_path, "bridge", urls=urls[1:]), "bridge")


def test_addresses_must_be_http(server: Server, tmp_path: Path) -> None:
    for url in ("file:///etc/passwd", "ftp://x/y", "https://", "x"):
        with pytest.raises(ConfigError, match="urls"):
            settings(server, tmp_path, "ssv2", urls=[url])
    made = {"train": 2, "validation": 1}
    with pytest.raises(ConfigError, match="archives, urls and checksums must be left out"):
        settings(server, tmp_path, "ssv2", source="library", root=None, library=made, archives="x")
