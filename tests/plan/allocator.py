"""What the CPU's allocator gives out while something runs, as torch's profiler sees it."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode


class WithoutWorkspace(TorchDispatchMode):
    """Convolutions give zeros and take nothing for themselves: what they take depends on the processor.

    Without instructions for bf16 the peak of an encoding is five times as high, and it lasts minutes.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not torch.ops.aten.convolution.default:
            return func(*args, **(kwargs or {}))
        result = func(*(each.to("meta") if isinstance(each, Tensor) else each for each in args))
        return torch.zeros(result.shape, dtype=result.dtype)


def allocated(run: Callable[[], object]) -> int:
    """The peak of bytes above those at the start."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        run()
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


def of_distributed_steps(folder: Path, accumulation: int, repetitions: int = 3) -> tuple[int, int]:
    """Bytes that torch's own DistributedDataParallel takes with the trainer's settings, and those of the weights.

    The least of some steps, as gloo's thread now and then holds one more copy.
    """
    layers = nn.Sequential(*(nn.Linear(128, 128, bias=False) for _ in range(40)))

    def step() -> None:
        model = DistributedDataParallel(layers, gradient_as_bucket_view=True, broadcast_buffers=False)
        for number in range(accumulation):
            with nullcontext() if number == accumulation - 1 else model.no_sync():
                model(torch.zeros(1, 128)).sum().backward()

    found = []
    for number in range(repetitions):
        distributed.init_process_group("gloo", init_method=f"file://{folder}/{number}", rank=0, world_size=1)
        found.append(allocated(step))
        distributed.destroy_process_group()
        layers.zero_grad()
    return min(found), sum(weight.nbytes for weight in layers.parameters())
