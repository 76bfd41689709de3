"""Files whose packets are not their frames: each kind of public bug report, made here, every frame known by number."""

import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from fca.artifacts.quarantine import ClipError
from fca.data.clip_pixels import Shape, inspect_clip, resample_clip
from fca.data.clip_record import ClipRecord
from fca.video.container import Timeline, decode, opened
from fca.video.decode import count_frames, read_first, read_footage, read_frames
from tests.data.corpora import ROOT
from tests.video.numbered import DECODERS, HEIGHT, WIDTH, Recipe, even, number, numbered, numbers, remux, varying, write
from tests.video.sweep import OPEN_264, OPEN_265

CASES = ROOT.parent / "shared" / "cases"  # tests that need them skip without
RATE = 25


def as_it_is(_: int, packet: av.Packet) -> bytes:
    return bytes(packet)


def whole(path: Path) -> list[int | None]:
    """The numbers of all frames, which are read at once, one by one, and counted."""
    count = count_frames(path)
    found = numbers(read_frames(path, range(count)))
    middle = count // 2
    assert numbers(read_frames(path, [count - 1, middle, middle], count)) == [found[-1], found[middle], found[middle]]
    return found


def clip(path: Path, sampling: str = "index", decoder: str = "pyav") -> list[int | None]:
    """The numbers of a clip of four frames."""
    record = ClipRecord("a", "d", "train", "c", path.name, None, count_frames(path))
    shape = Shape(4, WIDTH, HEIGHT, "stretch", sampling, decoder)
    return numbers(resample_clip(path.parent, record, None, shape)[0])


def edited(folder: Path, keyframe: int = 30, start: int = 42, count: int = 100) -> Path:
    """A cut without coding: an MP4 from a keyframe on whose edit list begins at `start`."""
    whole = write(folder / "whole.mp4", Recipe("libx264", "mp4", gop=30, b_frames=2, times=even(count)))
    options = {"avoid_negative_ts": "disabled", "use_editlist": "1"}

    def change(_: int, packet: av.Packet) -> bytes | None:
        return bytes(packet) if packet.pts * packet.time_base >= keyframe / RATE else None

    return remux(whole, folder / "cut.mp4", change, -start / RATE, **options)


def test_an_edit_list_hides_frames(tmp_path: Path) -> None:
    path = edited(tmp_path)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert len(packets) == 70
    assert whole(path) == list(range(42, 100))


def test_hidden_vp8_packets_are_no_frames(tmp_path: Path) -> None:
    source = write(tmp_path / "a.webm", Recipe("libvpx", "webm", times=even(40)))

    def hide(position: int, packet: av.Packet) -> bytes:
        data = bytearray(bytes(packet))
        data[0] &= 0xFF if position % 9 != 5 else ~0x10  # show_frame
        return bytes(data)

    assert whole(remux(source, tmp_path / "b.webm", hide)) == [index for index in range(40) if index % 9 != 5]


def test_dropped_frames_of_an_avi(tmp_path: Path) -> None:
    """444 stated frames, 68 coded ones, as in OpenCV's tree.avi: empty chunks between them."""
    times = [round(index * 443 / 67) / RATE for index in range(68)]
    path = write(tmp_path / "a.avi", Recipe("mjpeg", "avi", times=times, pixels="yuvj420p"))
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 444
    assert whole(path) == list(range(68))


@pytest.mark.parametrize(
    ("codec", "container"), [("libx264", "mp4"), ("libx264", "mkv"), ("mpeg4", "avi"), ("mpeg2video", "ts")]
)
def test_sound_longer_than_the_picture(tmp_path: Path, codec: str, container: str) -> None:
    path = write(tmp_path / f"a.{container}", Recipe(codec, container, sound=4.0))
    assert whole(path) == list(range(48))
    seconds = read_footage(path, [0]).seconds
    assert seconds == pytest.approx(48 / RATE, abs=0.05)


