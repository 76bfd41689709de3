"""The tabletop generator: same seed same bytes, true captions, and corpora in the three datasets' formats."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from fca.data.tabletop.captions import SSV2_TEMPLATES, caption, caption_text, motion_of_caption
from fca.data.tabletop.draw import render
from fca.data.tabletop.sample import sample_scene
from fca.data.tabletop.scene import CAMERAS, COLOURS, MOTIONS, OPPOSITE, STYLE_MOTIONS, STYLES, Scene
from fca.video.decode import read_frames
from fca.video.timed import TimedFrames
from tests.data.corpora import generate_tabletop

CASES = [(style, motion) for style in STYLES for motion in STYLE_MOTIONS[style]]


def drawn(scene: Scene, frames: int) -> np.ndarray:
    """A scene at evenly spaced phases."""
    return np.stack([render(scene, index / max(1, frames - 1), 96, 64) for index in range(frames)])


def _scenes(style: str, motion: str, count: int) -> list[Scene]:
    return [sample_scene(np.random.default_rng([seed, 7]), style, motion) for seed in range(count)]


def _centroid(frame: np.ndarray, colour: str) -> np.ndarray:
    """Mean (x, y), in pixels, of the pixels nearer than 60 to a colour."""
    distance = np.linalg.norm(frame.astype(np.float64) - COLOURS[colour], axis=-1)
    y, x = np.nonzero(distance < 60.0)
    assert len(x) >= 12, "the target is hidden"
    return np.array([x.mean(), y.mean()])


def _digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(("style", "motion"), CASES)
def test_same_seed_same_bytes(style: str, motion: str) -> None:
    one, other = (sample_scene(np.random.default_rng(5), style, motion) for _ in range(2))
    assert one == other
    frames = drawn(one, 5)
    assert frames.shape == (5, 64, 96, 3)
    assert frames.dtype == np.uint8
    assert frames.tobytes() == drawn(other, 5).tobytes()
    assert drawn(one, 1).tobytes() == frames[:1].tobytes()


@pytest.mark.parametrize(("style", "motion"), CASES)
def test_first_frame_does_not_reveal_the_direction(style: str, motion: str) -> None:
    for seed, scene in enumerate(_scenes(style, motion, 20)):
        opposite = dataclasses.replace(scene, motion=OPPOSITE[motion])
        assert render(scene, 0.0, 96, 64).tobytes() == render(opposite, 0.0, 96, 64).tobytes()
        assert render(scene, 1.0, 96, 64).tobytes() != render(opposite, 1.0, 96, 64).tobytes()
        drawn = sample_scene(np.random.default_rng([seed, 7]), style, OPPOSITE[motion])
        assert drawn == opposite, "the direction must not steer what is drawn"


@pytest.mark.parametrize(("style", "motion"), CASES)
def test_motion_is_in_the_pixels(style: str, motion: str) -> None:
    """The target's colour moves the asked way by at least a seventh of the frame, and hardly across it."""
    asked = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1), "pan_left": (1, 0), "pan_right": (-1, 0)}
    direction = np.array(asked[motion], dtype=np.float64)
    for scene in _scenes(style, motion, 20):
        first, last = render(scene, 0.0, 96, 64), render(scene, 1.0, 96, 64)
        target = scene.items[scene.target]
        way = (_centroid(last, target.colour) - _centroid(first, target.colour)) / (96.0, 64.0)
        assert way @ direction > 1.0 / 7.0
        assert abs(way @ direction[::-1]) < 0.07
        if motion.startswith("pan"):
            border = np.abs(first.astype(int) - last).mean(axis=-1)[:, ::95]
            assert (border > 3).any(), "the background must pan too"


def test_scenes_keep_the_contract() -> None:
    for style, motion in CASES:
        for scene in _scenes(style, motion, 30):
            assert len(scene.items) in (2, 3)
            assert len({item.colour for item in scene.items}) == len(scene.items)
            assert all(14.0 <= item.size * 64 <= 18.0 for item in scene.items)
            assert scene.camera in CAMERAS
    assert {sample_scene(np.random.default_rng(seed), "bridge").motion for seed in range(40)} == set(MOTIONS[:4])
    with pytest.raises(ValueError, match="no motion"):
        sample_scene(np.random.default_rng(0), "bridge", "pan_left")


