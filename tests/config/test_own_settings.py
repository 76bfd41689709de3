"""A variant's own settings: sizes, timestep, guidance, borrowed weights; and the lengths of a training."""

from typing import Any

import pytest

from fca.artifacts.fingerprint.settings import settings_of
from fca.config import Config, ConfigError, Layout, load
from fca.config.names import RunName
from tests.data.corpora import ROOT

EVIDENCE = load(ROOT / "config/pocket-evidence.yaml")
CONSTANT = {"schedule": "constant_with_warmup", "init_from": None}


def with_variant(**own: Any) -> Config:
    variant = {"name": "mine", "title": "Mine", "adapter": "fca"} | own
    return load(ROOT / "config/pocket.yaml", {"variants": {"mine": variant}})


@pytest.mark.parametrize("name", ["fca", "fca@3", "fca~500", "fca@2~500"])
def test_a_name_is_its_parts(name: str) -> None:
    assert str(RunName.of(name)) == name
    assert RunName.of(name).variant == "fca"


def test_own_settings_take_the_place_of_the_common_ones() -> None:
    config = with_variant(sizes={"ftc_width": 32}, t_ref=7, guidance_scale=3.0, steps="full")
    own = config.of("mine@2")
    assert (own.adapter.ftc_width, own.base.t_ref, own.sample.guidance_scale) == (32, 7, 3.0)
    assert own.adapter.queries_per_frame == config.adapter.queries_per_frame
    assert config.of("fca").sample == config.sample
    assert config.of("fca").adapter == config.adapter


@pytest.mark.parametrize(
    ("own", "steps"),
    [
        ({"sizes": {"attention_heads": 1}}, {"train"}),
        ({"t_ref": 7}, {"train", "sample"}),
        ({"guidance_scale": 3.0}, {"sample"}),
    ],
)
def test_only_the_steps_that_read_it_run_again(own: dict[str, Any], steps: set[str]) -> None:
    config, other = with_variant(), with_variant(**own)
    changed = {step for step in ("encode", "train", "sample", "score")
               if settings_of(config, step, "ssv2", "mine") != settings_of(other, step, "ssv2", "mine")}  # fmt: skip
    assert changed == steps
    for step in ("train", "sample"):
        assert settings_of(config, step, "ssv2", "fca") == settings_of(other, step, "ssv2", "fca"), "of the others none"


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"sizes": {"lora_rank": 4}}, "sizes.lora_rank would have no effect"),
        ({"sizes": {"ftc_width": 30}}, r"ftc_width \(30\) must be a multiple of ftc_heads"),
        ({"weights_of": "base"}, "weights_of: base, which is no variant that is trained"),
        ({"weights_of": "nobody"}, "weights_of: nobody, which is no variant"),
        ({"weights_of": "fca", "t_ref": 3}, "weights_of: fca, so t_ref must be the same"),
        ({"weights_of": "fca", "optimizer": {"eps": 0.1}}, "optimizer would have no effect"),
        ({"adapter": "none", "weights_of": "fca"}, "weights_of would have no effect"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(own: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        with_variant(**own)


def test_borrowed_weights_are_another_variants_files() -> None:
    layout = Layout(EVIDENCE)
    assert layout.model("ssv2", "guidance_1@2") == layout.model("ssv2", "fca_ablation@2")
    assert layout.samples("ssv2", "guidance_1", "validation", 0) != layout.samples(
        "ssv2", "fca_ablation", "validation", 0
    )
    assert str(layout.model("{dataset}", "{variant}")).endswith("{dataset}/models/{variant}"), "wildcards stay"
    assert EVIDENCE.replicates("guidance_1") == ["guidance_1", "guidance_1@2", "guidance_1@3"]
    assert EVIDENCE.lengths("guidance_1") == []


def test_lengths_are_shorter_trainings() -> None:
    steps = EVIDENCE.train.lengths[0]
    assert EVIDENCE.lengths("lora@2") == [f"lora@2~{length}" for length in EVIDENCE.train.lengths]
    assert EVIDENCE.train_steps("ssv2", f"lora@2~{steps}") == steps
    shorter = load(
        ROOT / "config/pocket-evidence.yaml",
        {"train": {"lengths": []}, "datasets": {"ssv2": {"ablation_steps": steps}}},
    )
    mine = settings_of(EVIDENCE, "train", "ssv2", f"lora~{steps}")
    theirs = settings_of(shorter, "train", "ssv2", "lora")
    assert mine[f"training.ssv2.lora~{steps}.steps"] == theirs["training.ssv2.lora.steps"] == steps


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"lengths": [10]}, "set schedule: constant_with_warmup"),
        ({"lengths": [10, 150]} | CONSTANT, "150 isn't below the 150 steps of fca on ssv2"),
    ],
)
def test_wrong_lengths_are_refused(train: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(ROOT / "config/pocket.yaml", {"train": train, "ablations": []})


@pytest.mark.parametrize("frames", [12, 15, 18, 20])
def test_frames_that_the_vae_would_not_decode_to_are_refused(frames: int) -> None:
    with pytest.raises(ConfigError, match="must be a multiple of 8, or one more"):
        load(ROOT / "config/pocket.yaml", {"clip": {"frames": frames}})


def test_equal_numbers_of_weights_are_what_the_rows_say() -> None:
    from fca.plan.networks import networks
    from fca.plan.work import training

    own = networks(EVIDENCE.base)
    rows = "fca_ablation", "lora_160", "fca_small", "no_ftc_small", "lora"
    count = {name: training(EVIDENCE, name, own).trained for name in rows}
    assert count["lora_160"] == pytest.approx(count["fca_ablation"], rel=0.01)
    assert count["no_ftc_small"] == pytest.approx(count["lora"], rel=0.03)
    assert count["fca_small"] < 0.65 * count["lora_160"]
