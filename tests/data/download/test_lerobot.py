"""LeRobot datasets from a hub on this machine: what the chosen clips need, at one commit, and nothing twice."""

from pathlib import Path

import pytest

from fca.config import Dataset
from fca.data.download.obtain import obtain
from fca.errors import FcaError
from tests.data.datasets.lerobot_files import TOP, WRIST, Made, change_json
from tests.data.datasets.test_lerobot import by_id, listing, reasons, shown
from tests.hub import TOKEN, Handler, Hub

pytest.importorskip("pyarrow")

REPO = "robots/arm"


def stored(hub: Hub, folder: Path, **more: bytes) -> str:
    """Put a dataset on the hub; return its commit."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    files |= {"README.md": b"---\nlicense: apache-2.0\n---\n"} | more
    known = hub.repositories.get(REPO)
    return known.commit("main", files) if known else hub.add(REPO, files)


def settings(hub: Hub, root: Path, train: int = 2, validation: int = 1, tree: str = "", **own) -> Dataset:
    splits = {"train": train, "validation": validation}
    return Dataset.model_validate(
        {
            "format": "lerobot", "source": "archive", "root": str(root), "initial_frames": 1, "train_steps": 1,
            "urls": [f"{hub.url}/datasets/{REPO}{tree}"], "licence_accepted": True, "camera": TOP,
            "validation_share": 0.3,
        }
        | {split: {"clips": clips, "shard_clips": 9} for split, clips in splits.items()}
        | own
    )  # fmt: skip


def names(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*")
            if path.is_file() and not path.relative_to(root).parts[0].startswith(".")}  # fmt: skip


def downloads(hub: Hub) -> list[str]:
    return [asked for asked in hub.asked if "/resolve/" in asked and asked.startswith("GET")]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return Made(lengths=(9,) * 9, version="v2.1", cameras=(TOP, WRIST)).write(tmp_path / "made")


def test_the_first_episodes_of_each_split_are_downloaded(hub: Hub, tmp_path: Path, made: Path) -> None:
    stored(hub, made)
    root = tmp_path / "got"
    obtain("arm", settings(hub, root), root, seed=0)
    every = listing(made, 2, 1, camera=TOP).records
    episodes = {record.id for record in every}
    assert {Path(name).stem for name in names(root) if name.startswith("videos")} == episodes
    assert {Path(name).stem for name in names(root) if name.startswith("data")} == episodes
    assert not any(WRIST in name for name in names(root))
    found = by_id(listing(root, 2, 1, camera=TOP))
    assert {name: shown(root, record) for name, record in found.items()} == {
        record.id: shown(made, record) for record in every
    }


def test_files_of_several_episodes_are_downloaded_once(hub: Hub, tmp_path: Path) -> None:
    stored(hub, Made(lengths=(9,) * 9, cameras=(TOP, WRIST)).write(tmp_path / "made"))
    root = tmp_path / "got"
    obtain("arm", settings(hub, root, 5, 1), root)
    asked = [name for name in downloads(hub) if "/meta/" not in name]
    assert 2 <= len(asked) == len(set(asked)) <= 6
    assert reasons(listing(root, 5, 1, camera=TOP)) == {}


def test_all_episodes_are_downloaded_if_only_tables_tell_their_split(hub: Hub, tmp_path: Path, made: Path) -> None:
    stored(hub, made)
    root = tmp_path / "got"
    obtain("arm", settings(hub, root, 2, 2, split_by="task"), root)
    found = listing(root, 2, 2, camera=TOP, split_by="task")
    assert (len(found.records), found.quarantine) == (4, [])


def test_a_file_of_the_hub_is_never_written_outside_of_the_folder(hub: Hub, tmp_path: Path, made: Path) -> None:
    stored(hub, made, **{"meta/../../evil": b"x"})
    with pytest.raises(FcaError, match=r"has a file 'meta/\.\./\.\./evil'"):
        obtain("arm", settings(hub, tmp_path / "got"), tmp_path / "got")
    assert not (tmp_path / "evil").exists()


def test_a_second_run_asks_nothing_and_more_clips_ask_for_the_rest(hub: Hub, tmp_path: Path, made: Path) -> None:
    stored(hub, made)
    root = tmp_path / "got"
    obtain("arm", settings(hub, root), root)
    hub.asked.clear()
    obtain("arm", settings(hub, root), root)
    assert hub.asked == []
    before = names(root)
    obtain("arm", settings(hub, root, 5, 2), root)
    assert len(downloads(hub)) == len(names(root) - before) == 8


def test_a_branch_that_moves_stays_at_the_first_commit(hub: Hub, tmp_path: Path, made: Path) -> None:
    stored(hub, made)
    root = tmp_path / "got"
    obtain("arm", settings(hub, root), root)
    tasks = (root / "meta/tasks.jsonl").read_bytes()
    stored(hub, made, **{"meta/tasks.jsonl": tasks.replace(b"lift", b"sink")})
    obtain("arm", settings(hub, root, 5, 2), root)
    assert (root / "meta/tasks.jsonl").read_bytes() == tasks


def test_a_revision_is_kept_to(hub: Hub, tmp_path: Path, made: Path) -> None:
    old = stored(hub, made)
    stored(hub, made, **{"meta/tasks.jsonl": b'{"task_index": 0, "task": "other"}\n'})
    root = tmp_path / "got"
    obtain("arm", settings(hub, root, tree=f"/tree/{old}"), root)
    assert (root / "meta/tasks.jsonl").read_bytes() == (made / "meta/tasks.jsonl").read_bytes()
    with pytest.raises(FcaError, match="revision none: the hub doesn't give it"):
        obtain("arm", settings(hub, tmp_path / "no", tree="/tree/none"), tmp_path / "no")


def test_an_interrupted_download_goes_on(hub: Hub, tmp_path: Path, made: Path) -> None:
    stored(hub, made)
    root = tmp_path / "got"
    hub.refuse[r"GET /datasets/.*/data/.*"] = 500
    with pytest.raises(FcaError, match="the hub doesn't give it"):
        obtain("arm", settings(hub, root, download_workers=1), root)
    hub.refuse.clear()
    first = downloads(hub)
    obtain("arm", settings(hub, root), root)
    again = downloads(hub)[len(first) :]
    assert not any("/meta/" in asked for asked in again)
    assert listing(root, 2, 1, camera=TOP).quarantine == []


def test_a_file_that_was_lost_or_cut_off_is_downloaded_again(hub: Hub, tmp_path: Path, made: Path) -> None:
    """As the remedy of its clips says: fetch its files again."""
    stored(hub, made)
    root = tmp_path / "got"
    obtain("arm", settings(hub, root), root)
    lost, cut = sorted((root / "videos").rglob("*.mp4"))[:2]
    whole = lost.read_bytes(), cut.read_bytes()
    lost.unlink()
    cut.write_bytes(whole[1][:-1])
    obtain("arm", settings(hub, root), root)
    assert (lost.read_bytes(), cut.read_bytes()) == whole


def test_two_revisions_are_never_mixed_in_a_folder(hub: Hub, tmp_path: Path, made: Path) -> None:
    """Files of another revision often have the same size."""
    old = stored(hub, made)
    tasks = (made / "meta/tasks.jsonl").read_bytes()
    new = stored(hub, made, **{"meta/tasks.jsonl": tasks.replace(b"lift", b"sink")})
    root = tmp_path / "got"
    obtain("arm", settings(hub, root, tree=f"/tree/{old}"), root)
    for _ in range(2):
        with pytest.raises(FcaError, match=f"has files of commit {old}, and .* is at {new}"):
            obtain("arm", settings(hub, root, tree=f"/tree/{new}"), root)
    assert (root / "meta/tasks.jsonl").read_bytes() == tasks
    obtain("arm", settings(hub, root, 5, 2, tree=f"/tree/{old}"), root)


@pytest.mark.parametrize(
    ("place", "status", "problem", "remedy"),
    [
        (r"GET /api/datasets", 401, "status 401", "ask for access on"),
        (r"GET /datasets/.*/data/", 403, "status 403", "ask for access on"),
        (r"GET /api/datasets", 404, "status 404", "check the address"),
        (r"GET /api/datasets", 503, "status 503", "run the same command again"),
    ],
)
def test_an_answer_of_the_hub_is_shown_with_what_to_do(
    hub: Hub, tmp_path: Path, made: Path, place: str, status: int, problem: str, remedy: str
) -> None:
    stored(hub, made)
    hub.refuse[place] = status
    with pytest.raises(FcaError) as caught:
        obtain("arm", settings(hub, tmp_path / "got"), tmp_path / "got")
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


def test_a_lost_network_is_no_traceback(hub: Hub, tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FcaError, match="the hub doesn't give it"):
        obtain("arm", settings(hub, tmp_path / "no", urls=["http://127.0.0.1:9/datasets/a/b"]), tmp_path / "no")

    stored(hub, made)
    whole = Handler.reply

    def cut(self: Handler, status: int, content: bytes, headers: dict[str, str]) -> None:
        broken = self.command == "GET" and "/resolve/" in self.path and "/data/" in self.path
        whole(self, status, content[:100] if broken else content, headers | {"Content-Length": str(len(content))})
        self.close_connection = broken

    root = tmp_path / "got"
    monkeypatch.setattr(Handler, "reply", cut)
    with pytest.raises(FcaError, match="the hub doesn't give it"):
        obtain("arm", settings(hub, root, download_workers=1), root)
    monkeypatch.setattr(Handler, "reply", whole)
    obtain("arm", settings(hub, root), root)
    assert listing(root, 2, 1, camera=TOP).quarantine == []


def test_the_token_is_sent_to_the_hub_alone(
    hub: Hub, tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    stored(hub, made)
    seen: set[str | None] = set()
    allow = Handler.allow
    monkeypatch.setattr(
        Handler, "allow", lambda self, write: (seen.add(self.headers["Authorization"]), allow(self, write))[1]
    )
    obtain("arm", settings(hub, tmp_path / "hub"), tmp_path / "hub")
    assert seen == {f"Bearer {TOKEN}"}
    seen.clear()
    monkeypatch.setattr(constants, "ENDPOINT", "https://huggingface.co")
    obtain("arm", settings(hub, tmp_path / "other"), tmp_path / "other")
    assert seen == {None}


def test_names_with_odd_characters_and_empty_files_arrive(hub: Hub, tmp_path: Path, made: Path) -> None:
    camera = "câmera #1%20?"
    (made / f"videos/chunk-000/{TOP}").rename(made / f"videos/chunk-000/{camera}")
    change_json(made / "meta/info.json", features={camera: {"dtype": "video"}})
    (made / f"videos/chunk-000/{camera}/episode_000000.mp4").write_bytes(b"")
    stored(hub, made)
    root = tmp_path / "got"
    for _ in range(2):
        obtain("arm", settings(hub, root, camera=camera), root)
        assert reasons(listing(root, 2, 1, camera=camera)) == {"episode_000000": "the file is empty"}


def test_what_is_not_allowed_or_no_dataset_is_refused(hub: Hub, tmp_path: Path, made: Path) -> None:
    stored(hub, made)
    root = tmp_path / "got"
    for own, problem in (
        ({"licence_accepted": False}, "needs your acceptance"),
        ({"urls": [f"{hub.url}/robots/arm"]}, "one page of a dataset"),
        ({"urls": [f"{hub.url}/datasets/{REPO}", f"{hub.url}/datasets/other/hand"]}, "one page of a dataset"),
        ({"urls": [f"{hub.url}/datasets/robots/none"]}, "the hub doesn't give it"),
        ({"urls": [], "archives": str(tmp_path)}, "LeRobot datasets have none"),
        ({"camera": "observation.images.none"}, "no camera"),
    ):
        with pytest.raises(FcaError, match=problem):
            obtain("arm", settings(hub, root, **own), root)
    assert not any(name.startswith(("videos", "data")) for name in names(root))


def test_a_file_that_meta_names_and_the_hub_lacks_is_named(hub: Hub, tmp_path: Path, made: Path) -> None:
    for video in (made / f"videos/chunk-000/{TOP}").iterdir():
        video.unlink()
    stored(hub, made)
    with pytest.raises(FcaError, match=r"robots/arm has no videos/chunk-000/observation\.images\.top/episode_"):
        obtain("arm", settings(hub, tmp_path / "got"), tmp_path / "got")
