"""The resolved settings as text: a configuration that equals the original, with the origin of each setting."""

from pathlib import Path

import pytest
import yaml

from fca.cli.main import main
from fca.config import load
from fca.config.show import show

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path.name for path in (ROOT / "config").glob("*.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shown_loads_to_the_same(name, tmp_path) -> None:
    original = ROOT / "config" / name
    (tmp_path / "shown.yaml").write_text(show(original))
    assert load(tmp_path / "shown.yaml") == load(original)


def test_awkward_values_load_to_the_same(tmp_path) -> None:
    captions = {"yes": ["# no comment", "a: b", "2", "null", "é\n" * 3], "7: [x": ["word " * 60]}
    change = {"datasets": {"ssv2": {"edited_captions": captions}}, "report_dir": "a #b", "train": {"eps": 1e-30}}
    (tmp_path / "awkward.yaml").write_text(yaml.safe_dump({"extends": "pocket.yaml", **change}))
    config = load(tmp_path / "awkward.yaml")
    assert config.datasets["ssv2"].edited_captions.items() >= captions.items()
    (tmp_path / "shown.yaml").write_text(show(tmp_path / "awkward.yaml"))
    assert load(tmp_path / "shown.yaml") == config


def test_every_setting_has_its_origin_in_one_column(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: pocket.yaml\n\nsample:\n  steps: 7\ntrain: {betas: [0.5, 0.6]}\n")
    lines = show(path, {"seed": 3}).splitlines()
    pocket = ROOT / "config" / "pocket.yaml"
    found = {line.partition("#")[0].strip(): line.partition("  # ")[2] for line in lines}
    assert found["steps: 7"] == f"{path}:4"
    assert found["betas: [0.5, 0.6]"] == f"{path}:5"
    assert found["seed: 3"] == "override"
    assert found["data_dir: data"] == "default"
    number = pocket.read_text().splitlines().index("  warmup_steps: 20") + 1
    assert found["warmup_steps: 20"] == f"{pocket}:{number}"
    assert found["title: FCA"] == f"{ROOT / 'config/variants/fca.yaml'}:3"
    assert all("  # " in line or line.endswith(":") for line in lines)
    assert len({line.index("  # ") for line in lines if "  # " in line[:70]}) == 1


def test_the_command(capsys) -> None:
    path = ROOT / "config" / "pocket-folder.yaml"
    assert main(["config", "show", "-c", str(path)]) == 0
    assert capsys.readouterr().out == show(path)
