"""A headless Chromium for tests of our pages. Whatever is wrong with an opened page fails the test.

    def test_it(open_page):
        page = open_page(path)                        # a playwright Page, 1280 x 800
        page = open_page(path, phone=True, dark=True)
        page = open_page(serve(folder))         # index.html of a folder, from a static web server
        page = open_page(address + "a/b.html", site=address)   # it may request all below that address

Each call opens a browser context of its own (nothing stored, nothing shared); pass `context=page.context` to open
another page next to it. When the test ends, it fails for each error on the console, each exception that no script
caught, each request that failed, and each request to anywhere but the page's own folder, WebSockets included.
Pages with a content security policy need functions in `page.wait_for_function("() => ...")`.
Tests skip where playwright or Chromium isn't installed; FCA_CHROMIUM names a browser in an unusual place.
"""

import http.server
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
WITHIN = ("data:", "blob:", "about:")  # addresses of what a page holds itself
CANCELLED = ("media", "other", "eventsource", "fetch")
SECONDS = 10
"""How long an action waits for what it needs before the test fails"""

OpenPage = Callable[..., Any]
Serve = Callable[[Path], str]


def find_chromium() -> str | None:
    """The browser that FCA_CHROMIUM names, or the first on the PATH."""
    return os.environ.get("FCA_CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A running browser. Of a module, not of the session: while it runs, other tests can't start asyncio."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if (path := find_chromium()) is None:
        pytest.skip(f"no Chromium on the PATH ({', '.join(NAMES)}) nor in FCA_CHROMIUM")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any) -> Iterator[OpenPage]:
    """Open a file or an address; see the top of this file."""
    problems: list[str] = []
    contexts = []

    def open_it(
        target: Path | str, *, phone: bool = False, dark: bool = False, context: Any = None, site: str | None = None
    ) -> Any:
        address = target.resolve().as_uri() if isinstance(target, Path) else target
        if context is None:
            context = chromium.new_context(color_scheme="dark" if dark else "light", **(PHONE if phone else DESKTOP))
            context.set_default_timeout(1000 * SECONDS)
            contexts.append(context)
        page = context.new_page()
        watch(page, site or address, problems)
        page.goto(address)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not problems, "\n".join(["the page has problems:", *problems])


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve a folder as a static web server does; gives its address, which ends with a slash."""
    running = []

    def serve_it(folder: Path) -> str:
        handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield serve_it
    for server in running:
        server.shutdown()
        server.server_close()


def watch(page: Any, address: str, problems: list[str]) -> None:
    """Note in `problems` what goes wrong on a page."""
    folder = address.partition("?")[0].partition("#")[0].rpartition("/")[0] + "/"

    def requested(url: str) -> None:
        if not url.startswith((folder, *WITHIN)):
            problems.append(f"request outside {folder}: {url}")

    def failed(request: Any) -> None:
        """Chromium cancels videos, icons and streams when it seeks or closes; what isn't there fails otherwise."""
        if (
            request.resource_type not in ("media", "other", "eventsource", "fetch")
            or request.failure != "net::ERR_ABORTED"
        ):
            problems.append(f"request failed: {request.url} ({request.failure})")

    page.on("request", lambda request: requested(request.url))
    page.on("websocket", lambda socket: requested(socket.url))
    page.on("requestfailed", failed)
    page.on("response", lambda answer: answer.status >= 400 and problems.append(f"{answer.status}: {answer.url}"))
    page.on("pageerror", lambda error: problems.append(f"exception: {error}"))
    page.on("console", lambda line: line.type == "error" and problems.append(f"console: {line.text}"))
    page.on("dialog", lambda dialog: (problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))


def too_wide(page: Any) -> list[str]:
    """Elements that reach beyond the right edge of the window; empty if the page needs no sideways scrolling."""
    return page.evaluate(
        """() => {
            const edge = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= edge) return [];
            return [...document.querySelectorAll("body *")]
                .filter((element) => element.getBoundingClientRect().right > edge + 0.5)
                .map((element) => `${element.tagName}.${element.className}`.slice(0, 80));
        }"""
    )
