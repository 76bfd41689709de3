"""The sections of the page: chosen clips, sentences, tables and the geometry of charts."""

import math
from pathlib import Path

import pytest

from fca.artifacts.shards import Shard
from fca.config import Config, Layout
from fca.config.comparisons import COMPARISONS, comparison_config
from fca.report import metrics, page
from fca.report.chart import Curve, line_chart, nice_ticks, smooth
from fca.report.choose import choose
from fca.report.collect import collect
from fca.report.format import percent, significant
from fca.report.metrics import METRICS, Metric, find
from fca.report.score_file import read_scores
from fca.report.sections import table
from fca.report.sections.alongside import alongside
from fca.report.sections.findings import sentence
from fca.report.sections.table import dataset_table
from tests.report.project import make_clips, make_config, make_dataset, score_values, write_json


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = make_config(tmp_path)
    make_dataset(made, "ssv2", make_clips(made, 0))
    return made


def change(config: Config, variant: str, fvd: float, level: float = 20.0, **values: object) -> None:
    """Write another score file for ssv2."""
    scores = score_values(config, "ssv2", variant, make_clips(config, 0), fvd, level) | values
    write_json(Layout(config).scores("ssv2", variant), scores)


@pytest.mark.parametrize("count, limit", [(1, 1), (2, 6), (6, 6), (48, 6), (48, 7), (7, 3), (5, 4), (48, 2)])
def test_best_median_and_worst_are_chosen(count: int, limit: int) -> None:
    choices = choose([(f"clip{number}", float(number % 11 - number)) for number in range(count)], limit)
    ranks = [choice.rank for choice in choices]
    assert len(choices) == min(count, limit)
    assert ranks == sorted(ranks)  # type: ignore[type-var]
    assert ranks[0] == 1
    assert len(set(ranks)) == len(ranks)
    if limit >= 2:
        assert ranks[-1] == count
    if limit >= 3:
        assert (count - 1) // 2 + 1 in ranks


def test_without_scores_the_first_clips_are_chosen() -> None:
    choices = choose([("b", None), ("a", None), ("c", None)], 2)
    assert [(choice.id, choice.rank, choice.label) for choice in choices] == [("b", None, ""), ("a", None, "")]


def test_the_sentence_admits_defeat(config: Config) -> None:
    change(config, "fca", 50.0)
    change(config, "base", 49.0)
    change(config, "repeat", 20.0)
    text = sentence(collect(config)[0])
    assert "FCA reaches FVD 50.0 against 49.0 for the unadapted base and 20.0 for the copy-last-frame baseline" in text
    assert "worse than the copy-last-frame baseline" in text
    assert "not distinguishable from the unadapted base (the intervals overlap)" in text


def test_a_better_value_whose_interval_overlaps_is_not_called_better(config: Config) -> None:
    change(config, "fca", 48.0)
    change(config, "base", 49.0)
    change(config, "repeat", 80.0)
    text = sentence(collect(config)[0])
    assert "better than the copy-last-frame baseline and not distinguishable from the unadapted base" in text


def test_the_page_is_about_fca_wherever_it_stands(config: Config) -> None:
    change(config, "lora", fvd=40.0)
    shown = comparison_config(config, "figure5")
    assert list(shown.variants)[:2] == ["lora", "fca"]
    assert sentence(collect(shown)[0]).startswith("On ssv2 FCA reaches FVD ")


def test_other_protocols_are_not_compared(config: Config) -> None:
    change(config, "base", 3.0, feature_network={"name": "other", "sha256": "cd" * 32})
    result = collect(config)[0]
    assert "unadapted base" not in sentence(result)
    rows = dataset_table(result)
    assert "different feature networks" in rows.warnings[0]
    assert not any(cell.best for row in rows.rows for cell in row.cells if cell)
    change(config, "base", 3.0, protocol={"frames": 12})
    rows = dataset_table(collect(config)[0])
    assert "scored by different protocols" in rows.warnings[0]
    assert not any(cell.best for row in rows.rows for cell in row.cells if cell)
    values = score_values(config, "ssv2", "base", make_clips(config, 0), 3.0, 20.0)
    values["scores"]["fvd_pocket_i3d_4x16f"] = values["scores"].pop("fvd_pocket_i3d_6x16f")
    write_json(Layout(config).scores("ssv2", "base"), values)
    warnings = dataset_table(collect(config)[0]).warnings
    assert warnings == [
        "FVD was measured by different protocols (fvd_pocket_i3d_6x16f, fvd_pocket_i3d_4x16f) and is not compared."
    ]


def test_the_vae_bound_is_a_row_for_scale_and_never_the_best(config: Config) -> None:
    path = Layout(config).scores("ssv2", "vae_roundtrip")
    values = score_values(config, "ssv2", "vae_roundtrip", make_clips(config, 0), 0.5, 40.0)
    write_json(path, values | {"scores": {}, "round_trips": {"16": {"scores": values["scores"]}}})
    dataset = collect(config)[0]
    *variants, bound = dataset_table(dataset).rows
    assert [row.variant for row in variants] == [result.variant.title for result in dataset.variants]
    assert "VAE" in bound.variant
    assert bound.cells[0]
    assert (bound.cells[0].text, bound.cells[0].best) == ("0.500", False)
    assert variants[0].cells[0]
    assert variants[0].cells[0].best
    shown = alongside(COMPARISONS["table3"], [dataset])
    assert [row.label for row in shown.baselines] == ["Base model, not adapted", "Copy the last frame", bound.variant]
    assert [cited for row in shown.baselines for cited, _ in row.values] == [None] * 6
    measured = [measured.text if measured else None for row in shown.baselines for _, measured in row.values][::2]
    assert measured == ["43.8", "76.9", "0.480"]
    assert shown.rows[0].values[0] == ("354.9", None)


