"""The plan of the house, as far as it can be counted. `make lint` checks the direction of imports (pyproject.toml)."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "fca"
WITHOUT_TORCH = ("fca.config", "fca.runs.folder", "fca.runs.status", "fca.runs.stop", "fca.pretrained.exported",
                 "fca.train.launch", "fca.cli")  # fmt: skip
HEAVY = {"torch", "diffusers", "transformers", "accelerate", "peft", "h5py", "av", "scipy"}


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def functions_without_a_pause(path: Path, longest: int) -> Iterator[str]:
    """Functions whose body, the docstring aside, has more than `longest` lines and no empty one among them."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        if not body or body[-1].end_lineno - body[0].lineno + 1 <= longest:
            continue
        if all(line.strip() for line in text.splitlines()[body[0].lineno - 1 : body[-1].end_lineno]):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def test_only_errors_and_seeds_stand_outside_the_rooms() -> None:
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "errors.py", "seeds.py"}


def test_no_room_holds_more_than_a_fifth_of_the_lines() -> None:
    sizes = Counter()
    for path in PACKAGE.rglob("*.py"):
        sizes[path.relative_to(PACKAGE).parts[0]] += lines(path)
    room, largest = sizes.most_common(1)[0]
    assert largest <= sizes.total() / 5, f"{room} has {largest} of {sizes.total()} lines"


@pytest.mark.parametrize("folder, most", [("src", 300), ("benchmarks", 300), ("simulation", 300), ("tests", 400)])
def test_no_file_is_long(folder, most) -> None:
    long = {str(path): count for path in (ROOT / folder).rglob("*.py") if (count := lines(path)) > most}
    assert not long


def test_long_functions_have_paragraphs() -> None:
    assert not [name for path in sorted(PACKAGE.rglob("*.py")) for name in functions_without_a_pause(path, 24)]


def test_a_long_function_without_a_pause_is_found(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "long.py"
    path.write_text(
        "def dense():\n" + "    x = 1\n" * 25 + "\ndef airy():\n" + "    x = 1\n" * 20 + "\n" + "    x = 1\n" * 5
    )
    assert list(functions_without_a_pause(path, 24)) == ["long.py:1 dense"]


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_quick_modules_load_nothing_heavy(module) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert module in loaded
    assert not HEAVY & set(loaded)
