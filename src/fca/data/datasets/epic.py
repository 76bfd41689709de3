"""Epic-Kitchens-100: narrated segments of long videos, from the published RGB frames or the MP4s.

Source: SeerVideoLDM's Epic dataset. A segment of 100 frames or more is thinned with stride `span // 100`. Frame
numbers are the CSV's own and name the files: 60 a second for the videos of EPIC-55, 50 for the extension, at whatever
rate the MP4s run. In an MP4, frame n is what it shows at (n - 1) / 60 or / 50 seconds.
"""

import csv
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from tqdm import tqdm

from fca.artifacts.quarantine import ClipError, Quarantine
from fca.config import Dataset
from fca.config.captions import caption_problem, storable
from fca.data.clip_record import ClipRecord, Listing
from fca.data.datasets.reader import Publication, Reader
from fca.errors import FcaError
from fca.video.timed import beyond_end, seconds_of

PUBLICATION = Publication(
    where="EPIC_100_train.csv and EPIC_100_validation.csv from "
    "https://github.com/epic-kitchens/epic-kitchens-100-annotations "
    "(commit ea8b40457a400c3fffa1c7f406ef3dc169cc2522) and the RGB frames with "
    "`python epic_downloader.py --rgb-frames --action-recognition --train --val` from "
    "https://github.com/epic-kitchens/epic-kitchens-download-scripts; "
    "unpack each tar into EPIC-KITCHENS/<PXX>/rgb_frames/<video_id>/",
    licence="CC BY-NC 4.0 (annotations and videos)",
    page="https://github.com/epic-kitchens/epic-kitchens-100-annotations",
    sha256={"EPIC_100_validation.csv": "35f7932ba0a1127a96cac215a98d35398946f343e3cea9ad6688ed17eee9d75d"},
    clips={"train": 67_217, "validation": 9_668},
)
FOLDERS = ("annotations", "epic-kitchens-100-annotations", ".")
COLUMNS = ("narration_id", "participant_id", "video_id", "start_frame", "stop_frame", "narration")


class Epic(Reader):
    """Reads the CSVs and, by `media`, the folders of frames or the MP4s."""

    publication = PUBLICATION
    annotation_names = tuple(f"{folder}/EPIC_100_{{}}.csv" for folder in FOLDERS)
    frame_name = "frame_{:010d}.jpg"

    def index(self, raw: Path, dataset: str, settings: Dataset, seed: int) -> Listing:
        """Segments in file order; the caption is the stripped narration; a segment with an unusable one is quarantined.

        Frames are looked for by name and not opened; of MP4s only the headers are read. A segment that is not all
        there is quarantined.
        """
        present, seconds = lru_cache(maxsize=8)(_present_frames), lru_cache(maxsize=None)(_seconds)
        records, quarantine = [], []
        for split, limit in settings.clips.items():
            rows = read_segments(self.annotations(raw, split), limit)
            for identifier, folder, narration, start, stop in tqdm(rows, desc=f"{dataset}: {split}", unit="clip"):
                frames, problem = strided_frames(start, stop), caption_problem(narration)
                caption = "" if problem else narration.strip()
                if settings.media == "video":
                    file, rate = video_of(folder), frame_rate(folder.rpartition("/")[2])
                    reason = _cut_short(frames, rate, seconds(raw / file))
                    record = ClipRecord(identifier, dataset, split, caption, file, frames, len(frames), rate)
                else:
                    file, reason = _problem(folder, frames, present(raw / folder))
                    record = ClipRecord(identifier, dataset, split, caption, folder, frames, len(frames))
                if reason := problem or reason:
                    quarantine.append(Quarantine(dataset, split, identifier, "index", file, reason))
                records.append(record)
        return Listing(records, quarantine, {"media": settings.media})

    def media_names(self, raw: Path) -> Iterator[str]:
        """Every folder of frames, and every MP4 with its size."""
        folders = sorted(raw.glob("EPIC-KITCHENS/P*/rgb_frames/P*"))
        videos = sorted(raw.glob("EPIC-KITCHENS/P*/videos/P*.MP4"))
        if not folders and not videos:
            expected = "EPIC-KITCHENS/<PXX>/rgb_frames/<video_id>/"
            raise FcaError(f"{raw} has no frames", expected, PUBLICATION.advice)
        yield from (folder.relative_to(raw).as_posix() for folder in folders)
        yield from (f"{video.relative_to(raw).as_posix()} {video.stat().st_size}" for video in videos)

    def listed(self, raw: Path) -> dict[str, int]:
        return {split: len(read_segments(self.annotations(raw, split))) for split in PUBLICATION.clips}

    def remedy(self, settings: Dataset, row: Quarantine) -> str:
        lost = "MP4" if settings.media == "video" else "video's folder of frames"
        return f"remove the {lost}, and run `fca fetch` again"


