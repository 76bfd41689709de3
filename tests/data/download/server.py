"""A real HTTP server on this machine that serves a folder and misbehaves on request."""

import hashlib
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit


@dataclass
class Manners:
    """How one file is served; the lists are used up one entry a request."""

    drop_after: list[int | None] = field(default_factory=list)
    """Close the connection after so many bytes of the body; None: don't"""
    statuses: list[int] = field(default_factory=list)
    """Answer with these first"""
    claim: int | None = None
    """Content-Length to claim, whatever is sent"""
    ranges: bool = True
    """Know the Range header"""
    wrong_range: bool = False
    """Send another part than the one asked for"""
    validators: bool = True
    """Send ETag and Last-Modified"""
    weak: bool = False
    """Send a weak ETag and no Last-Modified"""
    if_range: bool = True
    """Know the If-Range header"""
    length: str = "length"
    """length, chunked or none (the end of the connection is the end of the file)"""
    kind: str = "application/octet-stream"
    """Content-Type"""
    redirect: str | None = None
    """Where to go instead"""


class Server:
    """What is served, how, and what was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manners: dict[str, Manners] = defaultdict(Manners)
        self.asked: list[tuple[str, str | None]] = []
        self.url = ""

    def ranges(self, path: str) -> list[str | None]:
        """The Range headers of the requests for a file, in order."""
        return [asked for name, asked in self.asked if name == path]


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Serve a folder (folders as pages of links) at `server.url`, which ends in /."""
    state = Server(folder)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10
        wbufsize = 2**16
        disable_nagle_algorithm = True

        def log_message(self, *args) -> None:
            pass

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path).lstrip("/")
            with lock:
                manners = state.manners[path]
                state.asked.append((path, self.headers.get("Range")))
                status = manners.statuses.pop(0) if manners.statuses else None
                drop = manners.drop_after.pop(0) if manners.drop_after else None
            if status is not None:
                self.send_error(status)
            elif manners.redirect:
                self.send_response(302)
                self.send_header("Location", manners.redirect)
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif (folder / path).is_dir():
                self.listing(folder / path)
            elif not (folder / path).is_file():
                self.send_error(404)
            else:
                self.file((folder / path).read_bytes(), manners, drop)

        def listing(self, place: Path) -> None:
            names = [f"{item.name}/" if item.is_dir() else item.name for item in sorted(place.iterdir())]
            rows = "".join(f'<a href="{quote(name)}">{name}</a>\n' for name in names)
            links = '<a href="../">Parent</a><a href="?C=N;O=D">Name</a><a href="/elsewhere/x">x</a>'
            page = f"<html><body>{links}<a href='https://example.org/y'>y</a>{rows}</body></html>\n".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def file(self, data: bytes, manners: Manners, drop: int | None) -> None:
            tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
            start, asked = 0, re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            condition = self.headers.get("If-Range")
            current = condition in (None, tag) or not manners.if_range
            if asked and manners.ranges and current:
                start = int(asked[1])
                if start >= len(data):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(data)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                start = 0 if manners.wrong_range else start
                self.send_response(206)
                total = len(data) if manners.claim is None else manners.claim
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            else:
                self.send_response(200)
            self.send_header("Content-Type", manners.kind)
            if manners.weak:
                self.send_header("ETag", f"W/{tag}")
            elif manners.validators:
                self.send_header("ETag", tag)
            body = data[start:]
            if manners.length == "length":
                self.send_header("Content-Length", str(len(body) if manners.claim is None else manners.claim - start))
            elif manners.length == "chunked":
                self.send_header("Transfer-Encoding", "chunked")
            self.close_connection = drop is not None or manners.length == "none" or manners.claim is not None
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            sent = body if drop is None else body[:drop]
            if manners.length == "chunked":
                self.wfile.write(b"%x\r\n%s\r\n" % (len(sent), sent) + (b"0\r\n\r\n" if drop is None else b""))
            else:
                self.wfile.write(sent if manners.claim is None else sent[: max(0, manners.claim - start)])

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args) -> None:
            """Clients that hang up are part of the tests."""

    server = Quiet(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
