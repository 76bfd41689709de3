"""Schedulers, numbers of steps, diffusers' caches, and drift over chunks: quality for time, at the pocket scale.

The shipped adapter predicts validation clips of the clip library, each from its first frame, from the same noise
with every sampler. Seconds are the process's own, of the latents alone, as a ratio to 50 steps of DDIM: batch by batch
all samplers take turns, so what disturbs the machine disturbs all of them. FVD is of the pocket feature network, with
the initial frame replaced by ground truth, and compares only within this table.
"""

import argparse
import ast
import io
import json
import re
import time
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import FirstBlockCacheConfig, MagCacheConfig, PyramidAttentionBroadcastConfig

from benchmarks.drift import LIBRARY, drift, seen
from fca.data.library.clips import read_clips
from fca.encode.vae import levels
from fca.model.build import SCHEDULERS
from fca.sample import FCAPipeline
from fca.score.features import load_network
from fca.score.frechet import frechet_distance
from fca.score.interval import Interval, bootstrap_interval, mean_interval, resampling_counts
from fca.score.pixels import psnr
from fca.seeds import generator

CONFIG = Path(__file__).resolve().parents[1] / "config"
STEPS = (50, 25, 15, 10)
RESAMPLINGS, CONFIDENCE = 1000, 0.95
SKIP_FROM = {"FirstBlockCache 0.2": 0.2, "MagCache 0.12": 0.12, "PyramidAttentionBroadcast 2": 2}
"""Caches with the threshold, or the number of steps that an attention serves."""


@dataclass
class Way:
    """One way to sample, and what came out of it."""

    scheduler: str
    steps: int
    cache: str = ""
    seconds: float = 0.0
    calls: int = 0
    """Times that the transformer's last block ran"""
    frames: list[np.ndarray] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.scheduler}, {self.steps} steps" + (f", {self.cache}" if self.cache else "")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--clips", type=int, default=24, help="clips of the table of samplers, 0: without it")
    options.add_argument("--batch-size", type=int, default=8, help="clips denoised at once")
    options.add_argument("--drift-clips", type=int, default=8, help="videos of the table of drift, 0: without it")
    options.add_argument("--out", type=Path, help="write everything measured to this JSON file")
    options = options.parse_args()

    pipe = FCAPipeline.from_pretrained(CONFIG / "pocket-base/adapter")
    pipe.set_progress_bar_config(disable=True)
    ways = [Way(name, steps) for name in ("ddim", "dpm") for steps in STEPS]
    ways += [Way("ddim", steps, cache) for steps in STEPS[:2] for cache in SKIP_FROM]
    held_out = [clip for clip in read_clips(LIBRARY) if clip.split == "validation"]
    held_out.sort(key=lambda clip: (clip.seed, clip.place))
    clips = [(seen(clip), clip.caption) for clip in held_out[: options.clips]]
    others = [(seen(clip), clip.caption) for clip in held_out[-4:]]
    ratios = {steps: mag_ratios(pipe, steps, others) for steps in STEPS[:2]}

    counted: list[int] = []
    pipe.transformer.transformer_blocks[-1].ff.register_forward_hook(lambda *_: counted.append(1))
    for start in range(0, len(clips), options.batch_size):
        batch = clips[start : start + options.batch_size]
        for way in ways:
            counted.clear()
            predict(pipe, way, batch, start, ratios.get(way.steps, []))
            way.calls = len(counted) - 1  # without the initial frames' own pass
            print(f"clips {start} to {start + len(batch) - 1}: {way.name}, {way.seconds:.1f} s so far", flush=True)
    rows = table(ways, np.stack([pixels for pixels, _ in clips])) if clips else []
    drifted = drift(pipe, options.drift_clips) if options.drift_clips else []
    if options.out is not None:
        options.out.write_text(json.dumps({"clips": options.clips, "rows": rows, "drift": drifted}, indent=1) + "\n")


def predict(pipe: FCAPipeline, way: Way, batch: list[Any], first: int, ratios: list[float]) -> None:
    """Predict a batch of clips and add frames and seconds to `way`."""
    pipe.scheduler = SCHEDULERS[way.scheduler].from_config(pipe.scheduler.config)
    config = cache_config(pipe, way, ratios)
    if config is not None:
        pipe.transformer.enable_cache(config)
    started = time.process_time()
    latents = latents_of(pipe, batch, way.steps, first)
    way.seconds += time.process_time() - started
    if config is not None:
        pipe.transformer.disable_cache()
    way.frames.extend(decoded(pipe, latents))


