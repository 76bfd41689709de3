"""Configurations that hold only what differs: what they extend, several files, variants, and where a mistake is."""

from pathlib import Path
from typing import Any

import pytest

from fca.artifacts.fingerprint.weights import weights_hash
from fca.config import ConfigError, load

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
VARIANT = "name: {name}\ntitle: {title}\nadapter: fca\n"


@pytest.fixture
def write(tmp_path):
    def written(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return written


def refused(*files: Path) -> str:
    with pytest.raises(ConfigError) as error:
        load(files)
    return str(error.value)


def leaves(value: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {name: value}
    return {key: leaf for inner, below in value.items() for key, leaf in leaves(below, f"{name}.{inner}").items()}


def differences(name: str) -> dict[str, Any]:
    """The settings of a shipped configuration that aren't those of pocket.yaml."""
    pocket, other = (leaves(load(CONFIG / f"{file}.yaml").model_dump()) for file in ("pocket", name))
    return {key[1:]: value for key, value in other.items() if key not in pocket or pocket[key] != value}


def test_what_sets_the_scratch_scale_apart() -> None:
    assert list(load(CONFIG / "pocket-scratch.yaml").datasets) == ["ssv2", "bridge", "epic"]
    assert differences("pocket-scratch") == {
        "scale": "pocket_scratch",
        "report_dir": "reports/pocket-scratch",
        "image_base": None,
        "ablations": {},
        "datasets.ssv2.library.train": 108,
        "datasets.ssv2.edited_captions": {},
        "datasets.ssv2.train.clips": 108,
        "datasets.ssv2.train.shard_clips": 54,
        "datasets.ssv2.train_steps": 3000,
        "datasets.ssv2.ablation_steps": None,
        "datasets.bridge.edited_captions": {},
        "datasets.bridge.train_steps": 3000,
        "datasets.epic.library.train": 108,
        "datasets.epic.edited_captions": {},
        "datasets.epic.train.clips": 108,
        "datasets.epic.train.shard_clips": 54,
        "datasets.epic.train_steps": 3000,
        "train.learning_rate": 1e-3,
        "train.ablation_learning_rate": None,
        "train.warmup_steps": 100,
        "train.checkpoint_every": 250,
        "train.log_every": 50,
        "train.init_from": None,
    }


def test_what_sets_the_folder_scale_apart() -> None:
    assert list(load(CONFIG / "pocket-folder.yaml").datasets) == ["mine"]
    found = differences("pocket-folder")
    assert {key: value for key, value in found.items() if not key.startswith("datasets.mine.")} == {
        "scale": "pocket_folder",
        "image_base": None,
        "ablations": {},
        "score.vbench": None,
    }


def test_a_file_extends_one_next_to_it_which_extends_a_shipped_one(write) -> None:
    write("lab/base.yaml", "extends: paper.yaml\nseed: 7\ntrain: {warmup_steps: 5, betas: [0.8, 0.9]}\n")
    path = write("lab/runs/mine.yaml", "extends: ../base.yaml\ntrain: {warmup_steps: 6}\n")
    config, paper = load(path), load(CONFIG / "paper.yaml")
    assert (config.seed, config.train.warmup_steps, config.train.betas) == (7, 6, (0.8, 0.9))
    assert config.datasets == paper.datasets
    assert config.train.learning_rate == paper.train.learning_rate


def test_a_file_next_to_it_comes_before_a_shipped_one_and_never_the_file_itself(write) -> None:
    copy = write("paper.yaml", "extends: paper.yaml\nseed: 7\n")
    assert load(copy).seed == 7
    assert load(write("mine.yaml", "extends: paper.yaml\n")).seed == 7
    assert load(copy).train == load(CONFIG / "paper.yaml").train


def test_files_in_a_circle(write) -> None:
    first, second = write("a.yaml", "seed: 1\nextends: b.yaml\n"), write("b.yaml", "extends: a.yaml\n")
    message = f"{second}, line 1: extends: files extend each other in a circle: {first} -> {second} -> {first}"
    assert refused(first) == message
    alone = write("c.yaml", "seed: 1\n\nextends: c.yaml\n")
    assert f"{alone}, line 3: extends: files extend each other in a circle" in refused(alone)


def test_a_file_that_is_not_there(write) -> None:
    path = write("a.yaml", "seed: 1\nextends: papers.yaml\n")
    message = refused(path)
    assert f"{path}, line 2: extends: there is no file papers.yaml (did you mean 'paper.yaml'?)" in message
    assert f"a path relative to {path.parent}, or the name of a file in {CONFIG}" in message
    assert "extends: 7 is no file name" in refused(write("a.yaml", "extends: 7\n"))


def test_null_removes_what_is_below_unless_it_is_a_value(write) -> None:
    text = "extends: pocket.yaml\ndatasets: {bridge: null}\ntrain: {keep_every_hours: null, keep_best: null}\n"
    below = write("below.yaml", "extends: pocket.yaml\ntrain: {keep_best: false}\n")
    assert load(below).train.keep_best is False
    config = load(write("above.yaml", text.replace("pocket.yaml", "below.yaml")))
    assert list(config.datasets) == ["ssv2", "epic"]
    assert config.train.keep_every_hours is None
    assert config.train.keep_best is True
    path = write("wrong.yaml", "extends: pocket.yaml\n\nseed: null\ndatasets: {mine: null}\n")
    message = refused(path)
    assert f"{path}: seed: is missing" in message
    assert f"{path}, line 4: datasets.mine: must be a mapping, but it is None (nothing)" in message


def test_a_copy_in_any_folder_finds_the_shipped_variants_and_networks(tmp_path, monkeypatch) -> None:
    for name in ("paper", "pocket"):
        (tmp_path / "mine.yaml").write_text((CONFIG / f"{name}.yaml").read_text())
        assert load(tmp_path / "mine.yaml") == load(CONFIG / f"{name}.yaml")
    steps = ("encode", "train", "sample", "score")
    monkeypatch.chdir(ROOT)
    here = [weights_hash(load("config/pocket.yaml"), step, "fca") for step in steps]
    monkeypatch.chdir(tmp_path)
    assert [weights_hash(load("mine.yaml"), step, "fca") for step in steps] == here
    assert all(here)


def test_variants_next_to_a_file_come_first_then_those_of_the_files_it_extends(write) -> None:
    write("variants/fca.yaml", VARIANT.format(name="fca", title="Below"))
    write("variants/other.yaml", VARIANT.format(name="other", title="Other"))
    below = write("below.yaml", "extends: pocket.yaml\nvariants: [fca, base]\n")
    above = write("lab/above.yaml", "extends: ../below.yaml\n")
    assert load(above).variants["fca"].title == "Below"
    write("lab/variants/fca.yaml", VARIANT.format(name="fca", title="Above"))
    assert load(above).variants["fca"].title == "Below"  # which file below.yaml means is for below.yaml to say
    above.write_text("extends: ../below.yaml\nvariants: [other, fca]\n")
    assert [variant.title for variant in load(above).variants.values()] == ["Other", "Above"]
    assert [variant.title for variant in load([above, below]).variants.values()][1] == "Base model, not adapted"


def test_a_setting_of_a_variant_that_differs(write) -> None:
    path = write("a.yaml", "extends: pocket.yaml\nvariants:\n  fca: {init_scale: 0.5}\n  repeat: null\n")
    config, pocket = load(path), load(CONFIG / "pocket.yaml")
    assert list(config.variants) == ["fca", "base"]
    assert config.variants["fca"] == pocket.variants["fca"].model_copy(update={"init_scale": 0.5})
    assert list(load(path, {"variants": {"base": None}}).variants) == ["fca"]


def test_several_files_are_merged_in_order(write) -> None:
    one, two = write("one.yaml", "seed: 1\nsample: {steps: 7}\n"), write("two.yaml", "seed: 2\n")
    config = load([CONFIG / "pocket.yaml", one, two], {"sample": {"batch_size": "3"}})
    assert (config.seed, config.sample.steps, config.sample.batch_size) == (2, 7, 3)
    assert config.sample.guidance_scale == load(CONFIG / "pocket.yaml").sample.guidance_scale


def test_a_mistake_names_the_file_and_line_that_it_came_from(write) -> None:
    below = write("below.yaml", "extends: pocket.yaml\n\ntrain:\n  warmup_steps: many\n")
    above = write("above.yaml", "extends: below.yaml\n\n\nsample: {steps: 0}\n")
    last = write("last.yaml", "score: {vbench: {crf: 99}}\nadapter: {ftc_heads: 5}\n")
    message = refused(above, last)
    assert f"{below}, line 4: train.warmup_steps: must be a valid integer" in message
    assert f"{above}, line 4: sample.steps: must be greater than 0, but it is 0" in message
    assert f"{last}, line 1: score.vbench.crf: must be less than or equal to 51" in message
    assert f"{last}, line 2: adapter: ftc_width (64) must be a multiple of ftc_heads (5)" in message


def test_a_replaced_value_leaves_no_lines_behind(write) -> None:
    write("below.yaml", "extends: pocket.yaml\ntrain: {betas: [0.9, 2.0]}\nvariants: [fca, lora]\n")
    above = write("above.yaml", "extends: below.yaml\n\ntrain: {betas: [0.9, 3.0]}\nvariants: [fac]\n")
    assert refused(above).startswith(f"{above}, line 4: variants: there is no variant 'fac' (did you mean 'fca'?)")
    for wrong in ("7", "[fca]", "null"):
        above.write_text(f"extends: below.yaml\nvariants: [{wrong}]\n")
        assert refused(above).startswith(f"{above}, line 2: variants: there is no variant ")
    above.write_text("extends: below.yaml\n\ntrain: {betas: [0.9, 3.0]}\nvariants: [fca]\n")
    assert f"{above}, line 3: train.betas.1: must be less than 1, but it is 3.0" in refused(above)


def test_a_mistake_in_a_variants_file_and_in_what_is_put_over_it(write) -> None:
    write("variants/mine.yaml", "name: mine\nadapter: fca\nsteps: fulll\n")
    path = write("a.yaml", "extends: pocket.yaml\nvariants: [mine]\n")
    variant = path.parent / "variants" / "mine.yaml"
    assert f"{variant}: title: is missing" in refused(path)
    assert f"{variant}, line 3: steps: 'fulll' isn't allowed (did you mean 'full'?)" in refused(path)
    over = write("b.yaml", "variants:\n  mine:\n    gate: behind\n")
    assert f"{over}, line 3: variants.mine.gate: 'behind' isn't allowed" in refused(path, over)
