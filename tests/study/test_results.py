"""Ratings become Figure 9; files that were changed, mixed up or left unfinished are refused."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fca.cli.main import main
from fca.errors import FcaError
from fca.score.interval import resampling_counts
from fca.study.files import CRITERIA, Key, read_all
from fca.study.results import Mean, mean_rating, results, write_results
from tests.study.conftest import Study, write_file

HandIn = Callable[..., Path]
LEVEL = {"fca": 4, "base": 1, "repeat": 2}


def test_means_are_those_of_the_ratings(study: Study, hand_in: HandIn, tmp_path: Path) -> None:
    paths = [
        hand_in(f"p{n}", lambda variant, criterion, number, n=n: min(5, LEVEL[variant] + (number + n) % 2))
        for n in range(4)
    ]
    text = write_results(study.folder, paths, out=tmp_path / "out")
    values = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [one["dataset"] for one in values["results"]] == ["all", "ssv2", "bridge"]
    assert values["participants"] == 4
    assert values["ratings"] == 4 * 54
    for variant, level in LEVEL.items():
        for criterion in CRITERIA:
            mean = values["results"][0]["means"][variant][criterion]
            assert mean["value"] == pytest.approx(level + 0.5)  # each item has 2 ratings of `level`, 2 one higher
            assert mean["low"] <= mean["value"] <= mean["high"]
            assert mean["count"] == 24
            apart = values["results"][0]["differences"].get(variant, {}).get(criterion)
            assert apart is None or apart["value"] == pytest.approx(4 - level)
    assert list(values["results"][0]["differences"]) == ["base", "repeat"]
    assert "4.50 [" in text
    assert str(tmp_path / "out" / "index.html") in text


def test_same_files_same_results_in_any_order(study: Study, hand_in: HandIn, tmp_path: Path) -> None:
    paths = [hand_in(f"p{n}", lambda v, c, number, n=n: (number * 7 + n * n) % 6) for n in range(3)]
    write_results(study.folder, paths, out=tmp_path / "one")
    write_results(study.folder / "study-key.json", paths[::-1], out=tmp_path / "two")
    for name in ("results.json", "index.html", "figure9.svg"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    """24 participants and 15 clips with effects of their own: 95 % intervals hold the true mean in 90 to 100 %."""
    random = np.random.default_rng(0)
    held = 0
    for trial in range(100):
        people, clips = random.normal(0, 0.5, (24, 1)), random.normal(0, 0.5, (1, 15))
        ratings = 2.5 + people + clips + random.normal(0, 0.8, (24, 15))
        drawn = resampling_counts(24, 400, trial), resampling_counts(15, 400, trial + 1000)
        mean = mean_rating(ratings, *drawn)
        assert mean.low is not None
        assert mean.high is not None
        held += mean.low <= 2.5 <= mean.high
    assert held >= 88


def test_one_clip_that_all_rate_alike_widens_the_interval_as_much_as_one_participant() -> None:
    """Drawing ratings one by one would hide what belongs together: the interval must not shrink as they multiply."""
    people = np.repeat(np.array([[1.0], [4.0], [2.0], [5.0]]), 50, axis=1)
    drawn = resampling_counts(4, 2000, 0), resampling_counts(50, 2000, 1)
    mean = mean_rating(people, *drawn)
    turned = mean_rating(people.T, *drawn[::-1])
    assert (mean.value, mean.count) == (3.0, 200)
    assert mean.high - mean.low > 2.5  # type: ignore[operator]
    assert (turned.low, turned.high) == pytest.approx((mean.low, mean.high))


def test_without_two_participants_there_is_no_interval(study: Study, hand_in: HandIn, tmp_path: Path) -> None:
    text = write_results(study.folder, [hand_in("p1")], out=tmp_path)
    assert "3.00" in text
    assert "[" not in text
    assert json.loads((tmp_path / "results.json").read_text())["results"][0]["means"]["fca"][CRITERIA[0]]["low"] is None


def test_a_difference_is_taken_within_participants(study: Study, hand_in: HandIn) -> None:
    """Participants differ widely, and each rates fca one above base: that is sure, though neither mean is."""
    level = {"fca": 1, "base": 0, "repeat": 0}
    paths = [hand_in(f"p{n}", lambda variant, criterion, number, n=n: n + level[variant]) for n in range(4)]
    found = results(study.key, read_all(study.key, paths))[0]
    mean, apart = found.means["fca"]["text_alignment"], found.differences["base"]["text_alignment"]
    assert mean.high - mean.low > 1.5  # type: ignore[operator]
    assert (apart.value, apart.low, apart.high) == (1, 1, 1)


def test_missing_ratings_count_for_nothing() -> None:
    drawn = resampling_counts(2, 500, 0), resampling_counts(2, 500, 1)
    mean = mean_rating(np.array([[1.0, np.nan], [2.0, 3.0]]), *drawn)
    assert (mean.value, mean.count) == (2.0, 3)
    assert mean_rating(np.full((2, 2), np.nan), *drawn) == Mean(None, None, None, 0)


def refused(study: Study, *paths: Path, partial: bool = False) -> str:
    with pytest.raises(FcaError) as found:
        read_all(study.key, paths, partial)
    assert str(paths[-1]) in found.value.problem
    return str(found.value)


def test_an_edited_rating_is_found(study: Study, hand_in: HandIn) -> None:
    path = hand_in("p1")
    values = json.loads(path.read_text())
    values["ratings"][next(iter(study.key.items))]["text_alignment"] = 4
    path.write_text(json.dumps(values))
    assert "was changed after the page saved it" in refused(study, path)


def test_a_renamed_participant_is_found(study: Study, hand_in: HandIn) -> None:
    assert "was changed after" in refused(study, hand_in("p1", participant="p2"))


def test_the_same_file_twice_is_refused(study: Study, hand_in: HandIn, tmp_path: Path) -> None:
    path = hand_in("p1")
    copy = tmp_path / "copy.json"
    copy.write_bytes(path.read_bytes())
    for second in (path, copy):
        message = refused(study, path, second)
        assert "are both of participant 'p1', with the same ratings" in message
        assert str(path) in message


def test_two_files_of_one_participant_are_refused(study: Study, hand_in: HandIn, tmp_path: Path) -> None:
    path = hand_in("p1")
    other = path.rename(tmp_path / "earlier.json")
    path = hand_in("p1", lambda variant, criterion, number: 4)
    assert "are both of participant 'p1', with other ratings" in refused(study, other, path)


def test_a_file_of_another_study_is_refused(study: Study, hand_in: HandIn) -> None:
    assert "belongs to another study" in refused(study, hand_in("p1"), hand_in("p2", study="ab" * 32))


def test_items_that_the_study_does_not_have_are_refused(study: Study, tmp_path: Path) -> None:
    path = write_file(tmp_path / "p1.json", study.key, "p1", {"0123456789ab": {"text_alignment": 3}})
    assert "rates 1 items that the study doesn't have: 0123456789ab" in refused(study, path)


@pytest.mark.parametrize("value", [6, -1, 2.5, 3.0, "3", True, None])
def test_ratings_are_whole_numbers_from_0_to_5(study: Study, tmp_path: Path, value: Any) -> None:
    item = next(iter(study.key.items))
    path = write_file(tmp_path / "p1.json", study.key, "p1", {item: {"text_alignment": value}})
    assert f"ratings.{item}.text_alignment" in refused(study, path)


def test_an_incomplete_file_is_named_and_may_be_allowed(study: Study, hand_in: HandIn, tmp_path: Path) -> None:
    rated = {name: {"text_alignment": 3} for name, item in study.key.items.items() if item.variant != "base"}
    path = write_file(tmp_path / "half.json", study.key, "half", rated)
    message = refused(study, hand_in("p1"), path)
    assert "(participant 'half') has 12 of 54 ratings" in message
    assert "--partial" in message
    found = results(study.key, read_all(study.key, [hand_in("p1"), path], partial=True))
    assert found[0].means["base"]["text_alignment"].count == 6
    text = write_results(study.folder, [path], partial=True, out=tmp_path / "out")
    assert "1 participant, of whom 1 didn't rate everything" in text
    assert "-\n" in text
    empty = write_file(tmp_path / "empty.json", study.key, "empty", {})
    assert "has no ratings" in refused(study, empty, partial=True)


@pytest.mark.parametrize(
    "content, problem",
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b'{"kind": "fca-study-ratings", "version": 1', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"kind": "a", "kind": "a"}', "duplicate name"),
        (b'{"kind": NaN}', "NaN is not a JSON number"),
        (b"[]", "the file: "),
        (b'{"kind": "fca-study-key"}', "kind: "),
    ],
)
def test_other_files_are_refused(study: Study, tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "p1.json"
    path.write_bytes(content)
    assert problem in refused(study, path)


def test_missing_files_and_folders_are_refused(study: Study, tmp_path: Path) -> None:
    assert "can't be read: No such file" in refused(study, tmp_path / "absent.json")
    assert "can't be read: Is a directory" in refused(study, tmp_path)


@pytest.mark.parametrize("change", [{"participant": "P 1"}, {"version": 2}, {"more": 1}, {"digest": "no"}])
def test_a_file_has_exactly_the_pages_fields(study: Study, hand_in: HandIn, change: dict[str, Any]) -> None:
    assert f": {next(iter(change))}: " in refused(study, hand_in("p1", **change))


def test_an_edited_key_is_found(study: Study, tmp_path: Path) -> None:
    path = tmp_path / "study-key.json"
    values = json.loads((study.folder / path.name).read_text())
    names = list(values["items"])
    values["items"][names[0]]["variant"] = "base" if values["items"][names[0]]["variant"] != "base" else "fca"
    path.write_text(json.dumps(values))
    with pytest.raises(FcaError, match="was changed"):
        Key.read(path)
    with pytest.raises(FcaError, match=r"study-key\.json can't be read"):
        Key.read(tmp_path.parent)


def test_the_command_prints_the_table_and_draws_the_figure(
    study: Study, hand_in: HandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [hand_in(f"p{n}", lambda variant, criterion, number: LEVEL[variant]) for n in range(2)]
    assert main(["study", "score", str(study.folder), *map(str, paths), "-o", str(tmp_path / "out")]) == 0
    assert "4.00 [4.00, 4.00]" in capsys.readouterr().out
    drawing = ElementTree.parse(tmp_path / "out" / "figure9.svg")
    heights = [float(bar.get("height") or 0) for bar in drawing.iter("{http://www.w3.org/2000/svg}rect")][:9]
    unit = heights[1]  # base, rated 1
    assert heights == pytest.approx([4 * unit, unit, 2 * unit] * 3, abs=0.3)
    paths[1].write_text("{}")
    assert main(["study", "score", str(study.folder), *map(str, paths), "-o", str(tmp_path / "no")]) == 1
    assert str(paths[1]) in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
