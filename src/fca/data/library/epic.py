"""The place `kitchen` as Epic-Kitchens-100 is published: a tar of RGB frames or an MP4 for each video, and the CSVs.

Clips become segments, joined into videos. Frame numbers count 60 a second in videos such as P01_01, whose MP4s run at
59.94 like most of the published ones, and 50 in those such as P01_101. Class numbers are this library's own.
"""

import csv
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import chain, count, groupby
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fca.data.datasets.epic import Epic, frame_rate
from fca.data.library.archives import jpeg, write_tar
from fca.data.library.clips import Clip
from fca.data.library.pixels import read_pixels
from fca.video.write import video_writer

PARTICLES = ("on", "off", "up", "down")
H264 = {"preset": "veryfast", "crf": "18", "g": "30"}
Row = dict[str, object]


def pack(folder: Path, records: Mapping[str, Clip], root: Path, media: str) -> None:
    """Write the CSVs, and the tars to `root`/archives or, if `media` is video, the MP4s to their places.

    Raises:
        FcaError: a video can't be read.
    """
    for name in ("annotations", "archives"):
        (root / name).mkdir(parents=True)
    rows: dict[str, list[Row]] = {"train": [], "validation": []}
    videos = groupby(records.items(), lambda item: item[0].rpartition("_")[0])
    for video, segments in tqdm(videos, desc="epic: pack", unit="video"):
        pixels, number = [], 1
        for name, clip in segments:
            pixels.append(read_pixels(folder, clip))
            rows[clip.split].append(row(name, clip, number))
            number += clip.frames
        if media == "video":
            write_mp4(root / "EPIC-KITCHENS" / video.partition("_")[0] / "videos", video, np.concatenate(pixels))
        else:
            write_tar(root / "archives" / f"{video}.tar", frames(np.concatenate(pixels)))

    # A class is the position of its name among all names.
    for column in ("verb", "noun"):
        names = sorted({str(each[column]) for own in rows.values() for each in own})
        for each in chain(*rows.values()):
            each[f"{column}_class"] = names.index(str(each[column]))
    for split, own in rows.items():
        with open(root / "annotations" / f"EPIC_100_{split}.csv", "w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, own[0], lineterminator="\n")
            table.writeheader()
            table.writerows(own)


def row(name: str, clip: Clip, start: int) -> Row:
    """The segment of a clip whose first frame has the number `start`; its classes aren't known yet."""
    video, stop = name.rpartition("_")[0], start + clip.frames - 1
    rate, verb_and_noun = frame_rate(video), words(clip.caption)
    return {
        "narration_id": name,
        "participant_id": video.partition("_")[0],
        "video_id": video,
        "narration_timestamp": f"{time(start, rate)}0",
        "start_timestamp": time(start, rate),
        "stop_timestamp": time(stop, rate),
        "start_frame": start,
        "stop_frame": stop,
        "narration": clip.caption,
        "verb": verb_and_noun[0],
        "verb_class": 0,
        "noun": verb_and_noun[1],
        "noun_class": 0,
    }


def words(narration: str) -> tuple[str, str]:
    """Verb and noun: "turn on tap" -> turn-on, tap."""
    first, *others = narration.split()
    particle = others.pop(0) if others and others[0] in PARTICLES else ""
    return "-".join(filter(None, (first, particle))), others[0] if others else ""


def time(number: int, rate: int) -> str:
    """`HH:MM:SS.cc`: the first hundredth of a second c with floor(c x rate / 100) == number."""
    seconds, hundredths = divmod(-(-number * 100 // rate), 100)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{hundredths:02d}"


def frames(pixels: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """The frames (n, H, W, 3) of a video, numbered from 1."""
    for number, frame in enumerate(pixels, start=1):
        yield f"./{Epic.frame_name.format(number)}", jpeg(frame)


def write_mp4(folder: Path, video: str, pixels: np.ndarray) -> None:
    """Write frames (n, H, W, 3) as an MP4 that shows number n at (n - 1) / 60 or / 50 seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    rate = frame_rate(video)
    own = Fraction(60000, 1001) if rate == 60 else Fraction(rate)
    height, width = pixels.shape[1:3]
    with video_writer(folder / f"{video}.MP4", "libx264", H264, width, height, own) as put:
        for number in count():
            if (shown := round(number * rate / own)) >= len(pixels):
                break
            put(pixels[shown])
