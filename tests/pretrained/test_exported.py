"""What a model's folder says about itself, read back whole or refused by name."""

import json
from pathlib import Path

import pytest

from fca.config import load
from fca.errors import FcaError
from fca.pretrained.exported import FILE, ExportedModel

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "config/pocket-base/adapter"


@pytest.fixture
def exported() -> ExportedModel:
    return ExportedModel.read(SHIPPED)


def test_the_shipped_model_json_is_the_pocket_configuration(exported: ExportedModel) -> None:
    config = load(ROOT / "config/pocket.yaml")
    expected = ExportedModel.of(config, "bridge", "fca")
    assert expected.initial_frames == 1
    assert exported == expected.model_copy(update={"initial_frames": None})  # it was trained with one and with two
    assert exported.networks() == config.base
    from fca.pocket.adapter import exported_model

    assert exported == exported_model(Path("config/pocket-base"))


def test_what_is_written_is_read(exported: ExportedModel, tmp_path: Path) -> None:
    exported.write(tmp_path)
    assert ExportedModel.read(tmp_path) == exported
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widht": 96}, "widht: Extra inputs"),
        ({"width": 100}, "width: Input should be a multiple of 16"),
        ({"width": "96"}, "width: Input should be a valid integer"),
        ({"initial_frames": 5}, "initial_frames: Input should be less than or equal to 4"),
        ({"resize": "squeeze"}, "resize: Input should be 'stretch' or 'crop'"),
    ],
)
def test_wrong_values_are_named_with_their_file(exported: ExportedModel, tmp_path: Path, change, message) -> None:
    (tmp_path / FILE).write_text(json.dumps(exported.model_dump() | change))
    with pytest.raises(FcaError) as caught:
        ExportedModel.read(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / FILE}: {message}")


def test_a_missing_key_and_what_is_no_json(exported: ExportedModel, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps(exported.model_dump(exclude={"frames"})))
    with pytest.raises(FcaError, match="frames: Field required"):
        ExportedModel.read(tmp_path)
    for content in (b"{", b"\xff\xfe\x00", b"[1]"):
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(FcaError, match=FILE):
            ExportedModel.read(tmp_path)


def test_a_folder_without_model_json_and_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(FcaError, match=rf"{FILE} is missing"):
        ExportedModel.read(tmp_path)
    with pytest.raises(FcaError, match="no model folder"):
        ExportedModel.read(tmp_path / "nothing")


def test_networks_are_found_here_then_above_the_model(exported: ExportedModel, tmp_path: Path, monkeypatch) -> None:
    model = tmp_path / "repository/data/model"
    for folder in (model, tmp_path / "repository/config/pocket-base/vision", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert exported.located(model).base == str(tmp_path / "repository/config/pocket-base")
    assert exported.located(model).vision_model == str(tmp_path / "repository/config/pocket-base/vision")
    (tmp_path / "elsewhere/config/pocket-base").mkdir(parents=True)
    assert exported.located(model).base == "config/pocket-base"


def test_other_networks_and_names_on_the_hub(exported: ExportedModel, tmp_path: Path) -> None:
    (tmp_path / "other/vision").mkdir(parents=True)
    pinned = exported.model_copy(update={"base": "THUDM/CogVideoX-2b", "revision": "a" * 40})
    found = pinned.located(SHIPPED)
    assert (found.base, found.revision) == ("THUDM/CogVideoX-2b", "a" * 40)
    found = pinned.located(SHIPPED, base=str(tmp_path / "other"))
    assert (found.base, found.revision) == (str(tmp_path / "other"), None)
    assert found.vision_model == str(tmp_path / "other/vision")
    found = pinned.located(SHIPPED, vision_model=str(tmp_path / "other"))
    assert (found.base, found.vision_model) == ("THUDM/CogVideoX-2b", str(tmp_path / "other"))


def test_networks_that_are_nowhere_are_asked_for(exported: ExportedModel, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    lost = exported.model_copy(update={"vision_model": "config/lost"})
    with pytest.raises(FcaError, match=r"no folder config/lost(.|\n)*--vision-model"):
        lost.located(tmp_path / "model")
    with pytest.raises(FcaError, match=r"no folder /no/where(.|\n)*--base"):
        exported.located(SHIPPED, base="/no/where")


def test_how_many_frames(exported: ExportedModel) -> None:
    two = exported.model_copy(update={"initial_frames": 2})
    for model, allowed in ((exported, (1, 2)), (two, (2,))):
        for count in range(6):
            if count in allowed:
                model.check_count(count)
            else:
                with pytest.raises(FcaError, match="given\nexpected: "):
                    model.check_count(count)


def test_sampling_is_the_models_own_or_what_is_asked_for(exported: ExportedModel) -> None:
    assert exported.sampling(None, None) == (25, 1.5)
    assert exported.sampling(2, 1) == (2, 1.0)
    for wrong in ((0, None), (1001, None), (2.5, None), (None, 0.5), (None, float("nan"))):
        with pytest.raises(FcaError, match=r"sampling steps|guidance"):
            exported.sampling(*wrong)


def test_the_scheduler_is_the_configurations_and_ddim_in_older_files(exported: ExportedModel, tmp_path: Path) -> None:
    config = load(ROOT / "config/pocket.yaml")
    dpm = config.model_copy(update={"sample": config.sample.model_copy(update={"scheduler": "dpm"})})
    assert [ExportedModel.of(each, "ssv2", "fca").scheduler for each in (config, dpm)] == ["ddim", "dpm"]
    (tmp_path / FILE).write_text(json.dumps(exported.model_dump(exclude={"scheduler"})))
    assert ExportedModel.read(tmp_path) == exported
    (tmp_path / FILE).write_text(json.dumps(exported.model_dump() | {"scheduler": "euler"}))
    with pytest.raises(FcaError, match="scheduler: Input should be 'ddim' or 'dpm'"):
        ExportedModel.read(tmp_path)


def test_a_model_on_an_image_base_starts_from_one_frame() -> None:
    config = load(ROOT / "config/pocket.yaml")
    initial_frames = {
        name: ExportedModel.of(config, "ssv2", name).initial_frames for name in ("fca", "lora", "image_to_video_lora")
    }
    assert initial_frames == {"fca": 2, "lora": 2, "image_to_video_lora": 1}
    assert ExportedModel.of(config, "ssv2", "image_to_video_lora").base == config.image_base.model