def test_a_picture_that_is_shorter_than_its_stream_states(tmp_path: Path) -> None:
    """The sound is all there, so that the container's duration tells nothing."""
    path = write(tmp_path / "a.avi", Recipe("mpeg4", "avi", sound=4.0))
    data = bytearray(path.read_bytes())
    length = data.index(b"vids") + 32  # of the stream's header: its number of frames
    assert data[length : length + 4] == struct.pack("<I", 48)
    data[length : length + 4] = struct.pack("<I", 96)
    path.write_bytes(data)
    for read in (count_frames, lambda path: read_first(path, 1)):
        with pytest.raises(ClipError, match=r"truncated: it ends after 1\.\d\d of 3\.84 s"):
            read(path)


@pytest.mark.parametrize("container", ["mp4", "mkv", "webm", "mov", "ts"])
def test_rates_that_vary(tmp_path: Path, container: str) -> None:
    codec = "libvpx-vp9" if container == "webm" else "libx264"
    path = write(tmp_path / f"a.{container}", Recipe(codec, container, b_frames=2, times=varying(44)))
    assert whole(path) == list(range(44))
    assert clip(path) == [5, 16, 27, 38]

    # 22 frames in 0.88 s, 22 in 4.4 s: the outputs are at about 0.6, 1.9, 3.2 and 4.6 s.
    by_time = clip(path, "time")
    times = [varying(44)[index] for index in by_time if index is not None]
    np.testing.assert_allclose(np.diff(times), 5.28 / 4, atol=0.15)
    assert numbers(read_first(path, 3)) == [0, 3, 6]


def test_evenly_spaced_frames_are_the_same_by_time_and_by_index(tmp_path: Path) -> None:
    for container, rate in (("mkv", 30), ("mp4", 12), ("ts", 25), ("webm", 24)):
        codec = "libvpx-vp9" if container == "webm" else "libx264"
        path = write(tmp_path / f"a.{container}", Recipe(codec, container, times=even(50, rate), rate=rate))
        record = ClipRecord("a", "d", "train", "c", path.name, None, 50)
        by_time, by_index = (
            resample_clip(tmp_path, record, None, Shape(16, 64, 32, "crop", sampling))[0]
            for sampling in ("time", "index")
        )
        assert read_footage(path, [0]).positions is None
        np.testing.assert_array_equal(by_time, by_index)
        assert numbers(read_first(path, 2)) == [0, 1]


def test_a_last_frame_that_stays(tmp_path: Path) -> None:
    """Ten frames in 0.4 s, the last for 2 s more, as in recordings of a screen."""
    source = write(tmp_path / "a.mp4", Recipe("libx264", "mp4", times=even(10)))

    with av.open(str(source)) as old, av.open(str(tmp_path / "b.mp4"), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.duration = round((2 if packet.pts * packet.time_base > 0.35 else 0.04) / packet.time_base)
                packet.stream = stream
                new.mux(packet)
    assert whole(tmp_path / "b.mp4") == list(range(10))
    assert clip(tmp_path / "b.mp4", "time") == [4, 9, 9, 9]


def with_cover(path: Path, attached: bool) -> None:
    """A picture as the first video stream, marked as a cover or not, then a film."""
    with av.open(str(path), "w") as output:
        cover = output.add_stream("mjpeg", rate=RATE)
        cover.width, cover.height, cover.pix_fmt = 96, 96, "yuvj420p"
        if attached:
            cover.disposition = av.stream.Disposition.attached_pic
        film = output.add_stream("libx264", rate=RATE)
        film.width, film.height, film.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.full((96, 96, 3), 9, np.uint8), format="rgb24")
        output.mux([*cover.encode(picture.reformat(format="yuvj420p")), *cover.encode(None)])
        for index in range(20):
            output.mux(film.encode(av.VideoFrame.from_ndarray(numbered(index), format="rgb24")))
        output.mux(film.encode(None))


def first_in_the_list(path: Path) -> None:
    """Put the box of an MP4's cover before its tracks: the cover becomes the first stream."""
    data = path.read_bytes()
    moov = data.index(b"moov") - 4
    boxes, place = [], moov + 8
    while place < moov + int.from_bytes(data[moov : moov + 4]):
        size = int.from_bytes(data[place : place + 4])
        boxes.append(data[place : place + size])
        place += size
    boxes.sort(key=lambda box: box[4:8] != b"udta")
    path.write_bytes(data[: moov + 8] + b"".join(boxes) + data[place:])


