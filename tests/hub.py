"""A Hugging Face hub on this machine, as far as `huggingface_hub` uses one to push models and to fetch files.

It speaks HTTP: repositories, branches, uploads (regular files and LFS), commits, listings, downloads. The fixture `hub`
turns the real library to it.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

TOKEN = "hf_LocalTokenOfTheTests"
LFS = (".safetensors", ".model", ".bin")
"""Ends of names of files that the hub keeps as large ones."""


@dataclass
class Repository:
    """One model's repository."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Commit -> path -> content."""
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, changes: dict[str, bytes]) -> str:
        """Add files to a branch."""
        files = self.commits.get(self.branches.get(branch, ""), {}) | changes
        text = "".join(f"{name} {hashlib.sha256(files[name]).hexdigest()}\n" for name in sorted(files))
        self.branches[branch] = hashlib.sha1(text.encode()).hexdigest()
        self.commits[self.branches[branch]] = files
        return self.branches[branch]

    def resolved(self, revision: str) -> str | None:
        """The commit of a branch, or of itself."""
        return revision if revision in self.commits else self.branches.get(revision)

    def files(self, revision: str = "main") -> dict[str, bytes]:
        """The files at a revision, without the one that the hub makes."""
        found = self.commits[self.resolved(revision) or ""]
        return {name: content for name, content in found.items() if name != ".gitattributes"}


@dataclass
class Hub:
    """What is stored, and what was asked."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    """LFS objects by sha256."""
    asked: list[str] = field(default_factory=list)
    """Method and path of every request, in order."""
    received: int = 0
    """Bytes of all bodies."""
    refuse: dict[str, int] = field(default_factory=dict)
    """Regular expression for method and path -> status to answer with."""

    def add(self, name: str, files: dict[str, bytes], private: bool = False) -> str:
        """Store a repository, as others may have pushed it; return its commit."""
        self.repositories[name] = Repository(private)
        return self.repositories[name].commit("main", {".gitattributes": b"", **files})


class Refused(Exception):
    """An answer that isn't 200."""

    def __init__(self, status: int, code: str = "", **content: Any) -> None:
        self.status, self.code, self.content = status, code, content


