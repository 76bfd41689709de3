"""The official package in its own environment, all six dimensions: `make test-vbench`."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fca.config.vbench import DIMENSIONS, VBench
from fca.errors import FcaError
from fca.vbench.step import SCRIPT, pixels_sha256, run_official, write_video
from fca.vbench.weights import request

ROOT = Path(__file__).parents[2]
ENVIRONMENT = Path(os.environ.get("FCA_VBENCH", ROOT / ".venv-vbench"))
PYTHON = ENVIRONMENT / "bin" / "python"
ODD = "<img src=x onerror=alert(1)> “émoji” 🤖 \u202e\t&amp;\n" + "very long " * 60

pytestmark = [
    pytest.mark.vbench,
    pytest.mark.skipif(not PYTHON.exists(), reason="no VBench environment: make vbench-env"),
]


def moving(seed: int, height: int = 64, width: int = 96, frames: int = 8) -> np.ndarray:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return np.stack([np.roll(picture, 3 * frame, axis=1) for frame in range(frames)])


def clip(path: Path, frames: np.ndarray, prompt: str) -> dict[str, Any]:
    write_video(frames, path)
    sha256 = pixels_sha256(frames)
    return {"id": path.stem, "path": str(path), "prompt": prompt, "frames": len(frames), "sha256": sha256}


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The adapter's answer and the package's own numbers for three clips."""
    folder = tmp_path_factory.mktemp("vbench")
    prompts = ["push red block left", ODD, ""]
    clips = [clip(folder / f"{row}.mp4", moving(row), prompt) for row, prompt in enumerate(prompts)]
    asked = {"device": "cpu", "dimensions": list(DIMENSIONS), "clips": clips}
    (folder / "request.json").write_text(json.dumps(asked))
    command = [str(PYTHON), "-P", str(Path(__file__).with_name("compare.py")), str(SCRIPT), str(folder)]
    subprocess.run(command, check=True, timeout=900)
    return json.loads((folder / "compared.json").read_text())


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_row_is_the_packages_own_number_to_the_last_digit(compared: dict[str, Any], dimension: str) -> None:
    unit = 100.0 if dimension == "imaging_quality" else 1.0
    rows = [row[dimension] for row in compared["adapter"]["rows"]]
    assert rows == [value / unit for value in compared["package"][dimension]["rows"]]
    assert compared["adapter"]["package_means"][dimension] == compared["package"][dimension]["mean"]
    assert np.isfinite(rows).all()
    assert len(set(rows)) == 3  # three different clips: no constant passes


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_the_mean_of_the_rows_is_the_packages_mean(compared: dict[str, Any], dimension: str) -> None:
    rows = [row[dimension] for row in compared["adapter"]["rows"]]
    assert np.mean(rows) == pytest.approx(compared["package"][dimension]["mean"], rel=1e-12)


def test_a_clips_numbers_do_not_depend_on_the_others(compared: dict[str, Any]) -> None:
    assert compared["reversed"] == compared["adapter"]["rows"]


def test_the_prompt_reaches_overall_consistency_alone(tmp_path: Path, compared: dict[str, Any]) -> None:
    assert len({row["overall_consistency"] for row in compared["adapter"]["rows"]}) == 3
    frames = moving(0)
    flicker = 1 - np.abs(np.diff(frames.astype(np.float64), axis=0)).mean() / 255
    assert compared["adapter"]["rows"][0]["temporal_flickering"] == pytest.approx(flicker, rel=1e-6)


def test_dino_is_dinos_network_for_square_and_for_wide_pictures(compared: dict[str, Any]) -> None:
    assert set(compared["dino"]) == {"224x224", "224x336", "298x224"}
    assert max(compared["dino"].values()) < 1e-4


def test_nothing_leaves_the_process(compared: dict[str, Any]) -> None:
    assert compared["blocked"] == ["connect", "resolve", "program", "shell"]


def asked(tmp_path: Path, dimensions: list[str], settings: VBench, clips: list[dict[str, Any]]) -> dict[str, Any]:
    question = {"device": "cpu", "dimensions": dimensions, "weights": request(settings), "clips": clips}
    return run_official(settings, question, tmp_path)


@pytest.fixture
def settings(tmp_path: Path) -> VBench:
    """Files with the right names and the wrong content."""
    weights = tmp_path / "weights"
    weights.mkdir()
    settings = VBench(environment=str(ENVIRONMENT), weights=str(weights))
    for entry in request(settings).values():
        Path(str(entry["path"])).write_bytes(b"not a network")
    return settings


def test_weights_with_another_hash_are_refused(tmp_path: Path, settings: VBench) -> None:
    with pytest.raises(FcaError, match=r"ViT-B-32.pt has sha256 [0-9a-f]{64}(?s:.*)40d365715913c9da98579312b702a82c"):
        asked(tmp_path, ["background_consistency"], settings, [])
    with pytest.raises(FcaError, match="expected: 358bb6af"):
        asked(tmp_path, ["imaging_quality"], settings, [])


def test_a_pickle_without_an_expected_hash_is_not_loaded(tmp_path: Path, settings: VBench) -> None:
    with pytest.raises(FcaError, match=r"pickle(?s:.*)add `amt-s.pth: [0-9a-f]{64}` to score.vbench.sha256"):
        asked(tmp_path, ["motion_smoothness"], settings, [])


@pytest.mark.parametrize("harm", ["cut", "fewer", "other", "gone"])
def test_a_damaged_video_is_refused(tmp_path: Path, settings: VBench, harm: str) -> None:
    frames = moving(0)
    whole = clip(tmp_path / "clip-7.mp4", frames, "x")
    path = Path(whole["path"])
    match harm:
        case "cut":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        case "fewer":
            write_video(frames[:-1], path)
        case "other":
            write_video(frames ^ 1, path)
        case "gone":
            path.unlink()
    with pytest.raises(FcaError, match=r"clip-7: .*clip-7\.mp4") as error:
        asked(tmp_path, ["temporal_flickering"], settings, [whole])
    assert "frames" in str(error.value) or "pixels" in str(error.value) or "can't be read" in str(error.value)


@pytest.mark.parametrize("height, width", [(64, 96), (480, 720), (50, 34)])
def test_both_readers_get_the_very_pixels(tmp_path: Path, settings: VBench, height: int, width: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, height, width, 3), dtype=np.uint8)
    answer = asked(tmp_path, ["temporal_flickering"], settings, [clip(tmp_path / "a.mp4", noise, "x")])
    expected = 1 - np.abs(np.diff(noise.astype(np.float64), axis=0)).mean() / 255
    assert answer["rows"][0]["temporal_flickering"] == pytest.approx(expected, rel=1e-6)
    assert answer["versions"]["vbench"] == "0.1.5"