@pytest.mark.parametrize(("name", "attached"), [("a.mp4", True), ("a.mp4", False), ("a.mkv", False), ("a.avi", False)])
def test_a_cover_picture_is_no_film(tmp_path: Path, name: str, attached: bool) -> None:
    with_cover(tmp_path / name, attached)
    if attached:
        first_in_the_list(tmp_path / name)
    with av.open(str(tmp_path / name)) as container:
        assert container.streams.video[0].codec_context.name == "mjpeg"
    assert whole(tmp_path / name) == list(range(20))


def test_a_cover_without_a_film(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as output:
        cover = output.add_stream("mjpeg", rate=RATE)
        cover.width, cover.height, cover.pix_fmt = 96, 96, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        sound = output.add_stream("mp2", rate=48_000, layout="mono")
        output.mux([*cover.encode(av.VideoFrame(96, 96, "yuvj420p")), *cover.encode(None)])
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), "s16", "mono")
        silence.rate = 48_000
        output.mux([*sound.encode(silence), *sound.encode(None)])
    with pytest.raises(ClipError, match="its only picture is a cover"):
        count_frames(tmp_path / "a.mp4")


ORIENTATIONS: dict[tuple[int, int, int, int], Callable[[np.ndarray], np.ndarray]] = {
    (1, 0, 0, 1): lambda frame: frame,
    (-1, 0, 0, 1): lambda frame: frame[:, ::-1],
    (1, 0, 0, -1): lambda frame: frame[::-1],
    (-1, 0, 0, -1): lambda frame: frame[::-1, ::-1],
    (0, 1, -1, 0): lambda frame: np.rot90(frame, -1),  # a quarter turn clockwise
    (0, -1, 1, 0): lambda frame: np.rot90(frame, 1),
    (0, 1, 1, 0): lambda frame: frame.swapaxes(0, 1),
    (0, -1, -1, 0): lambda frame: np.rot90(frame, 2).swapaxes(0, 1),
}


@pytest.mark.parametrize("matrix", ORIENTATIONS)
def test_display_matrices_turn_and_mirror(tmp_path: Path, matrix: tuple[int, int, int, int]) -> None:
    path = write(tmp_path / "a.mp4", Recipe("libx264", "mp4", times=even(4), matrix=matrix))
    for decoder in DECODERS:
        frame = read_footage(path, [2], 4, decoder).frames[0]
        expected = ORIENTATIONS[matrix](numbered(2))
        assert frame.shape == expected.shape
        assert np.abs(frame.astype(int) - expected).mean() < 6


def test_an_oblique_display_matrix_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", Recipe("libx264", "mp4", times=even(4), matrix=(1, 1, -1, 1)))
    with pytest.raises(ClipError, match="no multiple of 90 degrees"):
        read_frames(path, [0])


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video"])
@pytest.mark.parametrize("container", ["mkv", "mp4", "ts"])
def test_a_cut_at_the_keyframe_of_an_open_gop(tmp_path: Path, codec: str, container: str) -> None:
    """The packets after the keyframe that are shown before it lack their references: they are no frames."""
    options = {"libx264": OPEN_264, "libx265": OPEN_265}.get(codec, {})
    recipe = Recipe(codec, container, b_frames=3, options=options, times=even(60))
    source, begun = write(tmp_path / f"a.{container}", recipe), []

    def change(_: int, packet: av.Packet) -> bytes | None:
        if packet.is_keyframe and packet.pts * packet.time_base > 0.9:
            begun.append(packet)
        return bytes(packet) if begun else None

    assert whole(remux(source, tmp_path / f"b.{container}", change)) == list(range(24, 60))


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video"])
def test_a_recording_that_begins_between_keyframes(tmp_path: Path, codec: str) -> None:
    data = write(tmp_path / "a.ts", Recipe(codec, "ts", b_frames=2)).read_bytes()
    (tmp_path / "b.ts").write_bytes(data[188 * 10 :])
    assert whole(tmp_path / "b.ts") == list(range(12, 48))


