"""The generated files match the models. To update them: python -m fca.config.table --fix"""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from fca.config import load
from fca.config.settings import Settings
from fca.config.table import SCHEMA_FILE, TABLE_FILE, schema, table

ROOT = Path(__file__).parents[2]


def test_schema_file() -> None:
    assert (ROOT / SCHEMA_FILE).read_text() == schema()


def test_table_file() -> None:
    assert (ROOT / TABLE_FILE).read_text() == table()


@pytest.mark.parametrize("scale", ["pocket", "paper", "pocket-scratch", "pocket-folder", "pocket-lerobot"])
def test_the_schema_accepts_the_scales(scale) -> None:
    validator = Draft202012Validator(json.loads(schema()))
    values = yaml.safe_load((ROOT / "config" / f"{scale}.yaml").read_text())
    assert list(validator.iter_errors(values)) == []
    values["datasets"]["ssv2"] = {"initial_frame": 2}
    assert [error.validator for error in validator.iter_errors(values)] == ["additionalProperties"]


def test_a_row_of_the_table_is_one_line() -> None:
    for part in table().split("|---|---|---|---|\n")[1:]:
        rows = part.partition("\n\n")[0].strip().splitlines()
        assert [row for row in rows if not (row.startswith("| `") and row.endswith(" |"))] == []


def test_the_example_of_a_configuration_loads(tmp_path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(table().partition("```yaml\n")[2].partition("```")[0])
    config = load(path)
    assert (config.scale, config.sample.guidance_scale, list(config.datasets)) == ("mine", 4.0, ["ssv2", "bridge"])


MODELS = [model for model in Settings.__subclasses__() if model.__module__.startswith("fca.config.")]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_setting_is_described_and_in_the_table(model) -> None:
    assert model.__doc__
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name}"
        assert f"| `{name}` |" in table()
