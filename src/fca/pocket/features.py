"""Train the pocket feature network: an I3D of a quarter of the width, which tells tabletop motions apart.

At the pocket scale it takes the place of the Kinetics I3D behind FVD and KVD, and its classes say whether a
predicted clip shows the motion that the caption asks for. Clips are also blurred, smeared in time, spliced,
shifted and tinted in training, because it has to read predictions, which are not as sharp as drawings.
Trained on motion alone its features forget all else (a blur of 1.5 pixels on every clip gave an FVD of 0.09,
where halves of the truth give 0.5), so while it is trained it also names the object, the style of the data,
and the flaws of the clip; the layer that does is not kept.
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
from torch import Tensor, nn
from tqdm import tqdm

from fca.data.tabletop import COLOURS, MOTIONS, SHAPES, STYLES
from fca.pocket.corpus import FRAMES, HEIGHT, Corpus
from fca.score.i3d import InceptionI3d

NAME = "tabletop-i3d"
WIDTH = 0.25
FLAWS = ("blur", "smear", "noise", "splice")
BLUR, NOISE = 2.5, 0.06
"""Strongest blur (sigma in pixels) and noise (standard deviation in [-1, 1]) that training clips get."""
BATCH = 16
PEAK_RATE = 3e-3


def build() -> InceptionI3d:
    """0.78 M parameters, 256 pooled features, one class per motion."""
    return InceptionI3d(num_classes=len(MOTIONS), width=WIDTH, dropout=0.2)


def to_video(pixels: np.ndarray) -> Tensor:
    """(B, F, H, W, 3) uint8 -> (B, 3, F, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 4, 1, 2, 3))).float() / 127.5 - 1


def blur_matrix(size: int, sigma: float) -> Tensor:
    """(size, size): row i holds the weights of a gaussian of `sigma` pixels around i, cut off at the end."""
    position = torch.arange(size, dtype=torch.float32)
    weights = torch.exp(-((position[:, None] - position) ** 2) / (2 * sigma**2))
    return weights / weights.sum(1, keepdim=True)


def blur(video: Tensor, sigma: float) -> Tensor:
    """(..., H, W) blurred by a gaussian of `sigma` pixels, in a tenth of the time of a convolution."""
    height, width = video.shape[-2:]
    return blur_matrix(height, sigma) @ video @ blur_matrix(width, sigma).T


def shift(video: Tensor, rng: np.random.Generator) -> Tensor:
    """Every clip moved as a whole by up to 4 pixels down or up and 6 sideways; the border repeats."""
    padded = F.pad(video, (6, 6, 4, 4, 0, 0), mode="replicate")
    height, width = video.shape[3:]
    corners = zip(rng.integers(0, 9, len(video)), rng.integers(0, 13, len(video)), strict=True)
    moved = [clip[..., y : y + height, x : x + width] for clip, (y, x) in zip(padded, corners, strict=True)]
    return torch.stack(moved)


