"""A LeRobot dataset from the Hugging Face hub: meta/, and of the rest only what the chosen clips need.

`urls` has the address of its page, at a revision or not: https://huggingface.co/datasets/ORG/NAME[/tree/REVISION]. Only
the tables and the chosen camera's videos of the first episodes of each split are downloaded.
"""

import json
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from tqdm import tqdm

from fca.artifacts.atomic import require_space, write_text
from fca.data.datasets.lerobot import read_captions, splits
from fca.data.datasets.lerobot.episodes import Episode, find_episodes
from fca.data.datasets.lerobot.info import read_info
from fca.data.download.obtain import Source
from fca.errors import FcaError, first_line

ADDRESS = re.compile(
    r"(?P<endpoint>https?://[^/]+)/datasets/(?P<repo>[\w.-]+/[\w.-]+)(?:/tree/(?P<revision>[^?#]+))?", re.ASCII
)
EXAMPLE = "https://huggingface.co/datasets/lerobot/pusht/tree/v3.0"
NOTE = ".fetched.json"
HUB = "https://huggingface.co"
ELSEWHERE = "Without a network, download it elsewhere (`hf download`), name the folder as root and leave out urls"


def obtain(source: Source) -> None:
    """Download what the folder lacks of the dataset in `urls`; a branch stays at the commit that was found first.

    Raises:
        FcaError: the address is no dataset's, its licence isn't accepted, the hub can't be reached or lacks a file.
    """
    if not source.settings.urls:
        raise FcaError(
            f"datasets.{source.dataset}.archives: LeRobot datasets have none", "the dataset's folder as root, or urls"
        )
    address = source.settings.urls[0]
    match = ADDRESS.fullmatch(address.removesuffix("/"))
    if match is None or len(source.settings.urls) > 1:
        raise FcaError(f"datasets.{source.dataset}.urls: {address}", f"one page of a dataset, such as {EXAMPLE}")
    settings = source.settings
    wanted = {"address": address, "camera": settings.camera, "clips": settings.clips, "split_by": settings.split_by,
              "validation_share": settings.validation_share, "seed": source.seed}  # fmt: skip
    note = _read_note(source.root)
    if note.complete == wanted and all(is_here(source.root / name, size) for name, size in note.files.items()):
        return
    source.permit(f"downloading {match['repo']}")
    commit = note.commit if note.address == address else ""
    hub = _Hub(source.root, match["endpoint"], match["repo"], commit or unquote(match["revision"] or "main"))
    if note.commit not in ("", hub.commit) and (source.root / "meta").exists():
        raise FcaError(
            f"{source.root} has files of commit {note.commit}, and {address} is at {hub.commit}",
            "one commit in a folder",
            "name another folder as root, or remove this one",
        )
    _write_note(source.root, _Note(address, hub.commit))

    names = [name for name in hub.sizes if name.startswith("meta/")]
    hub.download(names, settings.download_workers)
    names += needed_files(source)
    hub.download(names, settings.download_workers)
    _write_note(source.root, _Note(address, hub.commit, wanted, {name: hub.sizes[name] for name in names}))


def needed_files(source: Source) -> list[str]:
    """Tables and videos of the first episodes of each split, as many as clips are asked for, in order.

    An episode gives a clip or more. With `split_by: task`, only the tables tell which split an episode is in, so every
    episode counts for both.
    """
    root, settings = source.root, source.settings
    info = read_info(root)
    camera = info.camera(settings.camera)
    every = find_episodes(root, info, camera)
    chosen: list[Episode]
    if settings.split_by == "task":
        chosen = every
    else:
        split_of, left = splits(settings, every, read_captions(root, info), source.seed), dict(settings.clips)
        chosen = []
        for episode in every:
            split = split_of(episode, None)
            if left[split]:
                left[split] -= 1
                chosen.append(episode)
    return list(dict.fromkeys(name for episode in chosen for name in (episode.data, episode.video) if name))


