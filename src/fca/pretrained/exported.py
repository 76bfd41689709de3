"""`model.json`: what an exported model was trained for. It makes the model's folder sufficient for prediction.

Quick to import: no torch.
"""

import json
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError

from fca.artifacts.atomic import write_text
from fca.config import Base, Config
from fca.config.settings import Frames, Positive, SchedulerName, Settings
from fca.config.shipped import network_folder
from fca.errors import FcaError

FILE = "model.json"
OF_BASE = {"revision", "vision_model", "vision_revision", "text_tokens", "caption_tokens", "t_ref"}
"""Settings of `base` under their own names"""


class Prediction(Settings):
    """What a model predicts and how: the clips it was trained on, and the defaults of sampling."""

    text_tokens: Positive
    """T5 tokens of a prompt"""
    caption_tokens: Positive
    """BERT tokens of a caption, at most"""
    t_ref: int = Field(ge=0, lt=1000)
    """Diffusion timestep of the initial frames' reference pass"""
    frames: Frames
    """Frames of a clip, including the initial ones"""
    width: Positive = Field(multiple_of=16)
    """Width of a clip in pixels"""
    height: Positive = Field(multiple_of=16)
    """Height of a clip in pixels"""
    resize: Literal["stretch", "crop"]
    """How pictures of another size are resized"""
    initial_frames: int | None = Field(ge=1, le=4)
    """Initial frames of a clip; null: one or two"""
    scheduler: SchedulerName = "ddim"
    """Default scheduler; files without it are of models that are sampled by DDIM"""
    steps: int = Field(gt=0, le=1000)
    """Default number of sampling steps"""
    guidance_scale: float = Field(ge=1)
    """Default weight of classifier-free guidance; 1 turns it off"""

    def check_count(self, count: int) -> None:
        """Refuse a number of initial frames that the model can't start from.

        Raises:
            FcaError: it was trained with another number.
        """
        if self.initial_frames is None:
            fits, wanted = count in (1, 2), "one or two initial frames"
        else:
            fits, wanted = count == self.initial_frames, f"as many as in the model's training: {self.initial_frames}"
        if not fits:
            problem = "1 frame was given" if count == 1 else f"{count} frames were given"
            raise FcaError(problem, wanted, "give the first frames of the video, in order, or the video itself")

    def sampling(self, steps: int | None, guidance_scale: float | None) -> tuple[int, float]:
        """Sampling steps and guidance scale: those asked for, or the model's own.

        Raises:
            FcaError: one of them is out of its range.
        """
        steps = self.steps if steps is None else steps
        scale = self.guidance_scale if guidance_scale is None else guidance_scale
        if not _is_whole(steps) or not 1 <= steps <= 1000:
            raise FcaError(f"{steps!r} sampling steps were asked for", "a whole number from 1 to 1000")
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not 1 <= scale < float("inf"):
            raise FcaError(f"the guidance is {scale!r}", "a number from 1 (no guidance) up")
        return steps, float(scale)


PAPER = Prediction(
    text_tokens=226, caption_tokens=32, t_ref=1, frames=16, width=720, height=480, resize="stretch",
    initial_frames=None, steps=50, guidance_scale=6.0,
)  # fmt: skip
"""What the paper's models predict."""


class ExportedModel(Prediction):
    """An exported model: also the networks that it belongs to."""

    base: str
    """CogVideoX checkpoint: a folder, or a name on the Hugging Face hub"""
    revision: str | None
    """Commit of `base` on the hub; null for a folder"""
    vision_model: str
    """BLIP-2 checkpoint: a folder, or a name on the hub"""
    vision_revision: str | None
    """Commit of `vision_model` on the hub; null for a folder"""

    @classmethod
    def of(cls, config: Config, dataset: str, variant: str) -> Self:
        """Of a variant's model that is trained on a dataset of `config`."""
        base, sample = config.base_of(variant), config.of(variant).sample
        return cls(
            base=base.model,
            **base.model_dump(include=OF_BASE),
            **config.clip.model_dump(exclude={"sampling"}),
            initial_frames=config.datasets[dataset].initial_frames if config.variant(variant).base == "text" else 1,
            scheduler=sample.scheduler,
            steps=sample.steps,
            guidance_scale=sample.guidance_scale,
        )

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read it from a model's folder.

        Raises:
            FcaError: the file is missing or invalid.
        """
        path = Path(folder) / FILE
        train_again = "train it again, or write the file manually, as config/pocket-base/adapter/model.json"
        if not Path(folder).is_dir():
            raise FcaError(
                f"there is no model folder {folder}",
                "a folder that `fca train` wrote: data_dir/scale/DATASET/models/VARIANT",
            )
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise FcaError(f"{path} is missing", "an exported model with this file", train_again) from None
        except (OSError, UnicodeDecodeError) as error:
            raise FcaError(f"{path} can't be read: {error}", "JSON text", train_again) from None
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(str(part) for part in item['loc']) or 'the file'}: {item['msg']}"
                for item in error.errors(include_url=False)
            )
            raise FcaError(f"{path}: {wrong}", f"exactly {', '.join(cls.model_fields)}", train_again) from None

    def write(self, folder: str | Path) -> None:
        """Write it next to the weights in `folder`."""
        write_text(Path(folder) / FILE, json.dumps(self.model_dump(mode="json"), indent=1) + "\n")

    def located(self, folder: str | Path, base: str | None = None, vision_model: str | None = None) -> Self:
        """A copy with the frozen networks' folders resolved; names on the hub stay.

        A relative folder is searched in the working directory, in the parents of the model's `folder`, nearest first,
        and in the repository. `base` and `vision_model` replace the stored ones; BLIP-2 is also taken from the folder
        `vision` of such a base.

        Raises:
            FcaError: there is no such folder.
        """
        changes: dict[str, str | None] = {}
        if base is not None and vision_model is None and (Path(base) / "vision").is_dir():
            vision_model = str(Path(base) / "vision")
        if base is not None and base != self.base:
            changes |= {"base": base, "revision": None}
        if vision_model is not None and vision_model != self.vision_model:
            changes |= {"vision_model": vision_model, "vision_revision": None}
        exported = self.model_copy(update=changes)
        found = {name: _found(name, getattr(exported, name), Path(folder)) for name in ("base", "vision_model")}
        return exported.model_copy(update=found)

    def networks(self) -> Base:
        """The frozen networks, as the steps of the workflow name them."""
        return Base(model=self.base, **self.model_dump(include=OF_BASE))


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _found(key: str, name: str, folder: Path) -> str:
    """The folder called `name`, or a name on the hub as it is."""
    above = folder.resolve().parents
    for candidate in (Path(name), *(parent / name for parent in above)):
        if candidate.is_dir():
            return str(candidate)
    try:
        return str(network_folder(name) or name)
    except FcaError as error:
        option = "--base" if key == "base" else "--vision-model"
        raise FcaError(
            f"the frozen networks of {folder} are not there: {error.problem}",
            f"{name} in the working directory, in a folder above the model's or in the repository; or `hub:org/name`",
            f"name their folder ({option}; in Python {key}=)",
        ) from None
