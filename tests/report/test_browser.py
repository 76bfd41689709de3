"""The report in a real browser: it plays, scrubs, compares and prints, and its captions stay text.

That no console error, failed request or request outside the page's folder passes is the `open_page` fixture's doing.
"""

import http.server
import io
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from fca.artifacts.shards import Shard
from fca.cli.main import main
from fca.config import Config, Layout
from fca.report.compare import compare
from fca.report.page import report
from tests.browser import OpenPage, too_wide
from tests.report.conftest import CAPTIONS
from tests.report.project import ROOT, make_clips, make_config, make_dataset, make_project

Finished = tuple[Config, Path, str]
PIXELS = """canvas => {
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return [...data].filter((_, index) => index % 4 < 3);
}"""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def served() -> Iterator[Callable[[Path], str]]:
    """Serve a page's folder: only then may a test read a canvas' pixels."""
    servers = []

    def serve(page: Path) -> str:
        handler = partial(QuietHandler, directory=str(page.parent))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/{page.name}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def first_card(page: Any) -> Any:
    """The first card, in view, with all of its pictures painted, at its first frame and at rest."""
    card = page.locator(".card").first
    card.scroll_into_view_if_needed()
    card.locator("canvas").first.wait_for()
    if card.locator(".play").get_attribute("aria-label") == "Pause":
        card.locator(".play").click()
    card.locator("input").press("Home")
    page.wait_for_function(
        """card => {
            const canvas = card.querySelector("canvas");
            const videos = [...card.querySelectorAll("video")];
            if (videos.length) return videos.every((video) => video.readyState > 1 && !video.seeking);
            return canvas.getContext("2d").getImageData(0, 0, 1, 1).data[3] === 255;
        }""",
        arg=card.element_handle(),
    )
    return card


def pixels(canvas: Any) -> np.ndarray:
    """What a canvas shows, (H, W, 3) uint8."""
    height, width = (int(canvas.get_attribute(name)) for name in ("height", "width"))
    return np.array(canvas.evaluate(PIXELS), dtype=np.uint8).reshape(height, width, 3)


def shown(config: Config, card: Any, dataset: str = "ssv2") -> tuple[np.ndarray, np.ndarray]:
    """Truth and FCA's prediction of the clip on a card, (F, H, W, 3)."""
    clip_id = card.locator("header .id").inner_text()
    layout = Layout(config)
    for shard in layout.shards(dataset, "validation"):
        with (
            Shard(layout.clips(dataset, "validation", shard)) as truth,
            Shard(layout.samples(dataset, "fca", "validation", shard)) as samples,
        ):
            if clip_id in list(truth.ids):
                row = list(truth.ids).index(clip_id)
                return np.asarray(truth.frames[row]), np.asarray(samples.frames[row])
    raise AssertionError(clip_id)


def test_captions_stay_text_in_a_browser(finished: Finished, open_page: OpenPage) -> None:
    page = open_page(finished[1])
    titles = page.locator(".card h4").all_text_contents()
    assert [titles.count(caption) for caption in CAPTIONS[:2]] == [3, 3]
    assert page.evaluate("document.querySelectorAll('img[onerror], img[src=\"x\"], .card script').length") == 0


def test_clips_in_view_play_together(finished: Finished, open_page: OpenPage) -> None:
    page = open_page(finished[1])
    cards = page.locator(".card")
    assert cards.first.locator("output").text_content() == "1 / 16 initial"
    cards.first.scroll_into_view_if_needed()
    frames = "[...document.querySelectorAll('.card input')].slice(0, 2).map((input) => Number(input.value))"
    page.wait_for_function(f"() => {frames}.every((frame) => frame > 2)")  # pictures of one may arrive a little later
    before = page.evaluate(f"() => {frames}")
    page.wait_for_function(f"() => {frames}[0] > {before[0] + 2}")
    after = page.evaluate(f"() => {frames}")
    assert after[0] - after[1] == before[0] - before[1]  # one clock moves both
    assert cards.last.locator("output").text_content() == "1 / 16 initial"
    page.get_by_role("button", name="Pause all clips").click()
    at = cards.first.locator("input").input_value()
    page.wait_for_timeout(400)
    assert cards.first.locator("input").input_value() == at


def test_a_chosen_frame_stays_when_its_clip_comes_into_view(finished: Finished, open_page: OpenPage) -> None:
    """A slider may be moved before the browser has told the page that its clip is in view."""
    page = open_page(finished[1])
    card = page.locator(".card").last
    card.evaluate("""card => {
        card.scrollIntoView({behavior: "instant", block: "center"});
        const slider = card.querySelector("input");
        slider.value = "12";
        slider.dispatchEvent(new Event("input", {bubbles: true}));
    }""")
    page.wait_for_timeout(800)
    assert card.locator("output").text_content() == "12 / 16"
    page.locator(".card").first.scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    card.scroll_into_view_if_needed()
    page.wait_for_function("() => [...document.querySelectorAll('.card input')].at(-1).value !== '12'")


