"""Objects kept: real motion keeps things; things that vanish, change colour, melt or double aren't kept."""

import numpy as np
import pytest

from fca.score.objects_kept import SHARE, colours_of, keeps_objects, objects_kept, small

HEIGHT, WIDTH, FRAMES = 64, 96, 14
TABLE, RED, BLUE, SKIN = (150, 110, 80), (205, 25, 22), (32, 70, 205), (200, 150, 120)


def scene(red: float = 30, blue: float | None = 70, hand: float | None = None, side: int = 12) -> np.ndarray:
    """A red and a blue square on a table, and a hand in front of them: (64, 96, 3) uint8."""
    frame = np.full((HEIGHT, WIDTH, 3), TABLE, np.uint8)
    for left, colour in ((blue, BLUE), (red, RED)):
        if left is not None:
            frame[30 : 30 + side, int(left) : int(left) + side] = colour
    if hand is not None:
        frame[26:46, int(hand) : int(hand) + 6] = SKIN
    return frame


@pytest.fixture
def first() -> np.ndarray:
    return scene()


def test_things_that_move_behind_a_finger_or_come_closer_are_kept(first) -> None:
    pushed = [scene(30 + 1.5 * step, hand=36 + 1.5 * step) for step in range(FRAMES)]
    assert keeps_objects(np.stack(pushed), first) is True
    closer = [scene(side=12 + step // 3) for step in range(FRAMES)]
    assert keeps_objects(np.stack(closer), first) is True
    assert keeps_objects(np.repeat(first[None], FRAMES, axis=0), first) is True


def test_what_is_hidden_for_a_while_is_kept_if_it_comes_back(first) -> None:
    frames = np.repeat(first[None], FRAMES, axis=0)
    frames[4:8, 28:46, 28:44] = SKIN
    assert keeps_objects(frames, first) is True
    frames[4:, 28:46, 28:44] = SKIN
    assert keeps_objects(frames, first) is False


def melted(frames: np.ndarray) -> np.ndarray:
    """The last half shows the things as their surroundings, mixed nine to one."""
    frames = frames.astype(float)
    frames[7:] = 0.1 * frames[7:] + 0.9 * np.array(TABLE)
    return frames.astype(np.uint8)


def edited(frames: np.ndarray, name: str) -> np.ndarray:
    """The frames with something wrong from the middle on."""
    frames = frames.copy()
    match name:
        case "vanished":
            frames[7:, 30:42, 70:82] = TABLE
        case "recoloured":
            frames[7:, 30:42, 70:82] = (40, 190, 60)
        case "doubled":
            frames[7:, 46:58, 10:22] = RED
        case "melted":
            return melted(frames)
        case "grown":
            frames[7:, 10:60, 60:90] = BLUE
    return frames


@pytest.mark.parametrize("name", ["vanished", "recoloured", "doubled", "melted", "grown"])
def test_edited_clips_do_not_keep_their_things(first, name) -> None:
    frames = np.stack([scene(30 + step, hand=None) for step in range(FRAMES)])
    assert keeps_objects(frames, first) is True
    assert keeps_objects(edited(frames, name), first) is False


def test_a_colour_has_its_hue_regions_and_area(first) -> None:
    found = {round(colour.hue) // 30: colour for colour in colours_of(first)}
    assert {(colour.regions, colour.area) for colour in found.values()} == {(1, 144)}
    assert sorted(found) == [0, 7]


def test_frames_without_coloured_things_and_walls_say_nothing() -> None:
    grey = np.full((FRAMES, HEIGHT, WIDTH, 3), 120, np.uint8)
    assert keeps_objects(grey, grey[0]) is None
    wall = grey.copy()
    wall[:, :40] = RED
    assert keeps_objects(wall, wall[0]) is None


def test_larger_frames_are_judged_as_small_ones(first) -> None:
    large = first.repeat(7, axis=0).repeat(7, axis=1)
    np.testing.assert_array_equal(small(large), first)
    assert colours_of(small(large)) == colours_of(first)


def test_only_clips_count_whose_ground_truth_keeps_its_things() -> None:
    of_truth = [True, True, True, False, None, True]
    found = objects_kept([True, False, True, True, None, True], of_truth, 0.95)
    assert found is not None
    assert found.value == 3 / 4
    assert 0 < found.low < found.value < found.high < 1
    few = [True] * 2 + [False] * round(2 / SHARE)
    assert objects_kept(few, few, 0.95) is None
    assert objects_kept([None], [None], 0.95) is None
