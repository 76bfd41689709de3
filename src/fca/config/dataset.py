"""Settings of a dataset: where its videos come from and how they are used."""

import math
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from fca.config.settings import Positive, Settings, Url

SplitMode = Literal["seer_like", "trajectory_disjoint"]
Caption = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$")]


class SplitSettings(Settings):
    """How many clips of a split are used, and in what portions."""

    clips: Positive
    """Clips used: the first ones in the dataset's own order"""
    shard_clips: Positive
    """Clips of one shard; a shard is one job of the workflow"""

    @property
    def shards(self) -> int:
        return math.ceil(self.clips / self.shard_clips)


class Tabletop(Settings):
    """How much tabletop data to generate, in the dataset's own format."""

    train: Positive
    """Index entries for training"""
    validation: Positive
    """Index entries for validation"""
    cameras: int = Field(default=1, ge=1, le=5)
    """Views of each scene, each an index entry (bridge format only)"""


class Dataset(Settings):
    """One dataset: where its videos come from and how they are used."""

    format: Literal["ssv2", "bridge", "epic", "folder"]
    """Format on disk: Something-Something V2, BridgeData V1, Epic-Kitchens-100, or a folder of your own videos"""
    source: Literal["tabletop", "archive"]
    """tabletop: generated on this machine; archive: licensed files that you put into `root`"""
    root: str | None = None
    """Folder of the unpacked dataset, or where it is unpacked to (source: archive)"""
    archives: str | None = None
    """Folder of the archives, yours or downloaded ones, to unpack; null: `root`/archives where there are urls"""
    urls: list[Url] = Field(default=[])
    """Where to download from: files, or a folder where it ends in /; docs/data/ says what each format takes"""
    checksums: str | None = None
    """Published hashes of the archives: lines of md5sum or sha256sum; for epic the md5.csv of its download scripts"""
    licence_accepted: bool = False
    """You have read and accept the dataset's licence (docs/data/); else nothing is downloaded or unpacked"""
    download_workers: Positive = 4
    """Files downloaded at once"""
    tabletop: Tabletop | None = None
    """Amount of generated data (source: tabletop)"""
    validation_share: float = Field(default=0.1, gt=0, lt=1)
    """folder without a column split: share of the sources (recordings) whose videos are kept for validation"""
    split_mode: SplitMode = "seer_like"
    """bridge: seer_like, Seer's list as it is; trajectory_disjoint, all views of a demonstration in one split"""
    media: Literal["rgb_frames", "video"] = "rgb_frames"
    """epic: the published frames, 256 pixels high; or video, the MP4s, whose frames are found by their time"""
    exclude: str | None = None
    """File of clips that are not to be used: tab-separated split, id and reason, one a line; they keep their places"""
    edited_captions: dict[str, Annotated[list[Caption], Field(min_length=1)]] = Field(default={})
    """Id of a validation clip -> captions to predict it from besides its own, shown in the report (Figure 11)"""
    initial_frames: int = Field(ge=1, le=4)
    """Given frames at the start of a clip (paper: 2, 1, 1)"""
    train: SplitSettings
    """Clips for training"""
    validation: SplitSettings
    """Clips for prediction and scores"""
    train_steps: Positive
    """Optimizer steps, counted after `train.init_from` where that is given"""
    ablation_steps: Positive | None = None
    """Optimizer steps of variants with steps: ablation (paper: 20,000, on ssv2); null: none are trained here"""

    def split(self, name: str) -> SplitSettings:
        """The settings of the split called `train` or `validation`."""
        return {"train": self.train, "validation": self.validation}[name]

    @property
    def split_name(self) -> str | None:
        """How the splits were made, where there is more than one way (bridge): part of every score's name."""
        return self.split_mode if self.format == "bridge" else None

    @model_validator(mode="after")
    def check(self) -> "Dataset":
        for name, form in (("split_mode", "bridge"), ("media", "epic")):
            value, usual = getattr(self, name), type(self).model_fields[name].default
            if self.format != form and value != usual:
                raise ValueError(f"{name}: {value} is for the {form} format alone; leave it out")
        if self.format == "folder" and self.source != "archive":
            raise ValueError("format is folder: source must be archive, and root must name the folder")
        if self.format == "folder" and (self.archives is not None or self.urls or self.checksums is not None):
            raise ValueError("format is folder: the videos are your own; archives, urls and checksums must be left out")
        if self.format != "folder" and self.validation_share != type(self).model_fields["validation_share"].default:
            raise ValueError(f"validation_share would change nothing: the {self.format} format has its own splits")
        if self.source == "archive":
            if self.root is None or self.tabletop is not None:
                raise ValueError("source is archive: root must name the dataset's folder, tabletop must be left out")
            return self
        if self.archives is not None or self.urls or self.checksums is not None:
            raise ValueError("source is tabletop: archives, urls and checksums must be left out")
        if self.root is not None or self.tabletop is None:
            raise ValueError("source is tabletop: tabletop must say how much to make, root must be left out")
        for name in ("train", "validation"):
            made, used = getattr(self.tabletop, name), self.split(name).clips
            if made < used:
                raise ValueError(f"{name}.clips is {used}, but tabletop.{name} makes only {made}")
        entries, cameras = self.tabletop.train + self.tabletop.validation, self.tabletop.cameras
        if self.format != "bridge" and cameras != 1:
            raise ValueError(f"tabletop.cameras is {cameras}, but the {self.format} format has one view of a scene")
        if self.format == "bridge" and (entries % cameras or int(0.8 * entries) != self.tabletop.train):
            raise ValueError(
                f"the bridge format splits its list of views 80/20: tabletop.train + tabletop.validation is"
                f" {entries}, must be a multiple of cameras ({cameras}), tabletop.train {int(0.8 * entries)}"
            )
        return self
