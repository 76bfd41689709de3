"""A step's hash follows the code that the step imports, and nothing else."""

import ast
import subprocess
import sys

import pytest

from fca.artifacts.fingerprint import code as module
from fca.artifacts.fingerprint.code import ENTRY_MODULES, code_hash


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A small package `fca` in place of the real one; gives a function that writes modules and hashes."""
    monkeypatch.setattr(module, "SOURCE", tmp_path)
    monkeypatch.setattr(module, "ENTRY_MODULES", {"step": "fca.step"})

    def write(files: dict[str, str]) -> str:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        for function in (code_hash, module._imports, module._normalised):
            function.cache_clear()
        return code_hash("step")

    yield write
    for function in (code_hash, module._imports, module._normalised):
        function.cache_clear()


FILES = {
    "__init__.py": "",
    "step/__init__.py": "from fca.step.run import run",
    "step/run.py": "def run():\n    from fca.helper import help\n    return help()",
    "helper.py": "from . import deep\n\ndef help():\n    return deep.VALUE",
    "deep.py": "VALUE = 1",
    "other.py": "VALUE = 1",
    "cli.py": "import fca.other",
}


def test_every_step_has_its_module() -> None:
    for step, name in ENTRY_MODULES.items():
        assert module._file_of(name), f"{step}: there is no {name}"


def test_every_import_that_happens_is_seen() -> None:
    """The modules that Python really loads for a step are among those that are hashed."""
    code = "import sys, fca.report; print(*(name for name in sys.modules if name.split('.')[0] == 'fca'))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    hashed = module._modules("report")
    assert {name for name in loaded if not module._excluded(name)} <= set(hashed)


@pytest.mark.parametrize("name", ["step/__init__.py", "step/run.py", "helper.py", "deep.py"])
def test_edits_count_however_deep(source, name) -> None:
    before = source(FILES)
    assert source({name: FILES[name] + "\nEDITED = True\n"}) != before


@pytest.mark.parametrize("name", ["other.py", "cli.py", "__init__.py"])
def test_edits_elsewhere_do_not_count(source, name) -> None:
    before = source(FILES)
    assert source({name: FILES[name] + "\nEDITED = True\n"}) == before


def test_comments_docstrings_and_layout_do_not_count(source) -> None:
    before = source(FILES)
    after = '"""What it is."""\n\nVALUE = (  # why\n    1\n)\n'
    assert ast.parse(after)
    assert source({"deep.py": after}) == before
    assert source({"deep.py": "VALUE = 2"}) != before


def test_files_beside_modules_count(source) -> None:
    before = source(FILES)
    with_template = source({"step/templates/page.html": "<p>"})
    assert with_template != before
    assert source({"step/templates/page.html": "<h1>"}) != with_template


def test_a_step_without_code_is_an_error(source) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"fca\.step"):
        source({"__init__.py": ""})


@pytest.mark.parametrize("step", ["train", "sample", "score"])
def test_days_of_gpus_do_not_depend_on_how_videos_are_decoded(step) -> None:
    assert not {"fca.video.decode", "fca.video.workers", "fca.data.clip_source"} & set(module._modules(step))


def test_another_model_card_trains_nothing_again() -> None:
    """Training writes the card, but neither its text nor its code decides what is trained."""
    modules = module._modules("train")
    assert "fca.train.export" in modules
    assert not [name for name in modules if name.startswith("fca.pretrained.hub")]
    assert not [path for path in module._data_files(module.SOURCE / "pretrained") if "hub" in path.parts]


def test_of_the_configuration_only_the_rule_of_captions_counts() -> None:
    assert {name for name in module._modules("index") if name.startswith("fca.config")} == {"fca.config.captions"}
