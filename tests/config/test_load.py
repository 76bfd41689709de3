"""Loading: an error names file, line, setting and value, and what would be right."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fca.config import ConfigError, load

ROOT = Path(__file__).parents[2]
POCKET = ROOT / "config" / "pocket.yaml"


@pytest.fixture
def edited(tmp_path):
    """Write a changed copy of the pocket scale (with its variants) and give its path."""

    def edit(old: str, new: str) -> Path:
        text = POCKET.read_text()
        assert old in text
        (tmp_path / "variants").mkdir()
        for variant in (ROOT / "config" / "variants").glob("*.yaml"):
            (tmp_path / "variants" / variant.name).write_text(variant.read_text())
        path = tmp_path / "edited.yaml"
        path.write_text(text.replace(old, new, 1))
        return path

    return edit


def refused(path: Path, overrides: dict | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        load(path, overrides)
    assert error.value.exit_status == 2
    return str(error.value)


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_both_scales_load() -> None:
    pocket, paper = load(POCKET), load(ROOT / "config" / "paper.yaml")
    assert (pocket.scale, paper.scale) == ("pocket", "paper")
    assert list(pocket.datasets) == list(paper.datasets) == ["ssv2", "bridge", "epic"]
    assert [variant.trained for variant in pocket.variants.values()] == [True, False, False]


def test_paper_has_the_values_of_table_5() -> None:
    paper = load(ROOT / "config" / "paper.yaml")
    assert (paper.clip.width, paper.clip.height, paper.clip.frames) == (720, 480, 16)
    assert paper.base.text_tokens == 226
    assert paper.adapter.queries_per_frame * paper.clip.frames // 4 == 904
    assert (paper.train.learning_rate, paper.train.warmup_steps) == (1e-3, 200)
    assert (paper.train.schedule, paper.train.cycles) == ("cosine_with_restarts", 1)
    assert (paper.train.betas, paper.train.max_grad_norm) == ((0.9, 0.95), 1.0)
    assert paper.train.clips_per_step == 8
    assert paper.train.precision == "bf16"
    assert (paper.sample.steps, paper.sample.guidance_scale) == (50, 6.0)
    assert [dataset.initial_frames for dataset in paper.datasets.values()] == [2, 1, 1]
    assert [dataset.train_steps for dataset in paper.datasets.values()] == [100_000, 25_000, 50_000]
    assert [dataset.train.clips for dataset in paper.datasets.values()] == [168_913, 20_066, 67_217]
    assert [dataset.validation.clips for dataset in paper.datasets.values()] == [2_048, 5_017, 9_668]


def test_unknown_key(edited) -> None:
    path = edited("initial_frames: 2", "initial_frame: 2")
    message = refused(path)
    line = line_of(path, "initial_frame: 2")
    assert message.startswith(f"{path}, line {line}: datasets.ssv2.initial_frame: unknown key")
    assert "did you mean 'initial_frames'?" in message
    assert "known keys here: format, source, root" in message


def test_wrong_type(edited) -> None:
    path = edited("seed: 42", "seed: forty-two")
    assert f"{path}, line 4: seed: must be a valid integer, but it is 'forty-two' (text)" in refused(path)


def test_numbers_are_not_converted_from_text_or_booleans(edited) -> None:
    path = edited("seed: 42", "seed: '42'")
    assert "seed: must be a valid integer, but it is '42' (text)" in refused(path)
    path.write_text(path.read_text().replace("seed: '42'", "seed: yes"))
    assert "seed: must be a valid integer, but it is True (true or false)" in refused(path)


def test_wrong_choice(edited) -> None:
    message = refused(edited("resize: stretch", "resize: strech"))
    assert "clip.resize: 'strech' isn't allowed (did you mean 'stretch'?); allowed: stretch, crop" in message


def test_out_of_range(edited) -> None:
    message = refused(edited("betas: [0.9, 0.95]", "betas: [0.9, 1.5]"))
    assert "train.betas.1: must be less than 1, but it is 1.5" in message


def test_missing_key_and_its_meaning(edited) -> None:
    assert "seed: is missing [Seed of all random choices]" in refused(edited("seed: 42\n", ""))


def test_a_group_that_is_a_number(edited) -> None:
    path = edited("    train: {clips: 96, shard_clips: 48}", "    train: 96")
    assert "datasets.ssv2.train: must be a mapping, but it is 96" in refused(path)


def test_values_that_contradict_each_other(edited) -> None:
    path = edited("library: {train: 96, validation: 54}", "library: {train: 95, validation: 54}")
    assert "datasets.ssv2: train.clips is 96, but library.train is only 95" in refused(path)


def test_bridge_is_split_after_listing_the_clips(edited) -> None:
    path = edited("library: {train: 112, validation: 28}", "library: {train: 113, validation: 28}")
    assert "is 141, so library.train must be 112" in refused(path)


@pytest.mark.parametrize(("setting", "form"), [("split_mode: trajectory_disjoint", "bridge"), ("media: video", "epic")])
def test_settings_of_one_format_are_refused_for_others(edited, setting, form) -> None:
    path = edited("format: ssv2\n", f"format: ssv2\n    {setting}\n")
    assert f"datasets.ssv2: {setting} is for the {form} format alone" in refused(path)
    path.write_text(
        path.read_text().replace(f"    {setting}\n", "").replace(f"format: {form}", f"format: {form}\n    {setting}")
    )
    load(path)


def test_the_name_of_a_split_if_there_are_several() -> None:
    change = {"datasets": {"bridge": {"split_mode": "trajectory_disjoint"}}}
    for config, name in ((load(POCKET), "seer_like"), (load(POCKET, change), "trajectory_disjoint")):
        assert [config.datasets[dataset].split_name for dataset in ("ssv2", "bridge", "epic")] == [None, name, None]


def test_an_archive_needs_its_folder(edited) -> None:
    path = edited("source: library", "source: archive")
    assert "root must name the dataset's folder" in refused(path)


def test_all_mistakes_at_once(edited) -> None:
    path = edited("seed: 42", "sed: 42\ndata_dir: 7")
    message = refused(path)
    assert "sed: unknown key" in message
    assert "seed: is missing" in message
    assert "data_dir: must be a valid string" in message


def test_key_twice(edited) -> None:
    path = edited("seed: 42", "seed: 42\nseed: 43")
    assert f"{path}, line 5: the key 'seed' is already in line 4" in refused(path)


@pytest.mark.parametrize("text", ["seed: [42\nclip: {}", "a: b: c", "\tseed: 42", "seed: 'open"])
def test_not_yaml(tmp_path, text) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    assert refused(path).startswith(f"{path}, line ")
    assert "not valid YAML" in refused(path)


@pytest.mark.parametrize(("text", "kind"), [("", "nothing"), ("- 1", "a list"), ("seed", "text")])
def test_not_a_mapping(tmp_path, text, kind) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(text)
    assert refused(path).startswith(f"{path}: holds {kind}\n")


def test_no_code_in_yaml(tmp_path) -> None:
    path = tmp_path / "code.yaml"
    path.write_text(f"seed: !!python/object/apply:pathlib.Path.touch [{tmp_path / 'touched'}]")
    assert "not valid YAML" in refused(path)
    assert not (tmp_path / "touched").exists()


def test_bytes_that_are_not_text(tmp_path) -> None:
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00seed")
    assert "can't be read" in refused(path)


def test_no_such_file(tmp_path) -> None:
    (tmp_path / "there.yaml").touch()
    message = refused(tmp_path / "their.yaml")
    assert "no such file" in message
    assert str(tmp_path / "there.yaml") in message


def test_exponents_are_numbers(edited) -> None:
    assert load(edited("learning_rate: 3.0e-4", "learning_rate: 5e-4")).train.learning_rate == 5e-4


def test_unknown_variant(edited) -> None:
    message = refused(edited("variants: [fca, base, repeat]", "variants: [fac]"))
    assert "there is no variant 'fac' (did you mean 'fca'?)" in message
    assert "base, controlnet_repeated, " in message


def test_mistake_in_a_variant_names_the_variants_file(edited) -> None:
    path = edited("seed: 42", "seed: 42")
    variant = path.parent / "variants" / "base.yaml"
    variant.write_text(variant.read_text().replace("adapter: none", "adaptor: none"))
    message = refused(path)
    assert f"{variant}, line {line_of(variant, 'adaptor')}: adaptor: unknown key" in message


def test_a_variants_name_is_its_files(edited) -> None:
    path = edited("seed: 42", "seed: 42")
    variant = path.parent / "variants" / "base.yaml"
    variant.write_text(variant.read_text().replace("name: base", "name: bass"))
    assert f"{variant}: name is 'bass'" in refused(path)


def test_overrides() -> None:
    config = load(POCKET, {"seed": 7, "train": {"learning_rate": "5e-4"}, "variants": ["fca"]})
    assert config.seed == 7
    assert config.train.learning_rate == 5e-4
    assert config.train.warmup_steps == load(POCKET).train.warmup_steps
    assert list(config.variants) == ["fca"]


def test_mistake_in_an_override() -> None:
    message = refused(POCKET, {"train": {"precision": "fp8"}})
    assert message.startswith("overrides (--config): train.precision: 'fp8' isn't allowed")


@pytest.mark.parametrize("text", ["[1", "a: b: c", "\0", "push \ud800", "&a *a", "\x1b"])
def test_an_override_that_is_not_yaml(text) -> None:
    with pytest.raises(ConfigError, match=r"^overrides \(--config\): sample.steps: .* is not valid YAML"):
        load(POCKET, {"sample": {"steps": text}})


def test_a_resolved_configuration_loads_to_the_same(tmp_path) -> None:
    config = load(POCKET, {"seed": 7})
    path = tmp_path / "config.resolved.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
    assert load(path) == config


def test_frozen() -> None:
    config = load(POCKET)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 1  # type: ignore[misc]


def test_loading_imports_neither_torch_nor_numpy() -> None:
    code = f"""
import sys
from fca.config import load
load({str(POCKET)!r})
assert not {{"torch", "numpy", "snakemake", "h5py"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_id_of_an_edited_caption_that_is_a_number_must_be_quoted(edited) -> None:
    path = edited('"1000010":', "1000010:")
    message = refused(path)
    assert f"line {line_of(path, '1000010:')}: datasets.ssv2.edited_captions.1000010: must be a valid string" in message
    assert "a whole number" in message