READER = Epic()


def frame_rate(video: str) -> int:
    """Frames a second that the CSV counts: 60 for P01_01 (EPIC-55), 50 for P01_101 (the extension)."""
    return 50 if re.fullmatch(r"P\d+_1\d\d", video) else 60


def video_of(folder: str) -> str:
    """The MP4 whose frames lie in a folder: .../P01/rgb_frames/P01_01 -> .../P01/videos/P01_01.MP4."""
    return folder.replace("/rgb_frames/", "/videos/") + ".MP4"


def strided_frames(start: int, stop: int) -> list[int]:
    """Seer's choice of frames of a segment, both ends included if the stride allows.

    At most 100 frames below a span of 100, 101 to 200 from there on (100 -> 101, 199 -> 200, 200 -> 101).
    """
    span = stop - start
    return list(range(start, stop + 1, span // 100 if span >= 100 else 1))


def read_segments(path: Path, limit: int | None = None) -> list[tuple[str, str, str, int, int]]:
    """(narration_id, frame folder, narration, start_frame, stop_frame) of the first `limit` rows of a CSV.

    Bytes that aren't UTF-8 become halves of surrogates.
    """
    segments: list[tuple[str, str, str, int, int]] = []
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            for row in csv.DictReader(file):
                if limit is not None and len(segments) == limit:
                    break
                person, video = row["participant_id"], row["video_id"]
                if not re.fullmatch(r"P\d+", person) or not re.fullmatch(r"P\d+_\d+", video):
                    raise ValueError(f"participant {person!r}, video {video!r}")
                folder = f"EPIC-KITCHENS/{person}/rgb_frames/{video}"
                start, stop = int(row["start_frame"]), int(row["stop_frame"])
                if not storable(row["narration_id"]):
                    raise ValueError(f"the narration_id {row['narration_id']!r}")
                segments.append((row["narration_id"], folder, row["narration"], start, stop))
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise FcaError(
            f"{path}, row {len(segments) + 1} can't be read ({type(error).__name__}: {error})",
            f"the columns {', '.join(COLUMNS)}",
            PUBLICATION.advice,
        ) from error
    return segments


def _problem(folder: str, frames: list[int], present: frozenset[int] | str) -> tuple[str, str]:
    """The file at fault and what is wrong with it, or two empty texts."""
    if isinstance(present, str):
        return folder, present
    if not frames:
        return folder, "the segment stops before it starts"
    for number in frames:
        if number not in present:
            return f"{folder}/{Epic.frame_name.format(number)}", "the frame is missing"
    return "", ""


def _present_frames(folder: Path) -> frozenset[int] | str:
    """Numbers of the frame files of a video, or why they can't be listed."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return "the folder of frames is missing"
    except OSError as error:
        return f"the folder of frames can't be listed ({error.strerror})"
    matches = (re.fullmatch(r"frame_(\d{10})\.jpg", name) for name in names)
    return frozenset(int(match[1]) for match in matches if match)


def _cut_short(frames: list[int], rate: int, seconds: float | str) -> str:
    """Why a segment is not in its video, or an empty text."""
    if isinstance(seconds, str):
        return seconds
    return beyond_end(frames[-1], rate, seconds) if frames else "the segment stops before it starts"


def _seconds(path: Path) -> float | str:
    """How long a video is, or what is wrong with it."""
    try:
        return seconds_of(path)
    except ClipError as error:
        return str(error)
