"""Looking at every clip before work stands on it: faults of all kinds, counts, lists by hand, who honours it."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fca.artifacts.manifest import Manifest
from fca.artifacts.shards import Shard
from fca.cli.data import _print_table
from fca.cli.main import main
from fca.config import Config, Layout
from fca.data.datasets import bridge, ssv2
from fca.data.index import build_index, unusable
from fca.data.resample import resample
from fca.data.verify import verify
from fca.errors import FcaError
from tests.data.corpora import config_for, pretend_fetched, write_bridge, write_epic, write_ssv2, write_video
from tests.video.test_timed import write_mp4

SESSION = "toykitchen1/flip_pot/2021-06-02_16-36-21/raw/traj_group0"


def ssv2_of(tmp_path: Path, clips: int = 4, **more: object) -> tuple[Config, Path]:
    """An indexed dataset of `clips` training videos of noise, 30 frames each, and one for validation."""
    config = config_for(tmp_path, "ssv2", clips, 1, **more)
    raw = pretend_fetched(config, "ssv2")
    names = [str(number) for number in range(clips + 1)]
    write_ssv2(raw, [(name, "a", 1) for name in names[:-1]], [(names[-1], "a", 1)])
    for name in names:
        noise = np.random.default_rng(int(name)).integers(0, 256, (30, 48, 64, 3), dtype=np.uint8)
        write_video(raw / "videos" / f"{name}.webm", noise)
    build_index(config, "ssv2")
    return config, raw


def bridge_of(tmp_path: Path, frames: int = 20) -> tuple[Config, list[Path]]:
    """An indexed dataset of five views; their folders."""
    config = config_for(tmp_path, "bridge", 4, 1)
    raw = pretend_fetched(config, "bridge")
    write_bridge(raw, {f"{SESSION}/traj{k}/images0": frames for k in range(5)}, [f"flip_pot/{k}" for k in range(5)])
    build_index(config, "bridge")
    return config, [raw / "raw/bridge_data_v1/berkeley" / SESSION / f"traj{k}/images0" for k in range(5)]


def reasons(manifest: Manifest) -> dict[str, str]:
    return {row.id: row.reason for row in manifest.quarantine}


def table(config: Config, dataset: str, name: str) -> list[list[str]]:
    with open(Layout(config).verified(dataset).with_name(name), newline="") as file:
        return list(csv.reader(file, delimiter="\t"))


def test_sound_clips_and_a_second_run_writes_the_same(tmp_path: Path) -> None:
    config, _ = ssv2_of(tmp_path)
    manifest = verify(config, "ssv2")
    assert (manifest.count, manifest.quarantine) == (5, [])
    assert manifest.extra["sizes"] == {"64x48": 5}
    assert manifest.extra["padded"] == 0
    path = Layout(config).verified("ssv2")
    first = path.read_bytes()
    assert Manifest.read(path) == verify(config, "ssv2")
    assert path.read_bytes() == first
    assert table(config, "ssv2", "unusable.tsv") == [["split", "id", "step", "file", "reason", "remedy"]]


def test_every_fault_of_a_video_that_appears_after_the_index(tmp_path: Path) -> None:
    config, raw = ssv2_of(tmp_path, clips=9)
    videos = raw / "videos"
    data = (videos / "0.webm").read_bytes()
    (videos / "0.webm").unlink()
    (videos / "1.webm").write_bytes(data[: len(data) * 2 // 3])
    holed = bytearray((videos / "2.webm").read_bytes())
    holed[len(holed) // 3 : 2 * len(holed) // 3] = bytes(len(holed) // 3)
    (videos / "2.webm").write_bytes(holed)
    (videos / "3.webm").unlink()
    (videos / "3.webm").mkdir()
    (videos / "4.webm").write_bytes(b"")
    Image.new("RGB", (64, 48)).save(videos / "5.png")
    (videos / "5.png").rename(videos / "5.webm")
    (videos / "6.webm").write_text("a page, not a video")
    write_video(videos / "7.mp4", np.zeros((30, 48, 64, 3), np.uint8), "libx264")  # decodes: no fault
    (videos / "7.mp4").rename(videos / "7.webm")
    write_video(videos / "8.webm", np.zeros((29, 48, 64, 3), np.uint8))
    manifest = verify(config, "ssv2")
    found = reasons(manifest)
    expected = {
        "0": "missing",
        "1": "truncated",
        "2": "",
        "3": "no numbered JPEG",
        "4": "empty",
        "5": "a picture",
        "6": "not a readable video",
        "8": "29 frames, the index says 30",
    }
    assert list(found) == list(expected)
    for name, reason in expected.items():
        assert reason in found[name]
        assert str(tmp_path) not in found[name]
    assert {row.step for row in manifest.quarantine} == {"verify"}
    assert manifest.count == 2
    rows = table(config, "ssv2", "unusable.tsv")
    assert rows[1][:4] == ["train", "0", "verify", "videos/0.webm"]
    assert "tar xz 20bn-something-something-v2/0.webm" in rows[1][5]


def test_files_and_folders_that_may_not_be_read(tmp_path: Path) -> None:
    config, raw = ssv2_of(tmp_path)
    (raw / "videos/1.webm").chmod(0)
    if os.access(raw / "videos/1.webm", os.R_OK):
        pytest.skip("root may read everything")
    assert "Permission denied" in reasons(verify(config, "ssv2"))["1"]
    config, views = bridge_of(tmp_path)
    (views[1] / "im_3.jpg").chmod(0)
    assert reasons(verify(config, "bridge")) == {"flip_pot/1": "im_3.jpg: it can't be read (Permission denied)"}
    views[2].chmod(0)
    try:
        build_index(config, "bridge")
        found = reasons(verify(config, "bridge"))
    finally:
        views[2].chmod(0o700)
    assert list(found) == ["flip_pot/1", "flip_pot/2"]
    assert "Permission denied" in found["flip_pot/2"]


def test_every_fault_of_pictures(tmp_path: Path) -> None:
    config, views = bridge_of(tmp_path)
    data = (views[0] / "im_7.jpg").read_bytes()
    (views[0] / "im_7.jpg").unlink()
    (views[1] / "im_0.jpg").write_bytes(data[: len(data) // 2])
    (views[2] / "im_19.jpg").write_bytes(data[: len(data) // 2] + bytes(len(data)))
    (views[3] / "im_3.jpg").unlink()
    (views[3] / "im_3.jpg").mkdir()
    Image.new("RGB", (65, 48)).save(views[4] / "im_4.jpg")
    for number, view in enumerate(views[:4]):
        (view / "im_10.jpg").write_bytes(data + b"more" * number)  # bytes after the end mark do no harm
    found = reasons(verify(config, "bridge"))
    assert found["flip_pot/0"] == "im_7.jpg: it is missing"
    assert found["flip_pot/1"].startswith("im_0.jpg: it can't be read (")
    assert found["flip_pot/2"] == "im_19.jpg: it ends in zeros: it was not written to its end"
    assert found["flip_pot/3"] == "im_3.jpg: it can't be read (Is a directory)"
    assert found["flip_pot/4"] == "its frames differ in size: 64x48 and 65x48"


def test_only_frames_that_the_cast_needs_are_looked_at(tmp_path: Path) -> None:
    """Of 48 frames, 1, 4, 7, ... make the clip: 2 may be broken."""
    config, views = bridge_of(tmp_path, frames=48)
    (views[0] / "im_3.jpg").write_bytes(b"")
    (views[1] / "im_4.jpg").write_bytes(b"")
    assert reasons(verify(config, "bridge")) == {"flip_pot/1": "im_4.jpg: the file is empty"}


def test_segments_of_mp4s(tmp_path: Path) -> None:
    config = config_for(tmp_path, "epic", 3, 1, media="video")
    raw = pretend_fetched(config, "epic")
    segments = [("P01_01", 5, 40, "take"), ("P01_101", 10, 95, "put"), ("P01_101", 90, 104, "close")]
    write_epic(raw, {"train": segments, "validation": [("P02_01", 1, 20, "open")]}, {})
    place = raw / "EPIC-KITCHENS/P01/videos"
    for person in ("P01", "P02"):
        (raw / f"EPIC-KITCHENS/{person}/videos").mkdir(parents=True)
    write_mp4(place / "P01_01.MP4", 30, 30)
    write_mp4(place / "P01_101.MP4", 100, 50)
    write_mp4(raw / "EPIC-KITCHENS/P02/videos/P02_01.MP4", 60, 60)
    build_index(config, "epic")
    manifest = verify(config, "epic")
    assert [(row.id, row.step, row.file) for row in manifest.quarantine] == [
        ("P01_101_train2", "index", "EPIC-KITCHENS/P01/videos/P01_101.MP4")
    ]
    assert "it ends at 2.00 s" in manifest.quarantine[0].reason
    assert resample(config, "epic", "train", 0).ids == ["P01_01_train0", "P01_101_train1"]
    with Shard(Layout(config).clips("epic", "train", 0)) as shard:
        levels = shard.frames[1].reshape(16, -1).mean(1) / 4
        positions = 9 + (np.arange(16) + 0.5) * 86 / 16 - 0.5
        np.testing.assert_allclose(levels[:9], positions[:9], atol=0.6)
        np.testing.assert_allclose(levels[10:], positions[10:] - 60, atol=0.6)
    write_mp4(place / "P01_101.MP4", 60, 50)
    found = reasons(verify(config, "epic"))
    assert "it ends at 1.18 s, but frame" in found["P01_101_train1"]


def test_resampling_leaves_out_what_was_found_and_nothing_slides(tmp_path: Path) -> None:
    config, raw = ssv2_of(tmp_path, clips=6)
    (raw / "videos/2.webm").write_bytes(b"")
    verify(config, "ssv2")
    (raw / "videos/2.webm").write_bytes((raw / "videos/1.webm").read_bytes())  # mended, but not verified again
    first, second = resample(config, "ssv2", "train", 0), resample(config, "ssv2", "train", 1)
    assert (first.ids, second.ids) == (["0", "1", "3"], ["4", "5"])
    assert [(row.id, row.step) for row in first.quarantine] == [("2", "verify")]
    verify(config, "ssv2")
    assert resample(config, "ssv2", "train", 0).ids == ["0", "1", "2", "3"]


def test_what_was_found_of_another_index_is_refused(tmp_path: Path) -> None:
    config, raw = ssv2_of(tmp_path)
    verify(config, "ssv2")
    assert unusable(Layout(config), "ssv2") == []
    (raw / "videos/2.webm").write_bytes(b"")
    build_index(config, "ssv2")
    with pytest.raises(FcaError, match=r"verified\.json was made from another index"):
        resample(config, "ssv2", "train", 0)


def test_an_index_that_was_edited_is_refused(tmp_path: Path) -> None:
    config, _ = ssv2_of(tmp_path)
    path = Layout(config).index("ssv2")
    whole = path.read_text()
    for text in ("\n".join(whole.splitlines()[1:]) + "\n", whole.replace('"caption":"', '"caption":"not ')):
        path.write_text(text)
        for step in (lambda: verify(config, "ssv2"), lambda: resample(config, "ssv2", "train", 0)):
            with pytest.raises(FcaError, match=r"index\.jsonl was changed after it was written"):
                step()
    path.write_text(whole)
    assert resample(config, "ssv2", "train", 0).count == 4


def test_a_list_of_excluded_clips_that_was_not_looked_at_is_refused(tmp_path: Path) -> None:
    listed = tmp_path / "exclude.tsv"
    config, _ = ssv2_of(tmp_path)
    own = config.datasets["ssv2"].model_copy(update={"exclude": str(listed)})
    excluding = config.model_copy(update={"datasets": {"ssv2": own}})
    listed.write_text("train\t3\tthe camera falls over\n")
    with pytest.raises(FcaError, match=r"there is no .*verified\.json"):
        resample(excluding, "ssv2", "train", 0)
    verify(config, "ssv2")
    with pytest.raises(FcaError, match="another list of excluded clips"):
        resample(excluding, "ssv2", "train", 0)
    verify(excluding, "ssv2")
    assert resample(excluding, "ssv2", "train", 0).ids == ["0", "1", "2"]
    listed.write_text("train\t2\tanother one\n")
    with pytest.raises(FcaError, match="another list of excluded clips"):
        resample(excluding, "ssv2", "train", 0)
    with pytest.raises(FcaError, match="another list of excluded clips"):
        resample(config, "ssv2", "train", 0)


def test_clips_excluded_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "exclude.tsv"
    config, raw = ssv2_of(tmp_path, exclude=str(path))
    (raw / "videos/1.webm").unlink()
    path.write_text("# by hand\ntrain\t3\tthe camera falls over\n\nvalidation\t4\tnot a hand\n")
    manifest = verify(config, "ssv2")
    assert [(row.id, row.step, row.reason) for row in manifest.quarantine] == [
        ("1", "verify", "it is missing"),
        ("3", "exclude", "the camera falls over"),
        ("4", "exclude", "not a hand"),
    ]
    assert resample(config, "ssv2", "train", 0).ids == ["0", "2"]
    for text, problem in {
        "train\t9\tno": "there is no clip '9'",
        "train\t3": "three fields",
        "train\t3\ta\ntrain\t3\tb": "repeated",
        "test\t3\ta": "there is no clip '3' in 'test'",
        "train\t3\u2028\ta": "there is no clip",  # a line is what ends with a line feed
        '#\nvalidation\t4\t"no" hand\n': "can't be read",
        'train\t3\t"no\nvalidation\t4\tno\n': "can't be read",  # a quote that never ends hides no line
        'validation\t4\t"not\na hand"\ntrain\t9\tno': "there is no clip '9'",
    }.items():
        path.write_text(text)
        with pytest.raises(FcaError, match=rf"exclude\.tsv, line \d.*{problem}"):
            verify(config, "ssv2")
    path.unlink()
    with pytest.raises(FcaError, match="named by exclude, can't be read"):
        verify(config, "ssv2")


def test_what_begins_with_a_hash_hides_no_line_of_the_list_by_hand(tmp_path: Path) -> None:
    """Quotes in comments open nothing; also in a list that an editor wrote with a byte order mark."""
    path = tmp_path / "exclude.tsv"
    config, _ = ssv2_of(tmp_path, exclude=str(path))
    text = '# by hand\n#train\t2\t"was bad\ntrain\t3\tbad\n#\t"\n# and\t" so on\nvalidation\t4\t"not\n# a ""hand"""\n'
    for lines in (text, text.removeprefix("# by hand\n"), text.replace("\n", "\r\n")):
        path.write_bytes(b"\xef\xbb\xbf" + lines.encode())
        assert [row.id for row in verify(config, "ssv2").quarantine] == ["3", "4"]


