"""Settings of a dataset: the source of its videos and their use."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from fca.config.captions import Caption
from fca.config.dataset_formats import FORMATS, FormatName
from fca.config.settings import Positive, Settings, Url

SplitUnit = Literal["episode", "task"]
SplitMode = Literal["seer_like", "trajectory_disjoint"]
CLIP_LIST = "clips.jsonl"
"""The list in the folder of a clip library"""


class SplitSettings(Settings):
    """How many clips of a split are used, and in shards of which size."""

    clips: Positive
    """Clips used: the first ones in the dataset's own order"""
    shard_clips: Positive
    """Clips in a shard; a shard is one job of the workflow"""

    @property
    def shards(self) -> int:
        return math.ceil(self.clips / self.shard_clips)


class Library(Settings):
    """Simulated clips that `fca fetch` packs as the dataset is published: the first ones of each split."""

    folder: str = "config/pocket-clips"
    """Folder of the clip library: clips.jsonl and the videos that it names"""
    train: Positive
    """Clips of the library for training"""
    validation: Positive
    """Clips of the library for validation"""


class Dataset(Settings):
    """One dataset: the source of its videos and their use."""

    format: FormatName
    """On disk: Something-Something V2, BridgeData V1, Epic-Kitchens-100, a folder of your own videos, or LeRobot"""
    source: Literal["library", "archive"]
    """library: simulated clips of the clip library; archive: licensed files that you put into `root`"""
    root: str | None = None
    """Folder of the unpacked dataset, or the one to unpack it into (source: archive)"""
    archives: str | None = None
    """Folder of the archives to unpack, yours or downloaded ones; null: `root`/archives if there are urls"""
    urls: list[Url] = Field(default=[])
    """Addresses to download from: files, or folders that end in /; docs/data/ says what each format takes"""
    checksums: str | None = None
    """Published hashes of the archives: lines of md5sum or sha256sum; for epic the md5.csv of its download scripts"""
    licence_accepted: bool = False
    """You have read and accept the dataset's licence (docs/data/); if not, nothing is downloaded or unpacked"""
    download_workers: Positive = 4
    """Files downloaded at once"""
    library: Library | None = None
    """Which clips of the clip library (source: library)"""
    validation_share: float = Field(default=0.1, gt=0, lt=1)
    """folder without a column split: share of the sources (recordings) whose videos are for validation; lerobot: share
    of the episodes or tasks"""
    camera: str | None = None
    """lerobot: the camera, by its feature's name, such as observation.images.top; null: the only one"""
    clip_seconds: float | None = Field(default=None, gt=0)
    """lerobot: longer episodes become several clips of so many seconds; null: an episode is one clip"""
    stride_seconds: float | None = Field(default=None, gt=0)
    """lerobot: seconds from the start of a clip to the start of the next; null: clip_seconds"""
    split_by: SplitUnit = "episode"
    """lerobot: episode, whole episodes are held out for validation; task, all clips of a task are"""
    split_mode: SplitMode = "seer_like"
    """bridge: seer_like, Seer's list as it is; trajectory_disjoint, all views of a demonstration in one split"""
    media: Literal["rgb_frames", "video"] = "rgb_frames"
    """epic: rgb_frames, the published frames, 256 pixels high; or video, the MP4s, whose frames are found by time"""
    exclude: str | None = None
    """File of clips to leave out: tab-separated split, id and reason, one a line; they keep their rows"""
    edited_captions: dict[str, Annotated[list[Caption], Field(min_length=1)]] = Field(default={})
    """Id of a validation clip -> captions to predict it from besides its own, shown in the report (Figure 11)"""
    initial_frames: int = Field(ge=1, le=4)
    """Initial frames: those at the start of a clip that prediction is conditioned on (paper: 2, 1, 1)"""
    train: SplitSettings
    """Clips for training"""
    validation: SplitSettings
    """Clips for prediction and scores"""
    train_steps: Positive
    """Optimizer steps; with `train.init_from`, those after it"""
    ablation_steps: Positive | None = None
    """Optimizer steps of variants with steps: ablation (paper: 20,000, on ssv2); null: none are trained on it"""

    def split(self, name: str) -> SplitSettings:
        """The settings of the split called `train` or `validation`."""
        return {"train": self.train, "validation": self.validation}[name]

    @property
    def clips(self) -> dict[str, int]:
        """Clips used of each split."""
        return {"train": self.train.clips, "validation": self.validation.clips}

    @property
    def own(self) -> dict[str, Any]:
        """The settings that only this format has."""
        return {name: getattr(self, name) for name in FORMATS[self.format].own}

    @property
    def split_name(self) -> str | None:
        """How the splits are made, if the format offers several ways: part of every score's name."""
        return self.own.get(FORMATS[self.format].split)

    @property
    def stated(self) -> dict[str, Any]:
        """Own settings that a score's protocol states."""
        return {name: self.own[name] for name in FORMATS[self.format].stated}

    @property
    def seeded(self) -> bool:
        """Whether the seed decides which clips are in a split."""
        return FORMATS[self.format].seeded(self)

    @model_validator(mode="after")
    def check(self) -> "Dataset":
        self._check_own()
        downloads = self.archives is not None or bool(self.urls) or self.checksums is not None
        if self.source == "archive":
            if self.root is None or self.library is not None:
                raise ValueError("source is archive: root must name the dataset's folder, library must be left out")
            if downloads and not FORMATS[self.format].download:
                raise ValueError(
                    f"format is {self.format}: the videos are your own; archives, urls and checksums must be left out"
                )
            return self
        if downloads:
            raise ValueError("source is library: archives, urls and checksums must be left out")
        if self.root is not None or self.library is None:
            raise ValueError("source is library: library must say how many clips, root must be left out")
        self._check_library(self.library)
        return self

    def _check_own(self) -> None:
        """Refuse settings of other formats, and the library for a format that it has no clips of."""
        for name in {name for facts in FORMATS.values() for name in facts.own}:
            value, default = getattr(self, name), type(self).model_fields[name].default
            if name not in self.own and value != default:
                readers = " and ".join(form for form, facts in FORMATS.items() if name in facts.own)
                raise ValueError(f"{name}: {value} is for the {readers} format alone; leave it out")
        if self.stride_seconds is not None and self.clip_seconds is None:
            raise ValueError("stride_seconds is for clips of clip_seconds, which isn't set")
        if self.source == "library" and not FORMATS[self.format].library:
            raise ValueError(f"format is {self.format}: source must be archive, and root must name the folder")

    def _check_library(self, library: Library) -> None:
        """Refuse numbers of clips that the format can't split so or that are fewer than the clips used."""
        for name, used in self.clips.items():
            if (clips := getattr(library, name)) < used:
                raise ValueError(f"{name}.clips is {used}, but library.{name} is only {clips}")
        share, clips = FORMATS[self.format].train_share, library.train + library.validation
        if share is not None and library.train != int(share * clips):
            raise ValueError(
                f"the {self.format} format splits its list of clips by {share:.0%}: library.train + library.validation"
                f" is {clips}, so library.train must be {int(share * clips)}"
            )
