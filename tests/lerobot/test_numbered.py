"""Numbers survive coding as lerobot does it, and a wrong or damaged frame is never taken for another."""

import io

import av
import numpy as np
import pytest

from tests.lerobot.numbered import CAMERA, EPISODE, frame_number, number, paint

SIZES = [(64, 96), (64, 64), (96, 128), (90, 122), (480, 640)]
LEROBOT = {"libsvtav1": {"g": "2", "crf": "30", "preset": "12"}, "h264": {"g": "2", "crf": "30"}}
"""The options with which lerobot encodes."""


def coded(frames: list[np.ndarray], codec: str) -> list[np.ndarray]:
    """The frames after encoding and decoding."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream(codec, 10, options=LEROBOT[codec])
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        output.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as source:
        return [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("codec", LEROBOT)
def test_numbers_survive_the_coding_of_lerobot(codec, size) -> None:
    expected = [frame_number(episode, frame, camera) for camera in (0, 1) for episode in (0, 7) for frame in range(10)]
    assert [number(frame) for frame in coded([paint(value, *size) for value in expected], codec)] == expected


def test_a_number_says_the_camera_the_episode_and_the_frame() -> None:
    assert frame_number(episode=3, frame=14) == 3014
    assert frame_number(episode=3, frame=14, camera=2) == 2_003_014
    for wrong in ((0, EPISODE, 0), (CAMERA // EPISODE, 0, 0), (0, 0, 16), (-1, 0, 0)):
        with pytest.raises(ValueError):
            frame_number(*wrong)


def test_a_frame_without_a_number_has_none() -> None:
    for shade in (0, 90, 255):
        assert number(np.full((64, 96, 3), shade, np.uint8)) is None


def test_two_frames_one_above_the_other_are_not_taken_for_a_third() -> None:
    """The lower half of the frame after it, as after a torn or half-copied picture."""
    for value in range(1000, 1040):
        torn = paint(value, 64, 96)
        torn[32:] = paint(value + 1, 64, 96)[32:]
        assert number(torn) in (None, value + 1)
