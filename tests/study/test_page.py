"""The participants' page in a browser: rated by keyboard and by touch, resumed, saved, loaded again."""

import json
from pathlib import Path
from typing import Any

import pytest

from fca.artifacts.text import sha256
from fca.study.files import CRITERIA, read_all
from fca.study.results import write_results
from tests.browser import OpenPage, Serve, too_wide
from tests.study.conftest import Study, participant_order, write_file

TOTAL = 54


def begin(page: Any, participant: str) -> None:
    page.fill("#participant", participant)
    page.keyboard.press("Enter")
    page.wait_for_selector("#rate", state="visible")


def order(study: Study, participant: str) -> list[tuple[str, list[str]]]:
    clips: dict[str, list[str]] = {}
    for name, item in study.key.items.items():
        clips.setdefault(item.clip, []).append(name)
    return participant_order(study.key.order_seed, participant, clips)


def shown_items(page: Any) -> list[str]:
    """Items on the screen from left to right, by the names of their inputs."""
    names = page.eval_on_selector_all("#cards .choice:first-child input", "all => all.map(one => one.name)")
    return list(dict.fromkeys(name.split(" ")[0] for name in names))


def save(page: Any, folder: Path, button: str = ".save:visible") -> Path:
    with page.expect_download() as download:
        page.locator(button).last.click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def rate_all(page: Any) -> dict[str, dict[str, int]]:
    """Rate every clip with the keyboard alone, from the first clip's first row on; what was typed."""
    typed: dict[str, dict[str, int]] = {}
    for clip in range(6):
        assert page.text_content("#position") == f"Clip {clip + 1} of 6"
        for number, item in enumerate(shown_items(page)):
            for column, criterion in enumerate(CRITERIA):
                value = (clip + 2 * number + 3 * column) % 6
                focused = page.evaluate("document.activeElement.name")
                assert focused == f"{item} {criterion}"
                page.keyboard.press(str(value))
                typed.setdefault(item, {})[criterion] = value
        assert page.evaluate("document.activeElement.id") == "next"
        page.keyboard.press("Enter")
    return typed


