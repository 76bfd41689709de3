"""Lines of a clip library without videos, and those of the shipped one."""

from typing import Any

import numpy as np

from fca.config import load
from fca.data.library.clips import Clip
from fca.data.library.ids import records_of
from fca.data.library.pixels import read_pixels
from fca.video.frame_selection import cast, cast_plan
from tests.conftest import CONFIG


def line(**changes: Any) -> dict[str, Any]:
    """A line of `clips.jsonl`, of a clip of two frames."""
    values = {
        "place": "hand", "task": "move-up", "seed": 0, "split": "train", "caption": "moving a red box up",
        "label": "Moving [something] up", "opposite": "moving a red box down", "opposite_task": "move-down",
        "fps": 12.0, "frames": 2, "size": [8, 8], "camera": [[0.0] * 7], "effector": [[0.0] * 3] * 2,
        "objects": {"red box": [[0.1] * 3] * 2}, "colours": {"red box": [1.0, 0.0, 0.0]},
    }  # fmt: skip
    values |= changes
    return {"file": f"{values['place']}-{values['seed']}.webm"} | values


def clip(**changes: Any) -> Clip:
    return Clip.model_validate(line(**changes))


def pixels(found: Clip) -> np.ndarray:
    """The clip as the pocket scale has it, (16, 64, 96, 3) uint8."""
    frames = read_pixels(CONFIG.parent / "pocket-clips", found)
    return cast(dict(enumerate(frames)), cast_plan(len(frames), 16), 96, 64, "stretch")


def shipped(dataset: str, split: str) -> dict[str, Clip]:
    """Id -> clip of a split of the pocket scale's dataset."""
    records = records_of(load(CONFIG).datasets[dataset])
    return {name: clip for name, clip in records.items() if clip.split == split}
