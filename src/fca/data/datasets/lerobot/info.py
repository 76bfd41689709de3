"""`meta/info.json` of a LeRobot dataset: its version, cameras and where its files are. Untrusted.

Source: LeRobot's `LeRobotDatasetMetadata` and `DEFAULT_*_PATH` (versions 0.3.3 for v2.1, 0.4.4 for v3.0).
"""

import json
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError, field_validator

from fca.errors import FcaError, did_you_mean

PATH = "meta/info.json"
LISTED = "https://huggingface.co/datasets?other=LeRobot"
LARGEST = 2**26  # bytes of info.json
VERSIONS = ("v2.0", "v2.1", "v3.0")
PLACEHOLDER = re.compile(r"\{(?:video_key|(?:episode_chunk|episode_index|chunk_index|file_index)(?::0?\d?d)?)\}")
TO_VIDEO = "convert them to videos: `lerobot-edit-dataset --operation.type convert_image_to_video`"


class Feature(BaseModel):
    """One column or camera."""

    dtype: str


class Info(BaseModel):
    """What is read of info.json."""

    codebase_version: str
    fps: Annotated[float, Field(ge=0.01, le=1000)]
    """Frames per second"""
    chunks_size: Annotated[int, Field(ge=1)] = 1000
    """v2: episodes in a folder"""
    data_path: str
    """Template of the path of a table of frames"""
    video_path: str | None = None
    """Template of the path of a video"""
    features: dict[str, Feature]

    @field_validator("codebase_version")
    @classmethod
    def _known(cls, version: str) -> str:
        if version not in VERSIONS:
            raise ValueError(f"it is {version!r}; this reads {', '.join(VERSIONS)}")
        return version

    @field_validator("data_path", "video_path")
    @classmethod
    def _inside(cls, template: str | None) -> str | None:
        if template is not None and (problem := template_problem(template)):
            raise ValueError(problem)
        return template

    @property
    def in_one_file_each(self) -> bool:
        """Whether each episode has files of its own (v2)."""
        return self.codebase_version.startswith("v2")

    @property
    def cameras(self) -> dict[str, str]:
        """Name of each camera's feature -> video or image."""
        return {name: own.dtype for name, own in self.features.items() if own.dtype in ("video", "image")}

    def camera(self, chosen: str | None) -> str:
        """The name of the camera's feature to read.

        Args:
            chosen: the setting `camera`; None: the only one.

        Raises:
            FcaError: there is none of that name, or several to choose from, or its frames aren't videos.
        """
        cameras, shown = self.cameras, ", ".join(self.cameras) or "none"
        if chosen is None and len(cameras) != 1:
            raise FcaError(
                f"the dataset has {len(cameras)} cameras: {shown}", "one of them", "name it: `camera` in the settings"
            )
        name = next(iter(cameras)) if chosen is None else chosen
        if name not in cameras:
            raise FcaError(f"the dataset has no camera {name!r}{did_you_mean(name, cameras)}", f"one of {shown}")
        if cameras[name] == "image" or self.video_path is None:
            raise FcaError(f"the frames of {name} are pictures in tables (dtype image)", "dtype video", TO_VIDEO)
        require_folder_name(name)
        return name

    def video(self, camera: str, chunk: int, number: int) -> str:
        """Path of a video below the dataset: by chunk and file (v3), or of episode `number` (v2)."""
        assert self.video_path is not None
        return self.video_path.format(video_key=camera, **_numbers(chunk, number))

    def data(self, chunk: int, number: int) -> str:
        """Path of a table of frames below the dataset, likewise."""
        return self.data_path.format(**_numbers(chunk, number))


def _numbers(chunk: int, number: int) -> dict[str, int]:
    return {"episode_chunk": chunk, "episode_index": number, "chunk_index": chunk, "file_index": number}


def require_folder_name(camera: str) -> None:
    """Refuse a camera whose name can't be a folder: an empty one would make `{video_key}/x` a path from the root.

    Raises:
        FcaError: it can't.
    """
    if not 0 < len(camera) <= 200 or not camera.isprintable() or camera in (".", "..") or set(camera) & set("/\\"):
        problem = f"the camera's name {camera[:100]!r} can't be a folder"
        raise FcaError(problem, "a printable name of at most 200 characters without / and \\")


def template_problem(template: str) -> str:
    """Why a template of paths is refused; empty if it names files below the dataset's folder whatever is put in."""
    fixed = PLACEHOLDER.sub("0", template)
    if "{" in fixed or "}" in fixed:
        return f"{template!r} has a placeholder that isn't one of LeRobot's"
    if len(template) > 500 or not fixed.isprintable() or not fixed:
        return f"{template[:100]!r} is no path"
    if PurePosixPath(fixed).is_absolute() or PureWindowsPath(fixed).drive or "\\" in fixed:
        return f"{template!r} is not below the dataset's folder"
    if ".." in PurePosixPath(fixed).parts:
        return f"{template!r} leads out of the dataset's folder"
    return ""


def read_info(root: Path) -> Info:
    """The `Info` of a dataset.

    Raises:
        FcaError: it is missing, or not what LeRobot writes.
    """
    path = root / PATH
    expected = "what LeRobot writes: codebase_version, fps, features, data_path, video_path"
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it has {path.stat().st_size:,} bytes")
        info = Info.model_validate(json.loads(path.read_text(encoding="utf-8-sig")))
        if "video_key" in info.data_path:
            raise ValueError("data_path: {video_key} is for videos")
        return info
    except FileNotFoundError:
        raise FcaError(
            f"{root} has no {PATH}", "the folder of a LeRobot dataset", f"name it as root; datasets are on {LISTED}"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        problem = f"{path} can't be used: {where}: {first['msg'].removeprefix('Value error, ')}"
        remedy = "convert older versions with LeRobot's own scripts, and fetch a damaged file again"
        raise FcaError(problem, expected, remedy) from None
    except (OSError, ValueError, RecursionError) as error:
        raise FcaError(f"{path} can't be read ({error})", expected, "fetch it again") from error
