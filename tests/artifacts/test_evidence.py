"""A record of a training comes back as it was written, and nothing else passes for one."""

import json

import pytest

from fca.artifacts.evidence import Evidence, read_all
from fca.errors import FcaError
from tests.report.test_evidence import record


@pytest.fixture
def path(tmp_path):
    record("fca_ablation", 2).write(tmp_path / "record.json")
    return tmp_path / "record.json"


def test_a_record_comes_back_as_it_was_written(path):
    assert Evidence.read(path) == record("fca_ablation", 2)


@pytest.mark.parametrize(
    "change",
    [
        {"clips": "54"},
        {"steps": None},
        {"settings": []},
        {"weights": {"vae": 5}},
        {"lengths": {"3000": {"psnr": "20"}}},
        {"draws": {"psnr": 20.0}},
        {"draws": {"psnr": {"value": 20.0, "clips": 2}}},
        {"draws": {"psnr": {"value": 20.0, "clips": 2, "resampled": [20.0, float("nan")]}}},
        {
            "draws": {
                "psnr": {"value": 20.0, "clips": 2, "resampled": [20.0]},
                "ssim": {"value": 0.5, "clips": 2, "resampled": [0.5, 0.5]},
            }
        },
        {"more": 1},
    ],
)
def test_a_record_of_other_kinds_is_refused_by_name(path, change):
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(FcaError, match=r"record\.json is no record of a training.*\n.*\n.*git checkout"):
        Evidence.read(path)


def test_a_truncated_record_is_refused(path):
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(FcaError, match="is no record of a training"):
        Evidence.read(path)


def test_a_record_in_the_place_of_another_is_refused(tmp_path):
    for name in ("fca_ablation@2", "lora"):
        record("fca_ablation", 2).write(tmp_path / f"pocket_evidence/ssv2/{name}.json")
    with pytest.raises(FcaError, match=r"lora\.json is no record.*that of pocket_evidence/ssv2/fca_ablation@2\.json"):
        read_all(tmp_path)
    (tmp_path / "pocket_evidence/ssv2/lora.json").unlink()
    assert read_all(tmp_path) == [record("fca_ablation", 2)]
