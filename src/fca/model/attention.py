"""The FCA attention block: parallel cross-attention of every token to the conditions (paper section 3.2, Figure 3).

Notation, as in the paper: B batch, l_t text tokens, f latent frames, s tokens per latent frame, d model width.
Queries are Z = [y; x_t]. Keys and values are [y; X_init; y_frames]. A mask ties the video tokens of frame p to block p
of y_frames (section 3.3); y and X_init are open to all, and text tokens see every block.
"""

import torch
from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor, nn

KeysValues = tuple[Tensor, Tensor]  # (B, heads, n, d / heads) each
Rotary = tuple[Tensor, Tensor]  # cosines and sines (n, d / heads)


class FCAAttention(nn.Module):
    """W_q, W_k, W_v, W_o and the query and key norms of one layer, shaped as in the base block, trained from scratch.

    With fewer heads of the same width its projections are narrower (not in the paper: a smaller adapter).

    The frame-wise mask is never materialised: frames are folded into the batch, so that the video tokens of frame p
    attend to exactly [y; X_init; y_frames_p] through an unmasked attention kernel.

    Args:
        width: d, the width of the transformer (1,920 for CogVideoX-2B).
        heads: number of attention heads.
        initial_scale: start of the learned factor on the output, one scalar per layer ("e.g., 0.1").
        head_width: of each head; None: `width / heads`, which must be whole.
    """

    def __init__(self, width: int, heads: int, initial_scale: float = 0.1, head_width: int | None = None):
        super().__init__()
        if head_width is None and width % heads:
            raise ValueError(f"the width {width} is not a multiple of the number of heads {heads}")
        self.heads = heads
        head_width = width // heads if head_width is None else head_width
        inner = heads * head_width
        self.to_q = nn.Linear(width, inner)
        self.to_k = nn.Linear(width, inner)
        self.to_v = nn.Linear(width, inner)
        self.to_out = nn.Linear(inner, width)
        self.norm_q = nn.LayerNorm(head_width, eps=1e-6)
        self.norm_k = nn.LayerNorm(head_width, eps=1e-6)
        self.scale = nn.Parameter(torch.tensor(float(initial_scale)))
        for linear in (self.to_q, self.to_k, self.to_v, self.to_out):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def heads_of(self, states: Tensor) -> Tensor:
        """(B, n, d) -> (B, n, heads, d / heads); attention takes it transposed, without a copy."""
        return states.unflatten(2, (self.heads, -1))

    def queries(self, tokens: Tensor, rotary: Rotary | None = None) -> Tensor:
        """Queries (B, heads, n, d / heads) of tokens (B, n, d); `rotary`: positions, for a base that rotates them."""
        return rotate(self.norm_q(self.heads_of(self.to_q(tokens))).transpose(1, 2), rotary)

    def keys_values(self, tokens: Tensor, rotary: Rotary | None = None) -> KeysValues:
        """Keys and values, (B, heads, n, d / heads) each, of tokens (B, n, d)."""
        keys = rotate(self.norm_k(self.heads_of(self.to_k(tokens))).transpose(1, 2), rotary)
        return keys, self.heads_of(self.to_v(tokens)).transpose(1, 2)

    def output(self, attended: Tensor) -> Tensor:
        """The heads (B, heads, n, d / heads) joined, projected and scaled: (B, n, d)."""
        return self.scale * self.to_out(attended.transpose(1, 2).flatten(2))

    def forward(
        self,
        text: Tensor,
        video: Tensor,
        initial: KeysValues,
        frames: KeysValues | None,
        blocks: int | None,
        rotary: Rotary | None = None,
        backend: AttentionBackendName | None = None,
    ) -> tuple[Tensor, Tensor]:
        """scale * Attention(Z W_q, [y; X_init; y_frames] W_k, [y; X_init; y_frames] W_v) W_o  (Eq. 3, section 3.2).

        Args:
            text: (B, l_t, d), y after the block's adaptive layer norm.
            video: (B, f * s, d), x_t after the same norm, frame by frame.
            initial: keys and values (B, heads, s', d / heads) of X_init at this layer, from `keys_values`.
            frames: keys and values (B, heads, f * q, d / heads) of y_frames, or None for the ablation without them.
            blocks: f, to tie the video tokens of each frame to their own block of y_frames; None: every video token
                sees all of y_frames (Table 3, rows 3-5).
            rotary: cosines and sines (f * s, d / heads) of the video tokens' positions; None for a base that adds
                its positions to the tokens, as the 2B does.
            backend: the kernel, as `set_attention_backend` names it; None: diffusers' choice.

        Returns:
            The additions to the text tokens (B, l_t, d) and to the video tokens (B, f * s, d).
        """
        shared = join(self.keys_values(text), initial)  # (B, h, l_t + s', c), open to every query
        everything = shared if frames is None else join(shared, frames)
        text_queries, video_queries = self.queries(text), self.queries(video, rotary)
        text_output = attend(text_queries, *everything, backend)
        if frames is None or blocks is None:
            video_output = attend(video_queries, *everything, backend)
        else:
            folded = attend(
                fold(video_queries, blocks),  # (B * f, h, s, c)
                with_own_block(shared[0], frames[0], blocks),  # (B * f, h, l_t + s' + q, c)
                with_own_block(shared[1], frames[1], blocks),
                backend,
            )
            video_output = unfold(folded, blocks)
        return self.output(text_output), self.output(video_output)

    def refine(
        self,
        frames: Tensor,
        own: KeysValues,
        text: Tensor,
        initial: KeysValues,
        backend: AttentionBackendName | None = None,
    ) -> Tensor:
        """The same attention with y_frames (B, n, d) as its queries: what "uniform+R" adds to them (Figure 8, right).

        own: keys and values of these very tokens.
        """
        everything = join(join(self.keys_values(text), initial), own)
        return self.output(attend(self.queries(frames), *everything, backend))