def blob(content: bytes) -> str:
    """git's name of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """One connection; `hub` is set in a subclass."""

    hub: Hub
    protocol_version = "HTTP/1.1"
    timeout = 10
    disable_nagle_algorithm = True

    def log_message(self, *args: object) -> None:
        pass

    def answer(self) -> None:
        """Find the method for a path, and send what it returns: JSON, or a file with its headers."""
        target = urlsplit(self.path)
        self.query, path, body = parse_qs(target.query), unquote(target.path), self.body()
        asked = f"{'GET' if self.command == 'HEAD' else self.command} {path}"
        self.hub.asked.append(f"{self.command} {path}")
        self.hub.received += len(body)
        try:
            for pattern, status in self.hub.refuse.items():
                if re.search(pattern, asked):
                    raise Refused(status, error="as the test wants it")
            for pattern, method in ROUTES.items():
                if found := re.fullmatch(pattern, asked):
                    self.allow(write=not asked.startswith("GET"))
                    result = method(self, body, *found.groups())
                    content, headers = result if isinstance(result, tuple) else (json.dumps(result).encode(), {})
                    return self.reply(200, content, headers)
            raise Refused(404, error=f"this hub knows no {asked}")
        except Refused as refused:
            headers = {"X-Error-Code": refused.code} if refused.code else {}
            self.reply(refused.status, json.dumps(refused.content).encode(), headers)

    do_GET = do_HEAD = do_POST = do_PUT = answer

    def body(self) -> bytes:
        """The body of a request, of known length or in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def reply(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (
            {"Content-Type": "application/json", "Content-Length": str(len(content))} | headers
        ).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def allow(self, write: bool) -> None:
        """Refuse writing without the token."""
        given = self.headers.get("Authorization")
        uploading = self.command == "PUT"  # to a signed address
        if (write and not uploading and given is None) or given not in (None, f"Bearer {TOKEN}"):
            raise Refused(401, error="Invalid username or password.")

    def repository(self, name: str) -> Repository:
        found = self.hub.repositories.get(name)
        if found is None or (found.private and self.headers.get("Authorization") is None):
            raise Refused(404, "RepoNotFound", error="Repository not found")
        return found

    def at(self, name: str, revision: str) -> tuple[str, dict[str, bytes]]:
        repository = self.repository(name)
        if (commit := repository.resolved(revision)) is None:
            raise Refused(404, "RevisionNotFound", error=f"Invalid rev id: {revision}")
        return commit, repository.commits[commit]

    def create(self, body: bytes) -> object:
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}"
        address = f"{self.hub.url}/{name}"
        if name in self.hub.repositories:
            raise Refused(409, error="You already created this model repo", url=address)
        self.hub.add(name, {}, asked.get("visibility") == "private")
        return {"url": address, "name": name, "id": name}

    def validate(self, body: bytes) -> object:
        try:
            metadata = yaml.safe_load(json.loads(body)["content"].split("---")[1])
            assert isinstance(metadata.get("license", ""), str)
        except (yaml.YAMLError, IndexError, TypeError, AttributeError, AssertionError) as error:
            raise Refused(400, errors=[{"message": f"{type(error).__name__}: {error}"}], warnings=[]) from None
        return {"errors": [], "warnings": []}

    def branch(self, body: bytes, name: str, branch: str) -> object:
        repository = self.repository(name)
        if branch in repository.branches:
            raise Refused(409, error="Reference already exists")
        repository.branches[branch] = repository.branches["main"]
        return {}

    def preupload(self, body: bytes, name: str, revision: str) -> object:
        _, stored = self.at(name, revision)
        modes = []
        for file in json.loads(body)["files"]:
            path, large = file["path"], file["path"].endswith(LFS)
            content = stored.get(path)
            oid = None if content is None else hashlib.sha256(content).hexdigest() if large else blob(content)
            mode = "lfs" if large else "regular"
            modes.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return {"files": modes}

    def batch(self, body: bytes, name: str) -> object:
        self.repository(name)
        objects = [
            {"oid": one["oid"], "size": one["size"]}
            | (
                {}
                if one["oid"] in self.hub.large
                else {"actions": {"upload": {"href": f"{self.hub.url}/large/{one['oid']}"}}}
            )
            for one in json.loads(body)["objects"]
        ]
        return {"transfer": "basic", "objects": objects}

    def upload(self, body: bytes, oid: str) -> object:
        if hashlib.sha256(body).hexdigest() != oid:
            raise Refused(400, error="another content than announced")
        self.hub.large[oid] = body
        return {}

    def commit(self, body: bytes, name: str, revision: str) -> object:
        self.at(name, revision)
        changes = {}
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                changes[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                changes[value["path"]] = self.hub.large[value["oid"]]
            elif entry["key"] != "header":
                raise Refused(400, error=f"this hub knows no {entry['key']}")
        commit = self.repository(name).commit(revision, changes)
        return {"success": True, "commitOid": commit, "commitUrl": f"{self.hub.url}/{name}/commit/{commit}"}

    def info(self, body: bytes, name: str, revision: str | None = None) -> object:
        commit, files = self.at(name, revision or "main")
        siblings = [{"rfilename": path} for path in files]
        private = self.repository(name).private
        return {"id": name, "modelId": name, "sha": commit, "private": private, "tags": [], "siblings": siblings}

    def tree(self, body: bytes, name: str, revision: str) -> object:
        _, files = self.at(name, revision)
        rows = []
        for path, content in files.items():
            large = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            row = {"type": "file", "path": path, "size": len(content), "oid": blob(content)}
            rows.append(row | ({"lfs": large} if path.endswith(LFS) else {}))
        return rows

    def download(self, body: bytes, name: str, revision: str, path: str) -> tuple[bytes, dict[str, str]]:
        commit, files = self.at(name, revision)
        if path not in files:
            raise Refused(404, "EntryNotFound", error="Entry not found")
        content = files[path]
        tag = hashlib.sha256(content).hexdigest() if path.endswith(LFS) else blob(content)
        return content, {"ETag": f'"{tag}"', "X-Repo-Commit": commit, "Content-Type": "application/octet-stream"}


REPO, REV = r"([^/]+/[^/]+)", r"([^/]+)"
ROUTES = {
    r"POST /api/repos/create": Handler.create,
    r"POST /api/validate-yaml": Handler.validate,
    rf"POST /api/models/{REPO}/branch/(.+)": Handler.branch,
    rf"POST /api/models/{REPO}/preupload/{REV}": Handler.preupload,
    rf"POST /{REPO}\.git/info/lfs/objects/batch": Handler.batch,
    r"PUT /large/([0-9a-f]{64})": Handler.upload,
    rf"POST /api/models/{REPO}/commit/{REV}": Handler.commit,
    rf"GET /api/(?:models|datasets)/{REPO}": Handler.info,
    rf"GET /api/(?:models|datasets)/{REPO}/revision/{REV}": Handler.info,
    rf"GET /api/(?:models|datasets)/{REPO}/tree/{REV}": Handler.tree,
    rf"GET /(?:datasets/)?{REPO}/resolve/{REV}/(.+)": Handler.download,
}
"""Method and path -> what answers."""


@contextmanager
def serve() -> Iterator[Hub]:
    """An empty hub at `hub.url`, until the end of the block."""
    found = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Connection", (Handler,), {"hub": found}))
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that `huggingface_hub` uses in this test, with an empty cache, the hub's token, and without Xet."""
    from huggingface_hub import constants, hf_api

    folder = tmp_path_factory.mktemp("hub")
    with serve() as found:
        monkeypatch.setattr(constants, "ENDPOINT", found.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", found.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "token"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(hf_api.api, "endpoint", found.url)
        monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
        for name, value in {"ENDPOINT": found.url, "HOME": str(folder), "HUB_DISABLE_XET": "1", "TOKEN": TOKEN}.items():
            monkeypatch.setenv(f"HF_{name}", value)  # for other processes, too
        yield found
