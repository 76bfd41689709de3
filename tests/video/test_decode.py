"""Decoding: the right frames from good files, a reason from bad ones."""

import contextlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fca.video.container import opened, upright
from fca.video.decode import ClipError, Decoder, count_frames, list_frames, read_footage, read_frames
from fca.video.workers import call_apart
from tests.data.corpora import ramp, write_jpegs, write_video
from tests.video.numbered import DECODERS


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("decode") / "v.webm"
    write_video(path, ramp(50))
    return path


def levels(frames: np.ndarray) -> list[int]:
    """Which frames of a ramp these are (mod 60)."""
    return [round(float(frame.mean()) / 4) for frame in frames]


def test_frames_of_a_video_by_index(video: Path) -> None:
    assert count_frames(video) == 50
    indices = [49, 0, 7, 7, 31, 12]
    frames = read_frames(video, indices)
    assert frames.shape == (6, 48, 64, 3)
    assert frames.dtype == np.uint8
    assert levels(frames) == indices
    np.testing.assert_array_equal(read_frames(video, range(50))[indices], frames)


@pytest.mark.parametrize("decoder", DECODERS)
def test_channels_are_red_green_and_blue(tmp_path: Path, decoder: Decoder) -> None:
    """A picture of three fields: red on the left, green in the middle, blue on the right; black below them."""
    picture = np.zeros((48, 96, 3), np.uint8)
    for channel in range(3):
        picture[:32, 32 * channel : 32 * channel + 32, channel] = 200
    write_video(tmp_path / "v.mp4", np.stack([picture] * 4), "libx264")
    frames = read_footage(tmp_path / "v.mp4", [2], 4, decoder).frames
    assert np.abs(frames[0].astype(int) - picture)[4:-4, 4:-4].mean() < 3


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(("codec", "suffix"), [("libvpx-vp9", "webm"), ("libvpx", "webm"), ("libx264", "mp4")])
def test_very_short_videos(tmp_path: Path, codec: str, suffix: str, count: int) -> None:
    """decord can't open a webm of one frame."""
    path = tmp_path / f"v.{suffix}"
    write_video(path, ramp(count), codec)
    assert count_frames(path) == count
    assert levels(read_frames(path, list(range(count)))) == list(range(count))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.85])
def test_a_truncated_video_is_named(video: Path, tmp_path: Path, share: float) -> None:
    data = video.read_bytes()
    (tmp_path / "v.webm").write_bytes(data[: int(share * len(data))])
    for function in (count_frames, lambda path: read_frames(path, [0])):
        with pytest.raises(ClipError, match=r"truncated|not a readable video|no video frame"):
            function(tmp_path / "v.webm")


def test_files_that_are_no_videos_are_named(tmp_path: Path) -> None:
    bad = {"empty.webm": b"", "text.webm": b"not a video\n" * 99, "noise.webm": np.random.default_rng(0).bytes(9999)}
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    Image.new("RGB", (32, 32)).save(tmp_path / "picture.jpg")
    (tmp_path / "picture.jpg").rename(tmp_path / "picture.webm")
    reasons = {"empty": "empty", "text": "not a readable", "noise": "not a readable", "picture": "a picture"}
    for name, reason in (reasons | {"missing": "missing"}).items():
        for function in (count_frames, lambda path: read_frames(path, [0])):
            with pytest.raises(ClipError, match=reason) as caught:
                function(tmp_path / f"{name}.webm")
            assert str(tmp_path) not in str(caught.value)


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "v.webm")
    os.mkfifo(tmp_path / "im_0.jpg")
    for media in (tmp_path / "v.webm", [tmp_path / "im_0.jpg"]):
        with pytest.raises(ClipError, match="it is no regular file"):
            read_frames(media, [0])
    (tmp_path / "a.webm").symlink_to("/dev/zero")
    counts = list(call_apart(count_frames, [(tmp_path / "v.webm",), (tmp_path / "a.webm",)]))
    assert [str(error) for error in counts] == ["it is no regular file"] * 2


