"""What `fca study build` writes: the clips that were chosen, blinded, in a page of its own, and the key."""

import base64
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from fca.artifacts.quarantine import Quarantine
from fca.artifacts.shards import Shard, write_shard
from fca.artifacts.text import shuffled
from fca.cli.main import main
from fca.config import Layout
from fca.errors import FcaError
from fca.report.render import source_hash
from fca.score.pairs import copy_last_frame, with_initial_frames
from fca.study.build import build
from fca.study.files import Key
from tests.report.project import make_clips, make_config, make_dataset
from tests.study.conftest import CAPTIONS, DATASETS, VARIANTS, Study, participant_order


def data_of(page: Path) -> dict[str, Any]:
    blocks = re.findall(r'<script type="application/json" id="study">(.*?)</script>', page.read_text("utf-8"), re.S)
    assert len(blocks) == 1
    return json.loads(blocks[0])


def bytes_of(uri: str, mime: str) -> bytes:
    head, _, text = uri.partition(",")
    assert head == f"data:{mime};base64"
    return base64.b64decode(text)


def film(uri: str, frames: int) -> np.ndarray:
    picture = np.asarray(Image.open(io.BytesIO(bytes_of(uri, "image/webp"))).convert("RGB"))
    rows = np.split(picture, frames // 8)
    return np.stack([frame for row in rows for frame in np.split(row, 8, axis=1)])


def test_every_item_shows_its_variants_frames_with_the_true_first_ones(study: Study) -> None:
    layout, frames = Layout(study.config), study.config.clip.frames
    seen = set()
    for clip in data_of(study.page)["clips"]:
        row = study.key.clips[clip["id"]]
        initial = study.config.datasets[row.dataset].initial_frames
        assert clip["initial"] == initial
        number, position = divmod(int(row.clip.removeprefix("clip_")), 3)
        truth = Shard(layout.clips(row.dataset, "validation", number)).frames[position]
        np.testing.assert_array_equal(film(clip["truth"], frames), truth)
        for shown in clip["items"]:
            item = study.key.items[shown["id"]]
            assert item.clip == clip["id"]
            if item.variant == "repeat":
                expected = copy_last_frame(truth[None], initial)[0]
            else:
                made = Shard(layout.samples(row.dataset, item.variant, "validation", number)).frames[position]
                expected = with_initial_frames(made[None], truth[None], initial)[0]
            np.testing.assert_array_equal(film(shown["media"], frames), expected)
            assert hashlib.sha256(bytes_of(shown["media"], "image/webp")).hexdigest() == item.media
            seen.add((row.dataset, row.clip, item.variant))
    assert len(seen) == 2 * 3 * 3
    assert {dataset for dataset, _, _ in seen} == set(DATASETS)


def test_the_page_does_not_say_who_made_what(study: Study) -> None:
    data = data_of(study.page)
    assert set(data) == {"study", "seed", "nonce", "media", "frames", "width", "height", "framesPerSecond", "clips"}
    for clip in data["clips"]:
        assert set(clip) == {"id", "caption", "initial", "truth", "items"}
        assert all(set(item) == {"id", "media"} for item in clip["items"])
        names = [item["id"] for item in clip["items"]]
        assert names == sorted(names)  # an order that says nothing
    positions = {study.key.items[clip["items"][0]["id"]].variant for clip in data["clips"]}
    assert len(positions) > 1
    text = re.sub(r"data:image/webp;base64,[A-Za-z0-9+/=]*", "", study.page.read_text("utf-8"))
    for secret in [*study.key.variants.values(), *DATASETS, *(clip.clip for clip in study.key.clips.values())]:
        assert secret not in text
    block = text.split('id="study">')[1].split("</script>")[0]
    assert not re.search(r"\b(fca|base|repeat)\b", block)
    assert [path.name for path in study.page.parent.iterdir()] == ["index.html"]


def test_captions_are_data_and_the_policy_allows_only_our_own_code(study: Study) -> None:
    text = study.page.read_text("utf-8")
    assert {clip["caption"] for clip in data_of(study.page)["clips"]} <= set(CAPTIONS)
    assert "<img" not in text
    assert text.count("</script>") == 2
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', text)[1]  # type: ignore[index]
    script, style = text.split("<script>")[1].split("</script>")[0], text.split("<style>")[1].split("</style>")[0]
    assert f"script-src '{source_hash(script)}'" in policy
    assert f"style-src '{source_hash(style)}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:; media-src data:;")
    assert not re.search(r'(?:src|href|action)="(?!data:,)', text)


def test_same_arguments_same_bytes_and_another_seed_another_study(study: Study, tmp_path: Path) -> None:
    page, key = build(study.config, DATASETS, VARIANTS, 3, 42, tmp_path / "again")
    assert page.read_bytes() == study.page.read_bytes()
    assert key.read_bytes() == (study.folder / "study-key.json").read_bytes()
    _, key = build(study.config, DATASETS, VARIANTS, 3, 43, tmp_path / "other")
    other = Key.read(key)
    assert other.study != study.key.study
    assert not set(other.items) & set(study.key.items)
    assert {clip.clip for clip in other.clips.values()} != {clip.clip for clip in study.key.clips.values()}


