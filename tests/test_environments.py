"""pyproject.toml has ranges, constraints.txt a version in each, and every way to install takes those versions."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def pins(lines: list[str]) -> dict[str, str]:
    """Version by normalised name; every line must be an exact pin."""
    found = {}
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", line.strip())
        assert match, f"not an exact pin: {line!r}"
        found[canonicalize_name(match[1])] = match[2]
    return found


def project() -> dict[str, Requirement]:
    """Every direct dependency, those of the extras too, without `make mutants`."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for name, lines in settings["optional-dependencies"].items() if name != "mutants" for line in lines]
    every = map(Requirement, [*settings["dependencies"], *extras])
    return {canonicalize_name(one.name): one for one in every if one.name != settings["name"]}


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return pins([line for line in lines if line and not line.startswith("#")])


OLDER = {"pillow": "12.3.0"}
"""What `make ui-env` has instead, because gradio needs it"""


def test_what_is_tested_is_the_lower_end_of_each_range() -> None:
    every = constraints()
    for name, needed in project().items():
        if name == "gradio":  # of an environment of its own, where its newest is installed
            assert name not in every
            continue
        assert needed.specifier.contains(every[name]), name
        [lower] = [one.version for one in needed.specifier if one.operator in (">=", "==")]
        tested = OLDER.get(name, every[name])
        assert f"{tested}.".startswith(f"{lower}."), f"{name}: {tested} is tested, {lower} is allowed"


def test_nobody_needs_the_workflow_to_predict() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {Requirement(line).name for line in settings["dependencies"]}
    workflow = {Requirement(line).name for line in settings["optional-dependencies"]["workflow"]}
    assert {"snakemake", "dvc"} <= workflow
    assert not workflow & needed


def test_decord_is_needed_only_where_it_has_wheels() -> None:
    marker = project()["decord"].marker
    assert marker.evaluate({"sys_platform": "linux", "platform_machine": "x86_64"})
    assert not marker.evaluate({"sys_platform": "linux", "platform_machine": "aarch64"})
    assert not marker.evaluate({"sys_platform": "darwin", "platform_machine": "x86_64"})


def test_conda_installs_what_make_installs() -> None:
    python, _, below = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert python == f"python={lowest.removeprefix('>=')}"
    [line] = [line for line in (ROOT / "Makefile").read_text().splitlines() if "-e '.[dev]'" in line]
    assert line.endswith(" ".join(below["pip"]).replace(".[dev]", "'.[dev]'"))


def test_torch_is_pinned_without_a_build() -> None:
    assert constraints()["torch"] == "2.13.0"


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
