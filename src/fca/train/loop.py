"""The step `train`: optimise a variant on cached latents; to resume, run the same command again."""

import json
import math
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from diffusers.optimization import get_scheduler
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from fca.config import Config, Layout
from fca.data.files import write_aside
from fca.data.shards import Shard
from fca.errors import FcaError
from fca.model import Denoiser, Given, Prompt
from fca.model.build import load_base, new_denoiser
from fca.model.diffusion import diffuse
from fca.train.checkpoint import load_newest, save_checkpoint
from fca.train.compile import compile_layers
from fca.train.data import LatentClips, StepOrder, data_loader
from fca.train.export import export, run_folder
from fca.train.memory import checkpoint_layers
from fca.train.objective import Loss, epsilon_loss, v_loss

Batch = dict[str, Tensor]


class TrainingModel(nn.Module):
    """A batch of cached latents in, the loss out."""

    def __init__(self, denoiser: Denoiser, alphas_cumprod: Tensor, loss: Loss = "v"):
        super().__init__()
        self.denoiser = denoiser
        self.alphas_cumprod = alphas_cumprod
        self.loss = loss

    def forward(self, batch: Batch) -> Tensor:
        """L of Eq. 4, as `fca.train.objective` puts it, for a batch from `LatentClips`."""
        given = Given(batch["initial"], batch["initial_noise"], batch["vision"])
        prompt = Prompt(batch["prompt_embeds"], batch["text_embeds"], batch["text_mask"])
        noisy, velocity = diffuse(self.alphas_cumprod, batch["clean"], batch["noise"], batch["timestep"])
        prediction = self.denoiser.condition(given, prompt)(noisy, batch["timestep"])
        if self.loss == "v":
            return v_loss(prediction, velocity)
        alpha = self.alphas_cumprod.to(velocity.device)[batch["timestep"]]
        return epsilon_loss(prediction, velocity, alpha)


