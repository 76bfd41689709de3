"""The place `arm` as BridgeData V1 is published: a zip with the raw tree of frames, and Seer's list."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from tqdm import tqdm

from fca.data.datasets.bridge import INSTITUTIONS, LIST_NAME, TREES, Bridge
from fca.data.library.archives import jpeg, write_zip
from fca.data.library.clips import Clip
from fca.data.library.pixels import read_pixels

ZIP = "demos_8_17.zip"
ENVIRONMENT, DATE = "metaworld", "2021-01-01_00-00-00"


def pack(folder: Path, records: Mapping[str, Clip], root: Path, split_mode: str) -> None:
    """Write the zip to `root`/archives and the list, whose first 80 % are the training clips, to `root`.

    Raises:
        FcaError: a video can't be read.
    """
    (root / "archives").mkdir(parents=True)
    write_zip(root / "archives" / ZIP, frames(folder, records))
    (root / LIST_NAME).write_text(json.dumps(list(records)), encoding="utf-8")


def frames(folder: Path, records: Mapping[str, Clip]) -> Iterator[tuple[str, bytes]]:
    """Every frame, each clip a trajectory that one camera sees."""
    for name, clip in tqdm(records.items(), desc="bridge: pack", unit="clip"):
        task, number = name.rsplit("/", 1)
        place = f"{Path(ZIP).stem}/{TREES[0]}/{INSTITUTIONS[0]}/{ENVIRONMENT}/{task}/{DATE}"
        for index, frame in enumerate(read_pixels(folder, clip)):
            yield f"{place}/raw/traj_group0/traj{number}/images0/{Bridge.frame_name.format(index)}", jpeg(frame)
