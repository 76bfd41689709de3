"""The closed form of docs/performance.md against torch's own counter, to the last operation."""

from pathlib import Path

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import flops
from fca.model import FCA, FCAAdapter, InitialFrames, Prompt
from fca.pocket.base import build_scheduler

PAPER = {"num_attention_heads": 30, "attention_head_dim": 64}
ADAPTER = {
    "latent_frames": 4,
    "queries_per_frame": 226,
    "text_width": 768,
    "vision_width": 1408,
    "conditioning_heads": 12,
}
SMALL = {
    "num_attention_heads": 2,
    "attention_head_dim": 8,
    "num_layers": 3,
    "in_channels": 4,
    "out_channels": 4,
    "time_embed_dim": 6,
    "text_embed_dim": 10,
    "sample_width": 10,
    "sample_height": 8,
    "max_text_seq_length": 5,
}
SMALL_ADAPTER = {
    "latent_frames": 4,
    "queries_per_frame": 3,
    "text_width": 12,
    "vision_width": 7,
    "conditioning_heads": 3,
}


class Case:
    """A model on `device`, inputs for it and its sizes."""

    def __init__(self, transformer, adapter, latent, text, caption, vision, batch, device):
        with torch.device(device):
            base = CogVideoXTransformer3DModel(**transformer, attention_bias=True)
            own = FCAAdapter.for_transformer(base, **adapter)
            self.model = FCA(base, own, build_scheduler().alphas_cumprod.to(device), t_ref=1)
            channels, width = base.config.in_channels, base.config.text_embed_dim
            initial = torch.randn(batch, 1, channels, *latent)
            self.noisy = torch.randn(batch, adapter["latent_frames"], channels, *latent)
            self.timestep = torch.ones(batch, dtype=torch.long)
            self.initial_frames = InitialFrames(initial, initial, torch.randn(batch, vision, adapter["vision_width"]))
            text_embeds = torch.randn(batch, caption, adapter["text_width"])
            mask = torch.ones(batch, caption, dtype=torch.bool)
            self.prompt = Prompt(torch.randn(batch, text, width), text_embeds, mask)
        self.sizes = flops.Sizes.of(base, own, latent, text, caption, vision)
        self.batch = batch

    def counted(self) -> tuple[int, int, int]:
        """Operations of the condition, of one call and of the backward pass."""
        found = []
        with sdpa_kernel(SDPBackend.MATH):  # attention as two products: the counter knows every kernel of them
            with FlopCounterMode(display=False) as counter:
                velocity = self.model.prepare(self.initial_frames, self.prompt)
            found.append(counter.get_total_flops())
            with FlopCounterMode(display=False) as counter:
                prediction = velocity(self.noisy, self.timestep)
            found.append(counter.get_total_flops())
            with FlopCounterMode(display=False) as counter:
                prediction.square().mean().backward()
            found.append(counter.get_total_flops())
        return tuple(found)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_closed_form_is_what_torch_counts(batch):
    case = Case(SMALL, SMALL_ADAPTER, latent=(8, 10), text=5, caption=4, vision=9, batch=batch, device="cpu")
    once, call, back = case.counted()
    assert once == batch * flops.prepare(case.sizes)
    assert call == batch * flops.denoise(case.sizes)
    assert back == batch * flops.backward(case.sizes)


@pytest.mark.parametrize("layers", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_the_2b_at_the_papers_size(layers):
    """On the meta device: shapes without numbers."""
    transformer = PAPER | {"num_layers": layers}
    case = Case(transformer, ADAPTER, latent=(60, 90), text=226, caption=32, vision=257, batch=1, device="meta")
    sizes = case.sizes
    assert sizes.text + sizes.video == 5626
    assert sizes.text + sizes.frame_tokens + sizes.queries == 1802
    assert case.counted() == (flops.prepare(sizes), flops.denoise(sizes), flops.backward(sizes))


def test_the_figures_of_the_document():
    """docs/performance.md gives them in 10^12 operations."""
    sizes = flops.Sizes(
        layers=30,
        width=1920,
        time_width=512,
        patch_values=64,
        prompt_width=4096,
        text=226,
        frames=4,
        frame_tokens=1350,
        queries=226,
        text_width=768,
        caption_tokens=32,
        vision_width=1408,
        vision_tokens=257,
    )
    document = Path("docs/performance.md").read_text(encoding="utf-8")
    figures = {
        "`prepare`": flops.prepare(sizes),
        "`denoise`": flops.denoise(sizes),
        "`backward`": flops.backward(sizes),
        "`training`": flops.training(sizes),
        "`recomputed`": flops.recomputed(sizes, 30),
        "`sampling`": flops.sampling(sizes, 50),
        "`naive_sampling`": flops.naive_sampling(sizes, 50),
    }
    for name, operations in figures.items():
        row = next(line for line in document.splitlines() if line.startswith(f"| {name}"))
        assert f" {operations / 1e12:,.2f} |" in row
