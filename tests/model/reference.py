"""The paper's model written the slow way: one clip and one head at a time, with a dense mask, nothing shared."""

import math
from functools import cache
from pathlib import Path

import torch
from diffusers import CogVideoXTransformer3DModel
from torch import Tensor, nn

from fca.model import FCAAdapter
from fca.model.attention import FCAAttention, Rotary
from fca.model.denoiser import rotary_positions
from fca.model.text_conditioning import FramePreNorm, FrameWiseTextConditioning

Sample = dict[str, Tensor]
"""One clip: `prompt_embeds` (l, w), `text_embeds` (m, w), `text_mask` (m,), `vision` (v, w)."""


def moved_adapter(folder: Path) -> FCAAdapter:
    """A random adapter for the transformer of a base of pocket size; nothing in it is zero."""
    torch.manual_seed(5)
    transformer = CogVideoXTransformer3DModel.from_pretrained(folder / "transformer")
    sizes = {"latent_frames": 4, "queries_per_frame": 16, "text_width": 64, "vision_width": 64}
    adapter = FCAAdapter.for_transformer(transformer, conditioning_heads=4, initial_scale=0.5, **sizes)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.add_(0.03 * torch.randn_like(parameter))
        for layer in adapter.layers:  # new ones hardly see the first frame
            layer.conditioning.cross_attention.value.weight.mul_(10)
            layer.conditioning.cross_attention.output.weight.mul_(10)
    return adapter


def slow_alphas() -> Tensor:
    """alphas_cumprod (1000,) of CogVideoX-2B in float64: scaled linear betas, SNR shifted by 3, none at the last."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    alphas = torch.cumprod(1 - betas, 0)
    root = (alphas / (3.0 + (1 - 3.0) * alphas)).sqrt()
    return ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2


def slow_velocity(
    transformer: CogVideoXTransformer3DModel,
    adapter: FCAAdapter,
    noisy: Tensor,
    timestep: int,
    noisy_initial: Tensor,
    sample: Sample,
) -> Tensor:
    """v (f, C, h, w) of the adapted model, from a transformer without adapter, x_t and the noisy initial latent.

    FCA's addition enters by hooks behind the attention of each block (section 3.2, Figure 3).
    """
    prompt, times = sample["prompt_embeds"][None], torch.tensor([timestep])
    attentions = [block.attn1 for block in transformer.transformer_blocks]
    initial: list[Tensor] = []
    hooks = [
        attention.register_forward_pre_hook(
            lambda _, args, given: initial.append(given["hidden_states"][0]), with_kwargs=True
        )
        for attention in attentions
    ]
    own_positions, positions = (rotary_positions(transformer, latent[None]) for latent in (noisy_initial, noisy))
    with torch.no_grad():
        transformer(noisy_initial[None], prompt, torch.tensor([1]), image_rotary_emb=own_positions)
    for hook in hooks:
        hook.remove()

    embedded = transformer.time_embedding(transformer.time_proj(times))[0]
    settings, own = adapter.config, (sample["text_embeds"], sample["text_mask"], sample["vision"])
    refined = None if adapter.conditioning is None else slow_conditioning(adapter.conditioning, *own)
    gates: dict[int, tuple[Tensor, Tensor]] = {}

    def adder(index: int):
        layer = adapter.layers[index]

        def add(_: nn.Module, args: tuple, given: dict[str, Tensor], output: tuple[Tensor, Tensor]):
            nonlocal refined
            text, video = given["encoder_hidden_states"][0], given["hidden_states"][0]
            frames = refined if layer.conditioning is None else slow_conditioning(layer.conditioning, *own)
            if layer.pre_norm is not None:
                frames = slow_pre_norm(layer.pre_norm, frames, embedded)
            sources = (text, video, initial[index], frames, settings.latent_frames)
            added = slow_fca_attention(layer.attention, *sources, settings.frame_mask, positions, own_positions)
            if settings.frame_wise_text == "uniform_refined":  # y_frames attend to the same sources
                queries, keys = frames.flatten(0, 1), torch.cat([text, initial[index], frames.flatten(0, 1)])
                change = slow_attention(layer.attention, queries, keys, key_rotary=own_positions, first=len(text))
                refined = refined + change.unflatten(0, refined.shape[:2])
            text_added, video_added = added[: len(text)], added[len(text) :]
            if settings.gate == "after":  # the block will multiply by its gates
                video_added, text_added = video_added / gates[index][0], text_added / gates[index][1]
            return output[0] + video_added, output[1] + text_added

        return add

    def watcher(index: int):
        return lambda _, args, output: gates.update({index: output[2:]})

    hooks = [
        attention.register_forward_hook(adder(index), with_kwargs=True) for index, attention in enumerate(attentions)
    ]
    for index, block in enumerate(transformer.transformer_blocks):
        hooks.append(block.norm1.register_forward_hook(watcher(index)))
    velocity = transformer(noisy[None], prompt, times, image_rotary_emb=positions, return_dict=False)[0][0]
    for hook in hooks:
        hook.remove()
    return velocity


def slow_pre_norm(module: FramePreNorm, frames: Tensor, embedded: Tensor) -> Tensor:
    """LN(y_frames) (1 + a(t)) + b(t) for y_frames (f, q, d) and the embedded time (w,)."""
    scale, shift = module.modulation(embedded * torch.sigmoid(embedded)).split(frames.shape[-1])
    centred = frames - frames.mean(-1, keepdim=True)
    normed = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return (normed * module.norm.weight + module.norm.bias) * (1 + scale) + shift


@cache
def dense_mask(text: int, frames: int, tokens: int, initial: int, queries: int) -> Tensor:
    """(text + frames * tokens, text + initial + frames * queries) bool: who may attend to whom, entry by entry."""
    mask = torch.ones(text + frames * tokens, text + initial + frames * queries, dtype=torch.bool)
    for row in range(frames * tokens):
        for column in range(frames * queries):
            mask[text + row, text + initial + column] = row // tokens == column // queries
    return mask


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(q k / sqrt(c)) v for (n, c), (m, c), (m, c), in explicit steps; mask (n, m)."""
    scores = query @ key.T / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores, dim=-1) @ value


