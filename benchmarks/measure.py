"""Seconds, memory and operations, on a GPU or a CPU."""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

DENSE_BF16 = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "RTX 4090": 165e12,
}
"""Peak operations a second of bf16 matrix products, without sparsity, by a part of the device's name; data sheets."""

Run = Callable[[], object]


def parser(description: str) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument(
        "--scale",
        choices=("pocket", "paper"),
        default="pocket",
        help="pocket: the shipped networks; paper: CogVideoX-2B's and BLIP-2's sizes with random weights, on a GPU",
    )
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="a torch device")
    options.add_argument("--repetitions", type=int, default=5, help="timed runs of each; the median is reported")
    options.add_argument("--warm-up", type=int, default=1, help="runs of each before those")
    options.add_argument("--without-rival", action="store_true", help="leave the naive version out")
    options.add_argument("--out", type=Path, help="write everything measured to this JSON file")
    return options


def seconds(run: Run, device: torch.device) -> float:
    """Time of one run; on a GPU from an event on its stream to another, everything before being finished."""
    if device.type != "cuda":
        started = time.perf_counter()
        run()
        return time.perf_counter() - started
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize(device)
    first.record()
    run()
    last.record()
    torch.cuda.synchronize(device)
    return first.elapsed_time(last) / 1000


def alternating(
    runs: Mapping[str, Run], repetitions: int, warm_up: int, device: torch.device
) -> dict[str, list[float]]:
    """Seconds of every run, in turn, so that what disturbs the machine disturbs all of them."""
    for _ in range(warm_up):
        for run in runs.values():
            run()
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repetitions):
        for name, run in runs.items():
            found[name].append(seconds(run, device))
    return found


def peak_memory_gib(run: Run, device: torch.device) -> float | None:
    """The most memory that torch has allocated during a run, all that was there before included; None on a CPU."""
    if device.type != "cuda":
        return None
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    run()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) / 2**30


def counted_flops(run: Run, device: torch.device) -> int:
    """Operations of a run by torch's counter, which knows no attention kernel of the CPU: there, the plain products."""
    kernels = sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()
    with kernels, FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def peak_flops(device: torch.device) -> float | None:
    """The device's peak of bf16 products a second, if it is known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for part, peak in DENSE_BF16.items() if part in name), None)


def device_name(device: torch.device) -> str:
    """The GPU's name, or the processor's kind and the threads that torch uses."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s)"


def summary(
    name: str, times: list[float], model_flops: int, counted: int, memory: float | None, device: torch.device
) -> dict[str, Any]:
    """What was measured of one version. `share_of_peak` is of model FLOPs: nothing done twice counts."""
    median, peak = statistics.median(times), peak_flops(device)
    return {
        "version": name,
        "seconds": round(median, 5),
        "seconds_all": [round(value, 5) for value in times],
        "model_flops": model_flops,
        "counted_flops": counted,
        "model_flops_per_second": model_flops / median,
        "share_of_peak": None if peak is None else model_flops / median / peak,
        "peak_memory_gib": memory,
    }


def tell(what: str, rows: list[dict[str, Any]], facts: dict[str, Any], out: Path | None) -> None:
    """Print the measurements, the first row against the others, and write them as JSON."""
    print(what, *(f"{key} {value}" for key, value in facts.items()), sep=", ")
    print(f"{'':8} {'seconds':>9} {'model TFLOP':>12} {'counted':>10} {'TFLOP/s':>9} {'of peak':>8} {'peak GiB':>9}")
    for row in rows:
        share = "-" if row["share_of_peak"] is None else f"{row['share_of_peak']:.1%}"
        memory = "-" if row["peak_memory_gib"] is None else f"{row['peak_memory_gib']:.2f}"
        print(
            f"{row['version']:8} {row['seconds']:9.4f} {row['model_flops'] / 1e12:12.4f}"
            f" {row['counted_flops'] / 1e12:10.4f} {row['model_flops_per_second'] / 1e12:9.4f} {share:>8} {memory:>9}"
        )
    ratios = {
        row["version"]: {
            "seconds": row["seconds"] / rows[0]["seconds"],
            "counted_flops": row["counted_flops"] / rows[0]["counted_flops"],
        }
        for row in rows[1:]
    }
    for name, ratio in ratios.items():
        print(f"{name} / {rows[0]['version']}: seconds x{ratio['seconds']:.2f}, FLOPs x{ratio['counted_flops']:.2f}")
    if out is not None:
        versions = {"torch": torch.__version__, "python": platform.python_version()}
        content = {"what": what, "facts": facts, "versions": versions, "rows": rows, "ratios": ratios}
        out.write_text(json.dumps(content, indent=1) + "\n")
