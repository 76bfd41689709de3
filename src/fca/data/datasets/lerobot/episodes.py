"""Episodes of a LeRobot dataset: where each is on the disk, what makes it unusable, and the clips it becomes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fca.artifacts.quarantine import ClipError
from fca.data.datasets.lerobot.info import Info
from fca.data.datasets.lerobot.tables import Frames, read_episodes, read_frames, video_columns
from fca.errors import FcaError
from fca.video.timed import header

LARGEST_INDEX = 10**9
MOST = 2**21
"""Episodes of a dataset: 500 bytes each"""
NEAR = 0.5
"""Frame intervals by which tables and videos may disagree"""


@dataclass(frozen=True, slots=True)
class Episode:
    """One episode, as meta/ describes it."""

    index: int
    length: int
    """Frames"""
    data: str
    """Path of its table of frames below the dataset"""
    video: str
    """Path of its video; empty if it has none"""
    start: float
    """Seconds in the video at which it begins"""
    stop: float | None
    """Seconds at which it ends; None: with the video (v2)"""

    @property
    def id(self) -> str:
        return f"episode_{self.index:06d}"


class Span(NamedTuple):
    """Frames of an episode with one task."""

    start: int
    stop: int
    task: int


def find_episodes(root: Path, info: Info, camera: str) -> list[Episode]:
    """The episodes of a dataset in the order of their numbers; a deleted one leaves a gap.

    Raises:
        FcaError: a table can't be read, a row isn't an episode or repeats one, or there are more than MOST.
    """
    found: dict[int, Episode] = {}
    meta, last = root / "meta", -1
    for row in read_episodes(root, camera, info.in_one_file_each):
        try:
            episode = _episode(row, info, camera)
        except (KeyError, TypeError, ValueError) as error:
            expected = "the episodes that LeRobot writes"
            raise FcaError(f"{meta}: after episode {last}, {error}", expected, "fetch it again") from error
        if episode.index in found:
            raise FcaError(f"{meta}: episode {episode.index} is repeated", "each once", "remove or correct one")
        if len(found) == MOST:
            raise FcaError(f"{meta} has more than {MOST:,} episodes", f"at most {MOST:,}", "split the dataset")
        found[episode.index], last = episode, episode.index
    return [found[index] for index in sorted(found)]


def _episode(row: Mapping[str, Any], info: Info, camera: str) -> Episode:
    index, length = _number(row, "episode_index"), _number(row, "length")
    if info.in_one_file_each:
        chunk = index // info.chunks_size
        return Episode(index, length, info.data(chunk, index), info.video(camera, chunk, index), 0.0, None)
    data = info.data(_number(row, "data/chunk_index"), _number(row, "data/file_index"))
    chunk_name, file_name, *times = video_columns(camera)
    if any(row.get(name) is None for name in (chunk_name, file_name, *times)):
        return Episode(index, length, data, "", 0.0, None)
    video = info.video(camera, _number(row, chunk_name), _number(row, file_name))
    begin, end = (row[name] for name in times)
    if not (isinstance(begin, float | int) and isinstance(end, float | int) and 0 <= begin < end < LARGEST_INDEX):
        raise ValueError(f"episode {index} has the span {begin} to {end} seconds")
    return Episode(index, length, data, video, float(begin), float(end))


def _number(row: Mapping[str, Any], name: str) -> int:
    value = row.get(name)
    if isinstance(value, float) and value.is_integer():  # pandas makes floats of a column with gaps
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_INDEX:
        raise ValueError(f"{name} is {value!r}")
    return value


class Footage:
    """Tables and videos of a dataset, each opened once for a run of episodes in it."""

    def __init__(self, root: Path, fps: float) -> None:
        self.fps = fps
        self._frames = lru_cache(maxsize=1)(lambda path: read_frames(root / path))
        self._header = lru_cache(maxsize=1)(lambda path: header(root / path))

    def spans(self, episode: Episode) -> list[Span]:
        """The runs of frames with the same task of an episode whose tables and video agree.

        Raises:
            ClipError: they don't; the reason names what is wrong.
        """
        try:
            frames = self._frames(episode.data).get(episode.index)
        except FcaError as error:
            raise ClipError(f"its table of frames: {error.problem.rpartition('/')[2]}") from error
        if frames is None:
            raise ClipError(f"{episode.data} has no frame of it")
        self._check_table(episode, frames)
        self._check_video(episode)
        borders = [0, *(np.flatnonzero(np.diff(frames.tasks)) + 1).tolist(), episode.length]
        return [Span(start, stop, int(frames.tasks[start])) for start, stop in pairwise(borders)]

    def _check_table(self, episode: Episode, frames: Frames) -> None:
        rows = len(frames.tasks)
        if rows != episode.length or not rows:
            raise ClipError(f"its table has {rows} frames, meta/episodes says {episode.length}")
        off = np.abs(frames.times * self.fps - np.arange(rows))
        if not (off < NEAR).all():  # also if a time is no number
            row = int(np.argmax(~(off < NEAR)))
            raise ClipError(
                f"frame {row} is at {frames.times[row]:.3f} s in its table, not at {row / self.fps:.3f} s:"
                f" it wasn't recorded at {self.fps:g} frames a second"
            )

    def _check_video(self, episode: Episode) -> None:
        if not episode.video:
            raise ClipError("it has no video of this camera")
        count, seconds = self._header(episode.video)
        own, table = episode.length / self.fps, f"its table has {episode.length} frames"
        if episode.stop is None:  # a video of its own
            if count not in (None, episode.length):
                raise ClipError(f"its video has {count} frames, {table}")
            if count is None and abs(seconds - own) > 1 / self.fps:
                raise ClipError(f"its video takes {seconds:.3f} s, {table}, {own:.3f} s")
            return
        span = episode.stop - episode.start
        if abs(span - own) * self.fps > NEAR:
            raise ClipError(f"its part of the video takes {span:.3f} s, {table}, {own:.3f} s")
        if (episode.start + own - seconds) * self.fps > NEAR:
            raise ClipError(f"its video ends at {seconds:.3f} s, but it needs {episode.start + own:.3f} s")


def windows(span: Span, clip: int | None, stride: int | None) -> Iterator[Span]:
    """Clips of a span: all of it, or windows of `clip` frames, `stride` apart; what is left at the end is dropped.

    A span that is no longer than a window is one clip.
    """
    if clip is None or span.stop - span.start <= clip:
        yield span
        return
    for start in range(span.start, span.stop - clip + 1, stride or clip):
        yield Span(start, start + clip, span.task)
