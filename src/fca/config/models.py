"""Every setting with its type, range and meaning: the only source of the schema and of the table of settings.

Units are in a name or its description (the text below each field). Unknown keys are refused, values aren't
converted between types, and a loaded configuration can't be changed. Quick to import: no torch, no numpy.
A dataset's settings are in `fca.config.dataset`, a variant's in `fca.config.variant`.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from fca.config.dataset import Dataset
from fca.config.settings import FLOOR, BaseKind, FileName, Fraction, Name, PartFile, Positive, Settings, Sha256
from fca.config.variant import Variant
from fca.config.vbench import VBench
from fca.errors import FcaError


class Clip(Settings):
    """The shape of every clip, whatever dataset it comes from."""

    frames: Positive = Field(multiple_of=4)
    """Frames of a clip, the given ones included"""
    width: Positive = Field(multiple_of=16)
    """Width in pixels"""
    height: Positive = Field(multiple_of=16)
    """Height in pixels"""
    resize: Literal["stretch", "crop"] = "stretch"
    """stretch: to the clip's size, changing proportions; crop: cover that size and cut the centre out"""


class Base(Settings):
    """The frozen networks: a CogVideoX checkpoint and a BLIP-2 vision encoder."""

    model: str
    """CogVideoX checkpoint in diffusers' layout: a folder, or a name on the Hugging Face hub"""
    revision: str | None = None
    """Commit of `model` on the hub, 40 hexadecimal digits; null for a folder"""
    vision_model: str
    """BLIP-2 checkpoint that gives image features and caption embeddings: a folder, or a name on the hub"""
    vision_revision: str | None = None
    """Commit of `vision_model` on the hub, 40 hexadecimal digits; null for a folder"""
    sha256: dict[PartFile, Sha256] = Field(default={})
    """Expected sha256 of files of `model`, by path such as `vae/config.json`; checked whenever their folder is read"""
    vision_sha256: dict[FileName, Sha256] = Field(default={})
    """Expected sha256 of files of `vision_model`, by name; checked whenever it is read"""
    text_tokens: Positive
    """T5 tokens of a prompt, padding included (CogVideoX uses no mask)"""
    caption_tokens: Positive = 32
    """BERT tokens of a caption in frame-wise text conditioning, at most; padding is masked"""
    t_ref: int = Field(default=1, ge=0, lt=1000)
    """Diffusion timestep of the initial frames' pass through the frozen model"""


class Adapter(Settings):
    """Sizes of the adapter, which follow the base model's; what it does is a variant's to say."""

    queries_per_frame: Positive
    """Learned text queries for one latent frame (paper: 226, which makes 904)"""
    ftc_width: Positive
    """Width of a frame-wise text conditioning layer; a multiple of ftc_heads"""
    ftc_heads: Positive
    """Attention heads of a frame-wise text conditioning layer"""
    lora_rank: Positive = 128
    """Rank of variants with adapter: lora (CogVideoX's fine-tuning script: 128)"""
    lora_alpha: Positive = 64
    """Their output is scaled by lora_alpha / lora_rank (CogVideoX's fine-tuning script: 64)"""
    control_layers: Positive = 15
    """First layers of the base that variants with adapter: controlnet copy (half of them, as in HunyuanDiT's)"""

    @model_validator(mode="after")
    def check(self) -> "Adapter":
        if self.ftc_width % self.ftc_heads:
            raise ValueError(f"ftc_width ({self.ftc_width}) must be a multiple of ftc_heads ({self.ftc_heads})")
        return self


class Features(Settings):
    """The network that FVD and KVD are measured with; its name is part of every score's name."""

    network: str
    """Folder or file of the feature network"""
    sha256: Sha256 | None = None
    """Expected sha256 of its weights (of a folder: model.safetensors), checked before use; null: not checked"""


class Decode(Settings):
    """Decoding of videos and pictures, in processes of its own: one that hangs or crashes costs one clip."""

    seconds: float = Field(default=60.0, gt=0)
    """Time limit of one clip; it is quarantined when decoding takes longer"""
    processes: Positive | None = None
    """Processes that decode; null: the job's cores (OMP_NUM_THREADS, which Snakemake sets to a rule's threads)"""


