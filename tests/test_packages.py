"""The sdist and the wheel: a fresh environment predicts without a clone, and reads videos without decord."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
READERS = ("tests/video/test_decode.py", "tests/video/test_container.py", "tests/video/test_files.py")
MOST = 30 * 2**20

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    """The output of a command that must succeed, without this project on its path."""
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment, in which hatchling is."""
    folder = tmp_path_factory.mktemp("fresh") / "environment"
    run(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    run(folder / "bin/python", "-m", "pip", "install", "--quiet", "hatchling", cwd=folder.parent)
    return folder / "bin/python"


@pytest.fixture(scope="module")
def packages(python: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that is made from what the sdist holds."""
    folder = tmp_path_factory.mktemp("packages")
    run(python, "-m", "hatchling", "build", "--target", "sdist", "--directory", folder, cwd=ROOT)
    [sdist] = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    source = folder / sdist.name.removesuffix(".tar.gz")
    run(python, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=source)
    [wheel] = folder.glob("*.whl")
    return sdist, wheel


def test_the_wheel_holds_the_pocket_model_and_is_small(packages: tuple[Path, Path]) -> None:
    sdist, wheel = packages
    assert wheel.stat().st_size < MOST
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    shipped = {path.relative_to(ROOT) for path in (ROOT / "config/pocket-base").rglob("*") if path.is_file()}
    assert {f"fca/shipped/{path.as_posix()}" for path in shipped} <= names
    assert {"fca/shipped/config/pocket.yaml", "fca/shipped/config/variants/fca.yaml", "fca/__init__.py"} <= names
    assert not [name for name in names if name.startswith(("tests/", "config/")) or name.endswith(".pyc")]
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Snakefile", "workflow/Snakefile", "constraints.txt", "config/pocket.yaml", "LICENSE", "README.md"} <= held


def test_a_fresh_environment_predicts_without_a_clone(
    packages: tuple[Path, Path], python: Path, tmp_path: Path
) -> None:
    """With the locked versions; then without decord, in which the readers' own tests pass."""
    pip = (python, "-m", "pip")
    run(*pip, "install", "--quiet", "-c", ROOT / "constraints.txt", packages[1], cwd=tmp_path)
    assert "snakemake" not in run(*pip, "list", cwd=tmp_path)
    fca = python.with_name("fca")
    (tmp_path / "start.png").write_bytes((ROOT / "docs/start.png").read_bytes())
    words = ("--frames", "start.png", "--prompt", "open the blue laptop", "--out", "next.mp4", "--steps", "2")
    assert run(fca, "predict", *words, cwd=tmp_path) == "next.mp4\n"
    assert (tmp_path / "next.mp4").stat().st_size > 1000
    assert str(python.parents[1]) in run(python, "-c", "import fca; print(fca.__file__)", cwd=tmp_path)
    assert "config/pocket-base" in run(fca, "config", "show", "-c", "config/pocket.yaml", cwd=tmp_path)

    run(*pip, "uninstall", "--quiet", "--yes", "decord", cwd=tmp_path)
    tools = ("pytest", "pytest-timeout", "hypothesis", "psutil")
    run(*pip, "install", "--quiet", "-c", ROOT / "constraints.txt", *tools, cwd=tmp_path)
    told = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *READERS, cwd=ROOT)
    assert " passed" in told
    assert " failed" not in told