@pytest.mark.parametrize(("size", "style"), [((320, 240), "ssv2"), ((640, 480), "bridge"), ((456, 256), "epic")])
def test_small_render_equals_resized_native_one(size: tuple[int, int], style: str) -> None:
    scene = sample_scene(np.random.default_rng(11), style, "left")
    native = Image.fromarray(render(scene, 0.7, *size)).resize((96, 64), Image.Resampling.BOX)
    small = render(scene, 0.7, 96, 64, aspect=size[0] / size[1])
    error = np.mean((np.asarray(native, np.float64) - small) ** 2)
    assert 10.0 * np.log10(255.0**2 / error) > 32.0


@pytest.mark.parametrize(("style", "motion"), CASES)
def test_captions_round_trip(style: str, motion: str) -> None:
    for scene in _scenes(style, motion, 10):
        text = caption_text(scene)
        assert motion_of_caption(text) == motion
        assert motion_of_caption(text.replace(" ", "_") + "_distractors") == motion
        assert caption_text(scene, OPPOSITE[motion]) == caption_text(
            dataclasses.replace(scene, motion=OPPOSITE[motion])
        )
        if not text.startswith("look"):
            assert scene.items[scene.target].name in text


def test_caption_wordings() -> None:
    scene = sample_scene(np.random.default_rng(1), "ssv2", "right")
    name = scene.items[scene.target].name
    assert caption(scene) == {
        "label": f"Pushing {name} from left to right",
        "template": "Pushing [something] from left to right",
        "placeholders": [name],
    }
    with pytest.raises(ValueError, match="no motion"):
        motion_of_caption("opening a drawer")


def test_write_ssv2(tmp_path: Path) -> None:
    for name in ("one", "other"):
        generate_tabletop("ssv2", tmp_path / name, 8, 2, seed=3)
    root = tmp_path / "one"
    assert _digests(root) == _digests(tmp_path / "other")
    with pytest.raises(FileExistsError):
        generate_tabletop("ssv2", root, 1, 1, seed=3)
    labels = json.loads((root / "annotations/labels.json").read_text())
    assert set(labels) == {template.replace("[", "").replace("]", "") for template in SSV2_TEMPLATES.values()}
    assert sorted(labels.values()) == [str(index) for index in range(6)]
    for split, count in (("train", 8), ("validation", 2)):
        entries = json.loads((root / "annotations" / f"{split}.json").read_text())
        assert len(entries) == count
        lengths = []
        for entry in entries:
            assert set(entry) == {"id", "label", "template", "placeholders"}
            motion = motion_of_caption(entry["label"])
            assert entry["template"] == SSV2_TEMPLATES[motion]
            with av.open(str(root / "videos" / f"{entry['id']}.webm")) as container:
                stream = container.streams.video[0]
                assert stream.codec_context.name in ("vp9", "libvpx-vp9")
                assert stream.average_rate == 12
                frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
            assert frames[0].shape in ((240, 320, 3), (240, 426, 3))
            lengths.append(len(frames))
            way = _centroid(frames[-1], entry["placeholders"][0].split()[0])
            way -= _centroid(frames[0], entry["placeholders"][0].split()[0])
            asked = {"left": way[0] < -30, "right": way[0] > 30, "up": way[1] < -30, "down": way[1] > 30}
            asked |= {"pan_left": way[0] > 30, "pan_right": way[0] < -30}
            assert asked[motion]
        assert min(lengths) == 12
        assert split == "validation" or max(lengths) > 100


