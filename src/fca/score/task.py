"""Task accuracy: whether the task that a feature network finds in a clip is that of the caption.

It exists only for datasets made from the clip library and a feature network that knows all tasks of their place. The
network may know other places' tasks, too: the task found is the likeliest one of the dataset's own place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fca.config import Dataset
from fca.data.library.clips import Clip, place_clips
from fca.data.library.ids import record_of, records_of
from fca.score.interval import Interval, wilson_interval


@dataclass(frozen=True)
class Tasks:
    """The tasks of a dataset's place, and which of them its captions ask for."""

    columns: dict[str, int]
    """Label of a task of the place -> its position among the network's classes"""
    labels: dict[str, str]
    """Task -> label"""
    clips: dict[str, Clip]
    """Id in the dataset -> the library's clip"""

    def asked(self, identifier: str, opposite: bool = False) -> str:
        """The label of the task that a clip's caption, or the opposite one, asks for.

        Raises:
            FcaError: the library makes no such clip.
        """
        clip = record_of(self.clips, identifier)
        return self.labels[clip.opposite_task or ""] if opposite else clip.label

    def found(self, logits: NDArray[np.float64]) -> list[str]:
        """The likeliest task of every clip: `logits` (n, classes) -> n labels."""
        labels = list(self.columns)
        return [labels[index] for index in logits[:, list(self.columns.values())].argmax(1)]


def known_tasks(classes: Sequence[str] | None, settings: Dataset) -> Tasks | None:
    """The tasks of a dataset's place; None if the source isn't the library or one isn't among the network's classes.

    Raises:
        FcaError: the library can't be read.
    """
    if settings.library is None or classes is None:
        return None
    labels = {clip.task: clip.label for clip in place_clips(settings)}
    if not set(labels.values()) <= set(classes):
        return None
    columns = {label: list(classes).index(label) for label in sorted(set(labels.values()))}
    return Tasks(columns, labels, records_of(settings))


def task_accuracy(asked: Sequence[str], found: Sequence[str], confidence: float) -> Interval:
    """The share of clips that show the requested task, with Wilson's interval."""
    right = sum(one == other for one, other in zip(asked, found, strict=True))
    return wilson_interval(right, len(asked), confidence)
