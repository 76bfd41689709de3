"""FCA attention and the Q-Former layer written the slow way: one query at a time, with a dense mask."""

import math

import torch
from torch import Tensor, nn

from fca.model.attention import FCAAttention
from fca.model.text_conditioning import FrameWiseTextConditioning


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
) -> Tensor:
    """The addition to [text; video] for one sample: text (l, d), video (f s, d), initial (s', d), frames (f, q, d)."""
    tokens = torch.cat([text, video])
    sources = [text, initial] if frames is None else [text, initial, frames.flatten(0, 1)]
    source = torch.cat(sources)
    mask = None
    if frames is not None and masked:
        mask = dense_mask(len(text), latent_frames, len(video) // latent_frames, len(initial), frames.shape[1])
    width = text.shape[-1] // layer.heads
    outputs = []
    for head in range(layer.heads):
        part = slice(head * width, (head + 1) * width)
        query = layer.norm_q(layer.to_q(tokens)[:, part])
        key = layer.norm_k(layer.to_k(source)[:, part])
        outputs.append(attend(query, key, layer.to_v(source)[:, part], mask))
    return layer.scale * layer.to_out(torch.cat(outputs, dim=-1))


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
