"""The report's numbers and pictures from score files and shards in which no two values are alike."""

import csv
import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fca.config import Config, Layout
from fca.report.for_tools import COLUMNS
from fca.report.page import report
from tests.report.project import Clips, make_clips, make_config, make_dataset, score_values, write_json

STEM = "pocket_i3d_6x16f"
NAMES = (
    f"fvd_{STEM}_gt2",
    f"fvd_{STEM}_raw",
    f"fvd_seer_{STEM}_gt2",
    f"kvd_{STEM}_gt2",
    f"kvd_seer_{STEM}_gt2",
    "psnr",
    "ssim",
    "task_accuracy",
    "opposite_task_accuracy",
    "effector_end_error",
    "object_end_error",
    "objects_kept",
)
SCORES = {
    "fca": (12.345, 23.456, 13.579, 0.0012345, -0.001234, 21.987, 0.87654, 0.8333, 0.9051, 5.432, 3.456, 0.8765),
    "base": (9.8765, 45.678, 10.987, 0.0022345, -0.002347, 14.321, 0.91234, 0.2511, None, 12.34, 2.345, 0.5),
    "repeat": (80.123, 67.891, 81.234, 0.0002346, 0.003456, 29.876, 0.54321, None, None, 17.03, 11.88, None),
}
SHOWN = {  # an asterisk at the best of each column
    "FCA": "12.3|*23.5|13.6|0.00123|−0.00123|21.99|0.877|*83 %|91 %|*5.4|3.5|*88 %",
    "Base model, not adapted": "*9.88|45.7|*11.0|0.00223|*−0.00235|14.32|*0.912|25 %|–|12.3|*2.3|50 %",
    "Copy the last frame": "80.1|67.9|81.2|*0.000235|0.00346|*29.88|0.543|–|–|17.0|11.9|–",
}
LEVELS = {"fca": [21.0, 27.5, 19.0, 30.25, 25.0, 23.0], "base": [11.0, 12.0, 13.0, 14.0, 15.0, 16.0]}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Config, str, Clips]:
    """The configuration, its page and its clips."""
    config = make_config(tmp_path_factory.mktemp("golden"), report={"clips": 6})
    clips = make_clips(config, 0)
    make_dataset(config, "ssv2", clips)
    for number, (variant, values) in enumerate(SCORES.items()):
        file = score_values(config, "ssv2", variant, clips, 1.0, 20.0)
        file["scores"] = {
            name: None if value is None else {"value": value, "low": value - 0.03, "high": value + 0.05}
            for name, value in zip(NAMES, values, strict=True)
        }
        file["scores"][NAMES[0]]["bias"] = 1.25 + number
        file["psnr_per_frame"] = [40 + 10 * number - frame / 4 for frame in range(14)]
        for row, level in zip(file["clips"], LEVELS.get(variant, range(6)), strict=True):
            row["psnr"] = level
        write_json(Layout(config).scores("ssv2", variant), file)
    return config, report(config).read_text(encoding="utf-8"), clips


def plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_the_table_of_scores(made) -> None:
    table = made[1].partition('<table class="scores">')[2].partition("</tbody>")[0]
    rows = re.findall(r'<tr>\s*<th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL)
    found = {}
    for title, cells in rows:
        texts = []
        for start, cell in re.findall(r'<td class="number([^"]*)"[^>]*>(.*?)</td>', cells, re.DOTALL):
            value = cell.partition('<span class="interval">')[0]
            texts.append(("*" if "best" in start else "") + plain(value))
        found[plain(title)] = "|".join(texts)
    assert found == SHOWN
    first = plain(rows[0][1])
    assert "12.3 12.3 to 12.4 bias +1.25" in first
    assert "21.99 21.96 to 22.04" in first
    assert "83 % 80 % to 88 %" in first


def test_the_sentence_and_the_values_for_tools(made) -> None:
    config, page, _ = made
    assert (
        "On ssv2 FCA reaches FVD 12.3 against 9.88 for the unadapted base and 80.1 for the copy-last-frame baseline "
        "(lower is better). It is better than the copy-last-frame baseline and worse than the unadapted base. "
        "The requested task is found in 83 % of its predictions, the opposite one in 91 % when the caption asks"
    ) in plain(page)
    values = json.loads(Layout(config).metrics.read_text())
    expected = {
        variant: {name: value for name, value in zip(NAMES, scores, strict=True) if value is not None}
        for variant, scores in SCORES.items()
    }
    assert values["ssv2"] == expected


def test_a_row_for_dvc_has_short_names_and_four_digits(made) -> None:
    row = json.loads(Layout(made[0]).metrics.with_name("metrics").joinpath("ssv2", "fca.json").read_text())
    protocol = row.pop("protocol")
    assert len(protocol) == 8
    given = dict(zip(NAMES, SCORES["fca"], strict=True))
    assert row.pop("clips") == 6
    assert row["fvd"] == float(f"{given[NAMES[0]]:.4g}")
    assert row["psnr"] == float(f"{given['psnr']:.4g}")
    assert row["task"] == float(f"{given['task_accuracy']:.4g}")
    assert set(row) <= set(COLUMNS)


def test_curves_begin_with_the_first_predicted_frame(made) -> None:
    """Frames count from 1, the first two are initial; the log's steps are those of the optimizer."""
    folder = Layout(made[0]).metrics.with_name("plots")
    with (folder / "ssv2-psnr.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["frame"]) for row in rows] == list(range(3, 17))
    for number, variant in enumerate(SCORES):
        assert [float(row[variant]) for row in rows] == [40 + 10 * number - frame / 4 for frame in range(14)]
    assert "FCA: PSNR 40 at frame 3, 36.75 at frame 16. Base model, not adapted: PSNR 50 at frame 3" in made[1]
    with (folder / "ssv2-loss.csv").open(newline="") as file:
        losses = {int(row["step"]): float(row["fca"]) for row in csv.DictReader(file)}
    assert losses == {step: 0.2 + 1 / (step + 1) for step in range(10, 160, 10)}


def frames_of(sheet: Path) -> np.ndarray:
    """The 16 frames of a lossless sheet, in two rows of eight."""
    picture = np.asarray(Image.open(sheet).convert("RGB"))
    return np.stack([picture[64 * (n // 8) :, 96 * (n % 8) :][:64, :96] for n in range(16)])


def test_clips_are_ranked_and_shown_with_their_own_numbers_and_pixels(made) -> None:
    config, page, clips = made
    cards = re.findall(r'<article class="card".*?</article>', page, re.DOTALL)
    order = [3, 1, 4, 5, 0, 2]  # by the PSNR of FCA
    labels = ["best", "", "median", "", "", "worst"]
    assert len(cards) == 6
    for rank, (card, clip, label) in enumerate(zip(cards, order, labels, strict=True), start=1):
        text = plain(card)
        assert text.startswith(f"push red block {clip} right {label} rank {rank} of 6".replace("  ", " "))
        shown = re.findall(r"([\d.]+) dB", text)
        assert shown == [f"{LEVELS[variant][clip]:.1f}" for variant in ("fca", "base")]
        _, _, truth, good, bad = clips[f"clip_{clip}"]
        for name, pixels in (("truth", truth), ("fca", good), ("base", bad)):
            sheet = Layout(config).report_assets / f"ssv2-{rank - 1:03d}-{name}.webp"
            assert f'data-sheet="assets/{sheet.name}"' in card
            np.testing.assert_array_equal(frames_of(sheet), pixels)
        initial = np.asarray(Image.open(Layout(config).report_assets / f"ssv2-{rank - 1:03d}-initial.webp"))
        np.testing.assert_array_equal(initial[[*range(64), *range(-64, 0)]], truth[:2].reshape(128, 96, 3))
