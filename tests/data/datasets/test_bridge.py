"""BridgeData V1: Seer's list, running numbers, captions, the 80/20 border."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fca.data.datasets.bridge import (
    LIST_NAME,
    PUBLICATION,
    READER,
    UPENN,
    caption,
    find_views,
    read_list,
    split_entries,
)
from fca.errors import FcaError
from tests.data.corpora import SHARED, listing_of, write_bridge, write_jpegs

SESSION = "2021-06-02_16-36-21/raw"
VIEWS = {  # in the order that gives the numbers
    f"toykitchen1/flip_pot/{SESSION}/traj_group0/traj2/images0": 3,
    f"toykitchen1/flip_pot/{SESSION}/traj_group0/traj2/images1": 4,
    f"toykitchen1/flip_pot/{SESSION}/traj_group0/traj10/images0": 5,
    f"toykitchen1/flip_pot/{SESSION}/traj_group2/traj0/images0": 6,
    f"toykitchen1/flip_pot/{SESSION}/traj_group10/traj0/images0": 7,
    "toysink2/flip_pot/2021-01-01_00-00-00/raw/traj_group0/traj0/images0": 8,
    f"toykitchen1/put_lid-on_pot_distractors/{SESSION}/traj_group0/traj0/images0": 12,
    f"toykitchen1/added_later/{SESSION}/traj_group0/traj0/images0": 2,
}
ORDER = [
    "flip_pot/4",
    "put_lid-on_pot_distractors/0",
    "flip_pot/0",
    "flip_pot/5",
    "flip_pot/2",
    "flip_pot/1",
    "flip_pot/3",
]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    write_bridge(tmp_path / "raw", VIEWS, ORDER)
    place = tmp_path / "raw/raw/bridge_data_v1/berkeley/toykitchen1/flip_pot" / SESSION
    for distraction in ("traj_group0/traj2/depth_images0", "lmdb", "traj_group0/traj2/images", "traj_group0/lmdb"):
        write_jpegs(place / distraction, np.zeros((1, 8, 8, 3), np.uint8), "im_{}.jpg")
    (place / "traj.tar").touch()
    return tmp_path / "raw"


def test_numbers_run_over_environments_groups_trajectories_and_cameras(raw: Path) -> None:
    listing = listing_of("bridge", raw, "bridge", 5, 2)
    assert [record.id for record in listing.records] == ORDER
    assert [record.split for record in listing.records] == ["train"] * 5 + ["validation"] * 2  # int(0.8 * 7)
    assert [record.length for record in listing.records] == [7, 12, 3, 8, 5, 4, 6]
    assert listing.records[1].caption == "put lid on pot"
    assert listing.quarantine == []
    assert listing.notes == {
        "entries_listed": 7,
        "split_mode": "seer_like",
        "tasks": {"flip_pot": {"listed": 6, "found": 6}, "put_lid-on_pot_distractors": {"listed": 1, "found": 1}},
    }


def test_limits_are_heads_of_both_parts(raw: Path) -> None:
    listing = listing_of("bridge", raw, "bridge", 2, 1)
    assert [(record.split, record.id) for record in listing.records] == [
        ("train", ORDER[0]),
        ("train", ORDER[1]),
        ("validation", ORDER[5]),
    ]


def test_frames_are_in_numeric_order(raw: Path) -> None:
    record = listing_of("bridge", raw, "bridge", 5, 2).records[1]
    assert record.frames == list(range(12))


def test_a_missing_frame_and_an_empty_view_are_quarantined(raw: Path) -> None:
    views = find_views(raw, {"flip_pot"})["flip_pot"]
    (views[4] / "im_3.jpg").unlink()
    for file in views[0].iterdir():
        file.unlink()
    listing = listing_of("bridge", raw, "bridge", 5, 2)
    assert [record.id for record in listing.records] == ORDER
    assert [(row.id, row.reason) for row in listing.quarantine] == [
        ("flip_pot/4", "im_3.jpg is missing"),
        ("flip_pot/0", "there is no numbered JPEG in images0"),
    ]
    assert listing.quarantine[0].file == views[4].relative_to(raw).as_posix()


def test_views_that_are_missing_are_reported_and_quarantined(raw: Path) -> None:
    for file in (views := find_views(raw, {"flip_pot"})["flip_pot"])[5].iterdir():
        file.unlink()
    views[5].rmdir()
    listing = listing_of("bridge", raw, "bridge", 5, 2)
    assert listing.notes["tasks"]["flip_pot"] == {"listed": 6, "found": 5}
    assert [(row.id, row.file) for row in listing.quarantine] == [("flip_pot/5", "flip_pot")]
    assert "6 views" in listing.quarantine[0].reason
    assert "5 were found" in listing.quarantine[0].reason


def test_views_beyond_the_list_are_reported(raw: Path) -> None:
    place = f"raw/bridge_data_v1/upenn/toykitchen9/put_lid-on_pot_distractors/{SESSION}/traj_group0/traj0/images0"
    write_jpegs(raw / place, np.zeros((2, 8, 8, 3), np.uint8), "im_{}.jpg")
    listing = listing_of("bridge", raw, "bridge", 5, 2)
    assert listing.notes["tasks"]["put_lid-on_pot_distractors"] == {"listed": 1, "found": 2}


@pytest.mark.parametrize("tree", ["bridge_data_v1", "."])
def test_other_roots(raw: Path, tree: str) -> None:
    for path in list((raw / "raw/bridge_data_v1").iterdir()):
        (raw / tree).mkdir(exist_ok=True)
        path.rename(raw / tree / path.name)
    assert not listing_of("bridge", raw, "bridge", 5, 2).quarantine


@pytest.mark.parametrize("text", ["", "{}", '["flip_pot"]', '["flip_pot/x"]', "[3]", '["flip_pot/0", "flip_pot/2"]'])
def test_a_list_that_is_something_else(raw: Path, text: str) -> None:
    (raw / "path_id_bridgedata.txt").write_text(text)
    with pytest.raises(FcaError, match=r"path_id_bridgedata\.txt") as caught:
        listing_of("bridge", raw, "bridge", 1, 1)
    assert "https://" in caught.value.remedy


def test_a_raw_folder_without_the_list_or_the_tasks(raw: Path) -> None:
    (raw / "path_id_bridgedata.txt").write_text(json.dumps(["no_such_task/0"]))
    with pytest.raises(FcaError, match="none of the tasks"):
        listing_of("bridge", raw, "bridge", 1, 1)
    (raw / "path_id_bridgedata.txt").unlink()
    with pytest.raises(FcaError, match="there is no"):
        listing_of("bridge", raw, "bridge", 1, 1)


def many(trajectories: int, cameras: int = 3) -> tuple[list[tuple[str, int]], dict[str, list[Path]]]:
    """Entries in a mixed order, and views of several cameras for each trajectory of one task."""
    place = Path("raw/bridge_data_v1/berkeley/toykitchen1/flip_pot") / SESSION / "traj_group0"
    views = [place / f"traj{number}/images{camera}" for number in range(trajectories) for camera in range(cameras)]
    order = np.random.default_rng(0).permutation(len(views))
    return [("flip_pot", int(number)) for number in order], {"flip_pot": views}


def trajectories_of(entries: list[tuple[str, int]], views: dict[str, list[Path]]) -> set[Path]:
    return {views[task][number].parent for task, number in entries}


def test_seers_split_has_most_trajectories_on_both_sides() -> None:
    entries, views = many(100)
    parts = split_entries(entries, views, "seer_like", 0)
    assert parts == {"train": entries[:240], "validation": entries[240:]}
    assert len(trajectories_of(parts["train"], views) & trajectories_of(parts["validation"], views)) > 30


def test_a_split_by_trajectory_has_none_on_both_sides() -> None:
    entries, views = many(100)
    parts = split_entries(entries, views, "trajectory_disjoint", 0)
    assert not trajectories_of(parts["train"], views) & trajectories_of(parts["validation"], views)
    assert (len(parts["train"]), len(parts["validation"])) == (240, 60)
    for part in parts.values():
        assert part == [entry for entry in entries if entry in part]  # the list's order
    assert parts == split_entries(entries, views, "trajectory_disjoint", 0)
    assert parts != split_entries(entries, views, "trajectory_disjoint", 1)


def test_a_trajectory_that_is_lost_or_found_moves_few_others() -> None:
    entries, views = many(100)
    before = split_entries(entries, views, "trajectory_disjoint", 0)["train"]
    lost = {"flip_pot": views["flip_pot"][:-3]}
    after = split_entries(entries, lost, "trajectory_disjoint", 0)["train"]
    assert len(set(before) ^ set(after)) <= 9


def test_views_that_are_missing_keep_their_place_in_a_split_by_trajectory(raw: Path) -> None:
    for file in (views := find_views(raw, {"flip_pot"})["flip_pot"])[5].iterdir():
        file.unlink()
    views[5].rmdir()
    listing = listing_of("bridge", raw, "bridge", 5, 2, seed=3, split_mode="trajectory_disjoint")
    assert sorted(record.id for record in listing.records) == sorted(ORDER)
    assert [row.id for row in listing.quarantine] == ["flip_pot/5"]
    assert listing.notes["split_mode"] == "trajectory_disjoint"


@pytest.mark.skipif(not (SHARED / "path_id_bridgedata.txt").exists(), reason="Seer's list is not here")
def test_seers_own_list() -> None:
    path = SHARED / "path_id_bridgedata.txt"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == PUBLICATION.sha256[LIST_NAME]
    entries = read_list(path)
    border = int(0.8 * len(entries))
    assert (len(entries), border, len(entries) - border) == (25083, 20066, 5017)
    assert entries[0] == ("put_pepper_in_pot_or_pan", 35)
    assert entries[border : border + 3] == [
        ("close_brown1fbox_flap", 34),
        ("flip_cup_upright", 165),
        ("flip_pot_upright_which_is_in_sink", 390),
    ]
    tasks = {task for task, _ in entries}
    captions = Counter(caption(task) for task in tasks)
    assert (len(tasks), len(captions)) == (110, 106)
    assert captions["turn lever vertical to front"] == 3
    for odd in ("pick up red srewdriver", "pick up pot 50", "turn faucet left 56"):
        assert odd in captions
    assert min(Counter(task for task, _ in entries[border:]).values()) >= 3
    assert PUBLICATION.clips == {"train": border, "validation": len(entries) - border} == READER.listed(SHARED)
    counts = Counter(task for task, _ in entries)
    assert len(UPENN) == 8
    assert sum(counts[task] for task in UPENN) == 1011


@pytest.mark.skipif(not (SHARED / "path_id_bridgedata.txt").exists(), reason="Seer's list is not here")
def test_seers_own_list_split_by_trajectory() -> None:
    """With three cameras each: sizes within one trajectory of Seer's, and no trajectory on both sides."""
    entries = read_list(SHARED / "path_id_bridgedata.txt")
    counts = Counter(task for task, _ in entries)
    views = {
        task: [Path("raw/tree/berkeley/kitchen", task, SESSION, "traj_group0", f"traj{n // 3}", f"images{n % 3}")
               for n in range(count)]
        for task, count in counts.items()
    }  # fmt: skip
    parts = split_entries(entries, views, "trajectory_disjoint", 42)
    assert not trajectories_of(parts["train"], views) & trajectories_of(parts["validation"], views)
    assert 20066 <= len(parts["train"]) < 20069
    assert len(parts["train"]) + len(parts["validation"]) == 25083
    leaked = split_entries(entries, views, "seer_like", 42)
    shared = trajectories_of(leaked["train"], views)
    share = np.mean([views[task][number].parent in shared for task, number in leaked["validation"]])
    assert share > 0.95  # 1 - 0.2 ** 2, of scenes that three cameras see
