"""Clips of the library in place of datasets that aren't here yet, in each dataset's own format on the disk.

`source: library` is that: `fca fetch` packs simulated clips as the dataset is published, and the format's own code
unpacks, lists and decodes them. So all that changes is the settings.
"""

from itertools import count
from pathlib import Path

from fca.config import Config, Dataset, Library
from fca.config.dataset_formats import FORMATS

OF_ARCHIVES = ("root", "archives", "urls", "checksums", "licence_accepted", "exclude", "edited_captions")
"""Settings that speak of the licensed files and their clips."""


def stand_ins(config: Config, train: int, validation: int) -> dict[str, Dataset]:
    """The datasets that aren't here, by name, with clips of the library: at least `train` and `validation` of them.

    Datasets whose folder exists and formats that the library has no clips of (`folder`) aren't in it; those made from
    the library are. `fca fetch` says if the library has fewer clips.
    """
    return {
        name: _simulated(settings, train, validation)
        for name, settings in config.datasets.items()
        if FORMATS[settings.format].library
        and (settings.source == "library" or not Path(settings.root or "").expanduser().is_dir())
    }


def _simulated(settings: Dataset, train: int, validation: int) -> Dataset:
    """The dataset with source library, and as many clips as asked for in each split."""
    kept = {name: value for name, value in settings.model_dump().items() if name not in OF_ARCHIVES}
    for split, clips in (("train", train), ("validation", validation)):
        kept[split] = {"clips": clips, "shard_clips": min(clips, kept[split]["shard_clips"])}
    taken = _amounts(settings, train, validation)
    return Dataset.model_validate(kept | {"source": "library", "library": taken.model_dump()})


def _amounts(settings: Dataset, train: int, validation: int) -> Library:
    """The fewest clips to take; a format with one list splits it by its share, rounded down."""
    folder = {} if settings.library is None else {"folder": settings.library.folder}
    share = FORMATS[settings.format].train_share
    if share is not None:
        clips = next(n for n in count(1) if int(share * n) >= train and n - int(share * n) >= validation)
        train, validation = int(share * clips), clips - int(share * clips)
    return Library(train=train, validation=validation, **folder)