def test_what_steers_a_terminal_is_printed_as_its_escape(capsys) -> None:
    _print_table([("id", "reason"), ("\x1b[31mred", "ünïcode \u202e")])
    assert capsys.readouterr().out.splitlines()[1] == r"  \x1b[31mred  ünïcode \u202e"


def write_config(tmp_path: Path, config: Config) -> str:
    path = tmp_path / "config.json"
    path.write_text(config.model_dump_json())
    return str(path)


def test_the_command_prints_a_table_and_fails_where_something_is_broken(tmp_path: Path, capsys, monkeypatch) -> None:
    config, raw = ssv2_of(tmp_path)
    arguments = ["data", "verify", "-c", write_config(tmp_path, config), "ssv2"]
    for split, count in (("train", 4), ("validation", 1)):
        monkeypatch.setitem(ssv2.PUBLICATION.clips, split, count)
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "train: 4 clips listed, 4 expected" in shown
    assert "5 clips are sound: 64x48 (5); 0 will be padded with grey" in shown
    (raw / "videos/3.webm").unlink()
    assert main(arguments) == 1
    shown = capsys.readouterr()
    assert "train  3   videos/3.webm  it is missing" in shown.out
    assert "1 of 5 clips of ssv2 are unusable" in shown.err
    assert "unusable.tsv has a remedy for each clip" in shown.err
    assert main([*arguments, "--quarantine"]) == 0