def attend(query: Tensor, keys: Tensor, values: Tensor, backend: AttentionBackendName | None = None) -> Tensor:
    """Attention of queries (B, h, n, c) to keys and values (B, h, m, c), by diffusers' dispatcher: (B, h, n, c)."""
    turned = (states.transpose(1, 2) for states in (query, keys, values))  # diffusers' order, without a copy
    return dispatch_attention_fn(*turned, backend=backend).transpose(1, 2)


def rotate(states: Tensor, rotary: Rotary | None) -> Tensor:
    """Queries or keys (B, h, n, c) turned to their positions, as CogVideoX's own attention does."""
    return states if rotary is None else apply_rotary_emb(states, rotary)


def join(first: KeysValues, second: KeysValues) -> KeysValues:
    """Keys and values of both, one after the other."""
    return torch.cat([first[0], second[0]], dim=2), torch.cat([first[1], second[1]], dim=2)


def fold(states: Tensor, latent_frames: int) -> Tensor:
    """(B, h, f * n, c) -> (B * f, h, n, c): every frame becomes a row of the batch."""
    return states.unflatten(2, (latent_frames, -1)).transpose(1, 2).flatten(0, 1)


def unfold(states: Tensor, latent_frames: int) -> Tensor:
    """(B * f, h, n, c) -> (B, h, f * n, c), the inverse of `fold`."""
    return states.unflatten(0, (-1, latent_frames)).transpose(1, 2).flatten(2, 3)


def with_own_block(shared: Tensor, blocks: Tensor, latent_frames: int) -> Tensor:
    """Shared keys (B, h, n, c) followed, for each frame, by its own block: (B, h, f * q, c) -> (B * f, h, n + q, c)."""
    repeated = shared.unsqueeze(1).expand(-1, latent_frames, -1, -1, -1)  # (B, f, h, n, c), not in memory
    own = blocks.unflatten(2, (latent_frames, -1)).transpose(1, 2)  # (B, f, h, q, c)
    return torch.cat([repeated, own], dim=3).flatten(0, 1)
