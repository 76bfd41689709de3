"""Clips of the library in place of datasets that aren't here: read by the datasets' own readers."""

from pathlib import Path

import pytest

from fca.config import Config, Layout, Library, load
from fca.config.dataset_formats import FORMATS
from fca.data.datasets.reader import reader_of
from fca.data.fetch import fetch
from fca.data.index import build_index
from fca.rehearsal.datasets import stand_ins
from tests.conftest import CONFIG

OF_REAL_CLIPS = {
    "exclude": "unusable.tsv",
    "edited_captions": {"7": ["lift it"]},
    "licence_accepted": True,
    "archives": "downloads",
    "urls": ["https://example.org/a.zip"],
    "checksums": "md5.csv",
}


def paper(folder: Path, **dataset: object) -> Config:
    """The paper's scale, its results below `folder`; `dataset` is put over the settings of ssv2."""
    changes = {"data_dir": str(folder / "data"), "datasets": {"ssv2": OF_REAL_CLIPS | dataset}}
    return load(CONFIG.with_name("paper.yaml"), changes)


def test_each_format_is_packed_fetched_and_listed(tmp_path: Path) -> None:
    config = paper(tmp_path)
    found = stand_ins(config, train=2, validation=1)
    assert set(found) == {"ssv2", "bridge", "epic"}
    config = config.model_copy(update={"datasets": config.datasets | found})
    for name in found:
        fetch(config, name)
        manifest = build_index(config, name)
        assert manifest.extra["splits"] == {"train": 2, "validation": 1}
        assert not manifest.quarantine

    taken = found["bridge"].library
    listed = reader_of(found["bridge"]).listed(Layout(config).raw("bridge"))
    assert listed == {"train": taken.train, "validation": taken.validation}


def test_settings_of_the_real_clips_are_dropped_and_the_others_kept(tmp_path: Path) -> None:
    config = paper(tmp_path)
    settings = stand_ins(config, train=5, validation=300)["ssv2"]
    assert (settings.exclude, settings.edited_captions, settings.root, settings.urls) == (None, {}, None, [])
    assert (settings.train.clips, settings.train.shard_clips) == (5, 5)
    assert (settings.validation.clips, settings.validation.shard_clips) == (300, 256)
    assert settings.initial_frames == 2
    assert (settings.train_steps, settings.ablation_steps) == (100000, 20000)


def test_datasets_that_are_here_stay(tmp_path: Path) -> None:
    (tmp_path / "ssv2").mkdir()
    assert set(stand_ins(paper(tmp_path, root=str(tmp_path / "ssv2")), 5, 2)) == {"bridge", "epic"}
    assert set(stand_ins(load(CONFIG), 5, 2)) == {"ssv2", "bridge", "epic"}, "clips of the library anyway, but fewer"
    folder = load(CONFIG.with_name("pocket-folder.yaml"))
    assert stand_ins(folder, 5, 2) == {}


@pytest.mark.parametrize("train", range(1, 12))
@pytest.mark.parametrize("validation", range(1, 12))
def test_a_format_with_one_list_has_enough_of_both_splits(tmp_path: Path, train: int, validation: int) -> None:
    taken = stand_ins(paper(tmp_path), train, validation)["bridge"].library  # validated: the list is split as published
    assert isinstance(taken, Library)
    assert taken.train >= train
    assert taken.validation >= validation
    fewer = taken.train + taken.validation - 1
    share = FORMATS["bridge"].train_share
    assert int(share * fewer) < train or fewer - int(share * fewer) < validation
