"""The model card, README.md in a model's folder: the hub's metadata and what a reader should know.

The same configuration, model and scores give the same bytes. Nothing is computed from a card: no hash contains it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import jinja2
import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from huggingface_hub.repocard import metadata_load

from fca.artifacts.atomic import write_text
from fca.config import Config
from fca.config.dataset_formats import FORMATS
from fca.config.layout import CARD
from fca.config.rehearsal import is_rehearsal
from fca.config.settings import Positive, Settings
from fca.pretrained.exported import ExportedModel
from fca.pretrained.hub.names import hub_name, licence, public

TEMPLATE = Path(__file__).with_name("card.md.j2")
PLACE = "REPO_OR_FOLDER"
"""Stands for the repository in the example until the model is pushed."""
TASK = "image-to-video"
"""The hub's nearest task."""
RECORD = "fca"
"""Key of the front matter that holds a `Training`."""
KINDS = {"fca": "An adapter", "lora": "Low-rank weights (LoRA)", "controlnet": "A ControlNet"}


class Training(Settings):
    """What a model was trained on. Its card keeps it, so that a folder alone is enough to write the card again."""

    variant: str
    """Name of the variant"""
    adapter: str
    """What was trained: fca, lora or controlnet"""
    dataset: str
    """Name of the dataset in the configuration"""
    format: str
    """Its format"""
    source: Literal["library", "archive"]
    """library: the videos are simulated"""
    clips: Positive
    """Clips for training, before those that can't be used are left out"""
    steps: Positive
    """Optimizer steps"""
    clips_per_step: Positive
    """Clips of an optimizer step"""
    init_from: str | None
    """Adapter that training started from; null: from scratch"""
    seed: int
    """Seed of all random choices"""
    rehearsal: bool = False
    """Whether `fca rehearse` trained it, so that it predicts nothing"""

    @classmethod
    def of(cls, config: Config, dataset: str, variant: str) -> Self:
        """Of a variant on a dataset of `config`."""
        settings, start = config.datasets[dataset], config.init_from(variant)
        return cls(
            variant=variant,
            adapter=config.variant(variant).adapter,
            dataset=dataset,
            format=settings.format,
            source=settings.source,
            clips=settings.train.clips,
            steps=config.train_steps(dataset, variant),
            clips_per_step=config.train.clips_per_step,
            init_from=public(str(start)) if start else None,
            seed=config.seed,
            rehearsal=is_rehearsal(config),
        )

    @classmethod
    def recorded(cls, folder: Path) -> Self | None:
        """As the card in `folder` records it; None if there is no such card."""
        try:
            return cls.model_validate((metadata_load(folder / CARD) or {})[RECORD])
        except (OSError, ValueError, KeyError, yaml.YAMLError):
            return None


@dataclass(frozen=True)
class Row:
    """One score: its metric, its full protocol name, its value, and value and interval as they are printed."""

    metric: str
    title: str
    name: str
    value: float
    text: str
    interval: str


@dataclass(frozen=True)
class Scores:
    """The scores of a model."""

    rows: Sequence[Row]
    clips: int
    network: str
    confidence: float | None
    """Coverage of the intervals."""


def write_card(folder: Path, training: Training | None, scores: Scores | None = None) -> Path:
    """Write the card of the model in `folder`; return its path.

    Raises:
        FcaError: the folder is no model's.
    """
    return write_text(folder / CARD, card(ExportedModel.read(folder), training, scores))


def card(model: ExportedModel, training: Training | None, scores: Scores | None = None) -> str:
    """The text of a card."""
    base = hub_name(model.base)
    name = f"{training.variant}-{training.dataset}" if training else "text-video-prediction"
    named, simulated = licence(model.base), training is not None and training.source == "library"
    data = (FORMATS[training.format].published or training.dataset) if training and not simulated else None
    metadata = ModelCardData(
        base_model=base,
        base_model_relation="adapter" if base else None,
        datasets=[data] if data else None,
        eval_results=_results(training, scores, data) if training and scores else None,
        library_name="diffusers",
        **named._asdict(),
        model_name=name if training and scores else None,
        pipeline_tag=TASK,
        tags=["fca", "text-video-prediction", "cogvideox", "diffusers", *([training.adapter] if training else [])],
    )
    if training:
        metadata[RECORD] = training.model_dump(exclude_defaults=True)

    return _render(
        card_data=metadata.to_yaml(line_break="\n"),
        name=name,
        kind=KINDS.get(training.adapter, KINDS["fca"]) if training else KINDS["fca"],
        model=model,
        training=training,
        scores=scores,
        repo=PLACE,
        base=f"`{base or public(model.base)}`",
        revision=_at(model.revision),
        vision=f"`{hub_name(model.vision_model) or public(model.vision_model)}`",
        vision_revision=_at(model.vision_revision),
        initial="one or two initial ones" if model.initial_frames is None else f"{model.initial_frames} initial",
        data=f"simulated clips in the format {training.format}" if training and simulated else data,
        pocket=Path(model.base).name.startswith("pocket"),
        licence=_licence_in_words(named.license, named.license_name),
        rights="The clips are simulated, so no dataset's licence applies." if simulated else RIGHTS,
    )


RIGHTS = (
    "The training videos have a licence of their own, which may restrict the use of models trained on them. "
    "None of them is here."
)


def named(text: str, repo: str) -> str:
    """A card whose example loads from `repo`."""
    return re.sub(r'(FCAPipeline\.from_pretrained\(")[^"\n]*"', lambda found: f'{found[1]}{repo}"', text)


def _results(training: Training, scores: Scores, data: str | None) -> list[EvalResult]:
    """The scores as the hub's metadata has them."""
    return [
        EvalResult(
            task_type=TASK,
            dataset_type=data or f"simulated-{training.format}",
            dataset_name=training.dataset,
            dataset_split="validation",
            metric_type=row.metric,
            metric_name=row.name,
            metric_value=row.value,
        )
        for row in scores.rows
    ]


def _at(revision: str | None) -> str:
    return f" at commit `{revision}`" if revision else ""


def _licence_in_words(identifier: str, name: str | None) -> str:
    if identifier == "unknown":
        return "The licence of the frozen base is unknown to us, and so is the one of this model: ask the base's owner."
    return f"This model follows the licence of its frozen base ({name or identifier}), which you accept with the base."


def _render(**values: object) -> str:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return str(ModelCard(environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(values)))
