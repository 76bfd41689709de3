"""The comparisons with the paper: complete, and taken out of a configuration."""

import re

import pytest

from fca.config import load
from fca.config.comparisons import COMPARISONS, VBENCH_PUBLISHED, comparison_config
from fca.errors import FcaError
from tests.workflow.project import ROOT

PAPER = ROOT.parent / "shared" / "paper"
NUMBER = re.compile(r"-?\d+(\.\d+)?")
POCKET, PAPER_SCALE, SCRATCH = (ROOT / "config" / f"{name}.yaml" for name in ("pocket", "paper", "pocket-scratch"))


@pytest.mark.parametrize("path", [POCKET, PAPER_SCALE])
def test_every_variant_belongs_to_a_comparison_and_every_comparison_can_be_made(path):
    config = load(path)
    used = {variant for comparison in COMPARISONS.values() for variant in comparison.variants}
    assert used == set(config.every_variant)
    of_evidence = set(load(ROOT / "config/pocket-evidence.yaml").every_variant)
    assert used | of_evidence == {file.stem for file in (ROOT / "config/variants").glob("*.yaml")}
    for name, comparison in COMPARISONS.items():
        cut = comparison_config(config, name)
        assert list(cut.variants) == comparison.variants
        assert list(cut.datasets) == (["ssv2", "bridge", "epic"] if name == "table1" else ["ssv2"])
        assert cut.report_dir == f"{config.report_dir}/{name}"


def test_the_ablations_of_the_paper_take_20000_steps_from_scratch():
    paper = load(PAPER_SCALE)
    for name, variant in paper.ablations.items():
        assert paper.init_from(name) is None
        if variant.trained:
            assert paper.train_steps("ssv2", name) == 20_000
    assert paper.train_steps("ssv2", "fca") == 100_000


def test_a_pocket_ablation_never_continues_the_shipped_adapter():
    pocket = load(POCKET)
    assert pocket.init_from("fca") is not None
    assert all(pocket.init_from(name) is None for name in pocket.ablations)
    trained = [name for name, variant in pocket.ablations.items() if variant.trained and name != "image_to_video_lora"]
    assert {pocket.train_of(name).learning_rate for name in trained} == {2e-3}
    assert pocket.train_of("fca").learning_rate == 3e-4


@pytest.mark.parametrize("scale", [PAPER_SCALE, POCKET])
def test_the_image_to_video_lora_is_trained_as_cogvideos_own_trainer_does(scale):
    """zai-org/CogVideo at e519ece, finetune/schemas/args.py. All else is as for the other variants."""
    config = load(scale)
    own, others = config.train_of("image_to_video_lora"), config.train_of("lora")
    assert (own.learning_rate, own.schedule, own.warmup_steps) == (2e-5, "constant_with_warmup", 100)
    assert (own.betas, own.eps, own.weight_decay, own.max_grad_norm) == ((0.9, 0.95), 1e-8, 1e-4, 1.0)
    changed = {name for name in type(own).model_fields if getattr(own, name) != getattr(others, name)}
    assert changed == {"learning_rate", "schedule", "warmup_steps"}
    if scale == PAPER_SCALE:
        assert (config.adapter.lora_rank, config.adapter.lora_alpha) == (128, 64)
        for name in ("fca", "lora"):
            own = config.train_of(name)
            assert (own.learning_rate, own.schedule, own.warmup_steps) == (1e-3, "cosine_with_restarts", 200)


def test_what_is_missing_is_named():
    with pytest.raises(FcaError, match="table3 needs the variants lora, no_ftc"):
        comparison_config(load(SCRATCH), "table3")
    with pytest.raises(FcaError, match="ablation_steps"):
        comparison_config(load(POCKET, {"datasets": {"ssv2": {"ablation_steps": None}}}), "table4")


def test_published_numbers_of_the_method():
    """Spot checks against the paper's text: 67.7 on SSv2 at full length, 94.1 at the ablations' (Tables 1, 3, 4)."""
    full = {row.variant: row.published for row in COMPARISONS["table1"].rows}["fca"]
    assert full == {"ssv2": ("67.7", "-0.18"), "bridge": ("96.5", "0.43"), "epic": ("164.6", "0.45")}
    rows = [{row.variant: row.published for row in COMPARISONS[name].rows} for name in ("table3", "table4")]
    assert [row["fca_ablation"]["ssv2"] for row in rows] == [("94.1", "0.11")] * 2
    published = VBENCH_PUBLISHED["ssv2"]
    assert all(published["Seer"][dimension] < value < 1 for dimension, value in published["FCA"].items())
    assert len(published["FCA"]) == 6


@pytest.mark.parametrize("table", ["table1", "table2", "table3", "table4"])
def test_every_table_has_baselines_that_the_paper_does_not_have(table):
    baselines = [row for row in COMPARISONS[table].rows if row.baseline]
    assert [row.variant for row in baselines] == ["base", "repeat"]
    assert not any(row.published for row in baselines)


@pytest.mark.skipif(not any(PAPER.glob("*.txt")), reason="needs the text of the paper")
@pytest.mark.parametrize("table", ["table1", "table2", "table3", "table4"])
def test_published_numbers_are_the_papers_as_printed(table):
    """Every published number is in the paper's table, in the order of the rows."""
    text = next(PAPER.glob("*.txt")).read_text(encoding="utf-8").partition(f"\nTable {table[-1]}:")[0]
    lines = [line.split("\t") for line in text.splitlines()[-24:] if "\t" in line]
    printed = [[cell for cell in line if NUMBER.fullmatch(cell)] for line in lines if len(line) > 3]
    printed = [row for row in printed if row]
    cited = [[value for pair in row.published.values() for value in pair]
             for row in COMPARISONS[table].rows if row.published]  # fmt: skip
    assert [row[-len(cited[0]) :] for row in printed][-len(cited) :] == cited
