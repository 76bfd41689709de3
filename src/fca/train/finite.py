"""Diagnosis of steps whose loss or gradient is not finite."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from fca.errors import FcaError
from fca.train.data import LatentClips, Position


def diagnose(trained: Mapping[str, nn.Parameter], clips: LatentClips, positions: Sequence[Position]) -> dict[str, Any]:
    """Possible causes, as JSON values. Call it before the gradients are discarded.

    `ids`: the step's clips. `clips_not_finite`: those whose cached latents are themselves not finite.
    `gradient`: the first trained weight, in the network's order, whose gradient is not finite; `gradients` how many.
    """
    bad = [
        name
        for name, weight in trained.items()
        if weight.grad is not None and not bool(torch.isfinite(weight.grad).all())
    ]
    broken = [
        clips.id_of(row)
        for step, row in positions
        if not all(bool(torch.isfinite(value).all()) for value in clips[(step, row)].values())
    ]
    return {
        "ids": [clips.id_of(row) for _, row in positions],
        "clips_not_finite": broken,
        "gradient": bad[0] if bad else None,
        "gradients": len(bad),
    }


def json_number(value: float) -> float | str:
    """The value, or text for NaN and infinity, which JSON lacks."""
    return value if math.isfinite(value) else str(value)


def not_finite(entries: Sequence[Mapping[str, Any]], file: str) -> FcaError:
    """The error that ends a run, from its last skipped steps."""
    last = entries[-1]
    causes = [f"loss {last['loss']}, gradient norm {last['grad_norm']}, learning rate {last['learning_rate']:.3g}"]
    if last["clips_not_finite"]:
        causes.append(f"the cached latents of {', '.join(last['clips_not_finite'])} are not finite")
    if last["gradient"]:
        causes.append(f"first weight with a non-finite gradient: {last['gradient']} (of {last['gradients']})")
    causes.append(f"clips: {', '.join(last['ids'])}")
    latents = bool(last["clips_not_finite"])
    return FcaError(
        f"the loss or gradient was not finite in {len(entries)} consecutive steps, up to step {last['step']}:\n  "
        + "\n  ".join(causes),
        "finite gradients; single bad steps are skipped",
        ("remove those latents' shards with their manifests and encode them again" if latents else
         "lower train.learning_rate, lengthen train.warmup_steps, or set train.precision to fp32")
        + f"; every skipped step is in {file}, and the newest checkpoint is good",
    )  # fmt: skip