def test_every_frame_shows_the_exact_pixels_of_the_model(
    finished: Finished, open_page: OpenPage, served: Callable[[Path], str]
) -> None:
    config, path, _ = finished
    page = open_page(served(path))
    card = first_card(page)
    truth, prediction = shown(config, card)
    canvases = card.locator("canvas")
    for key, frame in (("Home", 0), ("ArrowRight", 1), ("End", 15), ("ArrowLeft", 14)):
        card.locator("input").press(key)
        assert card.locator("output").text_content().startswith(f"{frame + 1} / 16")
        np.testing.assert_array_equal(pixels(canvases.nth(0)), truth[frame])
        np.testing.assert_array_equal(pixels(canvases.nth(1)), prediction[frame])
    card.locator("input").fill("8")
    np.testing.assert_array_equal(pixels(canvases.nth(1)), prediction[7])


def test_the_difference_is_the_difference(
    finished: Finished, open_page: OpenPage, served: Callable[[Path], str]
) -> None:
    config, path, _ = finished
    page = open_page(served(path))
    card = first_card(page)
    truth, prediction = shown(config, card)
    card.get_by_role("button", name="Difference").click()
    card.locator("input").fill("8")
    expected = np.minimum(2 * np.abs(prediction[7].astype(int) - truth[7]), 255)
    np.testing.assert_array_equal(pixels(card.locator("canvas").nth(0)), truth[7])
    np.testing.assert_array_equal(pixels(card.locator("canvas").nth(1)), expected)
    card.locator("input").press("d")
    np.testing.assert_array_equal(pixels(card.locator("canvas").nth(1)), prediction[7])


def test_all_frames_of_a_clip_or_of_every_clip(finished: Finished, open_page: OpenPage) -> None:
    page = open_page(finished[1])
    card = page.locator(".card").first
    card.locator("input").focus()
    page.keyboard.press("a")
    sheet = card.locator(".prediction .sheet").first
    sheet.wait_for()
    page.wait_for_function("image => image.naturalWidth > 0", arg=sheet.element_handle())
    assert sheet.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [8 * 96, 2 * 64]
    assert not card.locator("canvas").first.is_visible()
    assert page.locator(".is-sheet").count() == 1
    page.locator(".views").get_by_role("button", name="All frames").click()
    assert page.locator(".is-sheet").count() == page.locator(".card").count() == 18
    page.locator(".views").get_by_role("button", name="All frames").click()
    assert page.locator(".is-sheet").count() == 0


def test_without_scripts_and_on_paper_all_frames_are_shown(
    finished: Finished, open_page: OpenPage, chromium: Any
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = open_page(finished[1], context=context)
    page.locator(".card").first.scroll_into_view_if_needed()
    page.locator(".card .sheet").first.wait_for()
    assert not page.locator(".card canvas").first.is_visible()
    assert not page.locator(".controls").first.is_visible()
    context.close()
    printed = open_page(finished[1])
    printed.emulate_media(media="print")
    printed.locator(".card .sheet").first.wait_for()
    assert not printed.locator(".card canvas, .controls, nav").first.is_visible()
    printed.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert printed.locator("details:not([open])").count() == 0


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_never_scrolls_sideways(finished: Finished, open_page: OpenPage, dark: bool) -> None:
    page = open_page(finished[1], phone=True, dark=dark)
    assert too_wide(page) == []
    page.locator(".views").get_by_role("button", name="All frames").click()
    assert too_wide(page) == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 120) == dark


@pytest.mark.parametrize("width", [1280, 700])
def test_a_number_never_breaks_in_the_middle(finished: Finished, open_page: OpenPage, width: int) -> None:
    _, path, _ = finished
    page = open_page(path)
    page.set_viewport_size({"width": width, "height": 800})
    broken = """cells => cells.flatMap(cell => [...cell.childNodes, ...cell.querySelectorAll("strong, i, span")])
        .filter(node => node.textContent.trim() && node.nodeName !== "CODE")
        .filter(node => {
            const range = document.createRange();
            range.selectNodeContents(node);
            return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1;
        }).map(node => node.textContent.trim())"""
    assert page.locator("td.number").count() > 10
    page.evaluate("""() => document.querySelectorAll("td.number").forEach(
        cell => cell.firstChild.data = cell.firstChild.data?.trim() ? "-1201.8" : cell.firstChild.data)""")
    assert page.eval_on_selector_all("td.number", broken) == []


def test_nothing_moves_for_those_who_asked_for_calm(finished: Finished, open_page: OpenPage, chromium: Any) -> None:
    context = chromium.new_context(reduced_motion="reduce")
    page = open_page(finished[1], context=context)
    page.locator(".card").first.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    assert page.locator(".card output").first.text_content() == "1 / 16 initial"
    context.close()


