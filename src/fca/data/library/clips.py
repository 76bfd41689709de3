"""The clips of a library: `clips.jsonl`, as `simulation.render` writes it, and the videos next to it.

The files may come from anywhere: a line that isn't right is an error that names it.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fca.config import Dataset
from fca.config.captions import Caption
from fca.config.dataset import CLIP_LIST
from fca.config.dataset_formats import FORMATS
from fca.config.shipped import located
from fca.errors import FcaError

REMEDY = "get config/pocket-clips from the repository again, or make it anew: `make clip-library`"
Position = Annotated[list[float], Field(min_length=3, max_length=3)]
Camera = Annotated[list[float], Field(min_length=7, max_length=7)]
Path3D = list[Position]


class Clip(BaseModel):
    """A line of `clips.jsonl`: a clip of n frames, and the simulator's state at each; lengths in metres."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    file: Annotated[str, Field(pattern=r"^[a-z]+-\d+\.webm$")]
    """Name of the video, next to the list"""
    place: Annotated[str, Field(pattern=r"^[a-z]+$")]
    task: Annotated[str, Field(min_length=1)]
    """With place and seed, it makes the clip again"""
    seed: Annotated[int, Field(ge=0)]
    split: Literal["train", "validation"]
    caption: Caption
    label: Annotated[str, Field(min_length=1)]
    """The task in a classifier's words: without colours"""
    opposite: Caption | None
    """Another caption that makes sense from the same first frame"""
    opposite_task: str | None
    """The task that does what `opposite` says"""
    fps: Annotated[float, Field(gt=0)]
    frames: Annotated[int, Field(gt=0)]
    size: Annotated[list[int], Field(min_length=2, max_length=2)]
    """Width and height in pixels"""
    camera: list[Camera]
    """1 or n rows: the point looked at, distance, azimuth, elevation, vertical field of view (degrees)"""
    effector: Path3D
    """n positions of the hand or gripper"""
    objects: dict[str, Path3D]
    """n positions of each object"""
    colours: dict[str, Position]
    """Red, green and blue of objects, from 0 to 1"""

    @model_validator(mode="after")
    def check(self) -> "Clip":
        paths = {"effector": self.effector, **self.objects}
        for name, path in paths.items():
            if len(path) != self.frames:
                raise ValueError(f"{name} has {len(path)} positions, not {self.frames}")
        if len(self.camera) not in (1, self.frames):
            raise ValueError(f"camera has {len(self.camera)} rows, not 1 or {self.frames}")
        if (self.opposite is None) != (self.opposite_task is None):
            raise ValueError("opposite and opposite_task must both be there or both be null")
        for caption in (self.caption, self.opposite or ""):
            if caption != " ".join(caption.split()):
                raise ValueError(f"the words of {caption!r} aren't separated by single spaces")
        return self


def read_clips(folder: Path) -> list[Clip]:
    """All clips of a library, in the list's order.

    Raises:
        FcaError: the list is missing, or a line isn't a clip, is there twice, or contradicts another.
    """
    path = located(folder) / CLIP_LIST
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FcaError(f"{path} can't be read ({error})", "the list of the library's clips", REMEDY) from error

    clips: list[Clip] = []
    labels: dict[tuple[str, str], str] = {}
    known: set[tuple[str, int]] = set()
    for number, line in enumerate(lines, start=1):
        try:
            clip = Clip.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            found = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
            raise FcaError(f"{path}, line {number} is not a clip: {found}", "a clip", REMEDY) from error
        if (clip.place, clip.seed) in known:
            raise FcaError(f"{path}, line {number} repeats {clip.place} {clip.seed}", "each clip once", REMEDY)
        if (label := labels.setdefault((clip.place, clip.task), clip.label)) != clip.label:
            raise FcaError(
                f"{path}, line {number}: the task {clip.task} has the label {clip.label!r} and earlier {label!r}",
                "one label for each task", REMEDY,
            )  # fmt: skip
        known.add((clip.place, clip.seed))
        clips.append(clip)

    for number, clip in enumerate(clips, start=1):
        if clip.opposite_task is not None and (clip.place, clip.opposite_task) not in labels:
            problem = f"{path}, line {number}: no clip shows the opposite task {clip.opposite_task}"
            raise FcaError(problem, "a clip of each task", REMEDY)
    return clips


def place_clips(settings: Dataset) -> list[Clip]:
    """The library's clips of a dataset's place, in the order of their seeds.

    Raises:
        FcaError: see `read_clips`.
        ValueError: the dataset's source isn't the library.
    """
    if settings.library is None:
        raise ValueError("the dataset isn't made from the library")
    place = FORMATS[settings.format].place
    clips = (clip for clip in read_clips(Path(settings.library.folder)) if clip.place == place)
    return sorted(clips, key=lambda clip: clip.seed)


def chosen_clips(settings: Dataset) -> list[Clip]:
    """The clips that the settings ask for: the first ones of each split, training clips first.

    Raises:
        FcaError: the library has fewer; see also `read_clips`.
    """
    of_place, chosen = place_clips(settings), []
    for split in ("train", "validation"):
        clips = [clip for clip in of_place if clip.split == split]
        wanted = getattr(settings.library, split)
        if len(clips) < wanted:
            place = FORMATS[settings.format].place
            raise FcaError(
                f"the library has {len(clips)} {split} clips of the place {place}, not {wanted}",
                f"library.{split} and {split}.clips of at most {len(clips)}",
            )
        chosen += clips[:wanted]
    return chosen


def read_video(folder: Path, clip: Clip) -> bytes:
    """The video's file as it is.

    Raises:
        FcaError: it can't be read.
    """
    path = located(folder) / clip.file
    try:
        return path.read_bytes()
    except OSError as error:
        raise FcaError(f"{path}, a video of the library, can't be read ({error})", "the file", REMEDY) from error
