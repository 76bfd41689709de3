"""Epic-Kitchens-100: narrated segments of long videos, from the published RGB frames.

Source: SeerVideoLDM's Epic dataset. A segment of 100 frames or more is thinned with stride `span // 100`;
frame numbers are the CSV's own and name the files (60 a second for the videos of EPIC-55, 50 for the
extension, whatever rate the MP4s have; so nothing here depends on a rate).
"""

import csv
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from tqdm import tqdm

from fca.data.clip import ClipRecord, Listing
from fca.data.quarantine import Quarantine
from fca.errors import FcaError

FRAME_NAME = "frame_{:010d}.jpg"
VALIDATION_SHA256 = "35f7932ba0a1127a96cac215a98d35398946f343e3cea9ad6688ed17eee9d75d"
WHERE = (
    "EPIC_100_train.csv and EPIC_100_validation.csv from "
    "https://github.com/epic-kitchens/epic-kitchens-100-annotations "
    "(commit ea8b40457a400c3fffa1c7f406ef3dc169cc2522) and the RGB frames with "
    "`python epic_downloader.py --rgb-frames --action-recognition --train --val` from "
    "https://github.com/epic-kitchens/epic-kitchens-download-scripts; "
    "unpack each tar into EPIC-KITCHENS/<PXX>/rgb_frames/<video_id>/"
)
LICENCE = "CC BY-NC 4.0 (annotations and videos)"
PAGE = "https://github.com/epic-kitchens/epic-kitchens-100-annotations"
FOLDERS = ("annotations", "epic-kitchens-100-annotations", ".")
COLUMNS = ("narration_id", "participant_id", "video_id", "start_frame", "stop_frame", "narration")


def index_epic(raw: Path, dataset: str, train: int, validation: int) -> Listing:
    """The first `train` and `validation` segments of the two CSVs, in file order, caption = narration,
    stripped.

    A segment with a missing frame file is quarantined at its place; frames are looked for by name, not
    opened.
    """
    present = lru_cache(maxsize=8)(_present_frames)
    records, quarantine = [], []
    for split, limit in (("train", train), ("validation", validation)):
        rows = read_segments(find_annotations(raw, split), limit)
        for identifier, folder, narration, start, stop in tqdm(rows, desc=f"{dataset}: {split}", unit="clip"):
            frames = strided_frames(start, stop)
            file, reason = _problem(folder, frames, present(raw / folder))
            if reason:
                quarantine.append(Quarantine(dataset, split, identifier, "index", file, reason))
            records.append(ClipRecord(identifier, dataset, split, narration, folder, frames, len(frames)))
    return Listing(records, quarantine)


def strided_frames(start: int, stop: int) -> list[int]:
    """Seer's choice of frames of a segment, both ends included where the stride allows.

    At most 100 frames below a span of 100, 101 to 200 from there on (100 -> 101, 199 -> 200, 200 -> 101).
    """
    span = stop - start
    return list(range(start, stop + 1, span // 100 if span >= 100 else 1))


def read_segments(path: Path, limit: int | None = None) -> list[tuple[str, str, str, int, int]]:
    """(narration_id, frame folder, narration, start_frame, stop_frame) of the first `limit` rows of a CSV."""
    segments: list[tuple[str, str, str, int, int]] = []
    try:
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if limit is not None and len(segments) == limit:
                    break
                person, video = row["participant_id"], row["video_id"]
                if not re.fullmatch(r"P\d+", person) or not re.fullmatch(r"P\d+_\d+", video):
                    raise ValueError(f"participant {person!r}, video {video!r}")
                folder = f"EPIC-KITCHENS/{person}/rgb_frames/{video}"
                start, stop = int(row["start_frame"]), int(row["stop_frame"])
                segments.append((row["narration_id"], folder, row["narration"].strip(), start, stop))
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise FcaError(
            f"{path}, row {len(segments) + 1} can't be read ({type(error).__name__}: {error})",
            f"the columns {', '.join(COLUMNS)}",
            f"get {WHERE}",
        ) from error
    return segments


def find_annotations(raw: Path, split: str) -> Path:
    """The CSV of a split."""
    candidates = [raw / folder / f"EPIC_100_{split}.csv" for folder in FOLDERS]
    for path in candidates:
        if path.is_file():
            return path
    shown = ", ".join(path.relative_to(raw).as_posix() for path in candidates)
    raise FcaError(f"{raw} has no annotations for {split}", f"one of {shown}", f"get {WHERE}")


def annotation_files(raw: Path) -> list[Path]:
    """The files whose content decides what the clips are."""
    return [find_annotations(raw, split) for split in ("train", "validation")]


def media_names(raw: Path) -> Iterator[str]:
    """Every video's folder of frames: what the archive's fingerprint is made of."""
    folders = sorted(raw.glob("EPIC-KITCHENS/P*/rgb_frames/P*"))
    if not folders:
        raise FcaError(f"{raw} has no frames", "EPIC-KITCHENS/<PXX>/rgb_frames/<video_id>/", f"get {WHERE}")
    yield from (folder.relative_to(raw).as_posix() for folder in folders)


def _problem(folder: str, frames: list[int], present: frozenset[int] | None) -> tuple[str, str]:
    """The file at fault and what is wrong with it, or two empty texts."""
    if present is None:
        return folder, "the folder of frames is missing"
    if not frames:
        return folder, "the segment stops before it starts"
    for number in frames:
        if number not in present:
            return f"{folder}/{FRAME_NAME.format(number)}", "the frame is missing"
    return "", ""


def _present_frames(folder: Path) -> frozenset[int] | None:
    """Numbers of the frame files of a video, or None without its folder."""
    if not folder.is_dir():
        return None
    matches = (re.fullmatch(r"frame_(\d{10})\.jpg", name) for name in os.listdir(folder))
    return frozenset(int(match[1]) for match in matches if match)