@pytest.mark.parametrize("split, names", [("train", "0123"), ("validation", "4")])
def test_a_split_without_a_clip_stops_the_workflow_at_once(tmp_path: Path, capsys, split: str, names: str) -> None:
    """Also with --quarantine; what was found stays in the table of remedies."""
    path = tmp_path / "exclude.tsv"
    config, raw = ssv2_of(tmp_path, exclude=str(path))
    path.write_text("".join(f"{split}\t{name}\tnot a hand\n" for name in names[1:]))
    (raw / f"videos/{names[0]}.webm").unlink()
    arguments = ["data", "verify", "-c", write_config(tmp_path, config), "ssv2", "--quarantine"]
    assert main(arguments) == 1
    told = capsys.readouterr().err
    assert f"ssv2 {split} has no usable clip; the first, {names[0]}: videos/{names[0]}.webm: it is missing" in told
    assert "remedy: " in told
    assert "datasets.ssv2.exclude" in told
    assert len(table(config, "ssv2", "unusable.tsv")) == 1 + len(names)
    write_video(raw / f"videos/{names[0]}.webm", np.zeros((30, 48, 64, 3), np.uint8))
    assert main(arguments) == 0, "one clip is enough"


def test_annotations_that_are_not_all_there(tmp_path: Path, capsys) -> None:
    config, _ = ssv2_of(tmp_path)
    assert main(["data", "verify", "-c", write_config(tmp_path, config), "ssv2"]) == 1
    assert "the annotations list 4 clips of train, 168,913 are expected" in capsys.readouterr().err
    assert verify(config, "ssv2").extra["listed"] == {"train": 4, "validation": 1}


