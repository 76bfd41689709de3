"""One optimizer step: the project's training against the naive one. `python -m benchmarks.train_step --help`

At the paper's scale, on a GPU: CogVideoX-2B's sizes with random weights, eight clips a step, one at a time.
"""

import argparse
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks import flops, measure
from benchmarks.naive import NaiveFCA, encoded
from benchmarks.networks import Clips, FrozenEncoders, make_clips, make_encoders, make_model, parameters, sizes_of
from fca.config import Config
from fca.model import FCA
from fca.model.diffusion import diffuse
from fca.pretrained.load import DTYPES
from fca.train.memory import checkpoint_denoiser
from fca.train.objective import TrainingModel, v_loss


def arguments() -> argparse.Namespace:
    options = measure.parser("Seconds, memory and FLOPs of one optimizer step, against the naive version.")
    options.add_argument("--batch-size", type=int, help="clips in one forward pass; by default the scale's own")
    options.add_argument("--accumulation", type=int, help="forward passes in a step; by default, to the scale's clips")
    options.add_argument(
        "--checkpointed-layers", type=int, help="train.checkpointed_layers; by default the scale's own"
    )
    options.add_argument("--precision", choices=("fp32", "bf16"), help="train.precision; by default the scale's own")
    return options.parse_args()


def main() -> None:
    options = arguments()
    device = torch.device(options.device)
    if options.scale == "paper" and device.type != "cuda":
        raise SystemExit("the paper's scale needs a GPU: use --scale pocket, or --device cuda")
    precision = options.precision or {"pocket": "fp32", "paper": "bf16"}[options.scale]
    config, model = make_model(options.scale, device, torch.float32, DTYPES[precision])
    batch = options.batch_size or config.train.batch_size
    passes = options.accumulation or max(1, config.train.clips_per_step // batch)
    layers = config.train.checkpointed_layers if options.checkpointed_layers is None else options.checkpointed_layers
    checkpoint_denoiser(model, layers)
    clips = make_clips(config, batch)
    sizes = sizes_of(model, config, clips)
    step = OptimizerStep(model, config, passes, device, precision)

    loss = partial(ours, TrainingModel(model, model.alphas_cumprod), clips)
    runs: dict[str, measure.Run] = {"ours": partial(step, loss)}
    runs["ours"]()  # makes AdamW's moments, which count in every other step's memory
    memory = {"ours": measure.peak_memory_gib(runs["ours"], device)}
    counted = {"ours": measure.counted_flops(runs["ours"], device)}
    model_flops = {"ours": batch * passes * flops.training(sizes)}
    if not options.without_rival:
        naive = NaiveFCA(model)
        encoders = make_encoders(config, device, precision)
        rival = partial(naive_loss, naive, encoders, clips, config.datasets["ssv2"].initial_frames)
        runs["ours"] = exchanged(partial(model.adapter.attach, model.transformer), runs["ours"])
        runs["naive"] = exchanged(naive.attach, partial(step, rival))
        memory["naive"] = measure.peak_memory_gib(runs["naive"], device)
        counted["naive"] = measure.counted_flops(runs["naive"], device)
        model_flops["naive"] = model_flops["ours"]
    times = measure.alternating(runs, options.repetitions, options.warm_up, device)
    rows = [measure.summary(name, times[name], model_flops[name], counted[name], memory[name], device) for name in runs]
    facts = {
        "device": measure.device_name(device),
        "scale": options.scale,
        "precision": precision,
        "clips in a pass": batch,
        "passes in a step": passes,
        "checkpointed layers": layers,
        "trained parameters": parameters(model.adapter),
        "frozen parameters": parameters(model.transformer),
    }
    measure.tell("one optimizer step", rows, facts, options.out)


class OptimizerStep:
    """Passes, clipping and AdamW, as `fca.train.trainer` does them."""

    def __init__(self, model: FCA, config: Config, passes: int, device: torch.device, precision: str):
        settings = config.train
        self.parameters = list(model.trained().values())
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=1e-6,  # the weights hardly move
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.passes, self.max_grad_norm = passes, settings.max_grad_norm
        self.autocast = partial(torch.autocast, device.type, torch.bfloat16, enabled=precision == "bf16")

    def __call__(self, loss: Callable[[], Tensor]) -> float:
        """One step; the gradient's norm, which the training loop looks at, too."""
        for _ in range(self.passes):
            with self.autocast():
                part = loss() / self.passes
            part.backward()
        norm = nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(norm)


def ours(model: TrainingModel, clips: Clips) -> Tensor:
    """The loss of a batch of cached latents, which come from the memory of the CPU."""
    device = model.denoiser.transformer.device
    batch = {
        "clean": clips.clean,
        "initial": clips.initial_frames.latent,
        "noise": clips.noise,
        "initial_noise": clips.initial_frames.noise,
        "timestep": clips.timestep,
        "prompt_embeds": clips.prompt.prompt_embeds,
        "text_embeds": clips.prompt.text_embeds,
        "text_mask": clips.prompt.text_mask,
        "vision": clips.initial_frames.vision,
    }
    return model({name: tensor.to(device) for name, tensor in batch.items()})


def naive_loss(naive: NaiveFCA, encoders: FrozenEncoders, clips: Clips, count: int) -> Tensor:
    """The same loss from pixels and words."""
    pixels, words = clips.pixels, clips.token_ids
    clean, initial_frames, prompt = encoded(encoders, pixels, words, clips.initial_frames, clips.prompt, count)
    timestep = clips.timestep.to(clean.device)
    noisy, velocity = diffuse(naive.model.alphas_cumprod, clean, clips.noise.to(clean), timestep)
    return v_loss(naive(initial_frames, prompt, noisy, timestep), velocity)


def exchanged(attach: Callable[[], None], run: measure.Run) -> measure.Run:
    """A run with its own attention processors in the shared transformer."""

    def attached() -> object:
        attach()
        return run()

    return attached


if __name__ == "__main__":
    main()
