"""Hash of a step's code: the workflow reruns the step when it changes."""

import ast
import hashlib
from functools import cache
from pathlib import Path

from fca.config.dataset_formats import FORMATS

SOURCE = Path(__file__).parents[2]

ENTRY_MODULES = {
    "fetch": "fca.data.fetch",
    "index": "fca.data.index",
    "verify": "fca.data.verify",
    "resample": "fca.data.resample",
    "encode": "fca.encode.shard",
    "train": "fca.train.loop",
    "sample": "fca.sample.shard",
    "sample_edited": "fca.sample.edited",
    "score": "fca.score",
    "measure_vae_roundtrip": "fca.score.roundtrips",
    "score_vae_roundtrip": "fca.score.vae_roundtrip",
    "vbench": "fca.vbench.step",
    "report": "fca.report.page",
    "preview": "fca.report.preview",
    "pocket_base": "fca.pocket.build",
}

# Modules that import others by the names in the registry of formats: here, the field that they read.
REGISTRY_FIELD = {
    "fca.data.datasets.reader": "reader",
    "fca.data.download.obtain": "download",
    "fca.data.fetch": "library",
}

# Settings are compared by value; errors, the version and model cards compute nothing.
NOT_HASHED = ("fca", "fca.cli", "fca.artifacts.fingerprint", "fca.config", "fca.errors", "fca.pretrained.hub")
HASHED = "fca.config.captions"  # decides which clips are used


@cache
def code_hash(step: str) -> str:
    """sha256 of every `fca` module that the step's entry module imports, directly or not, anywhere in it.

    Comments, docstrings and formatting don't count, since a step can be ten days of training. Of modules imported by
    a computed name, only those in the registry of formats count. Files next to modules count as bytes.
    """
    modules = _modules(step)
    digest = hashlib.sha256()
    for name in sorted(modules):
        digest.update(f"{name}\0{_normalised(modules[name])}\0".encode())
    for folder in sorted({path.parent for path in modules.values() if path.name == "__init__.py"}):
        for path in _data_files(folder):
            digest.update(f"{path.relative_to(SOURCE)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _modules(step: str) -> dict[str, Path]:
    """Name and file of every module that counts for a step."""
    if _file_of(ENTRY_MODULES[step]) is None:
        raise ModuleNotFoundError(f"the step {step} has no module {ENTRY_MODULES[step]}")
    modules: dict[str, Path] = {}
    waiting = [ENTRY_MODULES[step]]
    while waiting:
        name = waiting.pop()
        path = _file_of(name)
        if path is None or name in modules or _excluded(name):
            continue
        modules[name] = path
        waiting += _imports(name, path)
        waiting.append(name.rpartition(".")[0])
    return modules


def _excluded(name: str) -> bool:
    return name != HASHED and any(
        name == other or (other != "fca" and name.startswith(f"{other}.")) for other in NOT_HASHED
    )


def _file_of(name: str) -> Path | None:
    if name.split(".")[0] != "fca":
        return None
    path = SOURCE.joinpath(*name.split(".")[1:])
    for candidate in (path / "__init__.py", path.with_suffix(".py")):
        if candidate.is_file():
            return candidate
    return None


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def _imports(name: str, path: Path) -> list[str]:
    """Names that may be modules: `from a import b` gives both a and a.b. Those of the registry count, too."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = [getattr(form, REGISTRY_FIELD[name]) for form in FORMATS.values()] if name in REGISTRY_FIELD else []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            found += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return found


@cache
def _normalised(path: Path) -> str:
    tree = _tree(path)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _data_files(folder: Path) -> list[Path]:
    """Files of a package that aren't code, and those of its sub-folders that aren't packages themselves."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__pycache__")):
            continue
        if path.is_dir() and not (path / "__init__.py").exists():
            found += [file for file in sorted(path.rglob("*")) if file.is_file() and file.suffix not in (".py", ".pyc")]
        elif path.is_file() and path.suffix not in (".py", ".pyc"):
            found.append(path)
    return found
