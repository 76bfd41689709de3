"""A seeded tabletop corpus on disk in the format of EPIC-KITCHENS-100's RGB frames, or of its MP4s.

Layout under the root::

    EPIC-KITCHENS/<PXX>/rgb_frames/<video_id>/frame_%010d.jpg    456x256, numbered from 1, none missing
    EPIC-KITCHENS/<PXX>/videos/<video_id>.MP4                    instead of them, if videos are requested
    annotations/EPIC_100_train.csv, EPIC_100_validation.csv      one row a segment

Videos `PXX_YY` run at 60 frames a second, `PXX_1YY` at 50. The MP4s of the former have 59.94, as most of the published
ones, so a frame's number is not its position in the file. A segment spans `start_frame` to `stop_frame` inclusive, each
the floor of its time stamp times the rate. In the short gaps between segments the picture holds the last pose of the
segment before, then the first of the next. Verb and noun class numbers are this corpus' own.
"""

import csv
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fca.config import Tabletop
from fca.data.tabletop.captions import caption
from fca.data.tabletop.draw import jpeg_bytes, render
from fca.data.tabletop.sample import even_motions, lengths, sample_scene
from fca.data.tabletop.scene import SHAPES, Scene
from fca.video.write import video_writer

WIDTH, HEIGHT, QUALITY = 456, 256, 90
VERBS: tuple[str, ...] = ("push", "slide", "lift", "lower", "look")
NOUNS: tuple[str, ...] = (*SHAPES, "left", "right")
SEGMENTS_PER_VIDEO = 4


def _time(centiseconds: int, digits: int) -> str:
    """`HH:MM:SS.` and two or three decimals."""
    seconds, rest = divmod(centiseconds, 100)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{clock}.{rest:02d}" + "0" * (digits - 2)


def _stamp(frame: int, rate: int) -> int:
    """The first centisecond c with floor(c * rate / 100) == `frame`; there is one for rates up to 100."""
    return -(-frame * 100 // rate)


def _row(video: str, index: int, rate: int, start: int, stop: int, scene: Scene) -> dict[str, object]:
    """One line of the annotation table."""
    words = caption(scene)
    verb, noun = str(words["verb"]), str(words["noun"])
    begin = _stamp(start, rate)
    return {
        "narration_id": f"{video}_{index}",
        "participant_id": video.split("_")[0],
        "video_id": video,
        "narration_timestamp": _time(begin + 10, 3),
        "start_timestamp": _time(begin, 2),
        "stop_timestamp": _time(_stamp(stop, rate), 2),
        "start_frame": start,
        "stop_frame": stop,
        "narration": words["narration"],
        "verb": verb,
        "verb_class": VERBS.index(verb),
        "noun": noun,
        "noun_class": NOUNS.index(noun),
        "all_nouns": [noun],
        "all_noun_classes": [NOUNS.index(noun)],
    }


@contextmanager
def _pictures(folder: Path) -> Iterator[Callable[[np.ndarray], None]]:
    """A function that writes the next frame into the folder."""
    folder.mkdir(parents=True)
    number, last, data = 0, None, b""

    def put(frame: np.ndarray) -> None:
        nonlocal number, last, data
        if frame is not last:
            last, data = frame, jpeg_bytes(frame, QUALITY)
        number += 1
        (folder / f"frame_{number:010d}.jpg").write_bytes(data)

    yield put


@contextmanager
def _mp4(path: Path, rate: int) -> Iterator[Callable[[np.ndarray], None]]:
    """A function that takes the next frame of `rate` a second, for an H.264 file of a rate that may differ."""
    path.parent.mkdir(parents=True, exist_ok=True)
    own = Fraction(60000, 1001) if rate == 60 else Fraction(rate)
    taken = written = 0
    options = {"preset": "veryfast", "crf": "18", "g": "30"}
    with video_writer(path, "libx264", options, WIDTH, HEIGHT, own) as append:

        def put(frame: np.ndarray) -> None:
            nonlocal taken, written
            while round(written * rate / own) == taken:
                append(frame)
                written += 1
            taken += 1

        yield put


def _write_video(
    put: Callable[[np.ndarray], None], video: str, rate: int, scenes: list[Scene], spans: list[int], gaps: list[int]
) -> list[dict[str, object]]:
    """Put every frame of one video and return its rows; `gaps` are those before, between and after."""
    number, held = 1, np.empty(0)
    rows = []
    for index, (scene, span) in enumerate(zip(scenes, spans, strict=True)):
        first = render(scene, 0.0, WIDTH, HEIGHT)
        for step in range(gaps[index]):
            put(held if held.size and step < gaps[index] // 2 else first)
        number += gaps[index]
        rows.append(_row(video, index, rate, number, number + span - 1, scene))
        for step in range(span):
            held = render(scene, step / (span - 1), WIDTH, HEIGHT)
            put(held)
        number += span
    for _ in range(gaps[-1]):
        put(held)
    return rows


def generate(root: Path, made: Tabletop, seed: int, media: str = "rgb_frames") -> None:
    """Write the segments of both splits under `root`, motions evenly spread; the same arguments give the same bytes.

    `media`: rgb_frames or video, with the same segments. A video has up to four segments in one kitchen and by one arm;
    a participant has up to two videos in each split, one at either rate.
    """
    rng = np.random.default_rng([seed, 3])
    splits = (("train", made.train), ("validation", made.validation))
    root.mkdir(parents=True)
    with tqdm(total=made.train + made.validation, desc="epic") as bar:
        (root / "annotations").mkdir()
        for take, (split, count) in enumerate(splits, start=1):
            motions = even_motions(rng, "epic", count)
            extremes = (split == "train" and count >= 2, split == "train" and count >= 4)
            spans = lengths(rng, count, (40, 130), (205, 240), extremes)
            rows: list[dict[str, object]] = []
            for index, begin in enumerate(range(0, count, SEGMENTS_PER_VIDEO)):
                person, fast = index // 2 + 1, index % 2 == 0
                video = f"P{person:02d}_{take:02d}" if fast else f"P{person:02d}_1{take:02d}"
                scenes = [sample_scene(rng, "epic", motion) for motion in motions[begin : begin + SEGMENTS_PER_VIDEO]]
                kitchen, arm = scenes[0].backdrop, scenes[0].effector
                arms = [dataclasses.replace(scene.effector, skin=arm.skin, sleeve=arm.sleeve) for scene in scenes]
                scenes = [
                    dataclasses.replace(scene, backdrop=kitchen, effector=own)
                    for scene, own in zip(scenes, arms, strict=True)
                ]

                gaps = [int(gap) for gap in rng.integers(6, 16, size=len(scenes) + 1)]
                own, rate = root / "EPIC-KITCHENS" / f"P{person:02d}", 60 if fast else 50
                mp4 = _mp4(own / "videos" / f"{video}.MP4", rate)
                with mp4 if media == "video" else _pictures(own / "rgb_frames" / video) as put:
                    rows += _write_video(put, video, rate, scenes, spans[begin : begin + len(scenes)], gaps)
                bar.update(len(scenes))
            rows.sort(key=lambda row: str(row["narration_id"]))
            with (root / "annotations" / f"EPIC_100_{split}.csv").open("w", newline="") as file:
                table = csv.DictWriter(file, rows[0], lineterminator="\n")
                table.writeheader()
                table.writerows(rows)
