"""The FCA attention block: parallel cross-attention of every token to the conditions (paper section 3.2, Figure 3).

Notation, as in the paper: B batch, l_t text tokens, f latent frames, s tokens per latent frame, d model width.
Queries are Z = [y; x_t]. Keys and values are [y; X_init; y_frames]. A mask ties the video tokens of frame p to block p
of y_frames (section 3.3); y and X_init are open to all, and text tokens see every block.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FCAAttention(nn.Module):
    """W_q, W_k, W_v, W_o and the query and key norms of one layer, shaped as in the base block, trained from scratch.

    The frame-wise mask is never materialised: frames are folded into the batch, so that the video tokens of frame p
    attend to exactly [y; X_init; y_frames_p] through an unmasked attention kernel.

    Args:
        width: d, the width of the transformer (1,920 for CogVideoX-2B).
        heads: number of attention heads; `width / heads` must be whole.
        initial_scale: start of the learned factor on the output, one scalar per layer ("e.g., 0.1").
    """

    def __init__(self, width: int, heads: int, initial_scale: float = 0.1):
        super().__init__()
        if width % heads:
            raise ValueError(f"the width {width} is not a multiple of the number of heads {heads}")
        self.heads = heads
        self.to_q = nn.Linear(width, width)
        self.to_k = nn.Linear(width, width)
        self.to_v = nn.Linear(width, width)
        self.to_out = nn.Linear(width, width)
        self.norm_q = nn.LayerNorm(width // heads, eps=1e-6)
        self.norm_k = nn.LayerNorm(width // heads, eps=1e-6)
        self.scale = nn.Parameter(torch.tensor(float(initial_scale)))
        for linear in (self.to_q, self.to_k, self.to_v, self.to_out):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def split_heads(self, states: Tensor) -> Tensor:
        """(B, n, d) -> (B, heads, n, d / heads)."""
        return states.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def keys_values(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (B, heads, n, d / heads) of tokens (B, n, d)."""
        return self.norm_k(self.split_heads(self.to_k(tokens))), self.split_heads(self.to_v(tokens))

    def forward(
        self,
        text: Tensor,
        video: Tensor,
        initial: tuple[Tensor, Tensor],
        frames: Tensor | None,
        latent_frames: int,
    ) -> tuple[Tensor, Tensor]:
        """scale * Attention(Z W_q, [y; X_init; y_frames] W_k, [y; X_init; y_frames] W_v) W_o  (Eq. 3, section 3.2).

        Args:
            text: (B, l_t, d), y after the block's adaptive layer norm.
            video: (B, f * s, d), x_t after the same norm, frame by frame.
            initial: keys and values (B, heads, s', d / heads) of X_init at this layer, from `keys_values`.
            frames: (B, f, q, d), y_frames after its own pre-norm, or None for the ablation without them.
            latent_frames: f.

        Returns:
            The additions to the text tokens (B, l_t, d) and to the video tokens (B, f * s, d).
        """
        text_queries = self.norm_q(self.split_heads(self.to_q(text)))  # (B, h, l_t, c)
        video_queries = self.norm_q(self.split_heads(self.to_q(video)))  # (B, h, f * s, c)

        text_keys, text_values = self.keys_values(text)
        keys = torch.cat([text_keys, initial[0]], dim=2)  # (B, h, l_t + s', c), open to every query
        values = torch.cat([text_values, initial[1]], dim=2)

        if frames is None:
            text_output = F.scaled_dot_product_attention(text_queries, keys, values)
            video_output = F.scaled_dot_product_attention(video_queries, keys, values)
        else:
            frame_keys, frame_values = self.keys_values(frames.flatten(1, 2))  # (B, h, f * q, c)
            text_output = F.scaled_dot_product_attention(
                text_queries, torch.cat([keys, frame_keys], dim=2), torch.cat([values, frame_values], dim=2)
            )
            folded = F.scaled_dot_product_attention(
                fold(video_queries, latent_frames),  # (B * f, h, s, c)
                with_own_block(keys, frame_keys, latent_frames),  # (B * f, h, l_t + s' + q, c)
                with_own_block(values, frame_values, latent_frames),
            )
            video_output = unfold(folded, latent_frames)

        text_output = self.to_out(text_output.transpose(1, 2).flatten(2))
        video_output = self.to_out(video_output.transpose(1, 2).flatten(2))
        return self.scale * text_output, self.scale * video_output


def fold(states: Tensor, latent_frames: int) -> Tensor:
    """(B, h, f * n, c) -> (B * f, h, n, c): every frame becomes a row of the batch."""
    return states.unflatten(2, (latent_frames, -1)).transpose(1, 2).flatten(0, 1)


def unfold(states: Tensor, latent_frames: int) -> Tensor:
    """(B * f, h, n, c) -> (B, h, f * n, c), the inverse of `fold`."""
    return states.unflatten(0, (-1, latent_frames)).transpose(1, 2).flatten(2, 3)


def with_own_block(shared: Tensor, blocks: Tensor, latent_frames: int) -> Tensor:
    """Shared keys (B, h, n, c) followed, for each frame, by its own block: (B, h, f * q, c) -> (B * f, h, n + q, c)."""
    repeated = shared.unsqueeze(1).expand(-1, latent_frames, -1, -1, -1).flatten(0, 1)
    return torch.cat([repeated, fold(blocks, latent_frames)], dim=2)
