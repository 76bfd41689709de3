"""Counting on networks without values: the peaks are the allocator's, the operations those of the closed form."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLCogVideoX

from fca.config import load
from fca.encode.vae import decode, decoded, encoded, posterior
from fca.model.build import load_base, new_denoiser
from fca.model.denoiser import rotary_table
from fca.plan.count import Count, filled, without_values
from fca.plan.networks import feature_network, networks
from fca.plan.work import sampling, scoring, training, training_batch
from fca.score.features import prepared, preprocess
from fca.train.memory import checkpoint_denoiser
from fca.train.objective import TrainingModel
from tests.plan.allocator import WithoutWorkspace, allocated, of_distributed_steps

SMALL = {"block_out_channels": (32, 32, 64, 64), "layers_per_block": 1, "norm_num_groups": 8}
GIB = 2**30


def vae_on_meta(**sizes) -> AutoencoderKLCogVideoX:
    with torch.device("meta"):
        return AutoencoderKLCogVideoX(**sizes).eval().requires_grad_(False)


@pytest.mark.parametrize("frames", [16, 17])
def test_the_peak_of_the_vae_is_the_allocators(frames):
    """In bf16; each convolution's result counts, and not what it takes meanwhile."""
    vae = AutoencoderKLCogVideoX(**SMALL).eval().requires_grad_(False).to(torch.bfloat16)
    pixels, latents = torch.zeros(2, frames, 32, 48, 3, dtype=torch.uint8), torch.zeros(2, (frames + 3) // 4, 16, 4, 6)
    with WithoutWorkspace():
        measured = allocated(lambda: posterior(vae, pixels)), allocated(lambda: decode(vae, latents))
    on_meta = vae_on_meta(**SMALL)
    with without_values():
        counted = filled(on_meta, torch.bfloat16)
        with Count() as encoding:
            list(encoded(counted, torch.empty(pixels.shape, dtype=torch.uint8)))
        with Count() as decoding:
            list(decoded(counted, torch.empty(latents.shape)))
    assert (encoding.peak, decoding.peak) == pytest.approx(measured, rel=0.05)


@pytest.mark.parametrize("batch, gib", [(1, 6.16), (2, 12.32), (3, 22.2), (4, 29.59)])
def test_at_full_size_one_clip_at_a_time_saves_23_gib(batch, gib):
    on_meta = vae_on_meta()
    with without_values(), torch.no_grad():
        vae = filled(on_meta, torch.bfloat16)
        with Count() as together:
            vae.encode(torch.empty(batch, 3, 16, 480, 720, dtype=torch.bfloat16))
        with Count() as alone:
            for _ in encoded(vae, torch.empty(batch, 16, 480, 720, 3, dtype=torch.uint8)):
                pass
        with Count() as back:
            for _ in decoded(vae, torch.empty(batch, 4, 16, 60, 90)):
                pass
    assert together.peak / GIB == pytest.approx(gib, abs=0.01)
    assert alone.peak / GIB == pytest.approx(6.2, abs=0.1)
    assert back.peak / GIB == pytest.approx(14.5, abs=0.2)
    assert alone.operations == together.operations


def test_what_is_freed_is_counted_no_more():
    held = torch.empty(10)
    with without_values(), Count([held]) as count:
        first = torch.empty(100)
        seen = first[:50].view(5, 10)  # no memory of its own
        del first
        other = torch.empty(50)
        del seen, other
        torch.empty(75)
    assert count.peak == 4 * (10 + 100 + 50)


@pytest.mark.parametrize("layers", [0, pytest.param(1, marks=pytest.mark.slow), 9])
def test_the_peak_of_training_is_the_allocators(project, layers):
    """Weights, gradients that other passes left, and what one forward and backward pass needs besides."""
    train = project.train.model_copy(update={"checkpointed_layers": layers, "gradient_accumulation": 2})
    config = project.model_copy(update={"train": train})
    transformer, scheduler = load_base(config.base, torch.float32)
    own = networks(config.base)
    model = new_denoiser(config, "fca", transformer, scheduler, own.vision_width)
    checkpoint_denoiser(model, layers)
    trained = model.trained()
    for weight in trained.values():
        weight.grad = torch.zeros_like(weight)
    unset = training_batch(config, own, train.batch_size)
    batch = {name: torch.zeros_like(each) if each.is_floating_point() else each for name, each in unset.items()}
    objective = TrainingModel(model, scheduler.alphas_cumprod.float())
    measured = allocated(lambda: objective(batch).backward())

    numel = sum(weight.numel() for weight in trained.values())
    held = sum(each.nbytes for each in (*model.parameters(), *model.buffers()))
    counted = training(config, "fca", own)
    assert counted.trained == numel
    assert counted.peak - held - 3 * 4 * numel == pytest.approx(measured, rel=0.1)


def test_buckets_are_counted_where_gradients_are_outside_of_them(project):
    own = networks(project.base)

    def peak(processes: int, accumulation: int) -> int:
        changes = {"processes": processes, "gradient_accumulation": accumulation}
        train = project.train.model_copy(update=changes)
        return training(project.model_copy(update={"train": train}), "no_ftc", own).peak

    alone = peak(1, 8)
    assert peak(2, 1) == alone
    assert peak(2, 4) - alone == 4 * training(project, "no_ftc", own).trained


@pytest.mark.parametrize("accumulation, copies", [(1, 1), (2, 2)])
def test_distributed_training_keeps_gradients_twice_when_it_accumulates(tmp_path, accumulation, copies):
    """What the count of buckets is about; in a new process, without what other tests leave."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        peak, size = pool.submit(of_distributed_steps, tmp_path, accumulation).result()
    assert peak == pytest.approx(copies * size, rel=0.15)


def test_the_peak_of_scoring_is_the_allocators():
    """The network's on its device, and on the host the pixels of a batch and one clip's way to the network's size."""
    pocket = load("config/pocket.yaml")
    score = pocket.score.model_copy(update={"batch_size": 2})
    config = pocket.model_copy(update={"features": load("config/paper.yaml").features, "score": score})
    frames = np.zeros((config.score.batch_size, 16, config.clip.height, config.clip.width, 3), np.uint8)
    work, (meta, own) = scoring(config), feature_network(config)
    module = meta.to_empty(device="cpu")
    seen = preprocess(frames, own.short_side, own.crop == "center")
    with WithoutWorkspace(), torch.no_grad():
        measured = allocated(lambda: module(seen))
    weights = sum(each.nbytes for each in (*module.parameters(), *module.buffers()))
    assert work.peak - weights - seen.nbytes == pytest.approx(measured, rel=0.05)
    one = allocated(lambda: prepared(torch.tensor(frames[0]), own.short_side, own.crop == "center"))
    assert work.host - 3 * frames.nbytes == pytest.approx(one, rel=0.05)
    more = scoring(config.model_copy(update={"score": score.model_copy(update={"batch_size": 5})}))
    assert more.host - work.host == 3 * 3 * frames[0].nbytes


def test_a_batch_is_prepared_clip_by_clip():
    """One clip of 720x480 in float32 takes 63 MiB, twice; 16 of them at once took 2 GiB."""
    frames = np.zeros((8, 4, 96, 144, 3), np.uint8)
    with Count() as count:
        result = preprocess(frames, 24, crop=True)
    one = frames[0].size * 4
    assert count.peak < 2 * result.nbytes + 2.5 * one


def test_operations_of_attention_are_those_of_its_two_products():
    with Count() as count:
        query, key = (torch.zeros(2, 3, length, 16, requires_grad=True) for length in (5, 7))
        found = F.scaled_dot_product_attention(query, key, key)
        forward = count.operations
        found.sum().backward()
    assert forward == 2 * 4 * 5 * 7 * 3 * 16
    assert count.operations == 3 * forward


def test_a_count_leaves_nothing_behind(project, random_base, random_image_base):
    vision = {"model": str(random_image_base), "vision_model": str(random_base / "vision")}
    config = project.model_copy(update={"image_base": project.image_base.model_copy(update=vision)})
    own = networks(config.image_base)
    state, norm = torch.get_rng_state(), F.layer_norm
    sampling(config, "image_to_video", own)
    training(config, "image_to_video_lora", own)
    assert rotary_table.cache_info().currsize == 0  # tables without values
    assert torch.equal(torch.get_rng_state(), state)
    assert F.layer_norm is norm
    assert type(torch.empty(1)) is torch.Tensor
