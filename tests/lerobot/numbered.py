"""Frames of any size that carry their numbers, so that a reader can prove which frame it got after lossy coding.

The frame is a grid of four rows of eight dark or bright blocks: 24 bits of the number, and eight of a hash as a check.
A frame must be shown as a whole: a crop moves the blocks, and then no number can be read.

Each frame has a texture of its own. Without it, SVT-AV1 at lerobot's settings (preset 12) leaves whole blocks as they
were in the frame before: it compares blocks by their variance, and that of a flat change from black to white is zero.
"""

import numpy as np

ROWS, COLUMNS = 4, 8
CAMERA, EPISODE = 1_000_000, 1_000
LARGEST = 1 << 24
DARK, BRIGHT, TEXTURE = 48, 208, 40


def frame_number(episode: int, frame: int, camera: int = 0) -> int:
    """The number of a frame of an episode, seen by the camera at this position of the specification."""
    if not (0 <= frame < EPISODE and 0 <= episode < CAMERA // EPISODE and 0 <= camera < LARGEST // CAMERA):
        raise ValueError(f"no number for frame {frame} of episode {episode} of camera {camera}")
    return camera * CAMERA + episode * EPISODE + frame


def paint(number: int, height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8: the number's bits, high ones first, and below them the check."""
    bits = np.array([number << 8 | _hash(number)])[:, None] >> np.arange(31, -1, -1) & 1
    grid = np.where(bits, BRIGHT, DARK).reshape(ROWS, COLUMNS)
    rows, columns = np.arange(height) * ROWS // height, np.arange(width) * COLUMNS // width

    halves = np.random.default_rng(number).integers(-TEXTURE, TEXTURE + 1, (-(-height // 2), -(-width // 2)))
    texture = halves.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    return np.repeat((grid[rows][:, columns] + texture).astype(np.uint8)[..., None], 3, axis=2)


def number(frame: np.ndarray) -> int | None:
    """The number in a frame (H, W, 3) of any size; None if it can't be read."""
    rows, columns = _middles(frame.shape[0], ROWS), _middles(frame.shape[1], COLUMNS)
    bits = [int(frame[row, column].mean() > (DARK + BRIGHT) / 2) for row in rows for column in columns]
    value, check = divmod(int("".join(map(str, bits)), 2), 256)
    return value if check == _hash(value) else None


def _middles(size: int, count: int) -> list[slice]:
    """The middle half of each of `count` blocks."""
    return [slice(int((block + 0.25) * size / count), int((block + 0.75) * size / count) + 1) for block in range(count)]


def _hash(value: int) -> int:
    """Eight bits of all 24, such that neither black nor white frames are valid."""
    return (value * 2_654_435_761 + 91_000_000_007 >> 16) % 256
