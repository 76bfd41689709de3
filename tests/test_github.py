"""What GitHub reads: workflows call targets, files and tests that exist, and give no job more rights than it needs."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")

PUBLISHING = [("release", {"id-token": "write"}), ("github-pages", {"pages": "write", "id-token": "write"})]


def read(path: Path) -> dict:
    found = yaml.safe_load(path.read_text())
    assert isinstance(found, dict)
    return found


def jobs(path: Path) -> dict[str, dict]:
    return read(path)["jobs"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_steps_call_what_exists(path: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [step["run"] for job in jobs(path).values() for step in job["steps"] if "run" in step]
    assert lines
    for line in lines:
        words = line.split()
        if words[0] == "make":
            assert words[1] in targets, line
        for word in words:
            if word.startswith("tests/"):
                assert (ROOT / word).is_file(), line
    keyed = [step["with"] for job in jobs(path).values() for step in job["steps"] if "cache" in step.get("with", {})]
    assert all((ROOT / settings["cache-dependency-path"]).is_file() for settings in keyed)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_may_read_only_and_end(path: Path) -> None:
    """But for publishing packages and pages, by the identity that this asks for, in jobs that run no code of ours."""
    assert read(path)["permissions"] == {"contents": "read"}
    for job in jobs(path).values():
        assert job["timeout-minutes"] <= 120
        if "permissions" in job:
            assert (job["environment"], job["permissions"]) in PUBLISHING
            assert not [step for step in job["steps"] if "run" in step]
        for step in job["steps"]:
            assert "secrets." not in str(step)
            assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v\d+)", step.get("uses", "a/b@v1")), step


def test_tests_run_on_every_python_from_the_lowest() -> None:
    versions = jobs(ROOT / ".github/workflows/checks.yml")["tests"]["strategy"]["matrix"]["python"]
    lowest = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text())[1]
    first = int(lowest.partition(".")[2])
    assert versions == [f"3.{minor}" for minor in range(first, first + len(versions))]
    others = [
        step["with"]["python-version"]
        for path in WORKFLOWS
        for name, job in jobs(path).items()
        for step in job["steps"]
        if "python-version" in step.get("with", {}) and name != "tests"
    ]
    assert set(others) == {lowest}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_forms_have_what_github_requires(path: Path) -> None:
    form = read(path)
    assert {"name", "description", "body"} <= form.keys()
    ids = [item["id"] for item in form["body"]]
    assert len(set(ids)) == len(ids)
    for item in form["body"]:
        assert item["type"] in ("input", "textarea", "checkboxes")
        assert item["attributes"]["label"]
        for page in re.findall(r"docs/[\w/]+\.md", str(item)):
            assert (ROOT / page).is_file(), page


def test_a_bug_report_has_what_the_doctor_says() -> None:
    [doctor] = [item for item in read(ROOT / ".github/ISSUE_TEMPLATE/bug.yml")["body"] if item["id"] == "doctor"]
    assert doctor["validations"] == {"required": True}


def test_hooks_are_tools_of_the_environment() -> None:
    [local] = read(ROOT / ".pre-commit-config.yaml")["repos"]
    pins = (ROOT / "constraints.txt").read_text()
    for hook in local["hooks"]:
        assert hook["language"] == "system"
        assert re.search(rf"^{hook['entry'].split()[0].removeprefix('.venv/bin/')}==", pins, re.MULTILINE), hook["id"]


def test_the_catalogue_names_a_configuration_and_a_profile() -> None:
    flags = read(ROOT / ".snakemake-workflow-catalog.yml")["usage"]["mandatory-flags"]["flags"].split()
    assert (ROOT / flags[flags.index("--configfile") + 1]).is_file()
    assert (ROOT / "profiles" / flags[flags.index("--profile") + 1] / "config.yaml").is_file()
