"""The whole page: complete, safe, offline, the same bytes again, and honest about what is missing."""

import base64
import csv
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from fca.artifacts.quarantine import Quarantine
from fca.config import Config, Layout
from fca.errors import FcaError
from fca.report.collect import collect
from fca.report.metrics import significant
from fca.report.page import report
from fca.report.score_file import read_scores
from tests.report.conftest import CAPTIONS
from tests.report.project import make_clips, make_config, make_dataset

Finished = tuple[Config, Path, str]
VOID = {"meta", "img", "input", "br", "wbr", "link", "source"}


class Page(HTMLParser):
    """Elements, attributes and text of a page; checks that elements are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def references(self) -> set[str]:
        """Every file that the page points to."""
        names = ("src", "srcset", "href", "data-sheet", "poster")
        found = {attributes[name] for _, attributes in self.elements for name in names if name in attributes}
        return {value for value in found if value and not value.startswith(("#", "data:"))}


def test_says_what_the_numbers_say(finished: Finished) -> None:
    text = Page(finished[2]).text
    assert (
        "On ssv2 FCA reaches FVD 12.3 against 45.6 for the unadapted base and 80.1 for the copy-last-frame"
        " baseline (lower is better). The intervals do not overlap."
    ) in text
    assert "These are not the paper’s numbers." in text
    assert "Training started from an adapter that was already trained: config/pocket-base/adapter" in text
    assert "6 of 6 clips" in text
    for name in ("fvd_pocket_i3d_6x16f", "kvd_seer_pocket_i3d_6x16f", "psnr", "opposite_task_accuracy"):
        assert name in text.replace(" ", "")
    assert "snakemake" in text
    assert "fca score --config config/pocket.yaml ssv2 fca" in text
    assert "0123456789ab, with changes" in text
    assert "None: every step that has run could use all clips" in text
    for label in ("best", "median", "worst"):
        assert f">{label}</b>" in finished[2]


def test_captions_stay_text(finished: Finished) -> None:
    page = Page(finished[2])
    assert len(page.all("script")) == 1
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert all((attributes["src"] or "").startswith("assets/") for attributes in page.all("img"))
    words = "".join(page.words)
    for caption in CAPTIONS[:5]:
        assert caption in words
    assert "bell\N{REPLACEMENT CHARACTER}" in words
    assert "\x07" not in finished[2]


def test_nothing_leaves_the_page(finished: Finished) -> None:
    page = Page(finished[2])
    assert not re.search(r"(https?:)?//[a-z0-9-]+\.[a-z]", finished[2])
    assert "@import" not in finished[2]
    assert "url(" not in finished[2]
    assert all(not attributes.get("style") for _, attributes in page.elements)
    [policy] = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        content = finished[2].split(f"<{tag}>")[1].split(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_every_file_is_there_and_used(finished: Finished) -> None:
    _, path, text = finished
    references = Page(text).references()
    files = {file.relative_to(path.parent).as_posix() for file in path.parent.rglob("*") if file.is_file()}
    made_for_tools = {name for name in files if name.startswith(("plots/", "metrics/"))}
    assert references == files - made_for_tools - {"index.html", "metrics.json"}
    assert (path.parent / "assets" / "overview.png").stat().st_size > 1000


def test_the_first_screen_plays_every_frame_of_the_clips(finished: Finished) -> None:
    config, path, text = finished
    assert text.index("overview.webp") < text.index('id="scores-title"')
    with Image.open(path.parent / "assets" / "overview.webp") as played:
        frames = [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(played)]
    assert len(frames) == config.clip.frames
    changes = [np.abs(after - before).mean() for before, after in itertools.pairwise(frames)]
    assert min(changes) > 0.1


def test_ids_are_unique_and_labels_point_to_them(finished: Finished) -> None:
    page = Page(finished[2])
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    pointed = " ".join(attributes.get("aria-labelledby") or "" for _, attributes in page.elements).split()
    assert set(pointed) <= set(ids)
    assert all(attributes.get("alt") for attributes in page.all("img"))
    assert len(page.all("h1")) == 1


def test_same_inputs_same_bytes(tmp_path: Path) -> None:
    config = make_config(tmp_path, report={"clips": 2})
    make_dataset(config, "ssv2", make_clips(config, 0))

    def contents() -> dict[str, bytes]:
        folder = report(config).parent
        return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    first = contents()
    assert contents() == first
    assert len(first) == 23


def test_nothing_was_run_yet(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    text = Page(report(config).read_text(encoding="utf-8")).text
    assert "On ssv2 nothing has been scored yet." in text
    assert "not scored yet: run `fca score` for epic repeat" in text
    assert "No clips to show: the validation clips of bridge have not been resampled yet" in text
    assert "No curves yet" in text
    assert "No trained model was found." in text
    assert not [*Layout(config).report_assets.glob("overview*")]


def test_a_missing_variant_is_named(tmp_path: Path) -> None:
    config = make_config(tmp_path, report={"clips": 2})
    make_dataset(config, "ssv2", make_clips(config, 0))
    layout = Layout(config)
    layout.scores("ssv2", "base").unlink()
    for shard in layout.shards("ssv2", "validation"):
        layout.manifest(layout.samples("ssv2", "base", "validation", shard)).unlink()
    text = Page(report(config).read_text(encoding="utf-8")).text
    assert "not scored yet: run `fca score` for ssv2 base" in text
    assert "Base model, not adapted: no prediction of this clip yet." in text
    assert "On ssv2 FCA reaches FVD 12.3 against 80.1 for the copy-last-frame baseline" in text


def test_quarantine_is_shown_once_and_escaped(tmp_path: Path) -> None:
    config = make_config(tmp_path, report={"clips": 1})
    row = Quarantine("ssv2", "train", "<b>7</b>", "resample", "videos/7_a.webm", "empty file & <i>no</i> video")
    make_dataset(config, "ssv2", make_clips(config, 0), [row])
    text = report(config).read_text(encoding="utf-8")
    assert text.count("empty file &amp; &lt;i&gt;no&lt;/i&gt; video") == 1
    assert "&lt;b&gt;7&lt;/b&gt;" in text
    assert "1 clip could not be used" in Page(text).text


def test_a_damaged_score_file_is_named_and_the_old_report_stays(tmp_path: Path) -> None:
    config = make_config(tmp_path, report={"clips": 1})
    make_dataset(config, "ssv2", make_clips(config, 0))
    page = report(config)
    before = page.read_bytes()
    Layout(config).scores("ssv2", "fca").write_text('{"count": 3}')
    with pytest.raises(FcaError, match=r"ssv2/scores/fca\.json is not a score file"):
        report(config)
    assert page.read_bytes() == before


def test_large_clips_are_videos(tmp_path: Path) -> None:
    config = make_config(tmp_path, clip={"width": 272, "height": 64}, report={"clips": 1}, train={"init_from": None})
    make_dataset(config, "ssv2", make_clips(config, 0))
    page = Page(report(config).read_text(encoding="utf-8"))
    assert next(video["src"] for video in page.all("video")) == "assets/ssv2-000-truth.webm"
    assert all("data-sheet" not in canvas for canvas in page.all("canvas"))
    assert "compressed for viewing" in page.text
    assert "Training continued" not in page.text


def test_the_values_alone_are_the_score_files(finished: Finished) -> None:
    config = finished[0]
    layout = Layout(config)
    values = json.loads(layout.metrics.read_text())
    assert values
    for dataset, variants in values.items():
        for variant, found in variants.items():
            scores = json.loads(layout.scores(dataset, variant).read_text())["scores"]
            assert found == {name: score["value"] for name, score in scores.items() if score is not None}


def test_a_comparison_has_its_own_page_with_the_papers_numbers(finished: Finished) -> None:
    config, index, _ = finished
    before = index.read_bytes()
    page = report(config, "table1")
    assert page == index.parent / "table1" / "index.html"
    text = page.read_text(encoding="utf-8")
    for cited in ("67.7", "\N{MINUS SIGN}0.18", "112.9", "Tune-A-Video", "Alongside the paper"):
        assert cited in text
    fvd = read_scores(Layout(config).scores("ssv2", "fca"))
    assert fvd is not None
    for stem in ("fvd_seer", "kvd_seer"):
        [value] = [score.value for name, score in fvd.scores.items() if name.startswith(stem) and "raw" not in name]
        assert significant(value) in text.partition('id="scores"')[0], stem
    assert "The two are not comparable" in text
    assert index.read_bytes() == before


def test_the_report_has_table_1_with_cited_and_measured_numbers_in_columns_of_their_own(finished: Finished) -> None:
    table = finished[2].partition('<table class="alongside">')[2].partition("</table>")[0]
    [seer] = [row for row in table.split("<tr>") if ">Seer<" in row]
    assert re.findall(r'class="number cited">([^<]+)', seer) == ["112.9", "0.12", "246.3", "0.55", "271.4", "1.40"]
    assert seer.count("not measured") == 6
    [fca] = [row for row in table.split("<tr>") if ">FCA<" in row]
    assert re.findall(r'class="number cited">([^<]+)', fca)[::2] == ["67.7", "96.5", "164.6"]
    assert fca.count(">11.8<span") == 3
    assert fca.count("9.35 to 14.3</span>") == 3
    assert "fvd_<wbr>seer_<wbr>pocket_<wbr>i3d_<wbr>6x16f" in table
    assert "snakemake table3 --cores 2 --configfile config/pocket.yaml" in Page(finished[2]).text


def test_a_comparison_of_what_was_not_run_shows_dashes(tmp_path: Path) -> None:
    text = report(make_config(tmp_path), "table3").read_text(encoding="utf-8")
    assert "354.9" in text
    assert "not scored yet" in text


def test_curves_as_tables(finished: Finished) -> None:
    """Every point of the training log and of the PSNR by frame, a column a variant."""
    config, page, _ = finished
    datasets = collect(config)
    for dataset in datasets:
        for name, key in (("loss", "step"), ("psnr", "frame")):
            with (page.parent / "plots" / f"{dataset.name}-{name}.csv").open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            for result in dataset.variants:
                column = [
                    (int(row[key]), float(row[result.variant.name])) for row in rows if row.get(result.variant.name)
                ]
                if name == "loss":
                    expected = [(tick["step"], tick["loss"]) for tick in result.log]
                else:
                    values = result.scores.psnr_per_frame if result.scores else []
                    numbered = enumerate(values, dataset.settings.initial_frames + 1)
                    expected = [(frame, value) for frame, value in numbered if value is not None]
                assert column == expected
    assert any(result.log for dataset in datasets for result in dataset.variants)
