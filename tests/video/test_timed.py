"""Frames by their time: other rates than the annotations', ends, jumps, broken files."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fca.video import timed
from fca.video.container import opened
from fca.video.decode import ClipError, count_frames, read_frames
from fca.video.timed import TimedFrames, beyond_end, seconds_of
from tests.data.corpora import ramp
from tests.video.numbered import HEIGHT, WIDTH, Recipe, even, numbered, numbers, write

NTSC = Fraction(60000, 1001)


def write_mp4(path: Path, count: int, rate: Fraction | int, offset: int = 0, **options: str) -> None:
    """A ramp in H.264 with B-frames and a keyframe every 30 frames; the first is shown after `offset` frames."""
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"crf": "4", "g": "30", "bf": "3"}
        for number, pixels in enumerate(ramp(count)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number + offset, 1 / Fraction(rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def shown(frames: np.ndarray) -> list[int]:
    """Which frames of a ramp these are, mod 60."""
    return [round(float(frame.mean()) / 4) % 60 for frame in frames]


def nearest(number: int, rate: int, own: Fraction | int, count: int) -> int:
    """Place of the frame shown nearest to a number's time, the earlier of two."""
    return min(range(count), key=lambda place: (abs(Fraction(number - 1, rate) - place / Fraction(own)), place))


@pytest.mark.parametrize("own", [NTSC, Fraction(50), Fraction(15000, 1001), Fraction(60), Fraction(90)])
@pytest.mark.parametrize("rate", [60, 50])
def test_the_frame_nearest_in_time_whatever_the_files_rate_is(tmp_path: Path, own: Fraction, rate: int) -> None:
    write_mp4(tmp_path / "v.MP4", 200, own)
    last = int(199 / own * rate) + 1
    numbers = sorted({1, 2, 3, *range(7, last, 11), last})
    media = TimedFrames(tmp_path / "v.MP4", tuple(numbers), rate)
    assert count_frames(media) == len(numbers)
    found = shown(read_frames(media, range(len(numbers))))
    assert found == [nearest(number, rate, own, 200) % 60 for number in numbers]
    assert shown(read_frames(media, [4, 0, 4])) == [found[4], found[0], found[4]]


def test_far_frames_are_jumped_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mp4(tmp_path / "v.MP4", 1500, NTSC)
    decoded = []
    whole = timed._Walk._decoded
    monkeypatch.setattr(
        timed._Walk, "_decoded", lambda *own, **more: (decoded.append(1) or frame for frame in whole(*own, **more))
    )
    numbers = (5, 1000, 1001, 1400)
    frames = read_frames(TimedFrames(tmp_path / "v.MP4", numbers, 60), range(4))
    assert shown(frames) == [nearest(number, 60, NTSC, 1500) % 60 for number in numbers]
    assert len(decoded) < 250


def test_a_file_whose_first_frame_is_not_at_zero(tmp_path: Path) -> None:
    write_mp4(tmp_path / "v.mkv", 100, 50, offset=25)
    numbers = (1, 26, 90)
    assert shown(read_frames(TimedFrames(tmp_path / "v.mkv", numbers, 50), range(3))) == [0, 25, 89 % 60]


def test_two_numbers_beyond_the_end_are_the_last_frame_and_more_are_an_error(tmp_path: Path) -> None:
    write_mp4(tmp_path / "v.MP4", 100, 50)
    frames = read_frames(TimedFrames(tmp_path / "v.MP4", (100, 101, 102), 50), range(3))
    assert shown(frames) == [99 % 60] * 3
    with pytest.raises(ClipError, match=r"it ends at 1\.98 s, but frame 105 is shown at 2\.08 s"):
        read_frames(TimedFrames(tmp_path / "v.MP4", (90, 105), 50), [0, 1])
    seconds = seconds_of(tmp_path / "v.MP4")
    assert seconds == pytest.approx(2.0)
    assert beyond_end(102, 50, seconds) == ""
    assert "it ends at 2.00 s" in beyond_end(104, 50, seconds)


