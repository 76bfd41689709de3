"""Train the pocket feature network: an I3D of a quarter of the width that classifies the simulators' tasks.

At the pocket scale it replaces the Kinetics I3D behind FVD and KVD, and its classes tell whether a predicted clip
shows the task of its caption. Its training clips are also blurred, smeared in time, shifted and tinted, because it
has to judge predictions, which are less sharp than simulations.

Its last layer knows only the task: a blur of 1.5 pixels, or another scene, left the Fréchet distance unchanged.
(Kinetics' 400 classes keep more.) So the features of the pocket scale are the means of all channels of four stages
(`fca.score.i3d.STAGES`), each in units of its spread over held-out clips.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from fca.pocket.corpus import FRAMES, HEIGHT, Corpus, to_video
from fca.pocket.fit import write_record
from fca.score.i3d import InceptionI3d, stage_means

WIDTH = 0.25
BATCH = 16
PEAK_LEARNING_RATE = 3e-3


def build(classes: int) -> InceptionI3d:
    """0.8 M parameters, 256 pooled features, one class per task."""
    return InceptionI3d(num_classes=classes, width=WIDTH, dropout=0.2)


def blur_matrix(size: int, sigma: float) -> Tensor:
    """(size, size): row i holds the weights of a Gaussian of `sigma` pixels around i, truncated at the border."""
    position = torch.arange(size, dtype=torch.float32)
    weights = torch.exp(-((position[:, None] - position) ** 2) / (2 * sigma**2))
    return weights / weights.sum(1, keepdim=True)


def blur(video: Tensor, sigma: float) -> Tensor:
    """(..., H, W) blurred by a Gaussian of `sigma` pixels, ten times as fast as by a convolution."""
    height, width = video.shape[-2:]
    return blur_matrix(height, sigma) @ video @ blur_matrix(width, sigma).T


def shift(video: Tensor, rng: np.random.Generator) -> Tensor:
    """Every clip shifted by up to 4 pixels vertically and 6 horizontally; the border repeats."""
    padded = F.pad(video, (6, 6, 4, 4, 0, 0), mode="replicate")
    height, width = video.shape[3:]
    corners = zip(rng.integers(0, 9, len(video)), rng.integers(0, 13, len(video)), strict=True)
    moved = [clip[..., y : y + height, x : x + width] for clip, (y, x) in zip(padded, corners, strict=True)]
    return torch.stack(moved)


def augment(video: Tensor, rng: np.random.Generator) -> Tensor:
    """Change how clips (B, 3, F, H, W) in [-1, 1] look, and keep their task.

    Nothing is mirrored, rotated or reversed in time. Blur grows over time in half of the clips, as in predictions; up
    to half of each frame's predecessor is mixed in, as by a temporal cast.
    """
    clips, frames = len(video), video.shape[2]

    def draw(low: float, high: float, *shape: int) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, shape).astype(np.float32))

    # Shift, and mix in the previous frame.
    video = shift(video, rng)
    smear = draw(0, 0.5, clips, 1, 1, 1, 1) * (draw(0, 1, clips, 1, 1, 1, 1) < 0.5)
    video = video + smear * (torch.cat([video[:, :, :1], video[:, :, :-1]], dim=2) - video)

    # Blur, in half of the clips more and more.
    growth = torch.linspace(0, 1, frames).expand(clips, frames)
    softness = torch.where(draw(0, 1, clips, 1) < 0.5, growth, torch.ones_like(growth))
    softness = softness * (draw(0, 1, clips, 1) < 0.7) * draw(0.3, 1, clips, 1)
    video = torch.lerp(video, blur(video, float(rng.uniform(0.5, 2.5))), softness[:, None, :, None, None])

    # Change contrast and tint, and add noise.
    video = video * draw(0.75, 1.25, clips, 1, 1, 1, 1) + draw(-0.2, 0.2, clips, 3, 1, 1, 1)
    noise = torch.randn(video.shape) * draw(0, 0.06, clips, 1, 1, 1, 1)
    return (video + noise).clamp(-1, 1)


def batches(count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Row numbers, BATCH at a time, in a new random order for each pass over all `count` rows."""
    while True:
        order = rng.permutation(count)
        for start in range(0, count - BATCH + 1, BATCH):
            yield order[start : start + BATCH]