def test_scores_of_files_that_have_changed_are_named_and_not_compared(config: Config) -> None:
    layout = Layout(config)
    path = layout.clips("ssv2", "validation", 0)
    with Shard(path) as shard:
        name, now = path.relative_to(layout.root).as_posix(), shard.manifest.sha256
    for variant in ("fca", "base", "repeat"):
        change(config, variant, 20.0, parents={name: now, "ssv2/clips/validation-0099.h5": "removed: nothing to say"})
    dataset = collect(config)[0]
    assert dataset.outdated == dataset_table(dataset).warnings == []
    change(config, "base", 49.0, parents={name: "5" * 64})
    dataset = collect(config)[0]
    found = dataset_table(dataset)
    assert len(found.warnings) == 1
    assert "Base model" in found.warnings[0]
    assert "made from ssv2/clips/validation-0000.h5 555555555555" in found.warnings[0]
    assert not any(cell and cell.best for row in found.rows for cell in row.cells)
    assert "nothing can be said" in sentence(dataset)


def test_black_and_frozen_predictions_are_named(config: Config) -> None:
    for variant in ("fca", "repeat"):
        values = score_values(config, "ssv2", variant, make_clips(config, 0), 20.0, 20.0)
        rows = [row | {"flaw": flaw} for row, flaw in zip(values["clips"], ["frozen", None, "blank"] * 2, strict=True)]
        write_json(Layout(config).scores("ssv2", variant), values | {"clips": rows})
    assert dataset_table(collect(config)[0]).warnings == [
        "2 of 6 predictions of FCA are black or of one colour, unlike the ground truth: clip_2, clip_5.",
        "2 of 6 predictions of FCA stand still, unlike the ground truth: clip_0, clip_3.",
    ], "and none of the copy-last-frame baseline, which stands still by design"
    text = page.report(config).read_text(encoding="utf-8")
    assert "2 of 6 predictions of FCA stand still" in text


def test_columns_take_their_own_scores(config: Config) -> None:
    scores = read_scores(Layout(config).scores("ssv2", "fca"))
    assert scores is not None
    names = [score.name if (score := find(scores, metric)) else None for metric in METRICS]
    assert names == [
        "fvd_pocket_i3d_6x16f",
        "fvd_pocket_i3d_6x16f_raw",
        "fvd_seer_pocket_i3d_6x16f",
        "kvd_pocket_i3d_6x16f",
        "kvd_seer_pocket_i3d_6x16f",
        "psnr",
        "ssim",
        "task_accuracy",
        "opposite_task_accuracy",
        *[None] * 3,  # positions and objects, which these scores lack
    ]
    best = [[bool(cell and cell.best) for cell in row.cells] for row in dataset_table(collect(config)[0]).rows]
    assert best[0] == [True, True, True, True, False, True, False, True, False, False, False, False]
    assert not any(best[1] + best[2])


def test_a_metric_is_added_by_an_entry_of_metrics(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sentence(collect(config)[0])
    values = score_values(config, "ssv2", "fca", make_clips(config, 0), 12.34, 24.0)
    values["scores"]["lpips_vgg_6x16f"] = {"value": 0.4321, "low": 0.4, "high": 0.5}
    write_json(Layout(config).scores("ssv2", "fca"), values)
    added = Metric("lpips", "LPIPS", False, "", False, significant, "Perceptual distance of the predicted frames.")
    for module in (metrics, page, table):
        monkeypatch.setattr(module, "METRICS", (*METRICS, added))
    text = page.report(config).read_text(encoding="utf-8")
    assert "Perceptual distance of the predicted frames." in text
    assert 'title="lpips_vgg_6x16f = 0.4321, interval 0.4 to 0.5">0.432' in text
    assert sentence(collect(config)[0]) == before


def test_numbers_are_written_for_people() -> None:
    assert [significant(value) for value in (0, 1234.5, 12.345, 0.012345, -0.00854, 1e-9)] == [
        "0",
        "1234",
        "12.3",
        "0.0123",
        "−0.00854",
        "1.00e−09",
    ]
    assert percent(0.705) == "70\N{NARROW NO-BREAK SPACE}%"


def test_ticks_cover_the_values() -> None:
    for low, high in ((0.0, 1.0), (0.213, 0.219), (-3.0, 1200.0), (5.0, 6.0)):
        ticks = nice_ticks(low, high, 5)
        assert ticks[0] <= low
        assert ticks[-1] >= high
        assert 3 <= len(ticks) <= 12


def test_charts_have_gaps_single_points_and_logarithms() -> None:
    gap = line_chart("k", "t", "frame", "dB", [Curve("a", 0, [(1, 2.0), (2, math.nan), (3, 4.0)])], (0.5, 1.5))
    assert gap is not None
    assert gap.lines[0].path.count("M") == 2
    assert gap.shade is not None
    assert "a: dB 2 at frame 1, 4 at frame 3." in gap.description
    wide = line_chart("k", "loss", "step", "loss", [Curve("a", 0, [(1, 0.01), (2, 100.0)])])
    assert wide is not None
    assert wide.title == "loss (log scale)"
    assert line_chart("k", "t", "x", "y", [Curve("a", 0, [(1, math.nan)])]) is None
    assert smooth([(float(x), 1.0) for x in range(50)]) == [(float(x), 1.0) for x in range(50)]