def test_a_hole_in_a_video_never_crashes(video: Path, tmp_path: Path) -> None:
    """Damage inside a frame may go unseen (video has no checksums), but a result has the asked shape."""
    data = bytearray(video.read_bytes())
    for start in range(0, len(data), len(data) // 20):
        holed = data.copy()
        holed[start : start + 200] = bytes(len(holed[start : start + 200]))
        (tmp_path / "v.webm").write_bytes(holed)
        with contextlib.suppress(ClipError):
            assert read_frames(tmp_path / "v.webm", [0, 49]).shape == (2, 48, 64, 3)


def test_a_frame_that_is_not_there(video: Path) -> None:
    with pytest.raises(ClipError, match="it has 50"):
        read_frames(video, [3, 50])


def test_no_file_stays_open(video: Path) -> None:
    for _ in range(3):
        read_frames(video, [0, 30])
    opened = [Path(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    assert video not in [link.resolve() for link in opened if link.is_symlink()], "left open"


def test_decoding_starts_no_thread(video: Path) -> None:
    """A forked process that inherits a decoder or a scaler with threads waits for them forever when it frees it."""
    before = len(os.listdir("/proc/self/task"))
    with opened(video) as source:
        kept = [(frame, upright(frame)) for frame in source.frames()]
        assert len(os.listdir("/proc/self/task")) == before
    assert levels([pixels for _, pixels in kept]) == list(range(50))


def test_a_folder_of_jpegs_in_numeric_order(tmp_path: Path) -> None:
    write_jpegs(tmp_path / "images0", ramp(12), "im_{}.jpg")
    (tmp_path / "images0" / "notes.txt").touch()
    assert [path.name for path in list_frames(tmp_path / "images0")] == [f"im_{index}.jpg" for index in range(12)]
    assert count_frames(tmp_path / "images0") == 12
    assert levels(read_frames(tmp_path / "images0", [10, 9, 2])) == [10, 9, 2]
    files = [tmp_path / "images0" / f"im_{number}.jpg" for number in (3, 5, 7)]
    assert count_frames(files) == 3
    assert levels(read_frames(files, [2, 0])) == [7, 3]


def test_bad_jpegs_are_named(tmp_path: Path) -> None:
    write_jpegs(tmp_path, np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), dtype=np.uint8), "im_{}.jpg")
    data = (tmp_path / "im_1.jpg").read_bytes()
    (tmp_path / "im_1.jpg").write_bytes(data[: len(data) // 2])
    (tmp_path / "im_2.jpg").write_bytes(b"")
    (tmp_path / "im_3.jpg").write_text("<svg/>")
    (tmp_path / "im_4.jpg").unlink()
    Image.new("RGB", (65, 48)).save(tmp_path / "im_5.jpg")
    files = [tmp_path / f"im_{number}.jpg" for number in range(6)]
    for number, reason in {1: "can't be read", 2: "empty", 3: "can't be read", 4: "missing"}.items():
        with pytest.raises(ClipError, match=rf"im_{number}\.jpg: .*{reason}") as caught:
            read_frames(files, [0, number])
        assert str(tmp_path) not in str(caught.value)
    with pytest.raises(ClipError, match="differ in size: 64x48 and 65x48"):
        read_frames(files, [0, 5])


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="no numbered JPEG"):
        count_frames(tmp_path)


def test_grey_and_cmyk_become_rgb(tmp_path: Path) -> None:
    for number, mode in enumerate(("L", "CMYK", "RGB")):
        Image.new("RGB", (16, 16), (90, 90, 90)).convert(mode).save(tmp_path / f"im_{number}.jpg", quality=95)
    frames = read_frames(tmp_path, [0, 1, 2])
    assert frames.shape == (3, 16, 16, 3)
    assert np.abs(frames.astype(int) - 90).max() <= 3


@pytest.mark.parametrize("side", [9_000, 20_000])
def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    """The second is more than Pillow opens, the first is not."""
    Image.new("L", (side, side)).save(tmp_path / "im_0.jpg", quality=10)
    with pytest.raises(ClipError, match=rf"{side}x{side} pixels is refused|{side * side} pixels"):
        read_frames(tmp_path, [0])


def test_a_phone_held_upright(tmp_path: Path) -> None:
    """The file says: turn by 90 degrees clockwise. Top left of what is stored is then top right."""
    frames = np.zeros((4, 48, 64, 3), np.uint8)
    frames[:, :16, :16] = 255
    write_video(tmp_path / "a.mp4", frames, codec="libx264")
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    upright = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    start = data.index(upright, data.index(b"tkhd"))
    data[start : start + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 48 << 16, 0, 1 << 30)
    (tmp_path / "a.mp4").write_bytes(data)
    (frame,) = read_frames(tmp_path / "a.mp4", [2])
    assert frame.shape == (64, 48, 3)
    assert frame[8, -8].min() > 200
    assert frame[8, 8].max() < 50


@pytest.mark.parametrize(
    "name, text",
    [
        ("list.mp4", "ffconcat version 1.0\nfile a.webm\n"),
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:2,\na.webm\n#EXT-X-ENDLIST\n"),
    ],
)
def test_lists_of_other_files_are_no_videos(tmp_path: Path, name: str, text: str) -> None:
    write_video(tmp_path / "a.webm", ramp(4))
    (tmp_path / name).write_text(text)
    with pytest.raises(ClipError, match=r"list of other files|not a readable video"):
        count_frames(tmp_path / name)
