"""What the library's clips are called in each dataset: a clip's id there says which clip of the library it is."""

from collections import Counter
from collections.abc import Callable, Sequence

from fca.config import Dataset
from fca.data.library.clips import Clip, chosen_clips
from fca.errors import FcaError

SEGMENTS_PER_VIDEO = 4


def records_of(settings: Dataset) -> dict[str, Clip]:
    """Id in the dataset -> the library's clip, of both splits.

    Raises:
        FcaError: the library can't be read, or has fewer clips than the settings ask for.
    """
    clips = chosen_clips(settings)
    return dict(zip(IDS[settings.format](clips), clips, strict=True))


def record_of(records: dict[str, Clip], identifier: str) -> Clip:
    """The library's clip with an id in the dataset.

    Raises:
        FcaError: the dataset was made with other settings or from another library.
    """
    if identifier not in records:
        raise FcaError(
            f"the clip {identifier} isn't one that the library makes",
            "a dataset made from the library as it is now",
            "rebuild the dataset's clips and samples: run the workflow again",
        )
    return records[identifier]


def task_folder(clip: Clip) -> str:
    """The name of BridgeData's folder of a task: the caption with underscores.

    Raises:
        FcaError: the caption doesn't survive as the name of a folder.
    """
    if set(clip.caption) & set("-_/") or clip.caption.startswith("."):
        raise FcaError(
            f"the caption {clip.caption!r} can't be the name of a task's folder",
            "words separated by spaces, without hyphens, underscores and slashes",
        )
    return clip.caption.replace(" ", "_")


def _ssv2(clips: Sequence[Clip]) -> list[str]:
    return [str(clip.seed) for clip in clips]


def _bridge(clips: Sequence[Clip]) -> list[str]:
    """`task/number`, as Seer numbers the views of a task."""
    counts: Counter[str] = Counter()
    ids = []
    for task in map(task_folder, clips):
        ids.append(f"{task}/{counts[task]}")
        counts[task] += 1
    return ids


def _epic(clips: Sequence[Clip]) -> list[str]:
    """`video_number`: four segments to a video; a participant has up to two videos a split, one at either rate."""
    counts: Counter[str] = Counter()
    ids = []
    for clip in clips:
        video, segment = divmod(counts[clip.split], SEGMENTS_PER_VIDEO)
        counts[clip.split] += 1
        take = 1 if clip.split == "train" else 2
        ids.append(f"P{video // 2 + 1:02d}_{video % 2 or ''}{take:02d}_{segment}")
    return ids


IDS: dict[str, Callable[[Sequence[Clip]], list[str]]] = {"ssv2": _ssv2, "bridge": _bridge, "epic": _epic}
"""Format -> the ids of clips, training clips first"""
