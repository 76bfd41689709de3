"""Every setting with its type, range and meaning: the only source of the schema and of the table of settings.

The text below a field is its description. Unknown keys are refused, and values aren't converted between types.
`fca.config.dataset`, `train`, `variant` and `vbench` hold the larger groups. Imports without torch and numpy.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from fca.config.dataset import Dataset
from fca.config.settings import (
    VAE_ROUNDTRIP,
    BaseKind,
    FileName,
    Name,
    PartFile,
    Positive,
    Scale,
    SchedulerName,
    Settings,
    Sha256,
)
from fca.config.train import Train
from fca.config.variant import Variant
from fca.config.vbench import VBench
from fca.errors import FcaError


class Clip(Settings):
    """The shape of every clip, for all datasets."""

    frames: Positive = Field(multiple_of=4)
    """Frames of a clip, initial frames included"""
    width: Positive = Field(multiple_of=16)
    """Width in pixels"""
    height: Positive = Field(multiple_of=16)
    """Height in pixels"""
    resize: Literal["stretch", "crop"] = "stretch"
    """stretch: resize to the clip's size, changing proportions; crop: cover that size, then crop the centre"""
    sampling: Literal["time", "index"] | None = None
    """Sample a video's frames evenly in time, or by index as Seer; null: time for format: folder, else index"""


class Base(Settings):
    """The frozen networks: a CogVideoX checkpoint and a BLIP-2 vision encoder."""

    model: str
    """CogVideoX checkpoint in diffusers' layout: a folder, or a name on the Hugging Face hub (`hub:org/name`)"""
    revision: str | None = None
    """Commit of `model` on the hub, 40 hexadecimal digits; null for a folder"""
    vision_model: str
    """BLIP-2 checkpoint for image features and caption embeddings: a folder, or a name on the hub (`hub:org/name`)"""
    vision_revision: str | None = None
    """Commit of `vision_model` on the hub, 40 hexadecimal digits; null for a folder"""
    sha256: dict[PartFile, Sha256] = Field(default={})
    """Expected sha256 of files of `model`, by path such as `vae/config.json`; checked when their folder is read"""
    vision_sha256: dict[FileName, Sha256] = Field(default={})
    """Expected sha256 of files of `vision_model`, by name; checked when it is read"""
    text_tokens: Positive
    """T5 tokens of a prompt, padding included (CogVideoX uses no mask)"""
    caption_tokens: Positive = 32
    """Maximum BERT tokens of a caption in frame-wise text conditioning; padding is masked"""
    t_ref: int = Field(default=1, ge=0, lt=1000)
    """Diffusion timestep of the initial frames' pass through the frozen model"""


class Adapter(Settings):
    """Sizes of the adapter, which follow those of the base model; a variant says what the adapter does."""

    queries_per_frame: Positive
    """Learned text queries for one latent frame (paper: 226, so 904 in all)"""
    ftc_width: Positive
    """Width of a frame-wise text conditioning layer; a multiple of ftc_heads"""
    ftc_heads: Positive
    """Attention heads of a frame-wise text conditioning layer"""
    lora_rank: Positive = 128
    """Rank of variants with adapter: lora (CogVideoX's fine-tuning script: 128)"""
    lora_alpha: Positive = 64
    """The output of LoRA is scaled by lora_alpha / lora_rank (CogVideoX's fine-tuning script: 64)"""
    control_layers: Positive = 15
    """Number of first layers of the base that variants with adapter: controlnet copy (15: half, as in HunyuanDiT)"""

    @model_validator(mode="after")
    def check(self) -> "Adapter":
        if self.ftc_width % self.ftc_heads:
            raise ValueError(f"ftc_width ({self.ftc_width}) must be a multiple of ftc_heads ({self.ftc_heads})")
        return self


class Features(Settings):
    """The feature network of FVD and KVD; its name is part of every score's name."""

    network: str
    """Folder or file of the feature network"""
    sha256: Sha256 | None = None
    """Expected sha256 of its weights (in a folder: model.safetensors), checked before use; null: not checked"""