class Encode(Settings):
    """The frozen networks' single run over the data."""

    batch_size: Positive
    """Clips encoded at once"""
    precision: Literal["fp32", "bf16", "fp16"]
    """Arithmetic of the frozen networks"""


class Train(Settings):
    """Optimizer and schedule. An optimizer step sees batch_size x processes x gradient_accumulation clips."""

    learning_rate: float = Field(gt=0)
    """Peak learning rate"""
    ablation_learning_rate: float | None = Field(default=None, gt=0)
    """Peak learning rate of variants with steps: ablation, which start from scratch; null: the same"""
    loss: Literal["v", "epsilon"] = "v"
    """v: error of the velocity, which the base predicts; epsilon: of the noise, as Eq. 4 is written"""
    schedule: Literal["cosine_with_restarts", "constant_with_warmup"] = "cosine_with_restarts"
    """Learning rate over the optimizer steps"""
    cycles: Positive = 1
    """Cycles of the cosine schedule"""
    warmup_steps: int = Field(ge=0)
    """Optimizer steps of linear warm-up"""
    betas: tuple[Fraction, Fraction] = Field(default=(0.9, 0.95), strict=False)
    """AdamW's decay rates"""
    eps: float = Field(default=1e-8, gt=0)
    """AdamW's epsilon"""
    weight_decay: float = Field(default=1e-4, ge=0)
    """AdamW's weight decay"""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are clipped to this norm"""
    batch_size: Positive
    """Clips in one forward pass of one process"""
    processes: Positive = 1
    """Processes (GPUs) that train together"""
    loader_workers: int = Field(default=0, ge=0)
    """Processes that read latents and draw noise beside each training process; any number gives the same batches"""
    gradient_accumulation: Positive = 1
    """Forward passes in one optimizer step"""
    precision: Literal["fp32", "bf16"]
    """Arithmetic of the forward pass (autocast); trained weights stay fp32"""
    checkpointed_layers: int = Field(default=0, ge=0)
    """First layers of the transformer whose activations are computed again in the backward pass, to save memory"""
    compile: bool = False
    """torch.compile for parts of the layers: minutes before the first step; no faster on a CPU, not tried on a GPU"""
    checkpoint_every: Positive
    """Optimizer steps between checkpoints"""
    keep_checkpoints: Positive = 2
    """Newest checkpoints that are kept; with one, a damaged one means starting again"""
    keep_every_hours: float | None = Field(default=24.0, gt=0)
    """Kept for good, too: the first checkpoint of every so many hours of training; null: none"""
    keep_best: bool = True
    """Kept, too: the checkpoint of the lowest smoothed loss (what is exported is the last step in any case)"""
    max_skipped: Positive = 10
    """Steps in a row whose loss or gradient is not finite before training gives up; single ones are skipped"""
    hours: float | None = Field(default=None, gt=0)
    """Hours after which a training saves and ends with status 75, to be continued; null: no such limit"""
    margin_minutes: float = Field(default=10.0, ge=0)
    """The same, so many minutes before the end of its Slurm job; a step and a checkpoint must fit in"""
    log_every: Positive = 10
    """Optimizer steps between log lines"""
    trackers: list[str] = Field(default=[])
    """Where the log goes, too: names of accelerate's trackers, such as tensorboard (installed with fca[tensorboard])"""
    init_from: str | None = None
    """Folder of an exported adapter that variants with adapter: fca and steps: full continue; null: from scratch"""

    @property
    def clips_per_step(self) -> int:
        """Clips that one optimizer step sees."""
        return self.batch_size * self.processes * self.gradient_accumulation


class Sample(Settings):
    """Prediction: DDIM, classifier-free guidance. The scheduler's settings come with the checkpoint."""

    steps: int = Field(default=50, gt=0, le=1000)
    """DDIM steps"""
    guidance_scale: float = Field(default=6.0, ge=1)
    """Weight of classifier-free guidance; 1 turns it off"""
    batch_size: Positive
    """Clips predicted at once; a clip's noise doesn't depend on it"""
    precision: Literal["fp32", "bf16", "fp16"]
    """Arithmetic of the networks"""


