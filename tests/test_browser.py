"""The browser fixture finds what is wrong with a page, and nothing where all is well."""

from pathlib import Path

import pytest

from tests.browser import OpenPage, Serve, too_wide, watch

HEAD = "<!doctype html><meta name=viewport content='width=device-width'><link rel=icon href=data:,><title>page</title>"


def write(path: Path, body: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEAD + body)
    return path


def test_a_good_page_passes(open_page: OpenPage, tmp_path: Path) -> None:
    write(tmp_path / "beside.js", "").write_text("document.title = 'ran'")
    page = open_page(write(tmp_path / "index.html", "<p>words<script src=beside.js></script>"), phone=True, dark=True)
    assert page.title() == "ran"
    assert page.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]") == [360, True]
    assert too_wide(page) == []


@pytest.mark.parametrize(
    "body, problem",
    [
        ("<script>console.error('oh')</script>", "console: oh"),
        ("<script>missing()</script>", "exception: missing is not defined"),
        ("<img src=absent.png>", "request failed"),
        ("<img src=../outside.png>", "request outside"),
        ("<img src=http://127.0.0.1:9/x.png>", "request outside"),
        ("<script>alert(1)</script>", "dialog: 1"),
    ],
)
def test_a_bad_page_is_found_out(chromium: object, tmp_path: Path, body: str, problem: str) -> None:
    problems: list[str] = []
    path = write(tmp_path / "folder" / "index.html", body)
    page = chromium.new_page()  # type: ignore[attr-defined]
    watch(page, path.as_uri(), problems)
    page.goto(path.as_uri())
    page.wait_for_timeout(100)
    page.close()
    assert any(found.startswith(problem) for found in problems), problems


def test_a_server_works_too_and_wide_elements_are_named(open_page: OpenPage, serve: Serve, tmp_path: Path) -> None:
    write(tmp_path / "index.html", "<div class=wide style='width: 2000px'>wide</div>")
    page = open_page(serve(tmp_path))
    assert too_wide(page) == ["DIV.wide"]