def train(corpus: Corpus, held_out: Corpus, output: Path, steps: int, seed: int) -> None:
    """Train for `steps` batches of 16 clips and write the folder `output`.

    The folder has `model.safetensors` (float16), `config.json` (for `fca.score.features.load_network`) and
    `training.json` (held-out results of the float16 weights, curve, seed, command).
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    classes = sorted(set(corpus.tasks))
    labels = torch.tensor([classes.index(task) for task in corpus.tasks])
    network = build(len(classes)).to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_LEARNING_RATE, betas=(0.9, 0.99), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=steps, pct_start=0.1)

    curve, recent, started = [], [], time.time()
    bar = tqdm(zip(range(steps), batches(len(corpus), rng), strict=False), total=steps, desc="pocket I3D")
    for step, rows in bar:
        # Take one optimizer step.
        video = augment(to_video(np.stack([corpus.pixels[row] for row in rows])), rng)
        tasks = labels[rows]
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(video.contiguous(memory_format=torch.channels_last_3d))  # a third faster
        loss = F.cross_entropy(logits.float(), tasks, label_smoothing=0.05)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)

        recent.append((float(loss.detach()), float((logits.argmax(1) == tasks).float().mean())))
        if step % 50 == 49 or step == steps - 1:
            mean_loss, accuracy = np.mean(recent, axis=0)
            tick = {"step": step + 1, "loss": round(mean_loss, 4), "accuracy": round(accuracy, 4)}
            curve.append(tick | {"seconds": round(time.time() - started, 1)})
            bar.set_postfix(loss=f"{mean_loss:.3f}", accuracy=f"{accuracy:.3f}")
            recent.clear()
    save(network, classes, held_out, output, curve, {"steps": steps, "seed": seed, "clips": len(corpus)})


def save(
    network: InceptionI3d, classes: list[str], held_out: Corpus, output: Path, curve: list[dict], run: dict
) -> None:
    """Round the weights to float16, measure them on the held-out clips, and write the three files."""
    state = {
        name: tensor.half().contiguous() if tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }
    shipped = build(len(classes)).to(memory_format=torch.channels_last_3d)
    shipped.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    state |= standard(shipped, held_out)
    config = {"name": "pocket-i3d", "width": WIDTH, "classes": classes}
    config |= {"short_side": HEIGHT, "crop": None, "frames": FRAMES, "features": "stages"}
    output.mkdir(parents=True, exist_ok=True)
    save_file(state, output / "model.safetensors", {"format": "pt"})
    (output / "config.json").write_text(json.dumps(config, indent=1) + "\n")

    asked = np.array(held_out.tasks)
    found, blurred = (np.array(classes)[predict(shipped, held_out, sigma)] for sigma in (0, 1.5))
    write_record(
        output,
        network,
        held_out_clips=len(held_out),
        held_out_top1=round(float(np.mean(found == asked)), 4),
        held_out_top1_blurred=round(float(np.mean(blurred == asked)), 4),
        held_out_top1_by_place=by_group(found == asked, held_out.places),
        held_out_top1_by_task=by_group(found == asked, asked),
        confusions=confusions(asked, found),
        command=f"fca pocket features --seed {run['seed']} --features-steps {run['steps']}",
        **run,
        curve=curve,
    )
    print(f"held-out top-1 {np.mean(found == asked):.4f}, blurred {np.mean(blurred == asked):.4f}", flush=True)


def videos(clips: Corpus, sigma: float = 0.0) -> Iterator[Tensor]:
    """Batches of clips after a blur of `sigma` pixels (0: none), in the layout that the network reads fastest."""
    for start in range(0, len(clips), BATCH):
        video = to_video(clips.pixels[start : start + BATCH])
        video = blur(video, sigma) if sigma > 0 else video
        yield video.contiguous(memory_format=torch.channels_last_3d)


@torch.no_grad()
def standard(network: InceptionI3d, clips: Corpus) -> dict[str, Tensor]:
    """Mean and spread of every stage channel over real clips; a spread is at least a tenth of the average spread.

    Without that minimum, a channel that is silent on real clips would dominate all others if a prediction activates it.
    """
    network.eval()
    means = [stage_means(network.stages(video)) for video in videos(clips)]
    deviation, mean = torch.std_mean(torch.cat(means).double(), dim=0)
    spread = deviation.clamp(min=0.1 * float(deviation.mean()))
    return {"standard.mean": mean.float(), "standard.spread": spread.float()}


@torch.no_grad()
def predict(network: InceptionI3d, clips: Corpus, sigma: float) -> np.ndarray:
    """The predicted class (clips,) int64 of every clip, after a blur of `sigma` pixels (0: none)."""
    network.eval()
    return np.concatenate([network(video).argmax(1).numpy() for video in videos(clips, sigma)])


def by_group(correct: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """Accuracy within each group; `groups` (clips,) are names."""
    return {str(group): round(float(correct[groups == group].mean()), 4) for group in np.unique(groups)}


def confusions(labels: np.ndarray, found: np.ndarray) -> dict[str, int]:
    """How often each task was mistaken for another, the most frequent first."""
    pairs = Counter(f"{a} as {b}" for a, b in zip(labels, found, strict=True) if a != b)
    return dict(pairs.most_common())