def test_a_video_cut_off(tmp_path: Path) -> None:
    """With its table of contents at the end it can't be opened; with the table in front, frames are missing."""
    for name, options in (("back", {}), ("front", {"movflags": "+faststart"})):
        write_mp4(tmp_path / f"{name}.MP4", 300, 50, **options)
        data = (tmp_path / f"{name}.MP4").read_bytes()
        (tmp_path / f"{name}.MP4").write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(ClipError, match="not a readable video"):
        seconds_of(tmp_path / "back.MP4")
    assert seconds_of(tmp_path / "front.MP4") == pytest.approx(6.0)
    media = TimedFrames(tmp_path / "front.MP4", (20, 280), 50)
    assert shown(read_frames(media, [0])) == [19]
    with pytest.raises(ClipError, match=r"it ends at|decoding stopped"):
        read_frames(media, [1])


@pytest.mark.parametrize("own", [20, 15, 29])
def test_a_video_at_another_rate_gives_no_frame_twice(tmp_path: Path, own: int) -> None:
    """At 20 frames a second, the second frame is half an interval from the second number and from the third."""
    write_mp4(tmp_path / "v.MP4", 60, own)
    with pytest.raises(ClipError, match=r"no frame is shown at \d\.\d+ s, where frame"):
        read_frames(TimedFrames(tmp_path / "v.MP4", range(1, 31), 30, 0.0), range(30))


def test_concealed_damage_is_an_error_as_in_the_whole_video(tmp_path: Path) -> None:
    """Decoders show a neighbour's pixels and only log it. It counts in all needed frames, the last one too."""

    def grainy(number: int) -> np.ndarray:
        grain = np.random.default_rng(number).integers(-30, 31, (HEIGHT, WIDTH, 1))
        return np.clip(numbered(number) + grain, 0, 255).astype(np.uint8)

    path = write(tmp_path / "v.mp4", Recipe("libx264", "mp4", 12, 0, even(72, 10), rate=10), grainy)
    with opened(path) as video:
        pos, size = next((packet.pos, packet.size) for packet in video.packets() if packet.pts * packet.time_base == 3)
    data = bytearray(path.read_bytes())
    data[pos + size // 2 : pos + size // 2 + 20] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(ClipError, match="damaged at about frame 30"):
        read_frames(path, range(72))
    for start, length, place in (
        (0, 29, None),
        (0, 31, "frame 30"),
        (28, 8, "2.90 s"),
        (30, 1, "2.90"),
        (48, 10, None),
    ):
        media = TimedFrames(path, range(1, length + 1), 10, start / 10)
        if place is None:
            assert numbers(list(read_frames(media, range(length)))) == list(range(start, start + length))
        else:
            with pytest.raises(ClipError, match=f"damaged at about {place}"):
                read_frames(media, range(length))


def test_frames_before_the_keyframe_of_a_jump_are_not_used(tmp_path: Path) -> None:
    """In an open GOP they refer to the GOP before it, which was not decoded."""
    options = {"x264-params": "open-gop=1:scenecut=0:keyint=12:min-keyint=12:bframes=3:b-adapt=0"}
    write(tmp_path / "v.mp4", Recipe("libx264", "mp4", 12, 3, even(60, 2), options, rate=2))
    with opened(tmp_path / "v.mp4") as video:
        keyframes = [packet.pts for packet in video.packets() if packet.is_keyframe and packet.pts]
    for keyframe in keyframes:
        with opened(tmp_path / "v.mp4") as video:
            video.container.seek(keyframe, stream=video.stream)
            assert next(video.frames(jumped=True)).pts == keyframe


def test_files_that_are_no_videos(tmp_path: Path) -> None:
    (tmp_path / "empty.MP4").touch()
    (tmp_path / "text.MP4").write_text("not a video\n" * 99)
    (tmp_path / "folder.MP4").mkdir()
    reasons = {"empty": "empty", "text": "not a readable", "folder": "not a readable", "none": "missing"}
    for name, reason in reasons.items():
        for look in (seconds_of, lambda path: read_frames(TimedFrames(path, (1,), 60), [0])):
            with pytest.raises(ClipError, match=reason) as caught:
                look(tmp_path / f"{name}.MP4")
            assert str(tmp_path) not in str(caught.value)


def test_a_position_that_the_clip_has_not(tmp_path: Path) -> None:
    write_mp4(tmp_path / "v.MP4", 10, 50)
    with pytest.raises(ClipError, match="it has 2"):
        read_frames(TimedFrames(tmp_path / "v.MP4", (1, 2), 50), [2])
