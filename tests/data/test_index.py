"""The index of a dataset: counts that the configuration asks for, quarantine, manifest."""

import logging
from pathlib import Path

import pytest

from fca.artifacts.atomic import sha256_file
from fca.artifacts.manifest import Manifest
from fca.config import Layout
from fca.data.clip_record import read_records
from fca.data.index import build_index
from fca.errors import FcaError
from tests.data.corpora import config_for, pretend_fetched, write_ssv2

CLIPS = [("1", "a", 3), ("2", "<script>", 3), ("3", "a", 3)]


def test_index_and_manifest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = config_for(tmp_path, "ssv2", 3, 2)
    layout = Layout(config)
    raw = pretend_fetched(config, "ssv2")
    write_ssv2(raw, CLIPS, CLIPS[:2])
    (raw / "videos/2.webm").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        manifest = build_index(config, "ssv2")
    assert manifest == Manifest.read(layout.index_manifest("ssv2"))
    assert manifest.count == 5
    assert manifest.extra == {"splits": {"train": 3, "validation": 2}, "captions": 2}
    assert manifest.sha256 == sha256_file(layout.index("ssv2"))
    assert manifest.parents == {"ssv2/raw.json": "0" * 64}
    assert [(row.split, row.id) for row in manifest.quarantine] == [("train", "2"), ("validation", "2")]
    assert [record.id for record in read_records(layout.index("ssv2"))] == ["1", "2", "3", "1", "2"]
    assert "videos/2.webm" in caplog.text
    first = layout.index("ssv2").read_bytes(), layout.index_manifest("ssv2").read_bytes()
    build_index(config, "ssv2")
    assert first == (layout.index("ssv2").read_bytes(), layout.index_manifest("ssv2").read_bytes())


def test_an_unknown_dataset_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(FcaError, match="no dataset 'kinetics'") as caught:
        build_index(config_for(tmp_path, "ssv2", 1, 1), "kinetics")
    assert "bridge, epic, ssv2" in caught.value.expected


def test_too_few_annotations(tmp_path: Path) -> None:
    config = config_for(tmp_path, "ssv2", 4, 1)
    write_ssv2(pretend_fetched(config, "ssv2"), CLIPS, CLIPS)
    with pytest.raises(FcaError, match="ssv2 train have 3 clips") as caught:
        build_index(config, "ssv2")
    assert "datasets.ssv2.train.clips" in caught.value.expected


def test_an_id_twice(tmp_path: Path) -> None:
    config = config_for(tmp_path, "ssv2", 3, 1)
    write_ssv2(pretend_fetched(config, "ssv2"), [*CLIPS[:2], CLIPS[0]], CLIPS)
    with pytest.raises(FcaError, match="the id 1 is used 2 times"):
        build_index(config, "ssv2")


def test_no_usable_clip(tmp_path: Path) -> None:
    config = config_for(tmp_path, "ssv2", 1, 1)
    raw = pretend_fetched(config, "ssv2")
    write_ssv2(raw, CLIPS, CLIPS)
    (raw / "videos/1.webm").unlink()
    with pytest.raises(FcaError, match=r"ssv2 train has no usable clip.*videos/1\.webm: it is missing"):
        build_index(config, "ssv2")
    assert not Layout(config).index_manifest("ssv2").exists()


def test_fetch_must_come_first(tmp_path: Path) -> None:
    with pytest.raises(FcaError, match=r"no manifest .*raw\.json"):
        build_index(config_for(tmp_path, "ssv2", 1, 1), "ssv2")