class _Hub:
    """One dataset at one commit on the hub."""

    def __init__(self, root: Path, endpoint: str, repo: str, revision: str) -> None:
        from huggingface_hub import HfApi, constants
        from huggingface_hub.hf_api import RepoFile

        self.root, self.endpoint, self.repo = root, endpoint, repo
        # The user's token is for the hub, and for no other server that a configuration names.
        self.token = None if endpoint in (constants.ENDPOINT, HUB) else False
        api = HfApi(endpoint=endpoint, token=self.token)
        with self._refusing(f"revision {revision}"):
            self.commit = str(api.dataset_info(repo, revision=revision).sha)
            tree = api.list_repo_tree(repo, recursive=True, revision=self.commit, repo_type="dataset")
            self.sizes = {each.path: each.size for each in tree if isinstance(each, RepoFile)}

    def download(self, names: Iterable[str], workers: int) -> None:
        """Download files that are missing or of another size; those of an interrupted run are gone on with."""
        names = list(names)
        if absent := [name for name in names if name not in self.sizes]:
            raise FcaError(f"{self.repo} has no {absent[0]}", "the files that its meta/ names", "ask its author")
        missing = [name for name in names if not is_here(self.root / name, self.sizes[name])]
        require_space(self.root / "meta", sum(self.sizes[name] for name in missing))
        with ThreadPoolExecutor(workers) as pool:
            jobs = [pool.submit(self._download, name) for name in missing]
            try:
                for job in tqdm(jobs, desc=f"{self.repo}: download", unit="file", disable=not jobs):
                    job.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _download(self, name: str) -> None:
        from huggingface_hub import hf_hub_download

        if ".." in PurePosixPath(name).parts or name.startswith("/"):
            raise FcaError(f"{self.repo} has a file {name!r}", "paths below the dataset")
        with self._refusing(name):
            hf_hub_download(
                self.repo, name, repo_type="dataset", revision=self.commit, local_dir=self.root,
                endpoint=self.endpoint, token=self.token,
                force_download=(self.root / name).exists(),  # it is damaged: without, the library may trust it
            )  # fmt: skip
        if not is_here(self.root / name, self.sizes[name]):
            raise FcaError(f"{self.repo}: {name} has another size than the hub says", f"{self.sizes[name]:,} bytes")

    @contextmanager
    def _refusing(self, what: str) -> Iterator[None]:
        from huggingface_hub.errors import HTTPError

        try:
            yield
        except (HTTPError, OSError, ValueError) as error:  # HTTPError: of the connection, or of the answer
            raise self._explained(error, what) from error

    def _explained(self, error: BaseException, what: str) -> FcaError:
        """What went wrong; the library hides an answer of the hub below an error about its cache."""
        from huggingface_hub.errors import HfHubHTTPError

        chain = [error]
        while (cause := chain[-1].__cause__) is not None:
            chain.append(cause)
        answered = next((found for found in chain if isinstance(found, HfHubHTTPError)), None)
        where, status = f"{self.endpoint}/datasets/{self.repo}", answered.response.status_code if answered else 0
        said = answered.server_message or first_line(answered) if answered else first_line(chain[-1])
        reason = f"status {status}: {said}" if status else f"{type(chain[-1]).__name__}: {said}"
        remedy = "run the same command again: it goes on. " + ELSEWHERE
        if status in (401, 403, 404):
            remedy = (
                f"check the address; if the dataset is private or gated, ask for access on {where}, and `hf auth login`"
            )
        return FcaError(
            f"{self.repo}, {what}: the hub doesn't give it ({reason[:300]})", f"a dataset at {where}", remedy
        )


def is_here(path: Path, size: int) -> bool:
    """Whether a file is there with all its bytes."""
    return path.is_file() and path.stat().st_size == size


@dataclass(frozen=True)
class _Note:
    """What was downloaded before."""

    address: str = ""
    commit: str = ""
    complete: dict[str, Any] | None = None
    """The settings for which everything is there"""
    files: dict[str, int] = field(default_factory=dict)
    """Name of each downloaded file -> its size"""


def _read_note(root: Path) -> _Note:
    try:
        return _Note(**json.loads((root / NOTE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return _Note()


def _write_note(root: Path, note: _Note) -> None:
    root.mkdir(parents=True, exist_ok=True)
    write_text(root / NOTE, json.dumps(asdict(note), indent=1) + "\n")
