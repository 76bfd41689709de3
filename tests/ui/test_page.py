"""The page in a browser: `make test-ui`, in an environment that has gradio."""

from pathlib import Path

import pytest

from fca.ui.predictor import Predictor
from tests.browser import OpenPage, too_wide
from tests.sample.exported import picture

pytest.importorskip("gradio", reason="gradio isn't installed: make test-ui")
from fca.ui import app


@pytest.fixture
def address(model: Path):
    page = app.build(Predictor({"mine": model}))
    _, address, _ = app.served(page, "127.0.0.1", None, prevent_thread_lock=True, quiet=True)
    yield address
    page.close()


def predict(page, count: int) -> None:
    page.get_by_role("button", name="Predict").click()
    page.locator("video").nth(count - 1).wait_for(timeout=120_000)


def test_an_example_and_its_opposite_play(address: str, open_page: OpenPage) -> None:
    page = open_page(address)
    page.get_by_label("Example").click()
    page.get_by_role("option").first.click()
    page.get_by_label("Sampling steps").first.fill("2")
    page.wait_for_function("() => [...document.querySelectorAll('textarea')].every(x => x.value)")
    predict(page, 2)
    page.wait_for_function("() => [...document.querySelectorAll('video')].slice(0, 2).every(x => x.currentTime > 0)")


def test_an_upload_several_seeds_and_a_download(address: str, open_page: OpenPage, tmp_path: Path) -> None:
    picture(320, 240).save(tmp_path / "start.png")
    page = open_page(address)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "start.png")
    page.get_by_label("Sentence", exact=True).fill("lift blue cup")
    page.get_by_label("Sampling steps").first.fill("2")
    page.get_by_label("Seeds").first.fill("2")
    predict(page, 2)
    with page.expect_download() as download:
        page.locator("a[download]").first.click()
    assert Path(download.value.path()).stat().st_size > 1000


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_a_bad_upload_is_refused_in_words(address: str, open_page: OpenPage, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    page = open_page(address)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "bad.png")
    page.get_by_text("bad.png: ").first.wait_for()
    page.get_by_text("JPEG, PNG or WebP pictures").first.wait_for()


def test_markup_in_a_sentence_and_a_files_name_is_text(address: str, open_page: OpenPage, tmp_path: Path) -> None:
    markup = "<img src=x onerror=window.ran=1>"
    bad = tmp_path / f"{markup}.png"
    bad.write_bytes(b"not a picture")
    picture(320, 240).save(tmp_path / "start.png")
    page = open_page(address)
    page.locator("input[type=file]").first.set_input_files(bad)
    page.get_by_text("JPEG, PNG or WebP pictures").first.wait_for()
    assert page.evaluate("window.ran") is None

    page = open_page(address)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "start.png")
    page.get_by_label("Sentence", exact=True).fill(f"{markup}<script>window.ran=1</script>")
    page.get_by_label("Sampling steps").first.fill("1")
    predict(page, 1)
    page.get_by_text("the prompt is cut off").first.wait_for()
    assert page.evaluate("window.ran") is None


def test_it_fits_a_phone(address: str, open_page: OpenPage) -> None:
    page = open_page(address, phone=True, dark=True)
    page.get_by_role("button", name="Predict").wait_for()
    assert too_wide(page) == []
