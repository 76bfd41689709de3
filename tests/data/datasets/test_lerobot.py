"""LeRobot datasets: an episode's own frames and no neighbour's, its task as caption, and nothing else believed."""

from pathlib import Path

import pytest

from fca.artifacts.quarantine import ClipError
from fca.config import ConfigError
from fca.data.clip_pixels import media_of
from fca.data.clip_record import ClipRecord, Listing
from fca.data.datasets.lerobot import episodes as module
from fca.data.fetch import check_archive
from fca.errors import FcaError
from fca.video.decode import read_frames
from fca.video.timed import header
from tests.data.corpora import config_for, listing_of
from tests.data.datasets.lerobot_files import TOP, WRIST, Made, change_json, change_rows
from tests.video.numbered import numbers, remux

pytest.importorskip("pyarrow")

TABLE, EPISODES = "data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet"


def listing(root: Path, train: int = 99, validation: int = 99, seed: int = 0, **own) -> Listing:
    return listing_of("lerobot", root, "arm", train, validation, seed, **{"validation_share": 0.3} | own)


def shown(root: Path, record: ClipRecord) -> list[int | None]:
    """The numbers in all frames of a clip."""
    return numbers(list(read_frames(media_of(root, record, None), range(record.length))))


def by_id(found: Listing) -> dict[str, ClipRecord]:
    return {record.id: record for record in found.records}


def reasons(found: Listing) -> dict[str, str]:
    return {row.id: row.reason for row in found.quarantine}


@pytest.mark.parametrize("codec", ["libx264", "libsvtav1"])
@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
@pytest.mark.parametrize("fps", [10, 30, 3, 12.5, 29.97])
def test_an_episode_has_all_its_frames_and_no_neighbours(tmp_path: Path, codec: str, version: str, fps: float) -> None:
    made = Made(version=version, codec=codec, fps=fps)
    found = by_id(listing(made.write(tmp_path)))
    assert len(found) == len(made.lengths)
    for episode, length in enumerate(made.lengths):
        record = found[f"episode_{episode:06d}"]
        assert shown(tmp_path, record) == [
            number % 256 for number in range(made.first(episode), made.first(episode) + length)
        ]
        assert record.caption == made.tasks[episode % 2]


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_files_are_found_in_several_folders(tmp_path: Path, version: str) -> None:
    made = Made(version=version, lengths=(9, 8, 7, 6, 5), chunks_size=2, episodes_in_a_file=1)
    found = listing(made.write(tmp_path))
    assert (tmp_path / "data/chunk-002").is_dir()
    assert reasons(found) == {}
    assert {name: shown(tmp_path, record)[0] for name, record in by_id(found).items()} == {
        f"episode_00000{episode}": made.first(episode) for episode in range(5)
    }


def test_the_chosen_camera_is_read(tmp_path: Path) -> None:
    made = Made(cameras=(TOP, WRIST))
    made.write(tmp_path)
    for camera, first in ((TOP, 20), (WRIST, 120)):
        assert shown(tmp_path, by_id(listing(tmp_path, camera=camera))["episode_000001"])[0] == first
    with pytest.raises(FcaError, match=rf"2 cameras: {TOP}, {WRIST}.*\n.*\n.*`camera` in the settings"):
        listing(tmp_path)
    with pytest.raises(FcaError, match=r"no camera 'observation.images.tp' \(did you mean"):
        listing(tmp_path, camera="observation.images.tp")


def test_frames_in_tables_are_refused_with_the_way_to_videos(tmp_path: Path) -> None:
    Made().write(tmp_path)
    change_json(tmp_path / "meta/info.json", features={TOP: {"dtype": "image", "shape": [64, 128, 3]}}, video_path=None)
    with pytest.raises(FcaError, match="convert_image_to_video"):
        listing(tmp_path)


def test_each_run_of_frames_with_one_task_is_a_clip(tmp_path: Path) -> None:
    made = Made(task_of={1: [1] * 10 + [0] * 12 + [1] * 9})
    found = by_id(listing(made.write(tmp_path)))
    parts = {name: (record.caption, shown(tmp_path, record)[0], record.length)
             for name, record in found.items() if name.startswith("episode_000001")}  # fmt: skip
    assert parts == {
        "episode_000001/0-9": (made.tasks[1], 20, 10),
        "episode_000001/10-21": (made.tasks[0], 30, 12),
        "episode_000001/22-30": (made.tasks[1], 42, 9),
    }