def augment(video: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Change how clips look and leave their motion: nothing is mirrored, turned or reversed in time.

    `video` (B, 3, F, H, W) in [-1, 1]; returned with how much of each of FLAWS a clip got, (B, 4) in [0, 1].
    Blur grows over time in half of the blurred clips, as it does in predictions; smearing mixes up to half of
    the frame before into each, as a temporal cast does; splicing puts the first one or two frames of another
    clip in front, as scoring does with the truth's given frames.
    """
    clips, frames = len(video), video.shape[2]

    def draw(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, clips).astype(np.float32))

    def column(values: Tensor) -> Tensor:
        return values[:, None, None, None, None]

    video = shift(video, rng)
    smear = draw(0, 1) * (draw(0, 1) < 0.5)
    before = torch.cat([video[:, :, :1], video[:, :, :-1]], dim=2)
    video = torch.lerp(video, before, column(smear / 2))
    splice = draw(0, 1) < 0.15
    cut = torch.arange(frames) < torch.from_numpy(rng.integers(1, 3, clips))[:, None]  # (B, F)
    front = (cut & splice[:, None])[:, None, :, None, None]
    video = torch.where(front, video.roll(1, dims=0), video)
    sigma, softness = float(rng.uniform(0.5, BLUR)), draw(0.3, 1) * (draw(0, 1) < 0.6)
    growth = torch.where(column(draw(0, 1) < 0.5), torch.linspace(0, 1, frames).view(-1, 1, 1), 1.0)
    video = torch.lerp(video, blur(video, sigma), growth * column(softness))
    video = video * column(draw(0.75, 1.25)) + column(draw(-0.2, 0.2))
    noise = draw(0, 1) * (draw(0, 1) < 0.7)
    video = video + torch.randn(video.shape) * column(noise * NOISE)
    flaws = torch.stack([softness * sigma / BLUR, smear, noise, splice.float()], dim=1)
    return video.clamp(-1, 1), flaws


def named(captions: list[str], words: tuple[str, ...]) -> Tensor:
    """(B,) index of the first of `words` in each caption, or -100, which the loss leaves out."""
    found = [[index for index, word in enumerate(words) if word in caption.split()] for caption in captions]
    return torch.tensor([indices[0] if indices else -100 for indices in found])


def batches(count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Row numbers, BATCH at a time, in a new random order each time all `count` rows have been used."""
    while True:
        order = rng.permutation(count)
        for start in range(0, count - BATCH + 1, BATCH):
            yield order[start : start + BATCH]


def train(corpus: Corpus, held_out: Corpus, output: Path, steps: int, seed: int) -> float:
    """Train for `steps` batches of 16 clips, write the folder `output`, return the held-out top-1 accuracy.

    Writes `model.safetensors` (float16), `config.json` (read by `fca.score.features.load_network`) and
    `training.json` (held-out figures of the float16 weights, curve, seed, how to make it again).
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = build().to(memory_format=torch.channels_last_3d)
    aside = nn.Linear(network.feature_width, len(COLOURS) + len(SHAPES) + len(STYLES) + len(FLAWS))
    weights = [*network.parameters(), *aside.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=PEAK_RATE, betas=(0.9, 0.99), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps, pct_start=0.1)
    curve, recent, started = [], [], time.time()
    bar = tqdm(zip(range(steps), batches(len(corpus), rng), strict=False), total=steps, desc="pocket I3D")
    for step, rows in bar:
        video, flaws = augment(to_video(np.stack([corpus.pixels[row] for row in rows])), rng)
        motions = torch.from_numpy(corpus.motions[rows].astype(np.int64))
        styles = torch.from_numpy(corpus.styles[rows].astype(np.int64))
        captions = [corpus.captions[row] for row in rows]
        with torch.autocast("cpu", torch.bfloat16):
            features = network.features(video.contiguous(memory_format=torch.channels_last_3d))  # a third faster
        logits = network.classify(features.float())
        colour, shape, style, flaw = aside(features.float()).split(
            [len(COLOURS), len(SHAPES), len(STYLES), len(FLAWS)], dim=1
        )
        loss = F.cross_entropy(logits, motions, label_smoothing=0.05) + F.mse_loss(flaw, flaws)
        looks = ((colour, named(captions, tuple(COLOURS))), (shape, named(captions, SHAPES)), (style, styles))
        loss = loss + 0.3 * sum(F.cross_entropy(found, asked) for found, asked in looks)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 5.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        recent.append((float(loss.detach()), float((logits.argmax(1) == motions).float().mean())))
        if step % 50 == 49 or step == steps - 1:
            mean_loss, accuracy = np.mean(recent, axis=0)
            seconds = round(time.time() - started, 1)
            tick = {"step": step + 1, "loss": round(mean_loss, 4), "accuracy": round(accuracy, 4)}
            curve.append(tick | {"seconds": seconds})
            bar.set_postfix(loss=f"{mean_loss:.3f}", accuracy=f"{accuracy:.3f}")
            recent.clear()
    return save(network, held_out, output, curve, {"steps": steps, "seed": seed, "clips": len(corpus)})


def save(network: InceptionI3d, held_out: Corpus, output: Path, curve: list[dict], run: dict) -> float:
    """Round the weights to float16, measure what is left on the held-out clips, and write the three files."""
    state = {
        name: tensor.half().contiguous() if tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }
    shipped = build().to(memory_format=torch.channels_last_3d)
    shipped.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    found, found_blurred = predict(shipped, held_out, sigma=0), predict(shipped, held_out, sigma=1.5)
    figures = {
        "held_out_clips": len(held_out),
        "held_out_top1": round(float(np.mean(found == held_out.motions)), 4),
        "held_out_top1_blurred": round(float(np.mean(found_blurred == held_out.motions)), 4),
        "held_out_top1_by_motion": by_group(found == held_out.motions, held_out.motions, MOTIONS),
        "held_out_top1_by_style": by_group(found == held_out.motions, held_out.styles, STYLES),
        "confusions": confusions(held_out.motions, found),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "command": f"fca pocket features --seed {run['seed']} --features-steps {run['steps']}",
        **run,
        "curve": curve,
    }
    config = {
        "name": NAME,
        "width": WIDTH,
        "classes": list(MOTIONS),
        "short_side": HEIGHT,
        "crop": None,
        "frames": FRAMES,
        "features": "pooled",
    }
    output.mkdir(parents=True, exist_ok=True)
    save_file(state, output / "model.safetensors", {"format": "pt"})
    (output / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (output / "training.json").write_text(json.dumps(figures, indent=1) + "\n")
    accuracy = float(figures["held_out_top1"])
    print(f"held-out top-1 {accuracy:.4f}, blurred {figures['held_out_top1_blurred']:.4f}", flush=True)
    return accuracy


@torch.no_grad()
def predict(network: InceptionI3d, clips: Corpus, sigma: float) -> np.ndarray:
    """The motion index (clips,) found in every clip, blurred by `sigma` pixels first (0: not blurred)."""
    network.eval()
    found = []
    for start in range(0, len(clips), BATCH):
        video = to_video(clips.pixels[start : start + BATCH])
        video = blur(video, sigma) if sigma > 0 else video
        found.append(network(video.contiguous(memory_format=torch.channels_last_3d)).argmax(1).numpy())
    return np.concatenate(found)


def by_group(correct: np.ndarray, groups: np.ndarray, names: tuple[str, ...]) -> dict[str, float]:
    """Accuracy within each group that occurs; `groups` (clips,) are indices into `names`."""
    return {names[group]: round(float(correct[groups == group].mean()), 4) for group in np.unique(groups)}


def confusions(truth: np.ndarray, found: np.ndarray) -> dict[str, int]:
    """How often each motion was taken for another, the most frequent first."""
    pairs = Counter(f"{MOTIONS[a]} as {MOTIONS[b]}" for a, b in zip(truth, found, strict=True) if a != b)
    return dict(pairs.most_common())