def nearest(canvas: Any, clip: np.ndarray) -> int:
    """The frame of a clip, (F, H, W, 3), that is most like what is on the screen."""
    _, height, width, _ = clip.shape
    picture = Image.open(io.BytesIO(canvas.screenshot())).convert("RGB").resize((width, height))
    return int(np.argmin([np.abs(np.asarray(picture, dtype=float) - frame).mean() for frame in clip]))


def test_large_clips_play_from_videos(tmp_path: Path, open_page: OpenPage) -> None:
    """From disk, where a canvas' pixels can't be read: what is on the screen is compared with every frame."""
    config = make_config(tmp_path, clip={"width": 272, "height": 64}, report={"clips": 1}, train={"init_from": None})
    make_dataset(config, "ssv2", make_clips(config, 0))
    page = open_page(report(config))
    card = first_card(page)
    clips = shown(config, card)
    for frame in (3, 12):
        card.locator("input").fill(str(frame + 1))
        for number, clip in enumerate(clips):
            seen = [nearest(card.locator("canvas").nth(number), clip)]
            while seen[-1] != frame and len(seen) < 50:  # a busy machine takes a while to seek and to paint
                page.wait_for_timeout(200)
                seen.append(nearest(card.locator("canvas").nth(number), clip))
            assert seen[-1] == frame, seen
    card.locator(".play").click()
    page.wait_for_function("() => document.querySelector('.card output').textContent === '16 / 16'")


def test_two_compared_runs_play(tmp_path: Path, open_page: OpenPage) -> None:
    runs = [make_config(tmp_path / name, report={"clips": 2}) for name in "ab"]
    for seed, config in enumerate(runs):
        clips = make_clips(config, 0)
        make_dataset(
            config, "ssv2", clips if seed == 0 else {key: (*clip[:3], *clip[:2:-1]) for key, clip in clips.items()}
        )
    path = compare(runs[0], runs[1], ("a.yaml", "<img src=x onerror=alert(1)>.yaml"), tmp_path / "page")
    page = open_page(path, phone=True)
    assert too_wide(page) == []
    page.locator(".card").first.scroll_into_view_if_needed()
    page.wait_for_function("() => Number(document.querySelector('.card output').textContent.split(' ')[0]) > 2")


@pytest.mark.slow
def test_three_datasets_of_64_clips_load_within_two_seconds(tmp_path: Path, open_page: OpenPage, chromium: Any) -> None:
    """From disk; and of 960 pictures only those near the window are asked for."""
    config = make_config(tmp_path, clips=64, report={"clips": 64})
    make_project(config)
    path = report(config)
    asked: list[str] = []
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.on("request", lambda request: asked.append(request.url))
    page = open_page(path, context=context)
    took = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert took < 2000
    assert page.locator(".card").count() == 3 * 64
    page.wait_for_timeout(500)
    assert len(asked) < 60
    page.locator(".card").nth(100).scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    assert any("-036-" in url for url in asked)  # the 101st card: bridge's 37th
    assert len(asked) < 200
    context.close()


@pytest.mark.slow
def test_a_small_real_run_from_fetch_to_the_page(
    tmp_path: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step runs as the workflow runs it, with the shipped networks, on a few clips."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").symlink_to(ROOT / "config")
    values = yaml.safe_load((ROOT / "config/pocket.yaml").read_text())
    ssv2 = values["datasets"]["ssv2"] | {"train_steps": 2, "library": {"train": 4, "validation": 4}}
    ssv2 |= {split: {"clips": 4, "shard_clips": 4} for split in ("train", "validation")}
    values |= {"datasets": {"ssv2": ssv2}, "ablations": []}
    values["sample"]["steps"], values["score"]["bootstrap"], values["train"]["batch_size"] = 2, 10, 2
    values["variants"] = {
        name: yaml.safe_load((ROOT / f"config/variants/{name}.yaml").read_text()) for name in ("fca", "base", "repeat")
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(values))

    def step(*arguments: str) -> None:
        command, *rest = arguments
        assert main([command, "-c", str(path), *rest]) == 0

    step("fetch", "ssv2")
    step("index", "ssv2")
    for split in ("train", "validation"):
        step("resample", "ssv2", split, "--shard", "0")
        step("encode", "ssv2", split, "--shard", "0")
    step("train", "ssv2", "fca")
    for variant in ("fca", "base"):
        step("sample", "ssv2", variant, "--shard", "0")
    step("sample", "ssv2", "fca", "--shard", "0", "--kind", "opposite")
    for variant in ("fca", "base", "repeat"):
        step("score", "ssv2", variant)
    step("report")
    page = open_page(tmp_path / "reports" / "index.html")
    assert page.locator(".card").count() == 4
    assert page.locator(".alongside tbody tr").count() == 9 + 1 + 2
    page.locator(".card").first.scroll_into_view_if_needed()
    page.wait_for_function("() => Number(document.querySelector('.card output').textContent.split(' ')[0]) > 2")
