"""`fca score-videos`: two folders of videos, against the definitions applied to their decoded frames."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fca.cli.main import main
from fca.errors import FcaError
from fca.score.features import load_network
from fca.score.frechet import frechet_distance, seer_frechet_distance
from fca.score.kernel import centred, kernel_distance
from fca.score.videos import VideoPairs, score_videos
from fca.video.decode import read_frames
from fca.video.write import write_video

FRAMES, NAMES = 8, ("a", "b", "c")


def moving(seed: int, frames: int = FRAMES, height: int = 32, width: int = 48) -> np.ndarray:
    """A bright square that moves over noise of large grains."""
    random = np.random.default_rng(seed)
    grains = random.integers(0, 200, (height // 8, width // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    video = np.repeat(grains[None], frames, axis=0)
    for number, frame in enumerate(video):
        frame[8:20, 2 * number + seed : 2 * number + seed + 12] = 255
    return video


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    truth, predicted = tmp_path / "truth", tmp_path / "predicted"
    for number, name in enumerate(NAMES):
        write_video(moving(number), truth / f"{name}.mp4")
        write_video(moving(number + 3), predicted / f"{name}.webm")
    (truth / "captions.csv").write_text("file,caption\n")
    return truth, predicted


def test_scores_are_the_definitions_on_decoded_frames(folders, write_network: Callable[..., Path], capsys) -> None:
    """Initial frames are ground truth in the distances and left out of PSNR; videos are paired by name."""
    truth, predicted = folders
    options = ["--truth", str(truth), "--predicted", str(predicted), "--given", "2"]
    assert main(["score-videos", *options, "--features", str(write_network()), "--json"]) == 0
    printed = capsys.readouterr()
    assert "can't be compared with any published value" in printed.err
    found = json.loads(printed.out)

    network = load_network(write_network())
    own = np.stack([read_frames(truth / f"{name}.mp4", range(FRAMES)) for name in NAMES])
    other = np.stack([read_frames(predicted / f"{name}.webm", range(FRAMES)) for name in NAMES])
    first = other.copy()
    first[:, :2] = own[:, :2]
    features = network.features(own)
    for kind, videos in (("gt2", first), ("raw", other)):
        seen = network.features(videos)
        expected = {
            "fvd": frechet_distance(features, seen),
            "fvd_seer": seer_frechet_distance(features, seen),
            "kvd": kernel_distance(features, seen),
            "kvd_seer": kernel_distance(centred(features), centred(seen)),
        }
        for metric, value in expected.items():
            score = found["scores"][f"{metric}_tiny-i3d_3x8f_{kind}"]
            assert score["value"] == pytest.approx(value, rel=1e-4, abs=1e-6), (metric, kind)
            assert score["low"] <= score["value"] <= score["high"]
    error = ((own[:, 2:].astype(float) - other[:, 2:]) ** 2).mean((2, 3, 4))
    assert found["scores"]["psnr"]["value"] == pytest.approx((10 * np.log10(255**2 / error)).mean(), rel=1e-5)
    assert len(found["psnr_per_frame"]) == FRAMES - 2
    assert [clip["id"] for clip in found["clips"]] == list(NAMES)
    assert found["protocol"]["initial_frames"] == 2


def test_equal_folders_are_perfect_and_text_states_the_protocol(folders, write_network, capsys) -> None:
    truth, _ = folders
    options = ["--truth", str(truth), "--predicted", str(truth), "--given", "0", "--frames", "8"]
    assert main(["score-videos", *options, "--features", str(write_network())]) == 0
    lines = capsys.readouterr().out.splitlines()
    values = {line.split()[0]: float(line.split()[1]) for line in lines[1 : lines.index("")]}
    assert values.pop("fvd_tiny-i3d_3x8f_raw") == pytest.approx(0, abs=1e-6)
    assert (values["psnr"], values["ssim"]) == (100, 1)
    assert not [name for name in values if "gt" in name]  # nothing was given
    assert "  initial_frames: 0" in lines
    assert any(line.startswith("  feature network's sha256: ") for line in lines)


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("b.webm", None, "truth/b.mp4: no partner"),
        ("d.webm", moving(1), "predicted/d.webm: no partner"),
        ("b.mp4", moving(1), "two videos of one name"),
        ("b.webm", moving(1, frames=5), r"predicted/b.webm \(5 frames\): not as long as .*--frames 5 scores"),
        ("b.webm", moving(1, frames=9), r"predicted/b.webm \(9 frames\): not as long as"),
        ("b.webm", moving(1, width=64), "predicted/b.webm: other sizes than"),
        ("b.webm", b"#EXTM3U\nfile:///etc/passwd\n", "predicted/b.webm: it is not a readable video"),
        ("b.webm", b"", "predicted/b.webm: the file is empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_scored_is_named(folders, name: str, content: np.ndarray | bytes | None, words: str) -> None:
    truth, predicted = folders
    if content is None:
        (predicted / name).unlink()
    elif isinstance(content, bytes):
        (predicted / name).write_bytes(content)
    else:
        write_video(content, predicted / name)
    with pytest.raises(FcaError, match=f"(?s){words}"):
        VideoPairs.of(truth, predicted)


def test_wrong_numbers_of_frames_and_folders_are_refused(folders, write_network, tmp_path: Path) -> None:
    truth, predicted = folders
    with pytest.raises(FcaError, match=r"too short(?s:.*)--frames 8"):
        VideoPairs.of(truth, predicted, 9)
    pairs = VideoPairs.of(truth, predicted, 7)
    with pytest.raises(FcaError, match=r"7 frames can't be scored(?s:.*)set --frames"):
        score_videos(pairs, 1, load_network(write_network()))
    with pytest.raises(FcaError, match="--given 7 of 7 frames"):
        score_videos(pairs, 7, load_network(write_network(frames=None)))
    with pytest.raises(FcaError, match="nowhere: no such folder"):
        VideoPairs.of(truth, tmp_path / "nowhere")
    for path in [*truth.glob("[bc].mp4"), *predicted.glob("[bc].webm")]:
        path.unlink()
    with pytest.raises(FcaError, match="at least 2"):
        VideoPairs.of(truth, predicted)