def test_long_episodes_become_windows(tmp_path: Path) -> None:
    Made().write(tmp_path)
    found = by_id(listing(tmp_path, clip_seconds=1.5, stride_seconds=0.5))
    assert [name for name in found if name.startswith("episode_000001")] == [
        f"episode_000001/{start}-{start + 14}" for start in (0, 5, 10, 15)
    ], "what is left at the end is dropped"
    assert found["episode_000002"].length == 14, "a shorter episode is one clip"
    assert shown(tmp_path, found["episode_000001/15-29"]) == list(range(35, 50))
    assert [name for name in by_id(listing(tmp_path, clip_seconds=1.5)) if name.startswith("episode_000001")] == [
        "episode_000001/0-14", "episode_000001/15-29",
    ]  # fmt: skip
    assert [span.start for span in module.windows(module.Span(3, 23, 0), 10, 5)] == [3, 8, 13], "the last one fits"
    with pytest.raises(ConfigError, match="stride_seconds is for clips of clip_seconds"):
        config_for(tmp_path, "lerobot", 4, 1, stride_seconds=1.0, initial_frames=1, train_steps=1)


def test_windows_of_an_episode_are_never_in_both_splits(tmp_path: Path) -> None:
    Made(lengths=(40,) * 10).write(tmp_path)
    for seed in range(4):
        found = listing(tmp_path, clip_seconds=1.0, seed=seed)
        split_of: dict[str, set[str]] = {}
        for record in found.records:
            split_of.setdefault(record.id.partition("/")[0], set()).add(record.split)
        assert all(len(splits) == 1 for splits in split_of.values())
        assert sum(splits == {"validation"} for splits in split_of.values()) == 3


def test_a_task_is_never_in_both_splits_if_split_by_task(tmp_path: Path) -> None:
    Made(lengths=(9,) * 12, tasks=("push left", "lift", "open", "close"), task_of={5: [0] * 4 + [3] * 5}).write(
        tmp_path
    )
    found = listing(tmp_path, split_by="task", validation_share=0.25)
    captions = {split: {record.caption for record in found.records if record.split == split}
                for split in ("train", "validation")}  # fmt: skip
    assert len(captions["validation"]) == 1
    assert len(captions["train"]) == 3
    assert not captions["train"] & captions["validation"]


def test_tasks_with_the_same_sentence_are_one_task(tmp_path: Path) -> None:
    """Merged datasets repeat sentences, and captions.csv makes some equal: a leak from training to validation."""
    Made(lengths=(9,) * 12, tasks=("Push left", "push  left ", "lift", "open", "", "")).write(tmp_path)
    (tmp_path / "captions.csv").write_text("task_index,caption\n3,lift\n")
    seen = set()
    for seed in range(8):
        found = listing(tmp_path, split_by="task", validation_share=0.3, seed=seed)
        usable = [
            (record.split, " ".join(record.caption.lower().split())) for record in found.records if record.caption
        ]
        train, validation = ({caption for own, caption in usable if own == split} for split in ("train", "validation"))
        assert not train & validation
        seen |= validation
    assert seen == {"push left", "lift"}, "each was held out at some time"


def test_one_episode_or_task_cannot_be_split(tmp_path: Path) -> None:
    Made(lengths=(9,), tasks=("lift",)).write(tmp_path)
    with pytest.raises(FcaError, match="1 episode, so it can't be split"):
        listing(tmp_path)
    with pytest.raises(FcaError, match="1 task, so it can't be split"):
        listing(tmp_path, split_by="task")
    (tmp_path / EPISODES).unlink()
    (tmp_path / "meta/info.json").write_text((tmp_path / "meta/info.json").read_text().replace("v3.0", "v2.1"))
    for name in ("episodes", "tasks"):
        (tmp_path / f"meta/{name}.jsonl").write_text("")
    with pytest.raises(FcaError, match="0 episodes, so it can't be split"):
        listing(tmp_path)


def test_the_first_clips_are_taken_in_order(tmp_path: Path) -> None:
    Made(lengths=(9,) * 10).write(tmp_path)
    every, few = listing(tmp_path), listing(tmp_path, 3, 1)
    for split, count in (("train", 3), ("validation", 1)):
        first = [record.id for record in every.records if record.split == split][:count]
        assert [record.id for record in few.records if record.split == split] == first


