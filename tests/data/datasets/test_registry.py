"""The registry of formats: a toy format of one module and one line goes through every step, and nothing else asks for
a format's name.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fca.artifacts.fingerprint import code
from fca.artifacts.manifest import Manifest
from fca.artifacts.shards import Shard
from fca.cli.main import main
from fca.config import Config, ConfigError, Layout
from fca.config.dataset_formats import FORMATS, Format
from tests.conftest import small_config
from tests.data.corpora import config_for, ramp, write_jpegs

SOURCE = Path(code.__file__).parents[2]
MAY_NAME_FORMATS = ("config/dataset_formats.py", "config/comparisons.py", "data/datasets/", "data/library/", "pocket/")
"""The registry, the paper's numbers by dataset, the readers, and what packs clips in each format, and the trainer"""
CLIPS = {"train": ["a", "b", "c"], "validation": ["d", "e"]}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A configuration with one dataset, in the toy format."""
    monkeypatch.setitem(FORMATS, "frames", Format("tests.data.datasets.frames"))
    root = tmp_path / "own"
    for clips in CLIPS.values():
        for name in clips:
            write_jpegs(root / name, ramp(20 + ord(name)), "{:03d}.jpg")
    lines = [f"{split} {name} push block {name} left" for split, clips in CLIPS.items() for name in clips]
    (root / "list.txt").write_text("\n".join(lines))

    values = small_config(tmp_path, tmp_path).model_dump(mode="json")
    splits = {split: {"clips": len(clips), "shard_clips": 4} for split, clips in CLIPS.items()}
    own = {"format": "frames", "source": "archive", "root": str(root), "initial_frames": 2, "train_steps": 2}
    values |= {"datasets": {"mine": own | splits}, "variants": {"repeat": values["variants"]["repeat"]}}
    values["score"] |= {"bootstrap": 20, "vbench": None}
    return Config.model_validate(values)


def test_a_toy_format_goes_from_its_files_to_the_report(toy: Config, tmp_path: Path) -> None:
    layout, path = Layout(toy), tmp_path / "config.json"
    path.write_text(toy.model_dump_json())
    for step in (
        "fetch mine",
        "index mine",
        "data verify mine",
        "data preview mine",
        "resample mine validation --shard 0",
        "score mine repeat",
        "report",
    ):
        words = step.split()
        names = 2 if words[0] == "data" else 1
        assert main([*words[:names], "-c", str(path), *words[names:]]) == 0, step

    assert Manifest.read(layout.verified("mine")).extra["sound"] == {"train": 3, "validation": 2}
    with Shard(layout.clips("mine", "validation", 0)) as shard:
        assert shard.ids == CLIPS["validation"]
        assert shard.captions == ["push block d left", "push block e left"]
    assert "push block a left" in layout.preview("mine").read_text()
    assert "push block d left" in layout.report.read_text()
    assert "repeat" in json.loads(layout.metrics.read_text())["mine"]


def test_own_files_are_not_downloaded(toy: Config) -> None:
    values = toy.model_dump(mode="json")
    values["datasets"]["mine"]["urls"] = ["https://example.org/a.tar"]
    with pytest.raises(ValueError, match="archives, urls and checksums must be left out"):
        Config.model_validate(values)


def test_an_unknown_format_names_the_registered_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'ssv' isn't a registered format \(did you mean 'ssv2'\?\).*bridge, epic"):
        config_for(tmp_path, "ssv", 1, 1)


def test_the_code_of_a_step_has_the_modules_of_every_format() -> None:
    steps = {"index": "reader", "encode": "reader", "fetch": "download", "preview": "reader"}
    for step, field in [*steps.items(), ("fetch", "library")]:
        modules = {getattr(form, field) for form in FORMATS.values()} - {""}
        assert modules
        assert modules <= set(code._modules(step)), (step, field)


def test_what_indexes_and_scores_does_not_depend_on_downloads_and_packing() -> None:
    packing = ("fca.data.download", *(form.library for form in FORMATS.values() if form.library))
    for step in ("encode", "score", "sample"):
        assert not [name for name in code._modules(step) if name.startswith(packing)], step


def test_the_registry_loads_no_reader() -> None:
    loaded = "import sys, fca.config; print(*({'av', 'h5py', 'numpy', 'torch', 'fca.data'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def questions(tree: ast.AST) -> list[int]:
    """Lines that compare with a format's name, look something up by such names, or match a `format` attribute."""
    found: list[int] = []
    for node in ast.walk(tree):
        asked: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            asked = [part for side in (node.left, *node.comparators) for part in getattr(side, "elts", [side])]
        elif isinstance(node, ast.MatchValue):
            asked = [node.value]
        elif isinstance(node, ast.Dict) and len({getattr(key, "value", "") for key in node.keys} & set(FORMATS)) > 1:
            asked = [node.keys[0]]
        elif isinstance(node, ast.Match) and getattr(node.subject, "attr", "") == "format":
            found.append(node.lineno)
        found += [part.lineno for part in asked if getattr(part, "value", "") in tuple(FORMATS)]
    return found


def test_nothing_else_asks_for_the_name_of_a_format() -> None:
    asking = []
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if not name.startswith(MAY_NAME_FORMATS):
            asking += [f"{name}:{line}" for line in questions(ast.parse(path.read_text()))]
    assert asking == []


@pytest.mark.parametrize(
    "text",
    [
        'x = s.format == "epic"',
        'x = s in ("a", "ssv2")',
        "match s.format:\n  case _: pass",
        'match x:\n  case "folder": pass',
        'd = {"ssv2": 1, "epic": 2}',
    ],
)
def test_a_question_is_seen(text: str) -> None:
    assert questions(ast.parse(text))