def test_tasks_of_bridge_that_have_not_as_many_views_as_seers_list(tmp_path: Path, capsys) -> None:
    config = config_for(tmp_path, "bridge", 4, 2)
    raw = pretend_fetched(config, "bridge")
    views = {f"{SESSION}/traj{k}/images0": 16 for k in range(3)} | {f"{SESSION}/traj0/images1": 16}
    views["toysink1/lift_bowl/2021-01-01_00-00-00/raw/traj_group0/traj0/images0"] = 16
    order = ["flip_pot/0", "flip_pot/1", "lift_bowl/0", "pick_up_pot_50/0", "pick_up_pot_50/1", "flip_pot/2"]
    write_bridge(raw, views, order)
    build_index(config, "bridge")
    assert main(["data", "verify", "-c", write_config(tmp_path, config), "bridge"]) == 1
    shown = capsys.readouterr()
    assert "2 of 3 tasks differ from the list, 2 views are missing" in shown.out
    assert "2 of 6 clips of bridge are unusable" in shown.err
    assert table(config, "bridge", "tasks.tsv") == [
        ["task", "listed", "found", "difference", "upenn"],
        ["flip_pot", "3", "4", "1", ""],
        ["lift_bowl", "1", "1", "0", ""],
        ["pick_up_pot_50", "2", "0", "-2", "yes"],
    ]
    rows = {row[1]: row[5] for row in table(config, "bridge", "unusable.tsv")}
    assert rows["pick_up_pot_50/1"] == "get the task's other trajectories, which are below upenn"
    assert json.loads(Layout(config).verified("bridge").read_text())["extra"]["tasks"]["lift_bowl"]["found"] == 1


def test_expected_counts_are_the_papers() -> None:
    from fca.data.datasets import epic

    assert ssv2.PUBLICATION.clips == {"train": 168_913, "validation": 24_777}
    assert bridge.PUBLICATION.clips == {"train": 20_066, "validation": 5_017}
    assert epic.PUBLICATION.clips == {"train": 67_217, "validation": 9_668}
