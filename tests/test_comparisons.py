"""The paper's tables as targets: complete, and cut out of a configuration."""

import pytest

from fca.comparisons import COMPARISONS, compared
from fca.config import load
from fca.errors import FcaError
from tests.workflow.project import ROOT

POCKET, PAPER, SCRATCH = (ROOT / "config" / f"{name}.yaml" for name in ("pocket", "paper", "pocket-scratch"))


@pytest.mark.parametrize("path", [POCKET, PAPER])
def test_every_variant_file_belongs_to_a_comparison_and_every_comparison_can_be_made(path):
    config = load(path)
    used = {variant for comparison in COMPARISONS.values() for variant in comparison.variants}
    assert used == {file.stem for file in (ROOT / "config/variants").glob("*.yaml")} == set(config.every_variant)
    for name, comparison in COMPARISONS.items():
        cut = compared(config, name)
        assert list(cut.variants) == comparison.variants
        assert list(cut.datasets) == (["ssv2", "bridge", "epic"] if name == "table1" else ["ssv2"])
        assert cut.report_dir == f"{config.report_dir}/{name}"


def test_the_ablations_of_the_paper_take_20000_steps_from_scratch():
    paper = load(PAPER)
    for name, variant in paper.ablations.items():
        assert paper.init_from(name) is None
        if variant.trained:
            assert paper.train_steps("ssv2", name) == 20_000
    assert paper.train_steps("ssv2", "fca") == 100_000


def test_a_pocket_ablation_never_continues_the_shipped_adapter():
    pocket = load(POCKET)
    assert pocket.init_from("fca") is not None
    assert all(pocket.init_from(name) is None for name in pocket.ablations)
    assert {pocket.learning_rate(name) for name, variant in pocket.ablations.items() if variant.trained} == {2e-3}
    assert pocket.learning_rate("fca") == 3e-4
    assert load(PAPER).learning_rate("lora") == load(PAPER).learning_rate("fca") == 1e-3


def test_what_is_missing_is_named():
    with pytest.raises(FcaError, match="table3 needs the variants lora, no_ftc"):
        compared(load(SCRATCH), "table3")
    with pytest.raises(FcaError, match="ablation_steps"):
        compared(load(POCKET, {"datasets": {"ssv2": {"ablation_steps": None}}}), "table4")


def test_published_numbers_of_the_method():
    """Spot checks against the paper's text: 67.7 on SSv2 at full length, 94.1 at the ablations' (Tables 1, 3, 4)."""
    full = {row.variant: row.published for row in COMPARISONS["table1"].rows}["fca"]
    assert full == {"ssv2": (67.7, -0.18), "bridge": (96.5, 0.43), "epic": (164.6, 0.45)}
    short = [COMPARISONS[name].rows[-1].published["ssv2"] for name in ("table3", "table4")]
    assert short == [(94.1, 0.11)] * 2
