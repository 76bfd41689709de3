"""`model.json`: what an exported model was trained for. With it, the model's folder alone is enough to predict.

Quick to import: no torch.
"""

import json
import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError

from fca.artifacts.atomic import write_aside
from fca.config import Base, Config
from fca.config.settings import Positive, Settings
from fca.errors import FcaError

FILE = "model.json"
HUB_NAME = r"[\w.-]+/[\w.-]+"
LARGEST_SEED = 2**32 - 1


class ExportedModel(Settings):
    """The networks that an exported model belongs to, the clips it was trained on, and how to sample from it."""

    base: str
    """CogVideoX checkpoint: a folder, or a name on the Hugging Face hub"""
    revision: str | None
    """Commit of `base` on the hub; null for a folder"""
    vision_model: str
    """BLIP-2 checkpoint: a folder, or a name on the hub"""
    vision_revision: str | None
    """Commit of `vision_model` on the hub; null for a folder"""
    text_tokens: Positive
    """T5 tokens of a prompt"""
    caption_tokens: Positive
    """BERT tokens of a caption, at most"""
    t_ref: int = Field(ge=0, lt=1000)
    """Diffusion timestep of the initial frames' reference pass"""
    frames: Positive = Field(multiple_of=4)
    """Frames of a clip, the given ones included"""
    width: Positive = Field(multiple_of=16)
    """Width of a clip in pixels"""
    height: Positive = Field(multiple_of=16)
    """Height of a clip in pixels"""
    resize: Literal["stretch", "crop"]
    """How pictures of another size come to the clip's"""
    initial_frames: int | None = Field(ge=1, le=4)
    """Given frames of a clip; null: one or two"""
    steps: int = Field(gt=0, le=1000)
    """DDIM steps, where nothing else is asked for"""
    guidance_scale: float = Field(ge=1)
    """Weight of classifier-free guidance, where nothing else is asked for; 1 turns it off"""

    @classmethod
    def of(cls, config: Config, dataset: str, variant: str) -> Self:
        """The facts of a variant's model that is trained on a dataset of `config`."""
        base, clip, sample = config.base_of(variant), config.clip, config.sample
        return cls(
            base=base.model,
            revision=base.revision,
            vision_model=base.vision_model,
            vision_revision=base.vision_revision,
            text_tokens=base.text_tokens,
            caption_tokens=base.caption_tokens,
            t_ref=base.t_ref,
            frames=clip.frames,
            width=clip.width,
            height=clip.height,
            resize=clip.resize,
            initial_frames=config.datasets[dataset].initial_frames if config.variant(variant).base == "text" else 1,
            steps=sample.steps,
            guidance_scale=sample.guidance_scale,
        )

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """The facts in a model's folder; `FcaError` names the file that is missing or wrong, and what is wrong."""
        path = Path(folder) / FILE
        train_again = "train it again, or write the file by hand, as config/pocket-base/adapter/model.json"
        if not Path(folder).is_dir():
            raise FcaError(
                f"there is no model folder {folder}",
                "a folder that `fca train` wrote: data_dir/scale/DATASET/models/VARIANT",
            )
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise FcaError(f"{path} is missing", "a model exported with its facts", train_again) from None
        except (OSError, UnicodeDecodeError) as error:
            raise FcaError(f"{path} can't be read: {error}", "JSON text", train_again) from None
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(str(part) for part in item['loc']) or 'the file'}: {item['msg']}"
                for item in error.errors(include_url=False)
            )
            raise FcaError(f"{path}: {wrong}", f"exactly {', '.join(cls.model_fields)}", train_again) from None

    def write(self, folder: str | Path) -> None:
        """Write the facts beside the weights in `folder`."""
        with write_aside(Path(folder) / FILE) as aside:
            aside.write_text(json.dumps(self.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")

    def located(self, folder: str | Path, base: str | None = None, vision_model: str | None = None) -> Self:
        """The same with the frozen networks' folders found; names on the hub stay.

        A relative folder is looked for in the working directory, then in the parents of the model's `folder`, from the
        nearest up. `base` and `vision_model` stand in for the written ones; BLIP-2 is also taken from the folder
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
        facts = self.model_copy(update=changes)
        found = {name: _found(name, getattr(facts, name), Path(folder)) for name in ("base", "vision_model")}
        return facts.model_copy(update=found)

    def networks(self) -> Base:
        """The frozen networks, as the steps of the workflow name them."""
        return Base(
            model=self.base,
            revision=self.revision,
            vision_model=self.vision_model,
            vision_revision=self.vision_revision,
            text_tokens=self.text_tokens,
            caption_tokens=self.caption_tokens,
            t_ref=self.t_ref,
        )

    def check_count(self, count: int) -> None:
        """`FcaError` where the model can't start from so many given frames."""
        if self.initial_frames is None:
            fits, wanted = count in (1, 2), "one or two initial frames"
        else:
            fits, wanted = count == self.initial_frames, f"as many as in the model's training: {self.initial_frames}"
        if not fits:
            given = "1 frame was given" if count == 1 else f"{count} frames were given"
            raise FcaError(given, wanted, "give the first frames of the video, in order, or the video itself")

    def sampling(self, steps: int | None, guidance_scale: float | None, seed: int) -> tuple[int, float]:
        """DDIM steps and guidance scale: those asked for, or the model's own.

        Raises:
            FcaError: one of them, or the seed, is out of its range.
        """
        steps = self.steps if steps is None else steps
        scale = self.guidance_scale if guidance_scale is None else guidance_scale
        if not _is_whole(steps) or not 1 <= steps <= 1000:
            raise FcaError(f"{steps!r} DDIM steps were asked for", "a whole number from 1 to 1000")
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not 1 <= scale < float("inf"):
            raise FcaError(f"the guidance is {scale!r}", "a number from 1 (no guidance) up")
        if not _is_whole(seed) or not 0 <= seed <= LARGEST_SEED:
            raise FcaError(f"the seed is {seed!r}", f"a whole number from 0 to {LARGEST_SEED}")
        return steps, float(scale)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _found(key: str, name: str, folder: Path) -> str:
    """The folder called `name`, or a name on the hub as it is."""
    above = folder.resolve().parents
    for candidate in (Path(name), *(parent / name for parent in above)):
        if candidate.is_dir():
            return str(candidate)
    if re.fullmatch(HUB_NAME, name) and not name.startswith("."):
        return name
    option = "--base" if key == "base" else "--vision-model"
    raise FcaError(
        f"the frozen networks of {folder} are not there: no folder {name}",
        f"{name} in the working directory or in a folder above the model's",
        f"name their folder ({option}; in Python {key}=)",
    )