def slow_fca_attention(
    layer: FCAAttention,
    text: Tensor,
    video: Tensor,
    initial: Tensor,
    frames: Tensor | None,
    latent_frames: int,
    masked: bool = True,
    rotary: Rotary | None = None,
    initial_rotary: Rotary | None = None,
) -> Tensor:
    """The addition to [text; video] for one sample: text (l, d), video (f s, d), initial (s', d), frames (f, q, d).

    Positions turn the video's queries and the initial frames' keys, and nothing else.
    """
    tokens = torch.cat([text, video])
    sources = [text, initial] if frames is None else [text, initial, frames.flatten(0, 1)]
    source = torch.cat(sources)
    mask = None
    if frames is not None and masked:
        mask = dense_mask(len(text), latent_frames, len(video) // latent_frames, len(initial), frames.shape[1])
    return slow_attention(layer, tokens, source, mask, rotary, initial_rotary, first=len(text))


def slow_attention(
    layer: FCAAttention,
    tokens: Tensor,
    source: Tensor,
    mask: Tensor | None = None,
    rotary: Rotary | None = None,
    key_rotary: Rotary | None = None,
    first: int = 0,
) -> Tensor:
    """The layer's attention of tokens (n, d) to source (m, d), a head at a time; rows from `first` on are turned."""
    width = tokens.shape[-1] // layer.heads
    outputs = []
    for head in range(layer.heads):
        part = slice(head * width, (head + 1) * width)
        query = turned(layer.norm_q(layer.to_q(tokens)[:, part]), rotary, first)
        key = turned(layer.norm_k(layer.to_k(source)[:, part]), key_rotary, first)
        outputs.append(attend(query, key, layer.to_v(source)[:, part], mask))
    return layer.scale * layer.to_out(torch.cat(outputs, dim=-1))


def turned(states: Tensor, rotary: Rotary | None, first: int) -> Tensor:
    """States (n, c) whose rows from `first` on are turned by cosines and sines (m, c), each pair of numbers by one."""
    if rotary is None:
        return states
    cosines, sines = rotary
    rows = slice(first, first + len(cosines))
    even, odd = states[rows, 0::2], states[rows, 1::2]
    pairs = (even * cosines[:, 0::2] - odd * sines[:, 0::2], odd * cosines[:, 1::2] + even * sines[:, 1::2])
    return torch.cat([states[: rows.start], torch.stack(pairs, dim=2).flatten(1), states[rows.stop :]])


def slow_conditioning(module: FrameWiseTextConditioning, text: Tensor, mask: Tensor, vision: Tensor) -> Tensor:
    """gamma(y, f_1) for one sample: padding removed rather than masked, text rows carried along and dropped late."""
    text = text[mask]
    states = torch.cat([module.queries, text])
    states = _post_norm(module.self_attention, states, states)
    queries = states[: len(module.queries)]
    queries = _post_norm(module.cross_attention, queries, vision)
    queries = module.norm(queries + module.feed_forward(queries))
    return module.projection(queries).reshape(module.latent_frames, -1, module.projection.out_features)


def _post_norm(layer: nn.Module, states: Tensor, source: Tensor) -> Tensor:
    query, key, value = layer.query(states), layer.key(source), layer.value(source)
    width = query.shape[-1] // layer.heads
    parts = [slice(head * width, (head + 1) * width) for head in range(layer.heads)]
    attended = torch.cat([attend(query[:, part], key[:, part], value[:, part]) for part in parts], dim=-1)
    return layer.norm(states + layer.output(attended))
