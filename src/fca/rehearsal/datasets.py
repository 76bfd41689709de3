"""Generated clips in place of datasets that aren't here yet, in each dataset's own format on the disk.

`source: tabletop` is that: `fca fetch` writes tabletop clips as the format has them, and the format's own reader lists
and decodes them. So all that changes is the settings.
"""

from itertools import count
from pathlib import Path

from fca.config import Config, Dataset, Tabletop
from fca.config.dataset_formats import FORMATS, Format
from fca.data.tabletop.scene import CAMERAS

OF_ARCHIVES = ("root", "archives", "urls", "checksums", "licence_accepted", "exclude", "edited_captions")
"""Settings that speak of the licensed files and their clips."""


def stand_ins(config: Config, train: int, validation: int) -> dict[str, Dataset]:
    """The datasets that aren't here, by name, with generated clips: at least `train` and `validation` of them.

    Datasets whose folder exists and formats without a generator (`folder`) aren't in it; generated ones are.
    """
    return {
        name: _generated(settings, train, validation)
        for name, settings in config.datasets.items()
        if FORMATS[settings.format].tabletop
        and (settings.source == "tabletop" or not Path(settings.root or "").expanduser().is_dir())
    }


def _generated(settings: Dataset, train: int, validation: int) -> Dataset:
    """The dataset with source tabletop, and as many clips as asked for in each split."""
    kept = {name: value for name, value in settings.model_dump().items() if name not in OF_ARCHIVES}
    for split, clips in (("train", train), ("validation", validation)):
        kept[split] = {"clips": clips, "shard_clips": min(clips, kept[split]["shard_clips"])}
    made = _amounts(FORMATS[settings.format], train, validation)
    return Dataset.model_validate(kept | {"source": "tabletop", "tabletop": made.model_dump()})


def _amounts(form: Format, train: int, validation: int) -> Tabletop:
    """The fewest clips to generate; a format with one list splits it by its share, rounded down, in whole scenes."""
    if form.train_share is None:
        return Tabletop(train=train, validation=validation)
    cameras = len(CAMERAS) if form.views else 1
    for entries in count(cameras, cameras):
        border = int(form.train_share * entries)
        if border >= train and entries - border >= validation:
            break
    return Tabletop(train=border, validation=entries - border, cameras=cameras)
