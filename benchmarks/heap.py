"""Memory and time of optimizer steps at full width on a CPU, with glibc's own heap and with `release_memory`'s limit.

    python -m benchmarks.heap --layers 3 --steps 2

A few layers of CogVideoX-2B with random weights in bf16, one clip of 720x480. Each way runs in processes of its own, in
turns, and prints its peak in GiB next to what `fca plan` counts, and seconds a step.
"""

import argparse
import ctypes
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import init_empty_weights
from diffusers import CogVideoXDDIMScheduler, CogVideoXTransformer3DModel

from fca.artifacts.measured import host_peak
from fca.config import Config, load
from fca.model.build import new_denoiser
from fca.plan.networks import networks
from fca.plan.work import training, training_batch
from fca.pretrained.load import release_memory
from fca.pretrained.published import TRANSFORMER_2B
from fca.train.memory import checkpoint_denoiser
from fca.train.objective import TrainingModel

GIB = 2**30


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--variant", default="lora")
    options.add_argument("--layers", type=int, default=3)
    options.add_argument("--steps", type=int, default=2)
    options.add_argument("--turns", type=int, default=2)
    options.add_argument("--only", choices=("heap", "limit"), help="one way, in this process")
    options = options.parse_args()
    if options.only:
        return measure(options.variant, options.layers, options.steps, options.only == "limit")
    for _ in range(options.turns):
        for way in ("heap", "limit"):
            command = [sys.executable, "-m", "benchmarks.heap", *sys.argv[1:], "--only", way]
            subprocess.run(command, check=True)
    return None


def measure(variant: str, layers: int, steps: int, limited: bool) -> None:
    """Train a few layers; print the peak and the seconds of every step."""
    values = load("config/paper.yaml").model_dump(mode="json")
    values["train"] |= {"processes": 1, "gradient_accumulation": 1, "init_from": None, "checkpointed_layers": layers}
    config = Config.model_validate(values)
    sizes = TRANSFORMER_2B | {"num_layers": layers}
    with init_empty_weights():
        own = replace(networks(config.base), transformer=CogVideoXTransformer3DModel.from_config(sizes))
    counted = training(config, variant, own).peak
    if limited:
        release_memory()

    before = host_peak_of_now()
    base = CogVideoXTransformer3DModel.from_config(sizes).to(torch.bfloat16).requires_grad_(False).eval()
    model = new_denoiser(config, variant, base, CogVideoXDDIMScheduler(), own.vision_width)
    checkpoint_denoiser(model, layers)
    objective, trained = TrainingModel(model, torch.linspace(0.99, 0.01, 1000), config.train.loss), model.trained()
    unset = training_batch(config, own, 1)
    batch = {name: torch.randn_like(each) if each.is_floating_point() else each for name, each in unset.items()}
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-3)
    ctypes.CDLL(None).malloc_trim(0)
    for step in range(steps):
        host_peak_of_now()
        start = time.monotonic()
        with torch.autocast("cpu", torch.bfloat16):
            loss = objective(batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        print(
            f"{variant}, {layers} layers, {'with the limit' if limited else 'as glibc does'}, step {step + 1}: "
            f"{host_peak() / GIB:.2f} GiB ({(counted + before) / GIB:.2f} counted), {time.monotonic() - start:.1f} s",
            flush=True,
        )


def host_peak_of_now() -> int:
    """Forget the peak, so that it is what is in memory now (bytes)."""
    Path("/proc/self/clear_refs").write_text("5")
    return host_peak()


if __name__ == "__main__":
    main()