def test_another_study_is_never_written_over(study: Study, tmp_path: Path) -> None:
    build(study.config, ["ssv2"], ["fca"], 2, 1, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    (tmp_path / "page" / "index.html").unlink()  # as if the first had been killed between its two files
    build(study.config, ["ssv2"], ["fca"], 2, 1, tmp_path)
    with pytest.raises(FcaError, match="is the key of another study"):
        build(study.config, ["ssv2"], ["fca"], 2, 2, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_only_clips_that_every_variant_predicted_are_drawn(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    clips = make_clips(config, 0)
    make_dataset(config, "ssv2", clips)
    lost = Quarantine("ssv2", "validation", "clip_1", "sample", "x.h5", "made of NaN")
    path = Layout(config).samples("ssv2", "base", "validation", 0)
    frames = np.stack([clips[name][4] for name in ("clip_0", "clip_2")])
    captions = [clips[name][0] for name in ("clip_0", "clip_2")]
    arrays = {"frames": frames, "caption": captions, "seed": np.arange(2)}
    write_shard(path, "samples", arrays, ["clip_0", "clip_2"], {}, {}, [lost])
    _, key = build(config, ["ssv2"], VARIANTS, 5, 0, tmp_path / "study")
    assert {clip.clip for clip in Key.read(key).clips.values()} == {f"clip_{n}" for n in (0, 2, 3, 4, 5)}
    with pytest.raises(FcaError, match="from 1 to 5, the clips that every variant predicted"):
        build(config, ["ssv2"], VARIANTS, 6, 0, tmp_path / "more")


def test_a_damaged_shard_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    make_dataset(config, "ssv2", make_clips(config, 0))
    path = Layout(config).samples("ssv2", "base", "validation", 0)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(FcaError, match=str(path)):
        build(config, ["ssv2"], VARIANTS, 5, 0, tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_large_clips_become_videos_that_phones_play(tmp_path: Path) -> None:
    config = make_config(tmp_path, clip={"width": 288, "height": 64})
    make_dataset(config, "ssv2", make_clips(config, 0))
    page, key = build(config, ["ssv2"], ["fca"], 1, 0, tmp_path / "study")
    assert Key.read(key).media == "mp4"
    media = bytes_of(data_of(page)["clips"][0]["items"][0]["media"], "video/mp4")
    with av.open(io.BytesIO(media)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert len(list(container.decode(video=0))) == config.clip.frames


@pytest.mark.parametrize(
    "datasets, variants, clips, problem",
    [
        (["ssv3"], ["fca"], 2, "there is no dataset 'ssv3'"),
        (["ssv2"], ["seer"], 2, "there is no variant 'seer'"),
        (["ssv2"], ["fca", "fca"], 2, "variants: fca, fca"),
        (["ssv2"], ["fca"], 0, "0 clips of ssv2"),
        (["ssv2"], ["fca"], 7, "7 clips of ssv2"),
        (["ssv2"], ["lora"], 2, "lora.*no manifest|no manifest.*lora"),
    ],
)
def test_what_cannot_be_built_is_refused(
    study: Study, tmp_path: Path, datasets: list[str], variants: list[str], clips: int, problem: str
) -> None:
    with pytest.raises(FcaError, match=problem):
        build(study.config, datasets, variants, clips, 42, tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_the_order_is_a_pure_function_of_seed_and_participant() -> None:
    clips = {"c1": ["a", "b", "c"], "c2": ["d", "e", "f"], "c3": ["g", "h", "i"]}
    expected = [("c1", ["b", "c", "a"]), ("c2", ["e", "f", "d"]), ("c3", ["g", "h", "i"])]
    assert participant_order("s", "p01", clips) == expected  # as sha256sum sorts them
    backwards = {clip: clips[clip][::-1] for clip in reversed(clips)}
    assert participant_order("s", "p01", backwards) == expected
    expected = sorted(["x", "y"], key=lambda n: hashlib.sha256(f"s|{n}".encode()).hexdigest())
    assert shuffled(["x", "y"], "s", separator="|") == expected


def test_every_model_has_every_position_about_equally_often(study: Study) -> None:
    clips: dict[str, list[str]] = {clip: [] for clip in study.key.clips}
    for name, item in study.key.items.items():
        clips[item.clip].append(name)
    positions = {variant: np.zeros(3) for variant in VARIANTS}
    firsts = set()
    for number in range(100):
        order = participant_order(study.key.order_seed, f"p{number}", clips)
        firsts.add(order[0][0])
        for _, items in order:
            for position, name in enumerate(items):
                positions[study.key.items[name].variant][position] += 1
    for counts in positions.values():  # 600 draws: 200 expected in each position, standard deviation 11.5
        assert abs(counts - 200).max() < 58
    assert firsts == set(clips)


def test_the_command_writes_both_files(study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = tmp_path / "config.yaml"
    settings.write_text((Path(__file__).parents[2] / "config/pocket.yaml").read_text())
    (tmp_path / "variants").symlink_to(Path(__file__).parents[2] / "config/variants")
    text = settings.read_text().replace("report:\n", f"data_dir: {study.config.data_dir}\nreport:\n")
    text = text.replace("validation: {clips: 54, shard_clips: 27}", "validation: {clips: 6, shard_clips: 3}")
    settings.write_text(text)
    arguments = ["study", "build", "-c", str(settings), "--datasets", "ssv2", "--variants", "fca", "base"]
    assert main([*arguments, "--clips", "2", "--seed", "7", "-o", str(tmp_path / "made")]) == 0
    out = capsys.readouterr().out
    assert f"{tmp_path}/made/page/index.html: for participants" in out
    assert Key.read(tmp_path / "made").seed == 7
    assert main([*arguments, "--clips", "9", "-o", str(tmp_path / "made")]) == 1
    assert "9 clips of ssv2" in capsys.readouterr().err
