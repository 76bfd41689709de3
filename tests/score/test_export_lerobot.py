"""`fca export-lerobot`: every prediction is an episode with its caption, and nothing else is."""

from pathlib import Path

import numpy as np
import pytest

from fca.artifacts.shards import Shard
from fca.cli.main import main
from fca.config import Config, Layout
from fca.data.clip_pixels import media_of
from fca.video.decode import read_frames
from tests.data.datasets.test_lerobot import listing
from tests.score.project import CAPTIONS, CLIPS, FRAMES, truth, write_clips, write_samples

pytest.importorskip("pyarrow")


@pytest.fixture
def file(config: Config, tmp_path: Path) -> Path:
    write_clips(config)
    write_samples(config, noise=30.0)
    path = tmp_path / "config.json"
    path.write_text(config.model_dump_json())
    return path


def frames_of(root: Path, camera: str | None) -> dict[str, np.ndarray]:
    found = listing(root, camera=camera)
    assert found.quarantine == []
    records = sorted(found.records, key=lambda record: record.id)
    assert [record.caption for record in records] == CAPTIONS
    return {record.id: read_frames(media_of(root, record, None), range(record.length)) for record in records}


def test_predictions_and_their_ground_truth_are_episodes(file: Path, config: Config, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["export-lerobot", "-c", str(file), "ssv2", "fca", "--out", str(out), "--ground-truth", "--fps", "5"]
    assert main(command) == 0
    given, layout = [], Layout(config)
    for number in layout.shards("ssv2", "validation"):
        clips = Shard(layout.clips("ssv2", "validation", number)).ids
        with Shard(layout.samples("ssv2", "fca", "validation", number)) as shard:
            given += [np.asarray(shard.frames[shard.ids.index(name)]) for name in clips]
    predicted = frames_of(out, "observation.images.predicted")
    assert len(predicted) == len(given) == CLIPS
    for clip, (name, found) in enumerate(predicted.items()):
        assert found.shape == given[clip].shape == (FRAMES, *found.shape[1:])
        others = [np.abs(found.astype(float) - other).mean() for other in given]
        assert int(np.argmin(others)) == clip, name
    for clip, found in enumerate(frames_of(out, "observation.images.ground_truth").values()):
        assert np.abs(found.astype(float) - truth(clip)).mean() < 8


def test_an_existing_folder_and_missing_predictions_are_refused(
    file: Path, config: Config, tmp_path: Path, capsys
) -> None:
    (tmp_path / "out").mkdir()
    common = ["export-lerobot", "-c", str(file), "ssv2"]
    assert main([*common, "fca", "--out", str(tmp_path / "out")]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main([*common, "base", "--out", str(tmp_path / "new")]) == 1
    assert "there is no manifest" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