class Score(Settings):
    """Scores of predicted clips. What a score is, is fixed in code and in its name."""

    batch_size: Positive
    """Clips through the feature network at once"""
    bootstrap: Positive = 200
    """Resamplings of the clips behind each interval"""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Coverage of the intervals"""
    vbench: VBench | None = None
    """VBench; null: not measured"""


class Report(Settings):
    """The HTML report."""

    clips: Positive
    """Clips shown beside the truth, for each dataset"""


class Config(Settings):
    """A whole scale."""

    scale: Name
    """Name of the scale; part of every path"""
    data_dir: str = "data"
    """Everything made goes to data_dir/scale"""
    run_dir: str = "runs"
    """Checkpoints and logs of training go to run_dir/scale"""
    report_dir: str = "reports"
    """The report goes to report_dir/index.html"""
    seed: int = Field(ge=0, lt=2**32)
    """Root of every random choice"""
    clip: Clip
    """Shape of a clip"""
    base: Base
    """Frozen networks"""
    image_base: Base | None = None
    """Frozen networks of variants with base: image; null where there are none"""
    adapter: Adapter
    """Sizes of the adapter"""
    features: Features
    """Feature network of FVD and KVD"""
    datasets: dict[Name, Dataset] = Field(min_length=1)
    """Datasets by name"""
    decode: Decode = Decode()
    """Decoding of videos and pictures"""
    variants: dict[Name, Variant] = Field(min_length=1)
    """Variants by name; in a file, a list of names of files in variants/"""
    ablations: dict[Name, Variant] = Field(default={})
    """More variants, given likewise: rows of the paper's tables, made when a table is asked for, never by `all`"""
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
        """The variant or ablation of that name."""
        return self.every_variant[name]

    def base_of(self, variant: str) -> Base:
        """The frozen networks that a variant is made of."""
        return self.base_called(self.variant(variant).base)

    def base_called(self, kind: BaseKind) -> Base:
        """`base` or `image_base`."""
        if kind == "text":
            return self.base
        if self.image_base is None:
            raise FcaError("there is no image_base", "the image-to-video checkpoint of Table 2", "add it")
        return self.image_base

    def init_from(self, variant: str) -> Path | None:
        """The adapter that a variant's training continues; None: from scratch."""
        settings = self.variant(variant)
        if self.train.init_from is None or settings.adapter != "fca" or settings.steps != "full":
            return None
        return Path(self.train.init_from)

    def learning_rate(self, variant: str) -> float:
        """Peak learning rate of a variant's training."""
        settings = self.train
        if self.variant(variant).steps == "full" or settings.ablation_learning_rate is None:
            return settings.learning_rate
        return settings.ablation_learning_rate

    def train_steps(self, dataset: str, variant: str) -> int:
        """Optimizer steps of a variant on a dataset."""
        settings = self.datasets[dataset]
        if self.variant(variant).steps == "full":
            return settings.train_steps
        if settings.ablation_steps is None:
            raise FcaError(
                f"{dataset} has no ablation_steps",
                "a dataset that ablations are trained on",
                "train on another, or add them",
            )
        return settings.ablation_steps

    @model_validator(mode="after")
    def check(self) -> "Config":
        if both := sorted(set(self.variants) & set(self.ablations)):
            raise ValueError(f"{', '.join(both)}: in variants and in ablations, keep one")
        if FLOOR in self.every_variant:
            raise ValueError(f"a variant can't be called {FLOOR}: the VAE's own scores have that name")
        image = [name for name, variant in self.every_variant.items() if variant.base == "image"]
        if image and self.image_base is None:
            raise ValueError(f"the variant {image[0]} has base: image, so image_base must say where that model is")
        measured = (self.score.vbench and self.score.vbench.datasets) or []
        if unknown := sorted(set(measured) - set(self.datasets)):
            raise ValueError(f"score.vbench.datasets: there is no dataset {', '.join(unknown)}")
        if "ablation" in (variant.steps for variant in self.variants.values()):
            raise ValueError(
                "variants with steps: ablation belong to ablations: they are trained on some datasets only"
            )
        return self
