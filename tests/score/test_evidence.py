"""Records of trainings: what they keep, when they stand for a computation, and what is said of a damaged one."""

import json
from typing import Any

import numpy as np
import pytest

from fca.artifacts.evidence import Evidence, is_recorded, made_of
from fca.artifacts.manifest import Manifest
from fca.config import Config, Layout
from fca.errors import FcaError
from fca.score.evidence import record_evidence
from tests.score.project import CLIPS, scored, write_clips, write_samples


def with_own(config: Config, **changes: Any) -> Config:
    """The configuration with two trainings, a length and a folder for records; `changes`: groups of settings."""
    values = config.model_dump(mode="json")
    train = {"replicates": 2, "lengths": [2], "schedule": "constant_with_warmup", "init_from": None}
    values["train"] |= train
    values["evidence"] = {"folder": f"{config.data_dir}/records"}
    values["ablations"] = {}
    for group, own in changes.items():
        values[group] |= own
    return Config.model_validate(values)


@pytest.fixture
def two(config: Config) -> Config:
    """Scores of `fca`, its length and `repeat`."""
    two = with_own(config)
    write_clips(two)
    layout, steps = Layout(two), two.train_steps("ssv2", "fca")
    for name, noise in (("fca", 5.0), ("fca~2", 25.0)):
        for kind in ("validation", "opposite"):
            write_samples(two, kind, noise=noise, variant=name)
        extra = {"steps": steps, "seconds": 12.5, "trainable_parameters": 7, "git_commit": "abc"}
        Manifest("model", 1, [], "0" * 64, {}, {}, [], extra).write(layout.model_manifest("ssv2", name))
        scored(two, name)
    scored(two, "repeat")
    return two


def test_what_is_recorded(two: Config) -> None:
    path = record_evidence(two, "ssv2", "fca")
    layout = Layout(two)
    assert path == layout.evidence("ssv2", "fca")
    assert path.read_bytes() == layout.recorded("ssv2", "fca").read_bytes()
    record = Evidence.read(path)
    assert (record.trained, record.seconds, record.git_commit, record.clips) == (7, 12.5, "abc", CLIPS)
    assert set(record.lengths) == {"2", str(two.train_steps("ssv2", "fca"))}
    for name, steps in (("fca~2", "2"), ("fca", str(record.steps))):
        found = json.loads(layout.scores("ssv2", name).read_text())["scores"]
        assert record.lengths[steps] == {score: own["value"] for score, own in found.items() if own}
    psnr = record.draws["psnr"]
    assert len(psnr["resampled"]) == two.score.bootstrap
    assert np.mean(psnr["resampled"]) == pytest.approx(psnr["value"], rel=0.02)
    assert not any("seer" in score for score in record.draws)
    assert path.stat().st_size < 30_000
    assert record_evidence(two, "ssv2", "fca").read_bytes() == path.read_bytes()

    baseline = Evidence.read(record_evidence(two, "ssv2", "repeat"))
    assert (baseline.trained, baseline.seconds, baseline.steps, list(baseline.lengths)) == (None, None, 0, ["0"])


def test_a_record_stands_until_something_changes_that_matters(two: Config) -> None:
    assert not is_recorded(two, "ssv2", "fca")
    path = record_evidence(two, "ssv2", "fca")
    assert is_recorded(two, "ssv2", "fca")
    assert not is_recorded(two, "ssv2", "fca@2")
    for harmless in ({"run_dir": "elsewhere"}, {"train": {"log_every": 7}}, {"train": {"replicates": 5}},
                     {"train": {"lengths": []}}):  # fmt: skip
        groups = {key: own for key, own in harmless.items() if isinstance(own, dict)}
        same = with_own(two, **groups).model_copy(update={k: v for k, v in harmless.items() if k not in groups})
        assert is_recorded(same, "ssv2", "fca"), harmless
    for other in ({"train": {"weight_decay": 0.5}}, {"train": {"lengths": [1, 2]}}, {"sample": {"steps": 7}},
                  {"score": {"bootstrap": 30}}, {"base": {"t_ref": 3}}):  # fmt: skip
        assert not is_recorded(with_own(two, **other), "ssv2", "fca"), other

    changed = json.loads(path.read_text())
    for key, code in (("weights", False), ("code", True)):
        (name, value), *_ = changed[key].items()
        path.write_text(json.dumps(changed | {key: changed[key] | {name: value[::-1]}}))
        assert is_recorded(two, "ssv2", "fca") == code, key
    strict = two.model_copy(update={"evidence": two.evidence.model_copy(update={"same_code": True})})
    assert not is_recorded(strict, "ssv2", "fca"), "the code was changed last"


def test_a_newer_setting_with_its_default_changes_nothing(two: Config) -> None:
    path = record_evidence(two, "ssv2", "fca")
    older = json.loads(path.read_text())
    assert older["settings"].pop("base.t_ref") == 1
    assert older["settings"].pop("sample.guidance_scale") != 6.0
    path.write_text(json.dumps(older))
    assert not is_recorded(two, "ssv2", "fca"), "guidance hasn't its default"
    older["settings"]["sample.guidance_scale"] = two.sample.guidance_scale
    path.write_text(json.dumps(older))
    assert is_recorded(two, "ssv2", "fca"), "t_ref has"


def test_borrowed_weights_are_those_of_the_other_training(config: Config) -> None:
    values = with_own(config).model_dump(mode="json")
    values["variants"]["strong"] = values["variants"]["fca"] | {
        "name": "strong", "weights_of": "fca", "guidance_scale": 4.0,
    }  # fmt: skip
    found = Config.model_validate(values)
    mine, other = (made_of(found, "ssv2", name)[0] for name in ("strong@2", "fca@2"))
    assert mine["train.replicate"] == 2
    assert (mine["sample.guidance_scale"], other["sample.guidance_scale"]) == (4.0, config.sample.guidance_scale)
    assert mine["train.weight_decay"] == other["train.weight_decay"]


def test_what_is_missing_or_damaged_is_named(two: Config) -> None:
    Layout(two).scores("ssv2", "fca~2").unlink()
    with pytest.raises(FcaError, match=r"there is no .*fca~2\.json"):
        record_evidence(two, "ssv2", "fca")
    path = Layout(two).evidence("ssv2", "repeat")
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(FcaError, match=r"repeat\.json is no record.*\n.*\nremedy: `git checkout"):
        is_recorded(two, "ssv2", "repeat")