def test_a_video_is_opened_once_for_its_run_of_episodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, header, read = [], module.header, module.read_frames
    monkeypatch.setattr(module, "header", lambda path: (opened.append(path.name), header(path))[1])
    monkeypatch.setattr(module, "read_frames", lambda path: (opened.append(path.name), read(path))[1])
    listing(Made(lengths=(9,) * 9).write(tmp_path))
    assert sorted(opened) == sorted(f"file-00{number}.{kind}" for number in range(3) for kind in ("mp4", "parquet"))


# What disagrees


def test_tasks_without_a_sentence_are_quarantined_and_counted(tmp_path: Path) -> None:
    made = Made(tasks=("push left", "", None, "lift"))
    found = listing(made.write(tmp_path))
    assert reasons(found) == {"episode_000001": "its caption is empty", "episode_000002": "its caption is null"}
    assert found.notes["tasks_without_caption"] == 2
    (tmp_path / "captions.csv").write_text("task_index,caption\n1, open the drawer \n2,close it\n", "utf-8-sig")
    better = by_id(listing(tmp_path))
    assert [better[f"episode_00000{number}"].caption for number in range(4)] == [
        "push left", "open the drawer", "close it", "lift",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("task,caption\n0,a\n", "line 1: its columns are task, caption"),
        ("task_index,caption\n7,a\n", "line 2: task 7 is not in meta/"),
        ("task_index,caption\n0,a\n0,b\n", "line 3: task 0 is repeated"),
        ("task_index,caption\n0,\n", "line 2: its caption is empty"),
        ("task_index,caption\nx,a\n", "line 2: invalid literal"),
    ],
)
def test_mistakes_in_captions_are_named_with_their_line(tmp_path: Path, text: str, problem: str) -> None:
    Made().write(tmp_path)
    (tmp_path / "captions.csv").write_text(text)
    with pytest.raises(FcaError) as caught:
        listing(tmp_path)
    assert f"captions.csv, {problem}" in str(caught.value)


def test_a_table_and_a_video_of_other_lengths_cost_their_episode(tmp_path: Path) -> None:
    Made().write(tmp_path)
    change_rows(tmp_path / TABLE, lambda rows: [row for row in rows if row["index"] not in (5, 80)])
    end = f"videos/{TOP}/to_timestamp"
    change_rows(tmp_path / EPISODES, lambda rows: [
        row | ({end: row[end] + 0.2} if row["episode_index"] == 1 else {}) for row in rows])  # fmt: skip
    found = listing(tmp_path)
    assert reasons(found) == {
        "episode_000000": "its table has 19 frames, meta/episodes says 20",
        "episode_000001": "its part of the video takes 3.300 s, its table has 31 frames, 3.100 s",
    }
    assert {record.id for record in found.records} == {f"episode_00000{number}" for number in range(4)}


def test_an_old_video_of_another_length_costs_its_episode(tmp_path: Path) -> None:
    Made(version="v2.1").write(tmp_path)
    videos = tmp_path / f"videos/chunk-000/{TOP}"
    (videos / "episode_000001.mp4").write_bytes((videos / "episode_000000.mp4").read_bytes())
    (videos / "episode_000002.mp4").unlink()
    assert reasons(listing(tmp_path)) == {
        "episode_000001": "its video has 20 frames, its table has 31 frames",
        "episode_000002": "it is missing",
    }


def test_a_video_that_does_not_state_its_frames_is_measured_in_seconds(tmp_path: Path) -> None:
    Made(version="v2.1", lengths=(20, 31, 20)).write(tmp_path)
    videos = tmp_path / f"videos/chunk-000/{TOP}"
    for target, source in ((1, 0), (2, 2)):
        path = videos / f"episode_00000{target}.mp4"
        source_path = path.with_name(f"source{source}.mp4")
        source_path.write_bytes((videos / f"episode_00000{source}.mp4").read_bytes())
        remux(source_path, path, lambda _, packet: bytes(packet), movflags="frag_keyframe+empty_moov")
        source_path.unlink()
        assert header(path)[0] is None
    assert reasons(listing(tmp_path)) == {"episode_000001": "its video takes 2.000 s, its table has 31 frames, 3.100 s"}