@torch.no_grad()
def decoded(pipe: FCAPipeline, latents: torch.Tensor) -> np.ndarray:
    """Latents (B, f, C, h, w) -> (B, F, H, W, 3) uint8, two at a time: small clips decode fastest so on a CPU."""
    scale = pipe.vae.config.scaling_factor
    pairs = (pipe.vae.decode(pair.transpose(1, 2) / scale).sample for pair in latents.split(2))
    return torch.cat([levels(video) for video in pairs]).numpy()


def latents_of(pipe: FCAPipeline, batch: list[Any], steps: int, first: int) -> torch.Tensor:
    """Latents of clips from their first frames; a clip's noise is a function of its number."""
    return pipe(
        image=[pixels[0] for pixels, _ in batch],
        prompt=[caption for _, caption in batch],
        num_inference_steps=steps,
        generator=[generator(0, "samplers", str(first + row)) for row in range(len(batch))],
        output_type="latent",
    ).frames


def cache_config(pipe: FCAPipeline, way: Way, ratios: list[float]) -> Any:
    """The cache of diffusers that a way names, or None."""
    if not way.cache:
        return None
    threshold = SKIP_FROM[way.cache]
    if way.cache.startswith("First"):
        return FirstBlockCacheConfig(threshold=threshold)
    if way.cache.startswith("Mag"):
        return MagCacheConfig(threshold=threshold, mag_ratios=ratios, num_inference_steps=way.steps)
    return PyramidAttentionBroadcastConfig(
        spatial_attention_block_skip_range=int(threshold), current_timestep_callback=lambda: pipe.current_timestep
    )


def mag_ratios(pipe: FCAPipeline, steps: int, batch: list[Any]) -> list[float]:
    """What MagCache must know of a model: how the residual's size changes from step to step; diffusers prints it."""
    pipe.transformer.enable_cache(MagCacheConfig(calibrate=True, num_inference_steps=steps))
    with redirect_stdout(io.StringIO()) as printed:
        latents_of(pipe, batch, steps, -len(batch))
    pipe.transformer.disable_cache()
    return ast.literal_eval(re.findall(r"^\[[\d.].*\]$", printed.getvalue(), re.M)[-1])


def table(ways: list[Way], truth: np.ndarray) -> list[dict[str, Any]]:
    """Print and return a row for each way; differences are to the first one, paired clip by clip."""
    network = load_network(CONFIG / "pocket-base/features")
    features = {"truth": network.features(truth)}
    quality, counts = {}, resampling_counts(len(truth), RESAMPLINGS, 0)
    for way in ways:
        made = np.stack(way.frames)
        made[:, 0] = truth[:, 0]
        features[way.name] = network.features(made)
        quality[way.name] = np.array([psnr(one[1:], other[1:]).mean() for one, other in zip(made, truth, strict=True)])

    def fvd(name: str, chosen: np.ndarray) -> float:
        return frechet_distance(features["truth"][chosen], features[name][chosen])

    every, first, rows = np.arange(len(truth)), ways[0].name, []
    drawn = [np.repeat(every, row) for row in counts]
    base = np.array([fvd(first, chosen) for chosen in drawn])
    print(f"\n{len(truth)} clips; the differences are to {first}, with {CONFIDENCE:.0%} intervals")
    print(f"| {'sampler':44} | seconds | last block | FVD | difference | PSNR (dB) | difference |")
    for way in ways:
        value = fvd(way.name, every)
        resampled = np.array([fvd(way.name, chosen) for chosen in drawn])
        own = bootstrap_interval(value, resampled, CONFIDENCE)
        apart = bootstrap_interval(value - fvd(first, every), resampled - base, CONFIDENCE)
        decibels = mean_interval(quality[way.name], counts, CONFIDENCE)
        change = mean_interval(quality[way.name] - quality[first], counts, CONFIDENCE)
        ratio = way.seconds / ways[0].seconds
        print(f"| {way.name:44} | x{ratio:.2f} | {way.calls} | {shown(own, 1)} | {shown(apart, 1, '+')} "
              f"| {decibels.value:.2f} | {shown(change, 2, '+')} |")  # fmt: skip
        row = {"name": way.name, "seconds": way.seconds, "ratio": ratio, "last_block": way.calls}
        found = {"fvd": own, "fvd_difference": apart, "psnr": decibels, "psnr_difference": change}
        rows.append(row | {name: [each.value, each.low, each.high] for name, each in found.items()})
    return rows


def shown(interval: Interval, digits: int, sign: str = "") -> str:
    low, high = f"{interval.low:{sign}.{digits}f}", f"{interval.high:{sign}.{digits}f}"
    return f"{interval.value:{sign}.{digits}f} ({low} to {high})"


if __name__ == "__main__":
    main()
