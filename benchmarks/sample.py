"""Prediction of one batch of clips: the project's sampler against the naive one. `python -m benchmarks.sample --help`

At the paper's scale, on a GPU: one clip of 16 frames, 720x480, 50 DDIM steps, guidance 6, random weights. The seconds
of decoding by the VAE, which are the same for both, are measured apart and added to neither.
"""

import argparse
from functools import partial

import torch

from benchmarks import flops, measure
from benchmarks.naive import NaiveFCA, naive_latents
from benchmarks.networks import Clips, make_clips, make_encoders, make_model, sizes_of
from benchmarks.train_step import exchanged
from fca.encode.vae import decode
from fca.model import InitialFrames, Prompt
from fca.pocket.base import build_scheduler
from fca.pretrained.load import DTYPES
from fca.sample.ddim import predict_latents


def arguments() -> argparse.Namespace:
    options = measure.parser("Seconds, memory and FLOPs of prediction, against the naive loop.")
    options.add_argument("--batch-size", type=int, default=1, help="clips predicted at once")
    options.add_argument("--steps", type=int, help="DDIM steps; by default the scale's own")
    options.add_argument("--guidance-scale", type=float, help="1: one branch, the rival two; default: the scale's own")
    options.add_argument("--precision", choices=tuple(DTYPES), help="sample.precision; by default the scale's own")
    return options.parse_args()


@torch.no_grad()
def main() -> None:
    options = arguments()
    device = torch.device(options.device)
    if options.scale == "paper" and device.type != "cuda":
        raise SystemExit("the paper's scale needs a GPU: use --scale pocket, or --device cuda")
    precision = options.precision or {"pocket": "fp32", "paper": "bf16"}[options.scale]
    dtype = DTYPES[precision]
    config, model = make_model(options.scale, device, dtype, dtype)
    model.requires_grad_(False)
    steps = options.steps or config.sample.steps
    guidance = config.sample.guidance_scale if options.guidance_scale is None else options.guidance_scale
    clips = make_clips(config, options.batch_size)
    sizes = sizes_of(model, config, clips)
    inputs = on_device(clips, device)
    branches = 1 if guidance == 1 else 2

    run = partial(predict_latents, model, build_scheduler(), *inputs, steps, guidance)
    runs: dict[str, measure.Run] = {"ours": run}
    memory = {"ours": measure.peak_memory_gib(run, device)}
    counted = {"ours": measure.counted_flops(run, device)}
    expected = {"ours": options.batch_size * flops.sampling(sizes, steps, branches)}
    if not options.without_rival:
        naive = NaiveFCA(model)
        rival = partial(naive_latents, naive, build_scheduler(), *inputs, steps, guidance)
        runs = {
            "ours": exchanged(partial(model.adapter.attach, model.transformer), run),
            "naive": exchanged(naive.attach, rival),
        }
        memory["naive"] = measure.peak_memory_gib(runs["naive"], device)
        counted["naive"] = measure.counted_flops(runs["naive"], device)
        expected["naive"] = options.batch_size * flops.naive_sampling(sizes, steps)
    times = measure.alternating(runs, options.repetitions, options.warm_up, device)

    vae = make_encoders(config, device, precision).vae
    latents = clips.clean.to(device)
    decoding = measure.alternating({"decode": partial(decode, vae, latents)}, options.repetitions, 1, device)["decode"]
    facts = {
        "device": measure.device_name(device),
        "scale": options.scale,
        "precision": precision,
        "clips": options.batch_size,
        "DDIM steps": steps,
        "guidance": guidance,
        "seconds of decoding, for both": round(sorted(decoding)[len(decoding) // 2], 4),
    }
    rows = [measure.summary(name, times[name], expected[name], counted[name], memory[name], device) for name in runs]
    measure.tell("latents of a batch of clips", rows, facts, options.out)


def on_device(clips: Clips, device: torch.device) -> tuple[InitialFrames, Prompt, Prompt, torch.Tensor]:
    """What both samplers are handed: initial frames, caption, empty caption, noise."""
    start = InitialFrames(*(tensor.to(device) for tensor in clips.initial_frames))
    embeds, text, mask = (tensor.to(device) for tensor in clips.prompt)
    empty = Prompt(torch.zeros_like(embeds), torch.zeros_like(text), mask)
    return start, Prompt(embeds, text, mask), empty, clips.noise.to(device)


if __name__ == "__main__":
    main()
