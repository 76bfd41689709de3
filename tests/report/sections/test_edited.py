"""Figure 11: clips predicted from edited captions, which are text that anybody may have written."""

from pathlib import Path

import numpy as np
import pytest

from fca.artifacts.shards import write_shard
from fca.config import Config, Layout
from fca.report.page import report
from fca.report.sections.edited import marked
from tests.browser import OpenPage, Serve, too_wide
from tests.report.conftest import CAPTIONS
from tests.report.project import MADE_BY, make_clips, make_config, make_dataset
from tests.report.test_browser import pixels
from tests.report.test_report import Page

EDITS = {"clip_4": CAPTIONS[:3], "clip_1": [CAPTIONS[3], CAPTIONS[4]], "gone<b>": ["look left"]}


def with_edits(folder: Path, edits: dict[str, list[str]]) -> Config:
    """A finished project of ssv2 alone that asks for these edits; its clips' own captions are hostile, too."""
    config = make_config(folder)
    settings = config.datasets["ssv2"].model_copy(update={"edited_captions": edits})
    config = config.model_copy(update={"datasets": {"ssv2": settings}})
    make_dataset(config, "ssv2", make_clips(config, 0, CAPTIONS))
    return config


def write_edited(config: Config, edits: dict[str, list[str]]) -> np.ndarray:
    """The shard that `fca sample --kind edited` writes; row k's frame f is evenly grey, 40 * k + 2 * f."""
    names = [f"{clip}/{number}" for clip, captions in edits.items() for number in range(1, 1 + len(captions))]
    captions = [caption for own in edits.values() for caption in own]
    shape = (len(names), config.clip.frames, config.clip.height, config.clip.width, 3)
    level = 40 * np.arange(len(names))[:, None] + 2 * np.arange(config.clip.frames)
    frames = np.broadcast_to(level[:, :, None, None, None], shape).astype(np.uint8)
    columns = {"frames": frames, "caption": captions, "seed": np.zeros(len(names), dtype=np.int64)}
    write_shard(Layout(config).samples("ssv2", "fca", "edited", 0), "samples", columns, names, {}, MADE_BY)
    return frames


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, Path]:
    """Frames of the edited samples, and the page."""
    config = with_edits(tmp_path_factory.mktemp("edited"), EDITS)
    frames = write_edited(config, {clip: captions for clip, captions in EDITS.items() if clip != "gone<b>"})
    return frames, report(config)


def section(path: Path) -> str:
    """The source of the section alone."""
    return path.read_text(encoding="utf-8").partition('<section id="edited"')[2].partition('<section id="curves"')[0]


def test_every_edited_caption_stays_text_and_has_its_tile(edited) -> None:
    path = edited[1]
    source = section(path)
    page = Page(f"<section{source}")
    assert not page.all("script")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert all((attributes["src"] or "").startswith("assets/") for attributes in page.all("img"))
    words = " ".join("".join(page.words).split())
    for caption in CAPTIONS[:5]:
        assert " ".join(caption.split()) in words
    assert "Clip gone<b> is quarantined or has not been resampled yet." in words
    assert source.count('class="tile edited"') == 5
    assert source.count('class="tile truth"') == source.count('class="tile prediction"') == 2
    assert all((path.parent / file).is_file() for file in page.references())
    assert '<a href="#edited">' in path.read_text(encoding="utf-8")


def test_the_cards_are_in_the_order_of_the_configuration(edited) -> None:
    source = section(edited[1])
    assert source.index("clip_4") < source.index("clip_1")


def test_what_is_not_predicted_yet_or_from_another_caption_is_named(tmp_path: Path) -> None:
    config = with_edits(tmp_path, {"clip_0": ["lift it", "lower <i>it</i>"]})
    path = report(config)
    assert section(path).count("no prediction yet from") == 2
    write_edited(config, {"clip_0": ["lift it", "an older caption"]})
    source = section(report(config))
    assert source.count('class="tile edited"') == 1
    assert "FCA: no prediction yet from &ldquo;<bdi>lower &lt;i&gt;it&lt;/i&gt;</bdi>&rdquo;" in source
    assert "an older caption" not in source
    assert report(config).read_bytes() == path.read_bytes()


def test_without_edits_there_is_no_section(tmp_path: Path) -> None:
    text = report(with_edits(tmp_path, {})).read_text(encoding="utf-8")
    assert 'href="#edited"' not in text
    assert "Figure 11" not in text


def test_changed_words_are_marked() -> None:
    assert marked("putting egg in bowl", "putting tomato in bowl") == [
        ("putting ", False),
        ("tomato ", True),
        ("in bowl", False),
    ]
    assert marked("look left", "look left") == [("look left", False)]
    assert marked("", "look left") == [("look left", True)]
    assert marked("look left and right", "look left") == [("look left", False)]
    for text in CAPTIONS:
        assert "".join(part for part, _ in marked("x y", text)) == text
    assert marked("a " * 300, "b " * 300) == [("b " * 300, False)]


def test_all_tiles_of_a_card_show_the_same_frame(edited, open_page: OpenPage, serve: Serve) -> None:
    frames, path = edited
    page = open_page(serve(path.parent))
    card = page.locator("#edited .card").first
    card.scroll_into_view_if_needed()
    card.locator("input").fill("12")
    page.wait_for_function(
        "card => [...card.querySelectorAll('canvas')].every((canvas) =>"
        " canvas.getContext('2d').getImageData(0, 0, 1, 1).data[3] === 255)",
        arg=card.element_handle(),
    )
    assert card.locator("output").text_content() == "12 / 16"
    for row, canvas in enumerate(card.locator(".edited canvas").all()):
        assert (pixels(canvas) == frames[row][11]).all()
    card.locator("[data-view=sheet]").click()
    assert card.locator(".edited .sheet").first.is_visible()
    assert page.evaluate("document.querySelectorAll('img[onerror], img[src=\"x\"], .card script').length") == 0


def test_a_phone_never_scrolls_sideways(edited, open_page: OpenPage) -> None:
    page = open_page(edited[1], phone=True)
    page.locator("#edited").scroll_into_view_if_needed()
    assert too_wide(page) == []
