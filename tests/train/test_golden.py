"""A training step's values, from stored latents to updated weights, against a slow reference that shares nothing.

The run is a real one with every setting of the optimizer away from its default, so that none can be dropped unnoticed.
"""

import json
import math

import numpy as np
import pytest
import torch
from diffusers import CogVideoXTransformer3DModel
from torch import Tensor

from fca.artifacts.shards import Shard
from fca.config import Config, Layout
from fca.model import FCAAdapter
from fca.runs.folder import read_lines
from fca.seeds import generator, seed_of
from fca.train.checkpoint import checkpoint_path, load_checkpoint
from fca.train.data import LatentClips
from fca.train.loop import train
from tests.conftest import CAPTIONS, CLIPS, encode_stored, small_config, write_clips
from tests.model.reference import moved_adapter, slow_alphas, slow_velocity
from tests.train.runs import run_folder

STEPS, WARMUP, CYCLES, PARTS = 6, 2, 2, 2
RATE, BETAS, EPS, DECAY, LIMIT = 2e-2, (0.6, 0.8), 1e-4, 0.3, 0.05


@pytest.fixture(scope="module")
def start(random_base) -> FCAAdapter:
    return moved_adapter(random_base)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, random_base, start) -> Config:
    """A finished run of `STEPS` steps of two passes of one clip, from the adapter `start`."""
    folder = tmp_path_factory.mktemp("golden")
    start.save_pretrained(folder / "start")
    config = small_config(
        folder,
        random_base,
        init_from=str(folder / "start"),
        batch_size=1,
        gradient_accumulation=PARTS,
        warmup_steps=WARMUP,
        cycles=CYCLES,
        learning_rate=RATE,
        betas=BETAS,
        eps=EPS,
        weight_decay=DECAY,
        max_grad_norm=LIMIT,
        checkpoint_every=1,
        keep_checkpoints=STEPS,
    )
    values = config.model_dump(mode="json")
    values["datasets"]["ssv2"]["train_steps"] = STEPS
    values["variants"]["fca"]["init_scale"] = 0.5
    config = Config.model_validate(values)
    write_clips(config)
    for shard in (0, 1):
        encode_stored(config, "train", shard)
    train(config, "ssv2", "fca")
    return config


@pytest.fixture(scope="module")
def stored(trained) -> dict[str, dict[str, np.ndarray]]:
    """The columns of each clip, with its own row of the tables of captions."""
    found = {}
    for number in (0, 1):
        with Shard(Layout(trained).latents("ssv2", "train", number)) as shard:
            for row, name in enumerate(shard.ids):
                columns = ("mean", "logvar", "init_mean", "init_logvar", "vision")
                found[name] = {column: shard[column][row] for column in columns}
                captions = ["", *sorted(shard.captions)]
                line = captions.index(CAPTIONS[int(name.removeprefix("clip"))])
                found[name] |= {column: shard[column][line] for column in ("prompt_embeds", "text_embeds", "text_mask")}
    return found


def clips_of(step: int, config: Config) -> list[str]:
    """Epochs are permutations; a step takes the next `PARTS` clips of that endless list."""
    names = []
    for place in range(step * PARTS, (step + 1) * PARTS):
        epoch, offset = divmod(place, CLIPS)
        order = np.random.default_rng(seed_of(config.seed, "epoch", epoch)).permutation(CLIPS)
        names.append(f"clip{order[offset]}")
    return names


def draws(name: str, step: int, config: Config, columns: dict[str, np.ndarray], factor: float) -> dict[str, Tensor]:
    """Posterior sample, separately encoded initial latent, both noises and the timestep, in the order of the draws."""
    random = generator(config.seed, "train", step, name)

    def normal(shape: tuple[int, ...]) -> np.ndarray:
        return torch.randn(shape, generator=random).numpy().astype(np.float64)

    found = {}
    for key, prefix in (("clean", ""), ("initial", "init_")):
        mean, logvar = (columns[f"{prefix}{part}"].astype(np.float64) for part in ("mean", "logvar"))
        sample = mean + np.exp(logvar / 2) * normal(mean.shape)  # (C, f, h, w)
        found[key] = torch.from_numpy(factor * np.moveaxis(sample, 1, 0)).float()
    for key, like in (("noise", "clean"), ("initial_noise", "initial")):
        found[key] = torch.from_numpy(normal(tuple(found[like].shape))).float()
    return found | {"timestep": torch.randint(1000, (), generator=random)}