class Decode(Settings):
    """Decoding of videos and pictures in separate processes: one that hangs or crashes costs one clip."""

    seconds: float = Field(default=60.0, gt=0)
    """Time limit for one clip; a clip that takes longer is quarantined"""
    processes: Positive | None = None
    """Processes that decode; null: the job's cores (OMP_NUM_THREADS, which Snakemake sets to a rule's threads)"""
    decoder: Literal["pyav", "decord"] = "pyav"
    """Decoder of videos; decord reads those whose packets prove that it gives PyAV's pixels, PyAV the others"""


class Encode(Settings):
    """Encoding of the data with the frozen networks, once before training."""

    batch_size: Positive
    """Clips in one pass of the ViT; the VAE encodes one at a time"""
    precision: Literal["fp32", "bf16", "fp16"]
    """Arithmetic of the frozen networks"""


class Sample(Settings):
    """Prediction with classifier-free guidance; the checkpoint has the noise schedule."""

    scheduler: SchedulerName = "ddim"
    """ddim: DDIM, as the paper; dpm: SDE-DPM-Solver++(2M), which CogVideoX's demo recommends for its larger models"""
    steps: int = Field(default=50, gt=0, le=1000)
    """Sampling steps"""
    guidance_scale: float = Field(default=6.0, ge=1)
    """Weight of classifier-free guidance; 1 turns it off"""
    batch_size: Positive
    """Clips denoised at once, decoded one at a time; a clip's noise doesn't depend on it"""
    precision: Literal["fp32", "bf16", "fp16"]
    """Arithmetic of the networks (CogVideoX-2B was trained in fp16, the 5B in bf16)"""


class Score(Settings):
    """Scores of predicted clips; the code and a score's name fix how it is computed."""

    batch_size: Positive
    """Clips in one pass of the feature network"""
    bootstrap: Positive = 200
    """Bootstrap samples of the clips for each interval"""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Coverage of the intervals"""
    vbench: VBench | None = None
    """VBench; null: not measured"""


class Report(Settings):
    """The HTML report."""

    clips: Positive
    """Clips of each dataset shown next to the ground truth"""


REPLICATE = "@"
"""Between a variant and the number of its training, from the second on."""


class Positions(Settings):
    """Position error of predictions, for datasets made of the clip library."""

    network: str | None = None
    """Folder of the position reader; null: not measured"""


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

    @property
    def every_variant(self) -> dict[str, Variant]:
        """Variants and ablations."""
        return self.variants | self.ablations

    def variant(self, name: str) -> Variant:
        """The variant or ablation called `name`, or that of the replicate called so."""
        return self.every_variant[name.partition(REPLICATE)[0]]

    def replicates(self, variant: str) -> list[str]:
        """Names of a variant's trainings: `fca`, `fca@2`, `fca@3`, ...; its own alone if it has nothing to train."""
        more = range(2, self.train.replicates + 1) if self.variant(variant).trained else ()
        return [variant, *(f"{variant}{REPLICATE}{number}" for number in more)]

    @property
    def every_replicate(self) -> list[str]:
        """Names of all trainings of variants and ablations, and of variants without one."""
        return [name for variant in self.every_variant for name in self.replicates(variant)]

    @staticmethod
    def replicate(name: str) -> int:
        """The number of a training, from 1: 3 for `fca@3`."""
        return int(name.partition(REPLICATE)[2] or 1)

    def base_of(self, variant: str) -> Base:
        """The frozen networks of a variant."""
        return self.base_called(self.variant(variant).base)

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
        settings = self.datasets[dataset]
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
        if both := sorted(set(self.variants) & set(self.ablations)):
            raise ValueError(f"{', '.join(both)}: in variants and in ablations; keep one of the two")
        if VAE_ROUNDTRIP in self.every_variant:
            raise ValueError(f"a variant can't be called {VAE_ROUNDTRIP}: the scores of the VAE alone have that name")
        image = [name for name, variant in self.every_variant.items() if variant.base == "image"]
        if image and self.image_base is None:
            raise ValueError(f"the variant {image[0]} has base: image, so image_base must name its networks")
        measured = (self.score.vbench and self.score.vbench.datasets) or []
        if unknown := sorted(set(measured) - set(self.datasets)):
            raise ValueError(f"score.vbench.datasets: there is no dataset {', '.join(unknown)}")
        if "ablation" in (variant.steps for variant in self.variants.values()):
            raise ValueError("variants with steps: ablation belong in ablations: only some datasets train them")
        return self