def test_rated_by_keyboard_alone_the_file_holds_what_was_typed(
    study: Study, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(study.page)
    page.keyboard.press("Tab")  # from the top of the page to the first field
    page.keyboard.type("P01")
    page.keyboard.press("Enter")
    typed = rate_all(page)
    assert page.is_visible("#complete")
    assert page.text_content("#made") == f"{TOTAL} of {TOTAL} ratings"
    path = save(page, tmp_path)
    assert path.name == f"ratings-{study.key.study[:8]}-p01.json"
    ratings = read_all(study.key, [path])[0]
    assert ratings.participant == "p01"
    assert ratings.ratings == typed
    assert len(typed) == 18
    assert page.input_value("#text") == path.read_text()
    assert "3." in write_results(study.folder, [path], out=tmp_path / "results")


def test_the_order_is_the_one_that_python_computes(study: Study, open_page: OpenPage) -> None:
    page = open_page(study.page)
    begin(page, "p-7")
    for clip, items in order(study, "p-7"):
        assert page.text_content("#caption") == study.key.clips[clip].caption
        assert shown_items(page) == items
        page.click("#next")
    orders = page.evaluate(
        """([seed, clips]) => ["a", "b-2", "zz"].map((name) => participantOrder(seed, name, clips))""",
        [study.key.order_seed, dict(order(study, "any"))],
    )
    for name, found in zip(["a", "b-2", "zz"], orders, strict=True):
        assert [(clip, items) for clip, items in found] == order(study, name)
    assert orders[0] != orders[1] != orders[2]


def test_the_pages_sha256_is_sha256(study: Study, open_page: OpenPage) -> None:
    texts = ["", "abc", *("x" * length for length in (55, 56, 63, 64, 65, 1000)), "na\u00efve \u7ea2 \U0001f7e5\n|"]
    page = open_page(study.page)
    assert page.evaluate("texts => texts.map(sha256)", texts) == [sha256(text) for text in texts]


def test_a_reload_goes_on_where_it_was(study: Study, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(study.page)
    begin(page, "p02")
    for _ in range(9):
        page.keyboard.press("4")
    page.keyboard.press("Enter")
    page.keyboard.press("1")
    page.keyboard.press("2")
    page.reload()
    assert page.text_content("#position") == "Clip 2 of 6"
    assert page.text_content("#made") == f"11 of {TOTAL} ratings"
    items = shown_items(page)
    assert page.evaluate("document.activeElement.name") == f"{items[0]} visual_fidelity"  # the first without a rating
    assert page.is_checked(f'input[name="{items[0]} temporal_consistency"][value="2"]')
    other = open_page(study.page, context=page.context)  # another window of the same browser
    assert other.text_content("#made") == f"11 of {TOTAL} ratings"
    page.click("#leave")
    begin(page, "p03")
    assert page.text_content("#made") == f"0 of {TOTAL} ratings"
    page.click("#leave")
    begin(page, "p02")
    assert page.text_content("#made") == f"11 of {TOTAL} ratings"
    ratings = read_all(study.key, [save(page, tmp_path)], partial=True)[0]
    assert ratings.count == 11


def test_a_saved_file_goes_on_in_another_browser(study: Study, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(study.page)
    begin(page, "p04")
    for key in "012345012":
        page.keyboard.press(key)
    path = save(page, tmp_path)
    other = open_page(study.page)
    other.set_input_files("#file", path)
    other.wait_for_selector("#rate", state="visible")
    assert other.text_content("#who") == "p04"
    assert other.text_content("#made") == f"9 of {TOTAL} ratings"
    assert json.loads(save(other, tmp_path / "again").read_text()) == json.loads(path.read_text())


def test_a_static_web_server_will_do(study: Study, open_page: OpenPage, serve: Serve, tmp_path: Path) -> None:
    page = open_page(serve(study.page.parent))
    begin(page, "p11")
    for key in "012345012":
        page.keyboard.press(key)
    page.reload()
    assert read_all(study.key, [save(page, tmp_path)], partial=True)[0].count == 9


def test_files_that_cannot_be_used_are_named_and_change_nothing(
    study: Study, open_page: OpenPage, tmp_path: Path
) -> None:
    item = next(iter(study.key.items))
    page = open_page(study.page)
    for number, (changes, problem) in enumerate(
        [
            ({"study": "ab" * 32}, "it belongs to another study"),
            ({"participant": "p9"}, "it was changed after it was saved"),
            ({"participant": "<b>"}, "its participant has no usable name"),
            ({"ratings": {item: {"text_alignment": 6}}}, "it has the rating 6"),
            ({"ratings": {item: {"beauty": 1}}}, "it rates by beauty"),
            ({"ratings": {"toString": {"text_alignment": 1}}}, "it rates a video that isn't in this study"),
            ({"kind": "other"}, "it is not a file of ratings"),
        ]
    ):
        path = write_file(tmp_path / f"{number}.json", study.key, "p8", {item: {"text_alignment": 1}})
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        page.set_input_files("#file", path)
        page.wait_for_function("words => document.getElementById('problem').textContent.includes(words)", arg=problem)
        assert f"{number}.json can't be used: {problem}." in page.text_content("#problem")
    (tmp_path / "text.json").write_text("ratings")
    page.set_input_files("#file", tmp_path / "text.json")
    page.wait_for_function("() => document.getElementById('problem').textContent.includes('it is not JSON')")
    assert page.is_visible("#start")
    assert page.evaluate("localStorage.length") == 0


def test_captions_stay_text(study: Study, open_page: OpenPage) -> None:
    """`<img src=x onerror=alert(1)>` and the like; `open_page` fails for dialogs, errors and requests."""
    page = open_page(study.page)
    begin(page, "p05")
    seen = set()
    for _ in range(6):
        seen.add(page.text_content("#caption"))
        assert page.locator("#caption *").count() == 0
        page.click("#next")
    assert seen == {clip.caption for clip in study.key.clips.values()}
    assert page.locator("img").count() == 0
    assert any("<img" in caption or "<script" in caption for caption in seen)


def test_videos_play_together_and_can_be_scrubbed(study: Study, open_page: OpenPage) -> None:
    page = open_page(study.page)
    begin(page, "p06")
    page.wait_for_function("() => document.querySelector('#controls .count').textContent.startsWith('7 ')")
    page.click("#controls button")
    page.locator("#controls input").fill("1")
    pictures = "[...document.querySelectorAll('canvas')].map((one) => one.toDataURL())"
    first = page.evaluate(pictures)
    assert len(first) == 4
    assert page.text_content("#controls .count") == "1 / 16 initial"
    assert len(set(first)) == 1  # the initial frame is the ground truth everywhere
    page.locator("#controls input").fill("16")
    last = page.evaluate(pictures)
    assert len(set(last)) == 4
    page.wait_for_timeout(400)
    assert page.evaluate(pictures) == last  # paused


def test_large_clips_play_as_videos(study: Study, open_page: OpenPage, tmp_path: Path) -> None:
    from fca.study.build import build
    from tests.report.project import make_clips, make_config, make_dataset

    config = make_config(tmp_path, clip={"width": 288, "height": 64})
    make_dataset(config, "ssv2", make_clips(config, 0))
    page = open_page(build(config, ["ssv2"], ["fca"], 1, 0, tmp_path / "study")[0])
    begin(page, "p1")
    times = "[...document.querySelectorAll('video')].map((one) => one.currentTime)"
    page.wait_for_function(f"() => {times}.length === 2 && {times}.every((time) => time > 0.5)")
    page.click("#controls button")
    page.locator("#controls input").fill("9")
    page.wait_for_function(f"() => {times}.every((time) => Math.abs(time - 8.5 / 8) < 0.01)")


def test_a_phone_rates_by_touch_without_scrolling_sideways(study: Study, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(study.page, phone=True, dark=True)
    assert too_wide(page) == []
    page.tap("#draw")
    page.tap("#who-form [type=submit]")
    for box in page.locator(".choice").all()[:6]:
        size = box.bounding_box()
        assert min(size["width"], size["height"]) >= 40
    for item in shown_items(page):
        for value, criterion in enumerate(CRITERIA):
            page.locator(f'input[name="{item} {criterion}"][value="{value}"]').tap()
    for _ in range(6):
        assert too_wide(page) == []
        page.tap("#next")
    assert too_wide(page) == []
    ratings = read_all(study.key, [save(page, tmp_path)], partial=True)[0]
    assert ratings.participant.startswith("p-")
    assert list(ratings.ratings.values()) == [dict(zip(CRITERIA, range(3), strict=True))] * 3


def test_everything_has_a_name_for_screen_readers(study: Study, open_page: OpenPage) -> None:
    page = open_page(study.page)
    assert page.get_by_role("textbox", name="Your participant name").is_visible()
    begin(page, "p07")
    card = page.get_by_role("region", name="Video B")
    assert card.get_by_role("group", name="Video B, Text alignment").get_by_role("radio", name="3").count() == 1
    assert page.get_by_role("img", name="Video A").count() == 1
    assert page.get_by_role("button", name="Pause").count() == 1
    assert page.get_by_role("slider", name="Frame").count() == 1
    assert page.get_by_role("progressbar", name="Ratings made").count() == 1
    assert "Clip 1 of 6: " in page.get_by_role("status").text_content()
    page.keyboard.press("3")
    outline = "getComputedStyle(document.activeElement.nextElementSibling).outlineStyle"
    assert page.evaluate(outline) == "solid"  # focus is seen


def test_enter_goes_to_what_is_missing_and_skipped_clips_are_listed(study: Study, open_page: OpenPage) -> None:
    page = open_page(study.page)
    begin(page, "p08")
    page.keyboard.press("Tab")
    page.keyboard.press("5")  # the second row, not the first
    page.keyboard.press("Enter")
    assert page.text_content("#position") == "Clip 1 of 6"
    assert page.evaluate("document.activeElement.name") == f"{shown_items(page)[0]} text_alignment"
    page.keyboard.press("9")  # no rating
    assert page.text_content("#made") == f"1 of {TOTAL} ratings"
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")  # as in every group of radio buttons
    assert page.is_checked(f'input[name="{shown_items(page)[0]} text_alignment"][value="1"]')
    for _ in range(6):
        page.click("#next")
    assert page.text_content("#end-title") == "Not quite done"
    assert page.locator("#open button").all_text_contents() == [
        f"Clip {clip}: {7 if clip == 1 else 9} missing" for clip in range(1, 7)
    ]
    page.click("text=Clip 4: 9 missing")
    assert page.text_content("#position") == "Clip 4 of 6"


def test_ratings_can_be_removed_from_a_shared_device(study: Study, open_page: OpenPage) -> None:
    page = open_page(study.page)
    begin(page, "p09")
    page.keyboard.press("5")
    for _ in range(6):
        page.click("#next")
    page.click("text=Remove my ratings from this browser")
    page.click("#forget")
    assert page.is_visible("#start")
    assert page.evaluate("localStorage.length") == 0
    begin(page, "p09")
    assert page.text_content("#made") == f"0 of {TOTAL} ratings"


def test_where_the_browser_keeps_nothing_the_page_says_so(
    study: Study, open_page: OpenPage, chromium: Any, tmp_path: Path
) -> None:
    context = chromium.new_context()
    context.add_init_script("Storage.prototype.setItem = () => { throw new Error('full') }")
    page = open_page(study.page, context=context)
    begin(page, "p10")
    for key in "012345012":
        page.keyboard.press(key)
    assert page.is_visible("#unsaved")
    assert read_all(study.key, [save(page, tmp_path)], partial=True)[0].count == 9
    context.close()


@pytest.mark.parametrize("dark", [False, True])
def test_the_results_page_opens(study: Study, open_page: OpenPage, tmp_path: Path, dark: bool) -> None:
    paths = []
    for participant in ("a", "b"):
        ratings = {name: dict.fromkeys(CRITERIA, 3) for name in study.key.items}
        paths.append(write_file(tmp_path / f"{participant}.json", study.key, participant, ratings))
    write_results(study.folder, paths, out=tmp_path / "results")
    page = open_page(tmp_path / "results" / "index.html", phone=dark, dark=dark)
    assert page.evaluate("document.querySelector('img').naturalWidth") > 0
    assert page.locator("table").count() == 3
    assert too_wide(page) == []