def train(config: Config, dataset: str, variant: str) -> None:
    """Train to `train_steps` and export what was trained; an interrupted run goes on from its newest checkpoint."""
    layout, settings = Layout(config), config.train
    steps = config.train_steps(dataset, variant)
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),
        mixed_precision="no" if settings.precision == "fp32" else settings.precision,
        kwargs_handlers=[DistributedDataParallelKwargs(gradient_as_bucket_view=True, broadcast_buffers=False)],
    )
    if accelerator.num_processes != settings.processes:
        raise FcaError(
            f"{accelerator.num_processes} processes are training",
            f"train.processes: {settings.processes}, because it decides the clips of a step",
            "run `fca train` itself: it starts the processes; or change train.processes",
        )
    base = config.variant(variant).base
    latents = [layout.latents(dataset, "train", shard, base) for shard in layout.shards(dataset, "train")]
    clips = LatentClips(latents, config.seed)
    run = run_folder(config, dataset, variant)

    frozen = torch.float32 if settings.precision == "fp32" else torch.bfloat16
    transformer, scheduler = load_base(config.base_of(variant), frozen)
    checkpoint_layers(transformer, settings.checkpointed_layers)
    vision_width = clips.shards[0]["vision"].shape[-1]
    denoiser = new_denoiser(config, variant, transformer, scheduler, vision_width)
    trained = denoiser.trained()
    parameters = list(trained.values())
    if settings.compile:
        compile_layers(denoiser)
    model = TrainingModel(denoiser, scheduler.alphas_cumprod.float(), settings.loss)
    optimizer = torch.optim.AdamW(
        parameters,
        lr=config.learning_rate(variant),
        betas=settings.betas,
        eps=settings.eps,
        weight_decay=settings.weight_decay,
        fused=True,  # one kernel for all weights: faster, and without temporary copies of them
    )
    schedule = get_scheduler(
        settings.schedule,
        optimizer,
        num_warmup_steps=settings.warmup_steps,
        num_training_steps=steps,
        num_cycles=settings.cycles,
    )
    state = load_newest(run) or {"step": 0, "log": [], "seconds": 0.0}
    if state["step"]:
        restore(trained, state["trained"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        accelerator.print(f"resuming {run} at step {state['step']} of {steps}")
    first, seconds = int(state["step"]), float(state["seconds"])
    log: list[dict[str, Any]] = list(state["log"])
    del state  # 10 GB at full size
    model, optimizer = accelerator.prepare(model, optimizer)

    order = StepOrder(
        len(clips),
        config.seed,
        settings.batch_size,
        settings.gradient_accumulation,
        range(first, steps),
        accelerator.process_index,
        accelerator.num_processes,
    )
    loader = data_loader(clips, order, settings.loader_workers, pin_memory=accelerator.device.type == "cuda")
    started = time.monotonic() - seconds
    passes = _batches(loader, accelerator)
    bar = tqdm(
        range(first, steps),
        desc=f"train {dataset} {variant}",
        initial=first,
        total=steps,
        unit="step",
        disable=not accelerator.is_main_process,
        mininterval=0.5 if sys.stderr.isatty() else 30,
    )
    tick, ticked = time.monotonic(), first
    for step in bar:
        loss = torch.zeros((), device=accelerator.device)
        for number in range(settings.gradient_accumulation):
            last = number == settings.gradient_accumulation - 1
            with nullcontext() if last else accelerator.no_sync(model):  # gradients meet once a step
                with accelerator.autocast():
                    part = model(next(passes)) / settings.gradient_accumulation
                accelerator.backward(part)
            loss += part.detach()
        norm = accelerator.clip_grad_norm_(parameters, settings.max_grad_norm)
        if not math.isfinite(float(norm)):  # a step would make every weight NaN
            raise FcaError(
                f"the gradient of step {step + 1} is not finite (loss {loss.item()})",
                "finite gradients",
                f"lower train.learning_rate or set train.precision to fp32; the last good state is in {run}",
            )
        rate = schedule.get_last_lr()[0]
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        done = step + 1
        if done % settings.log_every == 0 or done == steps:
            seconds = (time.monotonic() - tick) / (done - ticked)
            tick, ticked = time.monotonic(), done
            entry = {
                "step": done,
                "loss": accelerator.reduce(loss, "mean").item(),
                "learning_rate": rate,
                "grad_norm": float(norm),
                "seconds_per_step": round(seconds, 4),
                "samples_per_second": round(settings.clips_per_step / seconds, 3),
                "peak_memory_gib": _peak_memory_gib(accelerator.device),
                "time": round(time.time(), 1),
            }
            log.append(entry)
            if accelerator.is_main_process:
                _write_log(run, log)
            bar.set_postfix(loss=f"{entry['loss']:.4f}", lr=f"{rate:.2e}")
        if accelerator.is_main_process and (done % settings.checkpoint_every == 0 or done == steps):
            save_checkpoint(
                run,
                done,
                {
                    "trained": {name: parameter.detach() for name, parameter in trained.items()},
                    "optimizer": optimizer.state_dict(),
                    "schedule": schedule.state_dict(),
                    "log": log,
                    "seconds": time.monotonic() - started,
                },
            )
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        parents = {str(path.relative_to(layout.root)): Shard(path).manifest.sha256 for path in latents}
        export(config, dataset, variant, denoiser, parents, log, time.monotonic() - started)
    accelerator.end_training()


@torch.no_grad()
def restore(trained: dict[str, nn.Parameter], state: dict[str, Tensor]) -> None:
    """Put the values of a checkpoint into the trained parameters; the names must be the same."""
    if list(trained) != list(state):
        raise ValueError("the checkpoint has other parameters than the model")
    for name, parameter in trained.items():
        parameter.copy_(state[name])


def _batches(loader: DataLoader, accelerator: Accelerator) -> Iterator[Batch]:
    for batch in loader:
        yield {name: tensor.to(accelerator.device, non_blocking=True) for name, tensor in batch.items()}


def _write_log(run: Path, log: list[dict[str, Any]]) -> None:
    with write_aside(run / "log.jsonl") as aside:
        aside.write_text("".join(json.dumps(entry) + "\n" for entry in log))


def _peak_memory_gib(device: torch.device) -> float:
    """Peak memory: of the GPU's allocator, or of this process on a CPU."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**30, 3)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3)
