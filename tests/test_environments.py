"""pyproject.toml, constraints.txt and environment.yml pin the same versions."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def pins(lines: list[str]) -> dict[str, str]:
    """Version by normalised name; every line must be an exact pin."""
    found = {}
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", line.strip())
        assert match, f"not an exact pin: {line!r}"
        found[re.sub(r"[-_.]+", "-", match[1]).lower()] = match[2]
    return found


def project() -> dict[str, str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return pins(settings["dependencies"] + settings["optional-dependencies"]["dev"])


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return pins([line for line in lines if line and not line.startswith("#")])


def conda() -> tuple[str, dict[str, str]]:
    python, _, below = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    return python, pins(below["pip"])


def test_constraints_hold_every_direct_dependency() -> None:
    every = constraints()
    assert {name: every.get(name) for name in project()} == project()


def test_conda_has_the_same_direct_dependencies() -> None:
    python, packages = conda()
    assert packages == project()
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert python == f"python={lowest.removeprefix('>=')}"


def test_torch_is_pinned_without_a_build() -> None:
    assert project()["torch"] == constraints()["torch"] == "2.13.0"


def test_vbench_has_an_environment_of_exact_pins_with_the_same_torch_and_decoder() -> None:
    lines = (ROOT / "workflow" / "envs" / "vbench" / "requirements.txt").read_text().splitlines()
    own = pins([line for line in lines if line and not line.startswith("#")])
    shared = ("torch", "decord", "numpy")
    assert {name: own[name] for name in shared} == {name: constraints()[name] for name in shared}


def test_lerobot_has_an_environment_of_exact_pins_with_the_same_torch() -> None:
    found = []
    for name in ("requirements.txt", "requirements-v21.txt"):
        lines = (ROOT / "tests" / "lerobot" / name).read_text().splitlines()
        found.append(pins([line for line in lines if line and not line.startswith("#")]))
    assert {name: found[0][name] for name in ("torch", "numpy")} == {
        name: constraints()[name] for name in ("torch", "numpy")
    }
    assert (found[0]["lerobot"], found[1]["lerobot"]) == ("0.4.4", "0.3.3")


def test_the_simulators_have_an_environment_of_exact_pins_with_the_same_encoder() -> None:
    lines = (ROOT / "simulation" / "requirements.txt").read_text().splitlines()
    own = pins([line for line in lines if line and not line.startswith("#")])
    shared = ("av", "numpy", "pillow", "tqdm", "pytest")
    assert {name: own[name] for name in shared} == {name: constraints()[name] for name in shared}
    assert (own["metaworld"], own["gymnasium-robotics"], own["mujoco"]) == ("3.1.1", "1.4.2", "3.3.0")
    assert "torch" not in own
