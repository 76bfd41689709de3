"""Motion accuracy: whether the motion that a feature network classifies in a clip is that of the caption.

It exists only for tabletop data and a feature network whose classes are the tabletop motions.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fca.data.tabletop.captions import motion_of_caption
from fca.data.tabletop.scene import MOTIONS
from fca.errors import FcaError
from fca.score.interval import Interval, wilson_interval


def knows_motions(classes: Sequence[str] | None, source: str) -> bool:
    """Whether motion can be scored, from the feature network's `classes` and the dataset's `source`."""
    return source == "tabletop" and classes is not None and set(classes) == set(MOTIONS)


def asked_motion(caption: str) -> str:
    """The motion that a tabletop caption names, one of MOTIONS."""
    try:
        return motion_of_caption(caption)
    except ValueError as error:
        raise FcaError(
            f"the caption {caption!r} names no motion",
            "a caption of the tabletop data",
            "rebuild the dataset's clips and samples, or set its source to archive",
        ) from error


def found_motions(logits: NDArray[np.float64], classes: Sequence[str]) -> list[str]:
    """The most likely class of every clip: `logits` (n, classes) -> n names."""
    return [classes[index] for index in logits.argmax(1)]


def motion_accuracy(asked: Sequence[str], found: Sequence[str], confidence: float) -> Interval:
    """The share of clips that show the requested motion, with Wilson's interval."""
    right = sum(one == other for one, other in zip(asked, found, strict=True))
    return wilson_interval(right, len(asked), confidence)