def test_every_step_of_a_run_has_the_values_of_the_slow_reference(trained, start, stored, random_base):
    factor = json.loads((random_base / "vae/config.json").read_text())["scaling_factor"]
    base = CogVideoXTransformer3DModel.from_pretrained(random_base / "transformer").requires_grad_(False).eval()
    alphas = slow_alphas()
    run = run_folder(trained, "ssv2", "fca")
    log = read_lines(run / "log.jsonl")
    weights = dict(start.named_parameters())
    first = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    second = {name: torch.zeros_like(weight) for name, weight in weights.items()}

    for step in range(STEPS):
        # The mean over all clips of the step of the mean squared error of v.
        loss = torch.zeros(())
        for name in clips_of(step, trained):
            columns = stored[name]
            drawn = draws(name, step, trained, columns, factor)
            signal, sigma = (value.float() for value in (alphas.sqrt(), (1 - alphas).sqrt()))
            time = int(drawn["timestep"])
            noisy = signal[time] * drawn["clean"] + sigma[time] * drawn["noise"]
            noisy_initial = signal[1] * drawn["initial"] + sigma[1] * drawn["initial_noise"]
            conditions = {key: torch.from_numpy(value) for key, value in columns.items() if key not in ("mean",)}
            conditions = {key: value if key == "text_mask" else value.float() for key, value in conditions.items()}
            velocity = slow_velocity(base, start, noisy, time, noisy_initial, conditions)
            target = signal[time] * drawn["noise"] - sigma[time] * drawn["clean"]
            loss = loss + (velocity - target).square().mean() / PARTS
        gradients = dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))
        norm = math.sqrt(sum(float(value.double().square().sum()) for value in gradients.values()))
        assert norm > 1.5 * LIMIT, "a gradient that isn't clipped would prove nothing"
        assert log[step]["loss"] == pytest.approx(loss.item(), rel=1e-5)
        assert log[step]["grad_norm"] == pytest.approx(norm, rel=1e-4)

        # Linear warm-up from 0, then halves of a cosine.
        rate = RATE * step / WARMUP
        if step >= WARMUP:
            place = CYCLES * (step - WARMUP) / (STEPS - WARMUP) % 1
            rate = RATE * (1 + math.cos(math.pi * place)) / 2
        assert log[step]["learning_rate"] == pytest.approx(rate, rel=1e-9)

        # AdamW (Loshchilov & Hutter 2019, algorithm 2) on the clipped gradient.
        state = load_checkpoint(checkpoint_path(run, step + 1))
        moments = dict(zip(state["trained"], state["optimizer"]["state"].values(), strict=True))
        with torch.no_grad():
            for name, weight in weights.items():
                clipped = gradients[name] * (LIMIT / norm)
                first[name].mul_(BETAS[0]).add_((1 - BETAS[0]) * clipped)
                second[name].mul_(BETAS[1]).add_((1 - BETAS[1]) * clipped.square())
                mean, square = first[name] / (1 - BETAS[0] ** (step + 1)), second[name] / (1 - BETAS[1] ** (step + 1))
                weight -= rate * (DECAY * weight + mean / (square.sqrt() + EPS))
                own = f"adapter.{name}"
                torch.testing.assert_close(moments[own]["exp_avg"], first[name], rtol=1e-3, atol=1e-6, msg=name)
                torch.testing.assert_close(state["trained"][own], weight, rtol=1e-4, atol=2e-5, msg=f"{step} {name}")

    exported = FCAAdapter.from_pretrained(Layout(trained).model("ssv2", "fca")).state_dict()
    assert all(torch.equal(value, state["trained"][f"adapter.{name}"]) for name, value in exported.items())


def test_timesteps_are_uniform_over_all_thousand_and_draws_are_independent(trained):
    """Of the real data path: 2,000 draws, by their counts in tenths (chi-square below its 99.9 % quantile of 27.9)."""
    layout = Layout(trained)
    clips = LatentClips([layout.latents("ssv2", "train", shard) for shard in (0, 1)], trained.seed)
    items = [clips[(step, row)] for step in range(400) for row in range(CLIPS)]
    times = np.array([int(item["timestep"]) for item in items])
    counts = np.histogram(times, bins=10, range=(0, 1000))[0]
    assert ((counts - 200) ** 2 / 200).sum() < 27.9
    assert times.min() < 5
    assert times.max() > 994
    assert times.max() <= 999
    assert abs(np.corrcoef(times[:-1], times[1:])[0, 1]) < 0.1
    for name in ("noise", "initial_noise"):
        sample = torch.stack([item[name].flatten()[:50] for item in items])
        assert abs(sample.mean().item()) < 0.02
        assert abs(sample.std().item() - 1) < 0.02
        assert abs(torch.corrcoef(torch.stack([sample[:-1].flatten(), sample[1:].flatten()]))[0, 1].item()) < 0.02