def test_an_episode_beyond_the_end_of_its_video_is_found(tmp_path: Path) -> None:
    made = Made()
    made.write(tmp_path)
    file = tmp_path / f"videos/{TOP}/chunk-000/file-000.mp4"
    Made(lengths=(20, 31)).write(tmp_path / "shorter")
    file.write_bytes((tmp_path / f"shorter/videos/{TOP}/chunk-000/file-000.mp4").read_bytes())
    assert reasons(listing(tmp_path)) == {"episode_000002": "its video ends at 5.100 s, but it needs 6.500 s"}


def test_frames_that_are_not_where_the_table_says_are_no_clip(tmp_path: Path) -> None:
    """The whole clip is a third of a second off, or the video has another rate: verify finds it by decoding."""
    Made(lengths=(20, 31), episodes_in_a_file=2).write(tmp_path)
    record = by_id(listing(tmp_path))["episode_000001"]
    values = record.__dict__
    with pytest.raises(ClipError, match=r"no frame is shown at 2\.0\d\d s|it ends at"):
        read_frames(media_of(tmp_path, ClipRecord(**values | {"rate": 17.0, "length": 40}), None), range(40))
    with pytest.raises(ClipError, match=r"no frame is shown at 5\.100 s"):
        read_frames(media_of(tmp_path, ClipRecord(**values | {"length": 32}), None), [31])


def test_a_video_at_a_lower_rate_is_no_clip(tmp_path: Path) -> None:
    """It is as long as the tables say, but a frame is missing for every third number."""
    made = Made(fps=30, lengths=(30, 30), episodes_in_a_file=2)
    made.write(tmp_path)
    slow = Made(fps=20, lengths=(20, 20), episodes_in_a_file=2).write(tmp_path / "slow")
    name = f"videos/{TOP}/chunk-000/file-000.mp4"
    (tmp_path / name).write_bytes((slow / name).read_bytes())
    for record in listing(tmp_path).records:
        with pytest.raises(ClipError, match="no frame is shown at"):
            shown(tmp_path, record)


def test_times_that_are_not_those_of_the_rate_cost_the_episode(tmp_path: Path) -> None:
    Made().write(tmp_path)
    change_rows(tmp_path / TABLE, lambda rows: [
        row | {"timestamp": row["timestamp"] + (0.07 if row["index"] == 8 else 0)} for row in rows])  # fmt: skip
    assert "frame 8 is at 0.870 s in its table, not at 0.800 s" in reasons(listing(tmp_path))["episode_000000"]
    change_rows(tmp_path / TABLE, lambda rows: [row | {"timestamp": float("nan")} for row in rows])
    assert "frame 0 is at nan s" in reasons(listing(tmp_path))["episode_000000"]


def test_an_episode_without_a_video_or_rows_is_quarantined(tmp_path: Path) -> None:
    Made().write(tmp_path)
    change_rows(tmp_path / EPISODES, lambda rows: [
        row | ({f"videos/{TOP}/file_index": None} if row["episode_index"] == 0 else {}) for row in rows])  # fmt: skip
    unknown = {"task_index": 9}
    change_rows(tmp_path / TABLE, lambda rows: [
        row | (unknown if row["episode_index"] == 2 else {}) for row in rows if row["episode_index"] != 1])  # fmt: skip
    assert reasons(listing(tmp_path)) == {
        "episode_000000": "it has no video of this camera",
        "episode_000001": f"{TABLE} has no frame of it",
        "episode_000002": "its caption is missing: meta/ has no task 9",
    }


def test_rows_of_an_episode_that_are_not_together_cost_it(tmp_path: Path) -> None:
    Made().write(tmp_path)
    change_rows(tmp_path / TABLE, lambda rows: rows[:10] + rows[20:] + rows[10:20])
    assert reasons(listing(tmp_path)) == {"episode_000000": "its table has 10 frames, meta/episodes says 20"}


def test_the_hash_of_the_files_changes_with_what_decides_the_clips(tmp_path: Path) -> None:
    for version in ("v2.1", "v3.0"):
        root = Made(version=version).write(tmp_path / version)
        (root / "captions.csv").write_text("task_index,caption\n0,slide the block\n")
        settings = config_for(root, "lerobot", 4, 1, initial_frames=1, train_steps=1).datasets["lerobot"]
        assert check_archive(settings, root) == (before := check_archive(settings, root))
        files = [path for path in root.rglob("*.*") if path.is_file()]
        assert len(files) > 5
        for path in files:
            content = path.read_bytes()
            path.write_bytes(content + b"\n")
            assert check_archive(settings, root) != before, path
            path.write_bytes(content)
