"""The training loop of the pocket's transformers and adapter."""

import copy
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

SAVE_EVERY = 1000
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
    """Train all of `module` for `steps` steps: AdamW, one cycle to a rate of 2e-3, gradients clipped to a norm of 1.

    Args:
        loss_of: the loss of a step, from its number.
        save: is given the moving average of the weights, in float16, and the curve, every 1,000 steps and at the end.
        counted: which steps' losses the curve is made of (means over the last hundred of them).
    """
    average = copy.deepcopy(module).requires_grad_(False)
    parameters, averages = list(module.parameters()), list(average.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, betas=(0.9, 0.95), weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.04)
    curve: Curve = []
    losses, started = [], time.time()
    for step in (bar := tqdm(range(steps), desc=title)):
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
