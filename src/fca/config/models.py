"""Every setting with its type, range and meaning: the only source of the schema and of the table of settings.

The text below a field is its description. Unknown keys are refused, and values aren't converted between types.
`fca.config.dataset`, `networks`, `steps`, `train`, `variant` and `vbench` hold the groups. Imports without torch and
numpy.
"""

from pathlib import Path

from pydantic import Field, model_validator

from fca.config.dataset import Dataset
from fca.config.evidence import Evidence
from fca.config.names import RunName
from fca.config.networks import Adapter, Base, Features, Positions
from fca.config.settings import VAE_ROUNDTRIP, BaseKind, Name, Scale, Settings
from fca.config.steps import Clip, Decode, Encode, Report, Sample, Score
from fca.config.train import Train
from fca.config.variant import Variant
from fca.errors import FcaError


class Config(Settings):
    """A whole configuration."""

    scale: Scale
    """Name of the scale; part of every path"""
    data_dir: str = "data"
    """Folder of results, from the working directory: they are written to data_dir/scale"""
    run_dir: str = "runs"
    """Folder of trainings, likewise: their checkpoints and logs are written to run_dir/scale"""
    report_dir: str = "reports"
    """Folder of the report, likewise: report_dir/index.html"""
    seed: int = Field(ge=0, lt=2**32)
    """Seed of all random choices"""
    clip: Clip
    """Shape of a clip"""
    base: Base
    """Frozen networks"""
    image_base: Base | None = None
    """Frozen networks of variants with base: image; null: there are none"""
    adapter: Adapter
    """Sizes of the adapter"""
    features: Features
    """Feature network of FVD and KVD"""
    positions: Positions = Positions()
    """Position reader"""
    datasets: dict[Name, Dataset] = Field(min_length=1)
    """Datasets by name"""
    decode: Decode = Decode()
    """Decoding of videos and pictures"""
    variants: dict[Name, Variant] = Field(min_length=1)
    """Variants by name, or a list of names of files in variants/"""
    ablations: dict[Name, Variant] = Field(default={})
    """More variants for the paper's tables and figures, written likewise; made by `snakemake table3`, not by `all`"""
    encode: Encode
    """Encoding with the frozen networks"""
    train: Train
    """Training of the adapter"""
    sample: Sample
    """Prediction"""
    score: Score
    """Scores"""
    report: Report
    """Report"""
    evidence: Evidence = Evidence()
    """Records of trainings"""

    @property
    def every_variant(self) -> dict[str, Variant]:
        """Variants and ablations."""
        return self.variants | self.ablations

    def variant(self, name: str) -> Variant:
        """The variant or ablation called `name`, or that of the training or length called so."""
        return self.every_variant[RunName.of(name).variant]

    def replicates(self, variant: str) -> list[str]:
        """Names of a variant's trainings: `fca`, `fca@2`, `fca@3`, ...; its own alone if it has nothing to train.

        Of a length `fca~500` they are `fca~500`, `fca@2~500`, ...
        """
        count = self.train.replicates if self.variant(variant).trained else 1
        return [RunName.of(variant).but(replicate=number) for number in range(1, count + 1)]

    def lengths(self, training: str) -> list[str]:
        """Names of the models that a training exports on its way: `fca@2~500` of `fca@2`."""
        lengths = sorted(self.train.lengths) if self.variant(training).trains else ()
        return [RunName.of(training).but(steps=steps) for steps in lengths]

    @property
    def every_replicate(self) -> list[str]:
        """Names of all trainings of variants and ablations, and of variants without one."""
        return [name for variant in self.every_variant for name in self.replicates(variant)]

    @property
    def every_run(self) -> list[str]:
        """The same, and the lengths of each."""
        return [run for name in self.every_replicate for run in (name, *self.lengths(name))]

    @staticmethod
    def replicate(name: str) -> int:
        """The number of a training, from 1: 3 for `fca@3`."""
        return RunName.of(name).replicate

    def of(self, variant: str) -> "Config":
        """This configuration with a variant's own settings in `train`, `adapter`, `sample` and its base."""
        settings = self.variant(variant)
        base = {"text": "base", "image": "image_base"}[settings.base]
        scale = {} if settings.guidance_scale is None else {"guidance_scale": settings.guidance_scale}
        own = {
            "train": self.train_of(variant),
            "adapter": self.adapter.model_copy(update=settings.sizes.model_dump(exclude_none=True)),
            "sample": self.sample.model_copy(update=scale),
            base: self.base_of(variant),
        }
        return self.model_copy(update=own)

    def base_of(self, variant: str) -> Base:
        """The frozen networks of a variant."""
        settings = self.variant(variant)
        base = self.base_called(settings.base)
        return base if settings.t_ref is None else base.model_copy(update={"t_ref": settings.t_ref})

    def weights_name(self, name: str) -> str:
        """Whose training made the weights of a variant or one of its replicates: `fca@2` of `guidance_1@2`."""
        settings = self.every_variant.get(RunName.of(name).variant)
        return (
            name
            if settings is None or settings.weights_of is None
            else RunName.of(name).but(variant=settings.weights_of)
        )

    def base_called(self, kind: BaseKind) -> Base:
        """`base` or `image_base`."""
        if kind == "text":
            return self.base
        if self.image_base is None:
            raise FcaError("the configuration has no image_base", "the image-to-video checkpoint of Table 2", "add it")
        return self.image_base

    def init_from(self, variant: str) -> Path | None:
        """The adapter that a variant's training continues from; None: from scratch."""
        settings = self.variant(variant)
        if self.train.init_from is None or settings.adapter != "fca" or settings.steps != "full":
            return None
        return Path(self.train.init_from)

    def train_of(self, variant: str) -> Train:
        """`train` with a variant's own peak learning rate and optimizer settings."""
        settings, own = self.train, self.variant(variant)
        rate = settings.learning_rate
        if own.steps == "ablation" and settings.ablation_learning_rate is not None:
            rate = settings.ablation_learning_rate
        return settings.model_copy(update={"learning_rate": rate} | own.optimizer.model_dump(exclude_none=True))

    def learning_rate(self, variant: str) -> float:
        """Peak learning rate of a variant."""
        return self.train_of(variant).learning_rate

    def train_steps(self, dataset: str, variant: str) -> int:
        """Optimizer steps of a variant on a dataset."""
        settings, length = self.datasets[dataset], RunName.of(variant).steps
        if length is not None:
            return length
        if self.variant(variant).steps == "full":
            return settings.train_steps
        if settings.ablation_steps is None:
            raise FcaError(
                f"{dataset} has no ablation_steps",
                "a dataset to train ablations on",
                "train on another dataset, or add ablation_steps to this one",
            )
        return settings.ablation_steps

    @model_validator(mode="after")
    def check(self) -> "Config":
        _check_variants(self)
        measured = (self.score.vbench and self.score.vbench.datasets) or []
        if unknown := sorted(set(measured) - set(self.datasets)):
            raise ValueError(f"score.vbench.datasets: there is no dataset {', '.join(unknown)}")
        return self