def test_times_that_go_back_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.mkv", Recipe("libx264", "mkv", gop=1, times=even(20)))
    data = bytearray((tmp_path / "a.mkv").read_bytes())
    simple_block = b"\xa3"
    block = data.index(simple_block, data.index(b"\x1f\x43\xb6\x75") + 12)
    time = data.index(b"\x81", block + 1) + 1  # of track 1; the next two bytes are the block's time
    assert data[time : time + 2] == b"\0\0"
    data[time : time + 2] = struct.pack(">h", 500)
    (tmp_path / "a.mkv").write_bytes(data)
    record = ClipRecord("a", "d", "train", "c", "a.mkv", None, 20)
    for look in (count_frames, lambda path: read_frames(path, [0]), lambda _: inspect_clip(tmp_path, record, None, 16)):
        with pytest.raises(ClipError, match="times of its frames don't rise"):
            look(tmp_path / "a.mkv")


def test_files_without_times_are_read_in_the_decoders_order(tmp_path: Path) -> None:
    for codec, container in (("libx264", "h264"), ("libx265", "hevc")):
        path = write(tmp_path / f"a.{container}", Recipe(codec, container, b_frames=2))
        assert whole(path) == list(range(48))
        assert numbers(read_first(path, 2)) == [0, 1]


def test_only_the_start_is_decoded_for_a_prediction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.mkv", Recipe("libx264", "mkv", times=even(200)))
    counts: list[int] = []

    def counted(*arguments: Any, **options: Any) -> tuple[dict[int, np.ndarray], Timeline]:
        found, timeline = decode(*arguments, **options)
        counts.append(timeline.count)
        return found, timeline

    monkeypatch.setattr("fca.video.decode.decode", counted)
    assert numbers(read_first(path, 2)) == [0, 1]
    assert counts == [2]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ClipError, match="truncated"):
        read_first(path, 2)


def test_a_truncated_gif(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gif", Recipe("gif", "gif", pixels="rgb8"))
    assert whole(path) == list(range(48))
    data = path.read_bytes()
    for size, problem in ((len(data) - 1, "its end is missing"), (len(data) * 95 // 100, "LZW decode failed")):
        path.write_bytes(data[:size])
        with pytest.raises(ClipError, match=problem):
            count_frames(path)


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")
def test_the_shared_cases() -> None:
    sys.path.insert(0, str(CASES))
    try:
        from frame_numbers import number as number_of
        from frame_numbers import shown
    finally:
        sys.path.remove(str(CASES))
    files = [path for path in sorted(CASES.glob("**/*.*")) if path.suffix in (".mkv", ".mp4", ".avi", ".webm")]
    assert len(files) >= 11
    for path in files:
        expected, count = shown(str(path)), count_frames(path)
        if path.name == "mirrored.mp4":
            expected = [int(f"{value:08b}"[::-1], 2) for value in expected]
        assert [number_of(frame) for frame in read_frames(path, range(count), count)] == expected, path.name
        for sampling in ("index", "time"):
            shape = Shape(16, WIDTH, HEIGHT, "stretch", sampling)
            made, _ = resample_clip(CASES, ClipRecord("a", "d", "train", "c", str(path), None, count), None, shape)
            assert len({frame.tobytes() for frame in made}) == 16, path.name
    assert number(np.zeros((8, 8, 3), np.uint8)) is None


@pytest.mark.parametrize(
    ("known", "last", "expected"),
    [
        ([0, 2, None, 6, None], 2, [0, 2, 4, 6, 8, 10]),
        ([None, None, 6, 8], 5, [2, 4, 6, 8, 13]),  # the last frame is shown longer
        ([None, 4, None], 3, [1, 4, 7, 10]),
        ([0, 2, None, 6, None], 0, [0, 2, 4, 6, 8, 10]),
    ],
)
def test_frames_without_a_time_are_shown_at_the_intervals_of_the_others(
    tmp_path: Path, known: list[int | None], last: int, expected: list[int]
) -> None:
    with opened(write(tmp_path / "a.mp4", Recipe("libx264", "mp4"))) as video:
        timeline = video.timeline([(time, None, last) for time in known])
        unit = float(video.stream.time_base or 0)
    assert timeline.count == len(known)
    assert timeline.times == pytest.approx([time * unit for time in expected])
