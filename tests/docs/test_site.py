"""The site builds without a warning, and every page of it opens without an error, on a desk and on a phone."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import OpenPage, Serve, too_wide
from tests.docs.pages import PAGES, ROOT, name


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def test_every_page_that_people_read_is_on_the_site(site: Path) -> None:
    for page in PAGES:
        path = (site / name(page).removeprefix("docs/")).with_suffix(".html")
        if path.name == "README.html":
            path = path.with_name("index.html")
        assert path.is_file(), name(page)


def test_every_page_opens(site: Path, serve: Serve, open_page: OpenPage) -> None:
    address = serve(site)
    context = None
    for path in sorted(site.rglob("*.html")):
        page = open_page(address + path.relative_to(site).as_posix(), context=context, site=address)
        context = page.context
        assert page.locator("h1").count() > 0, path
        assert page.evaluate("[...document.images].filter(x => x.complete && !x.naturalWidth).map(x => x.src)") == []
        page.close()


@pytest.mark.parametrize("name", ["index.html", "troubleshooting.html", "config/index.html", "reference/cli.html"])
def test_pages_fit_a_phone(site: Path, name: str, serve: Serve, open_page: OpenPage) -> None:
    address = serve(site)
    page = open_page(address + name, phone=True, dark=True, site=address)
    assert too_wide(page) == []


def test_search_finds_a_setting(site: Path, serve: Serve, open_page: OpenPage) -> None:
    page = open_page(serve(site))
    page.locator(".md-search__input").click()
    page.keyboard.type("guidance_scale")
    page.locator(".md-search-result__item").first.wait_for()
