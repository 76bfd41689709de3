"""File names, shards, and what each step depends on."""

from pathlib import Path

import pytest

from fca.artifacts.fingerprint.settings import STEPS, settings_of
from fca.config import Config, Layout, load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config() -> Config:
    return load(ROOT / "config" / "pocket.yaml", {"datasets": {"ssv2": {"train": {"clips": 50, "shard_clips": 20}}}})


def test_names(config) -> None:
    layout = Layout(config)
    root = Path("data/pocket")
    assert layout.raw_manifest("ssv2") == root / "ssv2/raw.json"
    assert layout.index("ssv2") == root / "ssv2/index.jsonl"
    assert layout.index_manifest("ssv2") == root / "ssv2/index.json"
    assert layout.clips("ssv2", "train", 3) == root / "ssv2/clips/train-0003.h5"
    assert layout.manifest(layout.latents("ssv2", "train", 3)) == root / "ssv2/latents/text/train-0003.json"
    assert layout.samples("ssv2", "fca", "opposite", 0) == root / "ssv2/samples/fca/opposite-0000.h5"
    assert layout.run("ssv2", "fca") == Path("runs/pocket/ssv2/fca")
    assert layout.model_manifest("ssv2", "fca") == root / "ssv2/models/fca.json"
    assert layout.scores("ssv2", "fca") == root / "ssv2/scores/fca.json"
    assert layout.report == Path("reports/index.html")


def test_names_with_wildcards(config) -> None:
    path = Layout(config).clips("{dataset}", "{split}", "{shard}")
    assert path == Path("data/pocket/{dataset}/clips/{split}-{shard}.h5")


def test_shards_cover_the_clips_once(config) -> None:
    layout = Layout(config)
    assert layout.shards("ssv2", "train") == range(3)
    rows = [row for shard in layout.shards("ssv2", "train") for row in layout.shard_rows("ssv2", "train", shard)]
    assert rows == list(range(50))
    assert len(layout.shard_rows("ssv2", "train", 2)) == 10


def test_opposite_captions_only_if_asked_for_and_possible(config) -> None:
    assert Layout(config).sample_kinds("ssv2", "fca")[:2] == ("validation", "opposite")
    assert Layout(config).sample_kinds("ssv2", "base") == ("validation",)
    assert Layout(config).sample_kinds("ssv2", "repeat") == ()
    assert Layout(load(ROOT / "config" / "paper.yaml")).sample_kinds("ssv2", "fca") == ("validation",)


def test_edited_captions_are_one_shard_of_trained_variants(config) -> None:
    layout = Layout(config)
    assert layout.sample_kinds("ssv2", "fca") == ("validation", "opposite", "edited")
    assert [name for name in config.every_variant if "edited" in layout.sample_kinds("ssv2", name)] == ["fca"]
    assert layout.sample_shards("ssv2", "edited") == range(1)
    assert layout.sample_shards("ssv2", "opposite") == layout.shards("ssv2", "validation") == range(2)


def test_an_edited_caption_matters_to_its_own_samples_and_the_report(config) -> None:
    settings = config.datasets["ssv2"].model_copy(update={"edited_captions": {"1": ["something else"]}})
    changed = config.model_copy(update={"datasets": config.datasets | {"ssv2": settings}})
    concerned = [step for step in STEPS if settings_of(config, step) != settings_of(changed, step)]
    assert concerned == ["sample_edited", "report"]
    assert settings_of(config, "sample_edited", "epic", "fca") == settings_of(changed, "sample_edited", "epic", "fca")


@pytest.mark.parametrize("step", STEPS)
def test_parts_are_plain_values(config, step) -> None:
    assert settings_of(config, step) == settings_of(config.model_copy(), step)
    assert "ssv2" not in str(settings_of(config, step, "epic", "fca"))


def test_an_unknown_step(config) -> None:
    with pytest.raises(ValueError, match="no such step: 'trian'"):
        settings_of(config, "trian")


NAMES = ("fca", "no_ftc", "lora", "controlnet_zeros", "image_to_video_lora")


@pytest.mark.parametrize(
    ("changes", "concerned"),
    [
        ({"adapter": {"control_layers": 2}}, {"controlnet_zeros"}),
        ({"adapter": {"lora_rank": 8}}, {"lora", "image_to_video_lora"}),
        ({"adapter": {"queries_per_frame": 8}}, {"fca", "no_ftc"}),
        ({"train": {"ablation_learning_rate": 1.0e-4}}, {"no_ftc", "lora", "controlnet_zeros"}),
        ({"train": {"learning_rate": 1.0e-4}}, {"fca"}),
        ({"train": {"init_from": None}}, {"fca"}),
        ({"train": {"warmup_steps": 7}}, {"fca", "no_ftc", "lora", "controlnet_zeros"}),
        ({"train": {"weight_decay": 0.0, "eps": 1e-7}}, {*NAMES}),
        ({"ablations": {"image_to_video_lora": {"optimizer": {"warmup_steps": 7}}}}, {"image_to_video_lora"}),
        ({"ablations": {"image_to_video_lora": {"optimizer": {"eps": 1e-8}}}}, set()),
        ({"ablations": {"lora": {"append": "back"}}}, {"lora"}),
        ({"datasets": {"ssv2": {"ablation_steps": 7}}}, {"no_ftc", "lora", "controlnet_zeros", "image_to_video_lora"}),
        ({"base": {"sha256": {"vae/config.json": "ab" * 32}}}, set()),
        ({"sample": {"steps": 7}}, set()),
        ({"train": {"loss": "epsilon"}}, {*NAMES}),
    ],
)
def test_a_setting_restarts_the_trainings_that_read_it_and_no_other(changes, concerned) -> None:
    """A training can be ten days long."""
    path = Path(__file__).parents[2] / "config/pocket.yaml"
    before, after = (
        {name: settings_of(load(path, overrides), "train", "ssv2", name) for name in NAMES}
        for overrides in ({}, changes)
    )
    assert {name for name in NAMES if before[name] != after[name]} == concerned
