"""Raw data: clips of the library, archives checked and linked, never downloaded."""

from pathlib import Path

import numpy as np
import pytest

from fca.artifacts.manifest import Manifest
from fca.artifacts.shards import Shard
from fca.config import Config, Layout
from fca.config.dataset_formats import FORMATS
from fca.data.clip_record import read_records
from fca.data.fetch import fetch
from fca.data.index import build_index
from fca.data.library.ids import records_of
from fca.data.library.pixels import read_pixels
from fca.data.resample import resample
from fca.data.verify import verify
from fca.errors import FcaError
from fca.video.frame_selection import cast, cast_plan
from tests.data.corpora import config_for, files_below, write_bridge, write_epic, write_ssv2

LIBRARY = {"ssv2": (2, 1), "bridge": (4, 2), "epic": (5, 1)}


def from_library(folder: Path, form: str, **own: object) -> Config:
    train, validation = LIBRARY[form]
    library = {"train": train, "validation": validation}
    return config_for(folder, form, train, validation, source="library", root=None, library=library, **own)


@pytest.mark.parametrize(
    ("form", "own"),
    [("ssv2", {}), ("bridge", {}), ("epic", {}), ("epic", {"media": "video"})],
    ids=["ssv2", "bridge", "epic", "epic as videos"],
)
def test_clips_of_the_library_go_through_the_code_of_real_data(tmp_path: Path, form: str, own: dict) -> None:
    config = from_library(tmp_path, form, **own)
    layout = Layout(config)
    manifest = fetch(config, form)
    assert manifest == Manifest.read(layout.raw_manifest(form))
    assert manifest.extra["source"] == "library"
    assert manifest.count == len(list(files_below(layout.raw(form)))) > 0
    index = build_index(config, form)
    assert index.quarantine == []

    # Ids lead back to the library's clips, with their captions and frames.
    expected = records_of(config.datasets[form])
    records = read_records(layout.index(form))
    assert [record.id for record in records] == list(expected)
    for record in records:
        clip = expected[record.id]
        assert (record.split, record.caption, record.length) == (clip.split, clip.caption, clip.frames)
    checked = verify(config, form)
    assert checked.quarantine == checked.extra["problems"] == []
    assert resample(config, form, "validation", 0).count == LIBRARY[form][1]
    with Shard(layout.clips(form, "validation", 0)) as shard:
        for name, frames in zip(shard.ids, shard.frames, strict=True):
            pixels = read_pixels(Path(config.datasets[form].library.folder), expected[name])
            kept = cast(dict(enumerate(pixels)), cast_plan(len(pixels), 16), 96, 64, "stretch")
            assert np.abs(frames.astype(int) - kept).mean() < 3


def test_the_same_library_makes_the_same_data_and_replaces_what_is_there(tmp_path: Path) -> None:
    config = from_library(tmp_path, "ssv2")
    first = fetch(config, "ssv2")
    (Layout(config).raw("ssv2") / "rubbish").touch()
    assert fetch(config, "ssv2") == first
    assert not (Layout(config).raw("ssv2") / "rubbish").exists()


def archive(folder: Path, form: str) -> Path:
    """A user's folder in the format; the annotations are not the published ones."""
    root = folder / "theirs"
    if form == "ssv2":
        write_ssv2(root, [("1", "a", 2)], [("2", "b", 2)])
    elif form == "bridge":
        view = "toykitchen1/flip_pot/2021-06-02_16-36-21/raw/traj_group0/traj0/images0"
        write_bridge(root, {view: 2}, ["flip_pot/0"])
    else:
        segments = {"train": [("P01_01", 1, 3, "take")], "validation": [("P01_01", 4, 6, "put")]}
        write_epic(root, segments, {"P01_01": 6})
    return root


def test_an_archive_is_linked_and_stays_where_it_is(tmp_path: Path) -> None:
    root = archive(tmp_path, "ssv2")
    before = list(files_below(root))
    config = config_for(tmp_path, "ssv2", 1, 1, root=str(root))
    manifest = fetch(config, "ssv2")
    raw = Layout(config).raw("ssv2")
    assert raw.is_symlink()
    assert raw.resolve() == root
    assert list(files_below(root)) == before
    assert manifest.count == 2
    assert "licence" in manifest.extra
    assert fetch(config, "ssv2") == manifest
    assert build_index(config, "ssv2").quarantine == []
    (root / "videos/1.webm").write_bytes(b"changed")
    assert fetch(config, "ssv2").sha256 != manifest.sha256


@pytest.mark.parametrize("form", ["bridge", "epic"])
def test_annotations_that_are_not_the_published_ones_are_refused(tmp_path: Path, form: str) -> None:
    root = archive(tmp_path, form)
    with pytest.raises(FcaError, match="is not the published file") as caught:
        fetch(config_for(tmp_path, form, 1, 1, root=str(root)), form)
    assert "https://" in caught.value.remedy


@pytest.mark.parametrize("form", sorted(form for form, facts in FORMATS.items() if facts.download))
def test_a_missing_archive_says_what_to_get_and_where(tmp_path: Path, form: str) -> None:
    config = config_for(tmp_path, form, 1, 1, root=str(tmp_path / "nowhere"))
    with pytest.raises(FcaError, match="there is no folder") as caught:
        fetch(config, form)
    assert "https://" in caught.value.remedy
    assert "under" in caught.value.remedy
    (tmp_path / "nowhere").mkdir()
    with pytest.raises(FcaError) as caught:
        fetch(config, form)
    assert "https://" in caught.value.remedy
    assert not Layout(config).raw_manifest(form).exists()


def test_an_unknown_dataset(tmp_path: Path) -> None:
    with pytest.raises(FcaError, match="no dataset 'x'"):
        fetch(config_for(tmp_path, "ssv2", 1, 1), "x")
