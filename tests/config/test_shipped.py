"""Where relative paths lead, from any working directory and through links, and what is sought on the hub."""

import os
from pathlib import Path

import pytest

from fca.cli.main import main
from fca.config import ConfigError, load
from fca.config.load import check_networks, load_with_origins
from fca.config.shipped import REPOSITORY, located, network_folder
from fca.errors import FcaError
from fca.pretrained.load import checkpoint_folder


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "elsewhere"
    (folder / "mine").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


FOLDERS = (
    *("./x", "../x", "/no/x", "~/x", "a/b/c", "x", "x/", "/x", "", ".x/y", "-x/y"),
    *("weights/CogVideoX-2b", "config/pocket-bse", "data/x", "mine/CogVideoX-2b", "./THUDM/x", "hub:x", "hub:a/b/c"),
)


@pytest.mark.parametrize("name", FOLDERS)
def test_what_can_only_be_a_folder_is_never_sought_on_the_hub(elsewhere, name) -> None:
    with pytest.raises(FcaError, match=f"there is no folder {name}\nexpected: "):
        network_folder(name)
    with pytest.raises(FcaError, match="there is no folder"):
        checkpoint_folder(name, None, ["*"])


@pytest.mark.parametrize("name", ["THUDM/CogVideoX-2b", "hub:THUDM/CogVideoX-2b", "hub:mine/x", "hub:weights/x"])
def test_names_on_the_hub(elsewhere, name) -> None:
    assert network_folder(name) is None


def test_a_folder_comes_before_the_hub_unless_the_name_says_hub(elsewhere) -> None:
    (elsewhere / "THUDM/CogVideoX-2b").mkdir(parents=True)
    assert network_folder("THUDM/CogVideoX-2b") == Path("THUDM/CogVideoX-2b")
    assert network_folder("hub:THUDM/CogVideoX-2b") is None


def test_the_working_directory_comes_before_the_repository(elsewhere, tmp_path) -> None:
    shipped = REPOSITORY / "config/pocket-base/vae"
    assert network_folder("config/pocket-base/vae") == located("config/pocket-base/vae") == shipped
    (elsewhere / "config/pocket-base/vae").mkdir(parents=True)
    assert located("config/pocket-base/vae") == Path("config/pocket-base/vae")
    (tmp_path / "weights").mkdir()
    assert network_folder("~/weights") == tmp_path / "weights"
    assert load("config/paper.yaml") == load(REPOSITORY / "config/paper.yaml")


def test_a_missing_folder_is_named_with_its_setting_file_and_line(elsewhere, capsys) -> None:
    base = elsewhere / "base.yaml"
    base.write_text("extends: pocket.yaml\nbase:\n  t_ref: 2\n  model: weights/CogVideoX-2b\n")
    mine = elsewhere / "mine.yaml"
    mine.write_text("extends: base.yaml\nbase: {vision_model: ../blip2}\nimage_base:\n\n  model: weights/5B\n")
    config, origins = load_with_origins(mine)
    with pytest.raises(ConfigError) as caught:
        check_networks(config, origins, "text")
    assert caught.value.problem.splitlines() == [
        f"{base}, line 4: base.model: there is no folder weights/CogVideoX-2b",
        f"{mine}, line 2: base.vision_model: there is no folder ../blip2",
    ]
    with pytest.raises(ConfigError, match=f"{mine}, line 5: image_base.model: there is no folder weights/5B"):
        check_networks(config, origins, "image")
    assert main(["config", "check", str(mine)]) == 2
    assert f"{base}, line 4: base.model: there is no folder" in capsys.readouterr().err

    (elsewhere / "weights/CogVideoX-2b").mkdir(parents=True)
    (elsewhere.parent / "blip2").mkdir()
    check_networks(config, origins, "text")
    assert main(["config", "check", str(mine)]) == 2
    assert f"{mine}, line 5: image_base.model" in capsys.readouterr().err


def test_an_override_is_named_too(elsewhere) -> None:
    config, origins = load_with_origins("config/pocket.yaml", {"base": {"model": "config/none"}})
    with pytest.raises(ConfigError, match=r"^overrides \(--config\): base.model: there is no folder config/none\n"):
        check_networks(config, origins, "text")


def test_a_link_to_a_configuration_finds_what_is_next_to_the_file(elsewhere, tmp_path) -> None:
    for folder in ("real/variants", "linked/variants"):
        (tmp_path / folder).mkdir(parents=True)
    variant = "name: own\ntitle: {}\nadapter: fca\n"
    (tmp_path / "real/variants/own.yaml").write_text(variant.format("of the file"))
    (tmp_path / "real/base.yaml").write_text("extends: pocket.yaml\nseed: 7\n")
    (tmp_path / "real/mine.yaml").write_text("extends: base.yaml\nvariants: [own]\nablations: []\n")
    link = tmp_path / "linked/mine.yaml"
    link.symlink_to(os.path.relpath(tmp_path / "real/mine.yaml", link.parent))
    config = load(link)
    assert (config.seed, config.variants["own"].title) == (7, "of the file")
    (tmp_path / "linked/base.yaml").write_text("extends: pocket.yaml\nseed: 8\n")
    (tmp_path / "linked/variants/own.yaml").write_text(variant.format("of the link"))
    config = load(link)
    assert (config.seed, config.variants["own"].title) == (8, "of the link")
