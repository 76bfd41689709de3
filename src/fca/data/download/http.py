"""HTTP for downloads: http and https only, time-outs, and retries of failures that may pass.

A dropped connection or a busy server raises `Broken` and is retried. What only the user can fix (a wrong address, a
missing permission) raises `FcaError` at once.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import unescape
from typing import TypeVar
from urllib.parse import unquote, urljoin, urlsplit

import requests
import urllib3

from fca.errors import FcaError

BUSY = {408, 425, 429, 500, 502, 503, 504}
BY_HAND = "download it in a browser, signed in if the page asks for it, into the dataset's `archives` folder"
LONGEST_PAUSE = 60.0
CHUNK = 2**18
LINK = re.compile(r"""<a\s[^>]*?\bhref\s*=\s*["']?([^"'\s>]+)""", re.IGNORECASE)

log = logging.getLogger(__name__)
Result = TypeVar("Result")


class Broken(Exception):
    """A failure that a retry may overcome."""


class Client:
    """Requests with one connection a thread; `pause` waits between tries."""

    def __init__(self, timeout: float = 60.0, tries: int = 6, pause: Callable[[float], object] = time.sleep) -> None:
        self.timeout, self.tries, self.pause = timeout, tries, pause
        self._local = threading.local()

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[requests.Response]:
        """A response with status 200, 206 or 416; `chunks` reads its body."""
        if urlsplit(url).scheme not in ("http", "https"):
            raise FcaError(f"{url} can't be downloaded", "an address that begins with https:// or http://")
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        asked = {"Accept-Encoding": "identity", **(headers or {})}
        try:
            with self._local.session.get(url, headers=asked, stream=True, timeout=self.timeout) as response:
                _check(url, response)
                yield response
        except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL) as error:
            raise FcaError(f"{url} leads to an address that isn't http or https: {error}", "http or https") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise Broken(f"{type(error).__name__}: {error}") from error

    def read(self, url: str, limit: int) -> bytes:
        """A small file's bytes, at most `limit`, with retries."""

        def once() -> bytes:
            with self.get(url) as response:
                length = content_length(response)
                if response.status_code != 200:
                    raise Broken(f"the server answers {response.status_code} to a request for the whole file")
                if length is None and not is_chunked(response):
                    raise Broken("the server doesn't say how long the file is")
                data = bytearray()
                for chunk in chunks(response):
                    data += chunk
                    if len(data) > limit:
                        raise FcaError(f"{url} is larger than {limit} bytes", "a small file")
                if length not in (None, len(data)):
                    raise Broken(f"{len(data)} of {length} bytes came")
                return bytes(data)

        return self.repeated(url, once)

    def repeated(self, url: str, once: Callable[[], Result], progress: Callable[[], int] = lambda: 0) -> Result:
        """The result of `once`, retried after longer and longer pauses while it is `Broken`.

        Raises:
            FcaError: `tries` tries in a row brought `progress` (bytes) no further.
        """
        failed, record, shown = 0, progress(), without_query(url)
        while True:
            try:
                return once()
            except Broken as error:
                failed = 1 if progress() > record else failed + 1
                record = max(record, progress())
                if failed >= self.tries:
                    raise FcaError(
                        f"{shown} could not be downloaded in {failed} tries; the last: {error}",
                        "a connection that holds",
                        f"run the same command again: it resumes; or {BY_HAND}",
                    ) from error
                log.warning("%s: %s; trying again", shown, error)
                self.pause(min(2.0 ** (failed - 1), LONGEST_PAUSE))

    def listing(self, url: str) -> tuple[list[str], list[str]]:
        """Sorted names of the folders and of the files that a server's page of links shows for a folder."""

        def once() -> str:
            page = self.read(url, limit=2**26).decode("utf-8", "replace")
            if not re.search(r"</html>\s*$", page, re.IGNORECASE):
                raise Broken("the folder's page is cut off")
            return page

        base, page = urlsplit(url), self.repeated(url, once)
        found: dict[bool, set[str]] = {True: set(), False: set()}
        for link in LINK.findall(page):
            target = urlsplit(urljoin(url, unescape(link)))
            inside = target.path.removeprefix(base.path)
            same = (target.scheme, target.netloc) == (base.scheme, base.netloc) and target.path != inside
            name = unquote(inside.removesuffix("/"))
            if same and not target.query and is_plain_name(name):
                found[inside.endswith("/")].add(name)
        return sorted(found[True]), sorted(found[False])


def chunks(response: requests.Response) -> Iterator[bytes]:
    """The body as it was sent."""
    while chunk := response.raw.read(CHUNK, decode_content=False):
        yield chunk


def content_length(response: requests.Response) -> int | None:
    """Length of the body, if the server states it."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdigit() and not is_chunked(response) else None


def is_chunked(response: requests.Response) -> bool:
    """Whether the body marks its own end."""
    return "chunked" in response.headers.get("Transfer-Encoding", "").lower()


def is_plain_name(name: str) -> bool:
    """Whether a name stays in its folder."""
    return name not in ("", ".", "..") and not any(sign in name for sign in "/\\\0")


def name_of(url: str) -> str:
    """The file name at the end of an address."""
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    if not is_plain_name(name):
        raise FcaError(f"{url} doesn't end with a file's name", "https://.../<name>")
    return name


def without_query(url: str) -> str:
    """An address without its query, which may hold a secret or a short-lived key."""
    return url.partition("?")[0]


def _check(url: str, response: requests.Response) -> None:
    status, secure = response.status_code, urlsplit(url).scheme == "https"
    url = without_query(url)
    for step in (*response.history, response):
        if secure and urlsplit(step.url).scheme != "https":
            raise FcaError(f"{url} leads to {without_query(step.url)}, which isn't encrypted", "https", BY_HAND)
    if status in BUSY:
        raise Broken(f"the server answers {status} {response.reason}")
    if status in (401, 403):
        raise FcaError(f"{url}: the server answers {status} {response.reason}", "a file that needs no login", BY_HAND)
    if status not in (200, 206, 416):
        raise FcaError(
            f"{url}: the server answers {status} {response.reason}",
            "the file",
            f"check the address: published ones change (docs/data/ has those known); or {BY_HAND}",
        )
