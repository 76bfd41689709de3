"""The training loop of the pocket transformers and adapter, and the record that every training leaves."""

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from diffusers import ModelMixin
from torch import Tensor, nn
from tqdm import tqdm

SAVE_EVERY = 1000
Model = TypeVar("Model", bound=ModelMixin)
Curve = list[dict[str, Any]]


def fit(
    module: nn.Module,
    loss_of: Callable[[int], Tensor],
    save: Callable[[nn.Module, Curve], None],
    steps: int,
    title: str,
    weight_decay: float,
    counted: Callable[[int], bool] = lambda step: True,
) -> None:
    """Train `module` with AdamW: one cycle with a peak learning rate of 2e-3, gradients clipped to a norm of 1.

    Args:
        loss_of: computes the loss of a step from its number.
        save: called with the moving average of the weights in float16, and the curve, every 1,000 steps and at the end.
        counted: whether a step's loss counts in the curve, which holds means over the last hundred that do.
    """
    average = copy.deepcopy(module).requires_grad_(False)
    parameters, averages = list(module.parameters()), list(average.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, betas=(0.9, 0.95), weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.04)

    curve: Curve = []
    losses, started = [], time.time()
    for step in (bar := tqdm(range(steps), desc=title)):
        # Take one optimizer step and update the moving average.
        loss = loss_of(step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            torch._foreach_lerp_(averages, parameters, 1 - min(0.999, (step + 1) / (step + 10)))

        if counted(step):
            losses.append(loss.item())
        done = step + 1
        if done % 100 == 0 or done == steps:
            mean = float(np.mean(losses[-100:]))
            curve.append({"step": done, "loss": mean, "seconds": round(time.time() - started, 1)})
            bar.set_postfix(loss=f"{mean:.4f}")
        if done % SAVE_EVERY == 0 or done == steps:
            save(copy.deepcopy(average).half(), curve)


def continued(folder: Path, model: Model) -> Model:
    """`model` with the weights in `folder`, of the same architecture, or as it is if there are none."""
    if (folder / "config.json").is_file():
        model.load_state_dict(type(model).from_pretrained(folder, torch_dtype=torch.float32).state_dict())
    return model


def write_record(folder: Path, module: nn.Module, **record: Any) -> None:
    """Write `folder`/training.json: the number of parameters, and what a training used and measured."""
    parameters = sum(parameter.numel() for parameter in module.parameters())
    (folder / "training.json").write_text(json.dumps({"parameters": parameters, **record}, indent=1) + "\n")
