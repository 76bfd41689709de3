"""The page of contact sheets: what training will see, for every format, and nothing that a caption smuggles in."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fca.artifacts.shards import Shard
from fca.cli.main import main
from fca.config import Config, Layout
from fca.data.fetch import fetch
from fca.data.index import build_index
from fca.data.resample import resample
from fca.errors import FcaError
from fca.report.choose import evenly_spaced
from fca.report.preview import data_uri, fit, preview
from tests.data.corpora import config_for, pretend_fetched, ramp, write_bridge, write_ssv2, write_video

EVIL = "</bdi><script>alert(1)</script><img src=https://example.org/x.png> {{ config.seed }} \u202e"


class Page(HTMLParser):
    """Tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def ssv2(folder: Path, clips: list[tuple[str, str, int]]) -> Config:
    config = config_for(folder, "ssv2", len(clips), 1, initial_frames=2)
    config = config.model_copy(update={"report_dir": str(folder / "reports")})
    write_ssv2(pretend_fetched(config, "ssv2"), clips, clips[:1])
    return config


def pictures(page: Page) -> list[np.ndarray]:
    sources = [attributes["src"] or "" for attributes in page.all("img")]
    assert all(source.startswith("data:image/webp;base64,") for source in sources)
    files = [io.BytesIO(base64.b64decode(source.partition(",")[2])) for source in sources]
    return [np.asarray(Image.open(file).convert("RGB")) for file in files]


def test_the_frames_are_those_of_the_shards(tmp_path: Path) -> None:
    config = ssv2(tmp_path, [("1", "push", 40), ("2", "lift", 20)])
    build_index(config, "ssv2")
    path = preview(config, "ssv2", ["train"], 12)
    assert path == Layout(config).preview("ssv2") == tmp_path / "reports" / "preview" / "ssv2.html"
    resample(config, "ssv2", "train", 0)
    with Shard(Layout(config).clips("ssv2", "train", 0)) as shard:
        for clip, picture in zip(shard.frames, pictures(Page(path.read_text())), strict=True):
            width = clip.shape[2]
            for column, frame in enumerate((0, 8, 15)):
                np.testing.assert_array_equal(picture[:, column * (width + 2) :][:, :width], clip[frame])


def test_what_is_said_of_a_clip(tmp_path: Path) -> None:
    config = ssv2(tmp_path, [("1", "push", 24), ("2", "lift", 12), ("3", "broken", 3)])
    raw = Layout(config).raw("ssv2")
    (raw / "videos/3.webm").write_text("no video")
    write_video(raw / "videos/1.webm", ramp(24, 96, 48))
    build_index(config, "ssv2")
    text = preview(config, "ssv2", ["train", "validation"], 12).read_text()
    assert "the first 2 frames\n" in text
    assert "3 of 3 clips" in text
    assert re.search(
        r"24 frames,\s+2\.0 s, 48×96 pixels; stretched to 3\.00 times its width", text.replace("&times;", "×")
    )
    assert "4 of 16 frames are grey padding" in text
    assert "Unusable: <bdi>it is not a readable video" in text
    assert "Unusable clips of train: 1" in text
    assert len(pictures(Page(text))) == 3  # two of train, one of validation


def test_the_same_bytes_and_no_shards(tmp_path: Path) -> None:
    config = ssv2(tmp_path, [(str(number), f"clip {number}", 3) for number in range(9)])
    build_index(config, "ssv2")
    first = preview(config, "ssv2", ["train"], 3).read_bytes()
    assert preview(config, "ssv2", ["train"], 3).read_bytes() == first
    shown = re.findall(r'class="id">(\d)<', first.decode())
    assert shown == ["0", "4", "8"]
    assert not Layout(config).clips("ssv2", "train", 0).exists()


def test_captions_stay_text(tmp_path: Path) -> None:
    config = ssv2(tmp_path, [("1", EVIL, 2), ("2", "bell \x07 and \x1b[31m", 2)])
    build_index(config, "ssv2")
    text = preview(config, "ssv2", ["train"], 12).read_text()
    page = Page(text)
    assert not page.all("script")
    assert len(page.all("img")) == 1
    assert "its caption has the control character U+0007" in text
    assert "<bdi>&lt;/bdi&gt;&lt;script&gt;" in text
    assert "{{ config.seed }}" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", text)
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert not [name for _, attributes in page.tags for name in attributes if name == "style" or name.startswith("on")]


def test_folders_of_pictures_have_no_seconds(tmp_path: Path) -> None:
    config = config_for(tmp_path, "bridge", 4, 1).model_copy(update={"report_dir": str(tmp_path / "reports")})
    task = "toykitchen1/flip_pot/2021-06-02_16-36-21/raw/traj_group0"
    views = {f"{task}/traj{number}/images0": 20 for number in range(5)}
    write_bridge(pretend_fetched(config, "bridge"), views, [f"flip_pot/{number}" for number in range(5)])
    build_index(config, "bridge")
    text = preview(config, "bridge", ["train"], 2).read_text()
    assert "20 frames, 64&times;48 pixels" in text
    assert "stretched to 1.12 times its width" in text


def test_your_own_videos_and_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "mine"
    for name in ("a.webm", "b.webm"):
        write_video(root / name, ramp(20))
    (root / "captions.csv").write_text("file,caption\na.webm,push\nb.webm,lift\n")
    config = config_for(tmp_path, "folder", 1, 1, root=str(root))
    fetch(config, "folder")
    build_index(config, "folder")
    text = preview(config.model_copy(update={"report_dir": str(tmp_path)}), "folder", ["train", "validation"], 1)
    assert len(pictures(Page(text.read_text()))) == 2
    assert main(["data", "preview", "-c", "config/pocket.yaml", "nothing"]) == 1
    assert "there is no dataset 'nothing'" in capsys.readouterr().err
    assert main(["data", "preview", "ssv2", "--clips", "0"]) == 2
    assert "0 is not in the range x>=1" in capsys.readouterr().err


def test_without_an_index(tmp_path: Path) -> None:
    with pytest.raises(FcaError, match="there is no index") as caught:
        preview(config_for(tmp_path, "ssv2", 1, 1), "ssv2", ["train"], 1)
    assert "fca index" in caught.value.remedy


@pytest.mark.parametrize(
    "total, count, expected",
    [(0, 3, []), (1, 3, [0]), (2, 3, [0, 1]), (9, 3, [0, 4, 8]), (5, 1, [0]), (1000, 2, [0, 999])],
)
def test_evenly_spaced(total: int, count: int, expected: list[int]) -> None:
    assert evenly_spaced(total, count) == expected


def test_other_proportions_in_words(tmp_path: Path) -> None:
    clip = config_for(tmp_path, "ssv2", 1, 1).clip
    crop = clip.model_copy(update={"resize": "crop"})
    assert fit(1920, 1280, clip) == ""
    assert fit(1080, 1920, clip) == "stretched to 2.67 times its width"
    assert fit(640, 200, clip) == "stretched to 2.13 times its height"
    assert fit(1080, 1920, crop) == "62% of each frame is cut off, above and below"
    assert fit(640, 320, crop) == "25% of each frame is cut off, left and right"


def test_large_frames_are_shrunk() -> None:
    uri = data_uri([np.zeros((480, 720, 3), np.uint8)] * 3)
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as picture:
        assert picture.size == (3 * 240 + 4, 160)
