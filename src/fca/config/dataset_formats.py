"""The registry of dataset formats: one line each. `fca.data.datasets.reader` says what a format's module holds.

It names modules and imports none, so that a configuration loads without decoders. `code_hash` reads it too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from fca.errors import did_you_mean


@dataclass(frozen=True)
class Format:
    """What the configuration and the workflow must know of a format; its reader knows everything else."""

    reader: str
    """Module with the `READER` of the format"""
    download: str = ""
    """Module whose `obtain` completes a folder from archives and addresses; empty: the files are the user's own"""
    library: str = ""
    """Module whose `pack` packs the clip library's clips as the dataset is published; empty: there are none"""
    place: str = ""
    """Place of those clips"""
    own: tuple[str, ...] = ()
    """Settings of a dataset that only this format reads"""
    split: str = ""
    """The one of them that says how the splits are made: part of every score's name"""
    stated: tuple[str, ...] = ()
    """Those of them that a score's protocol states"""
    seeded: Callable[[Any], bool] = lambda settings: False
    """Whether the seed decides which clips are in a split"""
    watched: tuple[str, ...] = ()
    """Annotation files that the user edits: the workflow reads them again when they change"""
    partial: bool = False
    """Whether only the files of the clips that are asked for are downloaded"""
    train_share: float | None = None
    """Part of the format's one list that is for training; None: each split has a list"""
    published: str = ""
    """Name of the dataset in a model card; empty: as in the configuration"""


FORMATS = {
    "ssv2": Format(
        "fca.data.datasets.ssv2", "fca.data.download.ssv2", "fca.data.library.ssv2", "hand",
        published="something-something-v2",
    ),
    "bridge": Format(
        "fca.data.datasets.bridge", "fca.data.download.bridge", "fca.data.library.bridge", "arm",
        own=("split_mode",), split="split_mode", train_share=0.8, published="bridgedata-v1",
        seeded=lambda settings: settings.split_mode == "trajectory_disjoint",
    ),
    "epic": Format(
        "fca.data.datasets.epic", "fca.data.download.epic", "fca.data.library.epic", "kitchen",
        own=("media",), stated=("media",), published="epic-kitchens-100",
    ),
    "folder": Format(
        "fca.data.datasets.folder", own=("validation_share",), seeded=lambda settings: True,
        watched=("captions.csv", "captions.jsonl"),
    ),
    "lerobot": Format(
        "fca.data.datasets.lerobot", "fca.data.download.lerobot",
        own=("camera", "clip_seconds", "stride_seconds", "split_by", "validation_share"), split="split_by",
        stated=("camera", "clip_seconds", "stride_seconds"), seeded=lambda settings: True, watched=("captions.csv",),
        partial=True,
    ),
}  # fmt: skip


def known_format(name: str) -> str:
    """The name of a registered format, as it is.

    Raises:
        ValueError: no format has that name.
    """
    if name not in FORMATS:
        close = did_you_mean(name, FORMATS)
        raise ValueError(f"{name!r} isn't a registered format{close}; formats are {', '.join(FORMATS)}")
    return name


FormatName = Annotated[
    str, AfterValidator(known_format), WithJsonSchema({"type": "string", "enum": list(FORMATS)}, mode="validation")
]
