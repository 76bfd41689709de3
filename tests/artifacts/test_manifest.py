"""Manifests: the same values make the same bytes, and a damaged one is named."""

import json
from pathlib import Path

import pytest

from fca.artifacts.fingerprint import made_by
from fca.artifacts.manifest import Manifest
from fca.artifacts.quarantine import Quarantine
from fca.config import load
from fca.errors import FcaError
from tests.data.corpora import ROOT

ROW = Quarantine("ssv2", "train", "17", "index", "videos/17.webm", "the file is empty: <b>é</b>")
MANIFEST = Manifest("clips", 2, ["1", "2"], "ab" * 32, {"ssv2/index.jsonl": "cd" * 32}, {"fca": "0"}, [ROW], {"x": 1})


def test_round_trip(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path / "m.json")
    MANIFEST.write(tmp_path / "n.json")
    assert Manifest.read(tmp_path / "m.json") == MANIFEST
    assert (tmp_path / "m.json").read_bytes() == (tmp_path / "n.json").read_bytes()


def test_a_missing_one_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(FcaError, match="no manifest") as caught:
        Manifest.read(tmp_path / "m.json")
    assert "snakemake" in caught.value.remedy


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"kind": "clips"}', '{"quarantine": [{"no": 1}]}'])
def test_a_damaged_one_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(FcaError, match=r"m\.json is not a manifest"):
        Manifest.read(tmp_path / "m.json")


def test_unknown_keys_are_refused(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path / "m.json")
    values = json.loads((tmp_path / "m.json").read_text())
    (tmp_path / "m.json").write_text(json.dumps(values | {"extra_key": 1}))
    with pytest.raises(FcaError, match="extra_key"):
        Manifest.read(tmp_path / "m.json")


def test_made_by_changes_with_what_matters_only() -> None:
    file = ROOT / "config" / "pocket.yaml"
    plain = made_by(load(file), "resample", "ssv2")
    assert set(plain) == {"config", "code", "weights", "fca"}
    for same in ({"train": {"batch_size": 2}}, {"data_dir": "elsewhere"}, {"datasets": {"epic": {"train_steps": 7}}}):
        assert made_by(load(file, same), "resample", "ssv2") == plain
    assert made_by(load(file, {"clip": {"resize": "crop"}}), "resample", "ssv2")["config"] != plain["config"]
