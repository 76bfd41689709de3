"""Settings of training."""

from typing import Annotated, Literal

from pydantic import Field

from fca.config.settings import Fraction, Positive, Settings

Schedule = Literal["cosine_with_restarts", "constant_with_warmup"]
Betas = Annotated[tuple[Fraction, Fraction], Field(strict=False)]


class Optimizer(Settings):
    """A variant's own AdamW and learning rate schedule; null: as `train` says."""

    learning_rate: float | None = Field(default=None, gt=0)
    """Peak learning rate, also with steps: ablation"""
    schedule: Schedule | None = None
    """Learning rate schedule"""
    cycles: Positive | None = None
    """Cycles of the cosine schedule"""
    warmup_steps: int | None = Field(default=None, ge=0)
    """Optimizer steps of linear warm-up"""
    betas: Betas | None = None
    """AdamW's decay rates"""
    eps: float | None = Field(default=None, gt=0)
    """AdamW's epsilon"""
    weight_decay: float | None = Field(default=None, ge=0)
    """AdamW's weight decay"""
    max_grad_norm: float | None = Field(default=None, gt=0)
    """Gradients are clipped to this norm"""


class Train(Settings):
    """Training. An optimizer step sees batch_size x processes x gradient_accumulation clips."""

    learning_rate: float = Field(gt=0)
    """Peak learning rate"""
    ablation_learning_rate: float | None = Field(default=None, gt=0)
    """Peak learning rate of variants with steps: ablation, which start from scratch; null: learning_rate"""
    loss: Literal["v", "epsilon"] = "v"
    """v: mean squared error of the velocity, which the base predicts; epsilon: of the noise, as Eq. 4 is written"""
    schedule: Schedule = "cosine_with_restarts"
    """Learning rate schedule"""
    cycles: Positive = 1
    """Cycles of the cosine schedule"""
    warmup_steps: int = Field(ge=0)
    """Optimizer steps of linear warm-up"""
    betas: Betas = (0.9, 0.95)
    """AdamW's decay rates"""
    eps: float = Field(default=1e-8, gt=0)
    """AdamW's epsilon"""
    weight_decay: float = Field(default=1e-4, ge=0)
    """AdamW's weight decay"""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are clipped to this norm"""
    replicates: Positive = 1
    """Trainings of every variant, each with a seed of its own; scores are the mean of all"""
    lengths: list[Positive] = Field(default=[])
    """Also export the model after these optimizer steps, as `fca~500`; needs schedule: constant_with_warmup"""
    batch_size: Positive
    """Clips in one forward pass of one process"""
    processes: Positive = 1
    """Processes (GPUs) that train together"""
    loader_workers: int = Field(default=0, ge=0)
    """Processes that load latents and draw noise for each training process; any number gives the same batches"""
    gradient_accumulation: Positive = 1
    """Forward passes in one optimizer step"""
    precision: Literal["fp32", "bf16"]
    """Arithmetic of the forward pass (autocast); trained weights stay fp32"""
    checkpointed_layers: int = Field(default=0, ge=0)
    """Gradient checkpointing for this many first layers, and with all of them for gamma: less memory, more time"""
    compile: bool = False
    """torch.compile for parts of the layers: minutes before the first step; no faster on a CPU, untested on a GPU"""
    checkpoint_every: Positive
    """Optimizer steps between checkpoints"""
    keep_checkpoints: Positive = 2
    """Number of newest checkpoints to keep; with one, a damaged checkpoint means starting over"""
    keep_every_hours: float | None = Field(default=24.0, gt=0)
    """Also keep one checkpoint for every this many hours of training, permanently; null: none"""
    keep_best: bool = True
    """Also keep the checkpoint with the lowest smoothed loss; the exported model is always the last step"""
    max_skipped: Positive = 10
    """Stop after this many consecutive steps with a non-finite loss or gradient; fewer are skipped"""
    hours: float | None = Field(default=None, gt=0)
    """Save and exit with status 75 after this many hours, to be resumed; null: no limit"""
    margin_minutes: float = Field(default=10.0, ge=0)
    """Save and exit this many minutes before the Slurm job ends; must leave time for a step and a checkpoint"""
    log_every: Positive = 10
    """Optimizer steps between log lines"""
    trackers: list[str] = Field(default=[])
    """Also log to these trackers of accelerate, such as tensorboard (pip install '.[tensorboard]' in a clone)"""
    init_from: str | None = None
    """Exported adapter that variants with adapter: fca and steps: full continue from; null: from scratch"""

    @property
    def clips_per_step(self) -> int:
        """Clips in one optimizer step."""
        return self.batch_size * self.processes * self.gradient_accumulation