OF_SAMPLING = {"name", "title", "guidance_scale", "weights_of", "opposite", "optimizer"}
"""Settings of a variant that don't say what its weights are."""


def _check_variants(config: Config) -> None:
    """Refuse names, bases, sizes, weights and lengths that don't fit together."""
    if both := sorted(set(config.variants) & set(config.ablations)):
        raise ValueError(f"{', '.join(both)}: in variants and in ablations; keep one of the two")
    if VAE_ROUNDTRIP in config.every_variant:
        raise ValueError(f"a variant can't be called {VAE_ROUNDTRIP}: the scores of the VAE alone have that name")
    image = [name for name, variant in config.every_variant.items() if variant.base == "image"]
    if image and config.image_base is None:
        raise ValueError(f"the variant {image[0]} has base: image, so image_base must name its networks")
    if "ablation" in (variant.steps for variant in config.variants.values()):
        raise ValueError("variants with steps: ablation belong in ablations: only some datasets train them")

    for name, variant in config.every_variant.items():
        sizes = config.of(name).adapter
        if sizes.ftc_width % sizes.ftc_heads:
            raise ValueError(
                f"{name}: ftc_width ({sizes.ftc_width}) must be a multiple of ftc_heads ({sizes.ftc_heads})"
            )
        if variant.weights_of is not None:
            _check_weights(config, name, variant, variant.weights_of)
        if config.train.lengths and variant.trains:
            _check_lengths(config, name, variant)


def _check_weights(config: Config, name: str, variant: Variant, source: str) -> None:
    """Refuse weights of a variant that has none of its own, or is something else."""
    other = config.every_variant.get(source)
    if other is None or not other.trains:
        raise ValueError(f"{name} has weights_of: {source}, which is no variant that is trained")
    mine, theirs = variant.model_dump(exclude=OF_SAMPLING), other.model_dump(exclude=OF_SAMPLING)
    if different := [key for key, value in mine.items() if theirs[key] != value]:
        raise ValueError(f"{name} has weights_of: {source}, so {different[0]} must be the same")


def _check_lengths(config: Config, name: str, variant: Variant) -> None:
    """Refuse lengths that aren't those of shorter trainings, or beyond a training's end."""
    longest = max(config.train.lengths)
    if config.train_of(name).schedule != "constant_with_warmup":
        raise ValueError(
            f"train.lengths: the learning rate of {name} depends on its last step, so its model on the way isn't that"
            " of a shorter training; set schedule: constant_with_warmup"
        )
    for dataset, own in config.datasets.items():
        steps = own.train_steps if variant.steps == "full" else own.ablation_steps
        if steps is not None and longest >= steps:
            raise ValueError(f"train.lengths: {longest} isn't below the {steps} steps of {name} on {dataset}")
