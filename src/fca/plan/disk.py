"""Bytes of what the steps write, from the shapes of the arrays (docs/architecture.md lists them)."""

import math
from functools import cache

from fca.artifacts.columns import stored_bytes
from fca.config import Config, Layout
from fca.config.shipped import located
from fca.data.clip_record import read_records
from fca.data.datasets.reader import reader_of
from fca.encode.shared import same_text_networks
from fca.plan.networks import Networks

WORDS = 100
"""Bytes assumed for a clip's id and caption until the clips are indexed."""
EMPTY = 2**13
"""About what an HDF5 file of ours holds besides its arrays."""


class Disk:
    """Sizes from the index if it exists, otherwise from the configuration."""

    def __init__(self, config: Config) -> None:
        self.config, self.layout = config, Layout(config)
        clip = config.clip
        self.pixels = clip.frames * clip.height * clip.width * 3
        self.assumed: set[str] = set()
        self._captions = cache(self._read_captions)

    def clips(self, dataset: str, split: str) -> int:
        """The shards of a split's clips."""
        return sum(_file(words, self.pixels, 4) for words in self._shards(dataset, split))

    def samples(self, dataset: str) -> int:
        """The shards of one kind of a variant's samples."""
        return sum(_file(words, self.pixels, 8) for words in self._shards(dataset, "validation"))

    def edited(self, dataset: str) -> int:
        """The shard of a variant's predictions from edited captions."""
        captions = [caption for edits in self.config.datasets[dataset].edited_captions.values() for caption in edits]
        return _file(captions, self.pixels, 8) if captions else 0

    def latents(self, dataset: str, split: str, networks: Networks) -> int:
        """The shards of a split's latents, float16, with a row of the caption tables for each distinct caption.

        Those of `image_base` link to the tables of `base` if both have the same T5, which can be seen in folders only.
        """
        tables = True
        if networks.base is self.config.image_base:
            here = all(located(base.model).is_dir() for base in (self.config.base, networks.base))
            tables = not (here and same_text_networks(self.config))
            if not here:
                self.assumed.add("base and image_base have another T5: otherwise captions are stored once for both")
        return sum(self.latents_shard(words, networks, tables) for words in self._shards(dataset, split))

    def latents_shard(self, captions: list[str], networks: Networks, tables: bool = True) -> int:
        """One shard; `captions` of its clips. `tables`: whether it holds those of the captions."""
        clip, base = self.config.clip, networks.base
        frame = 2 * networks.latent_channels * (clip.height // 8) * (clip.width // 8)
        video = clip.latent_frames * frame
        vision = 2 * networks.vision_tokens * networks.vision_width
        text = base.caption_tokens * networks.text_width * 2
        rows = len(set(captions) | {""})
        widths = (2 * base.text_tokens * networks.prompt_width, text, base.caption_tokens) if tables else ()
        return _file(captions, video, video, frame, frame, vision, 4) + sum(stored_bytes(rows, row) for row in widths)

    def _shards(self, dataset: str, split: str) -> list[list[str]]:
        """The captions of each shard's clips."""
        captions = self._captions(dataset, split)
        rows = [self.layout.shard_rows(dataset, split, number) for number in self.layout.shards(dataset, split)]
        return [captions[own.start : own.stop] for own in rows]

    def _read_captions(self, dataset: str, split: str) -> list[str]:
        """The caption of each clip in use."""
        settings = self.config.datasets[dataset]
        count = settings.split(split).clips
        path = self.layout.index(dataset)
        if path.is_file():
            return [record.caption for record in read_records(path, split)][:count]
        distinct = min(count, reader_of(settings).publication.captions or count)
        words = f"{distinct} captions" if distinct < count else "a caption of its own for each clip"
        self.assumed.add(f"{dataset} is not indexed yet: {words}, {WORDS} bytes of names for each")
        return [f"{number % distinct:0{WORDS // 2}d}" for number in range(count)]


def _file(captions: list[str], *rows: int) -> int:
    """A file with columns of numbers, `rows` bytes for each clip, its captions and ids (of about their width)."""
    width = max(1, *(len(text.encode()) for text in captions))
    return EMPTY + sum(stored_bytes(len(captions), row) for row in (*rows, width, width))


def readable(size: float | None) -> str:
    """`3.4 GB`, in powers of ten."""
    if size is None:
        return "unknown"
    power = 0 if size < 1 else min(4, int(math.log10(size)) // 3)
    return f"{size / 1000**power:.3g} {['B', 'kB', 'MB', 'GB', 'TB'][power]}"
