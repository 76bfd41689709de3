"""Network, optimizer and schedule of one process: one optimizer step, and the state that a checkpoint holds."""

import math
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import DistributedDataParallelKwargs
from diffusers.optimization import get_scheduler
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from fca.config import Config
from fca.errors import FcaError
from fca.model.build import load_base, new_denoiser
from fca.train.compile import compile_layers
from fca.train.memory import checkpoint_denoiser
from fca.train.objective import Batch, TrainingModel


@dataclass(frozen=True)
class Outcome:
    """The result of a step, the same in all processes."""

    loss: float
    """Mean over the clips of all processes."""
    grad_norm: float
    """Gradient norm before clipping."""
    learning_rate: float
    stop: bool
    """Whether any process was asked to stop."""

    @property
    def finite(self) -> bool:
        """Whether the step may be taken."""
        return math.isfinite(self.loss) and math.isfinite(self.grad_norm)


def new_accelerator(config: Config, folder: str) -> Accelerator:
    """The devices and processes to train on. `folder`: where trackers write.

    Raises:
        FcaError: the number of processes isn't the configured one, or a tracker isn't installed.
    """
    settings = config.train
    found = [tracker.value for tracker in get_available_trackers()]
    if missing := sorted(set(settings.trackers) - set(found)):
        raise FcaError(
            f"train.trackers names {', '.join(missing)}, which accelerate doesn't find",
            f"trackers that are installed: {', '.join(found) or 'none'}",
            f"`pip install {' '.join(missing)}`, or take it out of train.trackers",
        )
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),
        mixed_precision="no" if settings.precision == "fp32" else settings.precision,
        kwargs_handlers=[DistributedDataParallelKwargs(gradient_as_bucket_view=True, broadcast_buffers=False)],
        log_with=list(settings.trackers) or None,
        project_dir=folder,
    )
    if accelerator.num_processes != settings.processes:
        raise FcaError(
            f"{accelerator.num_processes} processes are training",
            f"train.processes: {settings.processes}, because it decides the clips of a step",
            "run `fca train` itself: it starts the processes; or change train.processes, and batch_size or "
            f"gradient_accumulation with it, so that a step still sees {settings.clips_per_step} clips",
        )
    return accelerator


class Trainer:
    """Trains a variant's new weights; the base stays frozen."""

    def __init__(self, config: Config, dataset: str, variant: str, vision_width: int, accelerator: Accelerator) -> None:
        """`vision_width`: of the cached image features."""
        self.settings = settings = config.train_of(variant)
        self.accelerator = accelerator
        frozen = torch.float32 if settings.precision == "fp32" else torch.bfloat16
        transformer, scheduler = load_base(config.base_of(variant), frozen)
        self.denoiser = new_denoiser(config, variant, transformer, scheduler, vision_width)
        checkpoint_denoiser(self.denoiser, settings.checkpointed_layers)
        self.trained = self.denoiser.trained()
        if settings.compile:
            compile_layers(self.denoiser)

        optimizer = torch.optim.AdamW(
            list(self.trained.values()),
            lr=settings.learning_rate,
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            fused=True,  # one kernel for all weights: faster, and without temporary copies of them
        )
        self.schedule = get_scheduler(
            settings.schedule,
            optimizer,
            num_warmup_steps=settings.warmup_steps,
            num_training_steps=config.train_steps(dataset, variant),
            num_cycles=settings.cycles,
        )

        model = TrainingModel(self.denoiser, scheduler.alphas_cumprod.float(), settings.loss)
        self.model, self.optimizer = accelerator.prepare(model, optimizer)

    def accumulate(self, passes: Iterator[Batch], stop: bool) -> Outcome:
        """Gradients of an optimizer step from the next forward passes. Then call `apply` or `skip`.

        `stop`: whether this process was asked to stop, which all processes learn in the same step.
        """
        accelerator, parts = self.accelerator, self.settings.gradient_accumulation
        loss = torch.zeros((), device=accelerator.device)
        for number in range(parts):
            last = number == parts - 1
            with nullcontext() if last else accelerator.no_sync(self.model):  # gradients meet once a step
                with accelerator.autocast():
                    part = self.model(next(passes)) / parts
                accelerator.backward(part)
            loss += part.detach()

        # Share the loss and the wish to stop between the processes.
        mine = torch.stack([loss, torch.tensor(float(stop), device=loss.device)])
        everyone = accelerator.reduce(mine, "mean")
        norm = get_total_norm([weight.grad for weight in self.trained.values() if weight.grad is not None])
        return Outcome(everyone[0].item(), norm.item(), self.schedule.get_last_lr()[0], everyone[1].item() > 0)

    def apply(self, outcome: Outcome) -> None:
        """Clip the gradients and let the optimizer take its step."""
        norm = torch.tensor(outcome.grad_norm, device=self.accelerator.device)  # float32, as it was computed
        clip_grads_with_norm_(list(self.trained.values()), self.settings.max_grad_norm, norm)
        self.optimizer.step()
        self.skip()

    def skip(self) -> None:
        """Discard the gradients and advance the learning rate, a function of the step."""
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Any]:
        """Trained weights, optimizer, schedule and random states: tensors and plain values.

        Training draws only from generators of its own (`fca.seeds`); the global ones are kept in case a library draws
        from them.
        """
        return {
            "trained": {name: parameter.detach() for name, parameter in self.trained.items()},
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()},
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from a state. Learning rate, decay and the like stay as configured, even if they have changed.

        Raises:
            FcaError: an accepted change gives the network other weights.
        """
        groups = [
            {key: value for key, value in group.items() if key != "params"} for group in self.optimizer.param_groups
        ]
        base_lrs = list(self.schedule.base_lrs)
        restore(self.trained, state["trained"])
        self.optimizer.load_state_dict(state["optimizer"])
        for group, own in zip(self.optimizer.param_groups, groups, strict=True):
            group.update(own)
        self.schedule.load_state_dict(state["schedule"] | {"base_lrs": base_lrs})
        self.schedule.last_epoch -= 1
        self.schedule.step()  # sets the learning rate from the configured schedule
        torch.set_rng_state(state["random"]["cpu"])
        if len(state["random"]["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(state["random"]["cuda"])


@torch.no_grad()
def restore(trained: dict[str, nn.Parameter], state: Mapping[str, Tensor]) -> None:
    """Copy a checkpoint's values into the trained parameters.

    Raises:
        FcaError: names, shapes or their order differ.
    """
    sizes = [{name: tuple(value.shape) for name, value in values.items()} for values in (trained, state)]
    if sizes[0] != sizes[1]:
        other = sorted(name for name in {**trained, **state} if sizes[0].get(name) != sizes[1].get(name))
        raise FcaError(
            f"the checkpoint has other weights than the network, {other[0]} for example",
            "weights of the same names and sizes",
            "undo the change, or remove the run's folder to train from the start",
        )
    if list(trained) != list(state):
        raise FcaError(
            "the checkpoint has the network's weights in another order, by which the optimizer would mix up its own",
            "the same order",
            "undo the change of code, or remove the run's folder to train from the start",
        )
    for name, parameter in trained.items():
        parameter.copy_(state[name])
