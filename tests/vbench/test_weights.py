"""The files that VBench needs, and the errors if they are missing."""

import re
from pathlib import Path

import pytest

from fca.config.vbench import DIMENSIONS, WEIGHTS, VBench
from fca.errors import FcaError
from fca.vbench.weights import dimensions, is_ready, missing, request, require

DOCS = Path(__file__).parents[2] / "docs" / "scores.md"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A folder that looks like an environment, as far as the workflow looks."""
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    return python.parents[1]


def test_without_weights_only_temporal_flickering_is_measured() -> None:
    assert dimensions(VBench()) == ["temporal_flickering"]
    assert dimensions(VBench(weights="x")) == list(DIMENSIONS)
    assert {file.dimension for file in WEIGHTS} | {"temporal_flickering"} == set(DIMENSIONS)


def test_all_missing_files_are_named_with_size_and_address(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "amt-s.pth").touch()
    settings = VBench(environment=str(environment), weights=str(tmp_path / "weights"))
    with pytest.raises(FcaError, match="lacks 4 of 5 files") as error:
        require(settings)
    for file in WEIGHTS:
        listed = f"{file.name} ({file.megabytes} MB, {file.network}) from {file.url}"
        assert (listed in str(error.value)) == (file.name != "amt-s.pth")
    assert not is_ready(settings)


def test_a_missing_environment_is_said_before_missing_weights(tmp_path: Path) -> None:
    settings = VBench(environment=str(tmp_path / "none"), weights=str(tmp_path))
    with pytest.raises(FcaError, match="make vbench-env"):
        require(settings)
    assert not is_ready(settings)
    assert not is_ready(None)


def test_it_is_ready_with_environment_and_all_files(environment: Path, tmp_path: Path) -> None:
    assert is_ready(VBench(environment=str(environment)))
    settings = VBench(environment=str(environment), weights=str(tmp_path))
    for file in WEIGHTS:
        (tmp_path / file.name).touch()
    assert is_ready(settings)
    assert missing(settings) == []


def test_your_hash_takes_the_place_of_the_published_one(tmp_path: Path) -> None:
    mine = "a" * 64
    asked = request(VBench(weights=str(tmp_path), sha256={"amt-s.pth": mine, "ViT-B-32.pt": mine}))
    assert asked["motion_smoothness"]["sha256"] == asked["background_consistency"]["sha256"] == mine
    assert asked["imaging_quality"] == {"path": str(tmp_path / "musiq_spaq_ckpt-358bb6af.pth"), "sha256": "358bb6af"}
    assert asked["subject_consistency"]["sha256"] is None


def test_a_hash_of_an_unknown_file_is_refused() -> None:
    with pytest.raises(FcaError, match=r"names amt\.pth"):
        request(VBench(weights="x", sha256={"amt.pth": "a" * 64}))


def test_published_hashes_stand_in_the_files_addresses() -> None:
    for file in WEIGHTS:
        assert file.sha256 is None or file.sha256 in file.url
        assert file.url.endswith(f"/{file.name}")


def test_the_documentation_lists_the_same_files() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| ([\d,]+) \| .*<(https://\S+)>", DOCS.read_text(), flags=re.MULTILINE)
    assert rows == [(file.name, f"{file.megabytes:,}", file.url) for file in WEIGHTS]


def test_an_unfinished_environment_is_not_ready(environment: Path) -> None:
    (environment / "unfinished").touch()
    settings = VBench(environment=str(environment))
    assert not is_ready(settings)
    with pytest.raises(FcaError, match=r"is unfinished\n.*\n.*make vbench-env"):
        require(settings)