def test_write_bridge(tmp_path: Path) -> None:
    for name in ("one", "other"):
        generate_tabletop("bridge", tmp_path / name, 8, 1, seed=4)
    root = tmp_path / "one"
    assert _digests(root) == _digests(tmp_path / "other")
    entries = json.loads((root / "path_id_bridgedata.txt").read_text())
    assert len(entries) == len(set(entries)) == 9
    folders: dict[str, int] = {}
    lengths = []
    for images in (root / "raw/bridge_data_v1/berkeley").glob("*/*/*/raw/traj_group*/traj*/images*"):
        task = images.parts[-6]
        folders[task] = folders.get(task, 0) + 1
        names = {path.name for path in images.iterdir()}
        assert names == {f"im_{index}.jpg" for index in range(len(names))}
        lengths.append(len(names))
        with Image.open(images / "im_0.jpg") as image:
            assert image.size == (640, 480)
    assert set(entries) == {f"{task}/{index}" for task, count in folders.items() for index in range(count)}
    assert min(lengths) == 12
    assert max(lengths) <= 50


@pytest.fixture(scope="module")
def epic_frames(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("epic") / "frames"
    generate_tabletop("epic", root, 5, 1, seed=5)
    return root


def test_write_epic(tmp_path: Path, epic_frames: Path) -> None:
    root = epic_frames
    generate_tabletop("epic", tmp_path / "other", 5, 1, seed=5)
    assert _digests(root) == _digests(tmp_path / "other")
    spans: dict[str, list[int]] = {}
    videos: set[str] = set()
    for split in ("train", "validation"):
        with (root / "annotations" / f"EPIC_100_{split}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert " ".join(rows[0]) == (
            "narration_id participant_id video_id narration_timestamp start_timestamp stop_timestamp start_frame"
            " stop_frame narration verb verb_class noun noun_class all_nouns all_noun_classes"
        )
        for row in rows:
            rate = 50 if len(row["video_id"].split("_")[1]) == 3 else 60
            for end in ("start", "stop"):
                hours, minutes, seconds = row[f"{end}_timestamp"].split(":")
                centiseconds = round((int(hours) * 3600 + int(minutes) * 60) * 100 + float(seconds) * 100)
                assert centiseconds * rate // 100 == int(row[f"{end}_frame"])
            spans.setdefault(split, []).append(int(row["stop_frame"]) - int(row["start_frame"]) + 1)
            folder = root / "EPIC-KITCHENS" / row["participant_id"] / "rgb_frames" / row["video_id"]
            names = {path.name for path in folder.iterdir()}
            assert names == {f"frame_{number:010d}.jpg" for number in range(1, len(names) + 1)}
            assert int(row["stop_frame"]) <= len(names)
            videos.add(row["video_id"])
            motion_of_caption(row["narration"])
            assert row["all_nouns"] == f"['{row['noun']}']"
            assert row["all_noun_classes"] == f"[{row['noun_class']}]"
    assert videos == {"P01_01", "P01_101", "P01_02"}
    assert len(spans["train"]) == 5
    assert len(spans["validation"]) == 1
    assert min(spans["train"]) == 12
    assert max(spans["train"]) > 200
    with Image.open(next((root / "EPIC-KITCHENS").rglob("frame_0000000001.jpg"))) as image:
        assert image.size == (456, 256)


def test_epic_as_videos_shows_at_a_frames_time_what_the_frame_shows(tmp_path: Path, epic_frames: Path) -> None:
    for name in ("one", "other"):
        generate_tabletop("epic", tmp_path / name, 5, 1, seed=5, media="video")
    assert _digests(tmp_path / "one") == _digests(tmp_path / "other")
    assert _digests(tmp_path / "one" / "annotations") == _digests(epic_frames / "annotations")
    folders = sorted(epic_frames.glob("EPIC-KITCHENS/P*/rgb_frames/*"))
    assert [folder.name for folder in folders] == ["P01_01", "P01_02", "P01_101"]
    for folder in folders:
        files = sorted(folder.iterdir())
        video = tmp_path / "one/EPIC-KITCHENS/P01/videos" / f"{folder.name}.MP4"
        rate = 50 if folder.name == "P01_101" else 60
        with av.open(str(video)) as container:
            assert container.streams.video[0].average_rate == (50 if rate == 50 else Fraction(60000, 1001))
        numbers = range(1, len(files) + 1, 7)
        frames = read_frames(TimedFrames(video, tuple(numbers), rate), range(len(numbers)))
        for number, frame in zip(numbers, frames, strict=True):
            with Image.open(files[number - 1]) as image:
                assert np.abs(frame.astype(int) - np.asarray(image)).mean() < 3, number
