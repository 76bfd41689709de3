"""Frame-wise text conditioning (FTC): a one-layer Q-Former per transformer layer (paper section 3.3, Figure 2).

y_frames^i = gamma^i(y, f_1): learned queries read the caption by self-attention and the first frame by
cross-attention. gamma sees neither the noise level nor any later frame.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CrossAttention(nn.Module):
    """Multi-head attention with residual and layer norm after it, as in BERT and the Q-Former (post-norm)."""

    def __init__(self, width: int, heads: int, source_width: int):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(source_width, width)
        self.value = nn.Linear(source_width, width)
        self.output = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, states: Tensor, source: Tensor, mask: Tensor | None = None) -> Tensor:
        """states (B, n, w) attend to source (B, m, source_width); mask (B, m) is true where a source token counts."""
        query, key, value = (
            projected.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for projected in (self.query(states), self.key(source), self.value(source))
        )
        allowed = None if mask is None else mask[:, None, None, :]
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        return self.norm(states + self.output(attended.transpose(1, 2).flatten(2)))


class FrameWiseTextConditioning(nn.Module):
    """One module gamma^i: self-attention over [queries; y], cross-attention of the queries to f_1, feed-forward.

    Args:
        latent_frames: f, the frames of the video latent (4 for 16 frames).
        queries_per_frame: q, as many as text tokens (226; 904 queries in all, Table 5).
        width: of the text embeddings and of this module (768 in BLIP-2).
        vision_width: of the ViT features (1,408 in BLIP-2's ViT-g).
        output_width: d, the width of the transformer; a last projection leads there.
        heads: attention heads (12 in BLIP-2).
    """

    def __init__(
        self, latent_frames: int, queries_per_frame: int, width: int, vision_width: int, output_width: int, heads: int
    ):
        super().__init__()
        self.latent_frames = latent_frames
        self.queries = nn.Parameter(torch.randn(latent_frames * queries_per_frame, width) * 0.02)
        self.self_attention = CrossAttention(width, heads, width)
        self.cross_attention = CrossAttention(width, heads, vision_width)
        self.feed_forward = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.projection = nn.Linear(width, output_width)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, text: Tensor, text_mask: Tensor, vision: Tensor) -> Tensor:
        """y_frames of one layer.

        Args:
            text: (B, m, width), the caption's frozen BERT-style embeddings.
            text_mask: (B, m) bool, true on real tokens.
            vision: (B, v, vision_width), the frozen ViT's tokens of the first frame.

        Returns:
            (B, f, q, output_width).
        """
        queries = self.queries.expand(text.shape[0], -1, -1).to(text.dtype)  # (B, f * q, w)
        mask = torch.cat([text_mask.new_ones(queries.shape[:2]), text_mask], dim=1)
        together = torch.cat([queries, text], dim=1)  # (B, f * q + m, w)
        # Only the queries are used below, so only their rows of the self-attention are computed.
        queries = self.self_attention(queries, together, mask)
        queries = self.cross_attention(queries, vision)
        queries = self.norm(queries + self.feed_forward(queries))
        return self.projection(queries).unflatten(1, (self.latent_frames, -1))


class FramePreNorm(nn.Module):
    """The learned pre-normalisation of y_frames, "mimicking adaLN" (section 3.3): LN(y_frames) (1 + a(t)) + b(t).

    a and b come from the transformer's time embedding through a zero-initialised projection, so the layer starts as
    a plain layer norm. A gate would be redundant in front of keys and values.
    """

    def __init__(self, width: int, time_width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.modulation = nn.Linear(time_width, 2 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, frames: Tensor, time_embedding: Tensor) -> Tensor:
        """frames (B, n, d), time_embedding (B, time_width) -> (B, n, d)."""
        scale, shift = self.modulation(F.silu(time_embedding))[:, None, :].chunk(2, dim=-1)
        return self.norm(frames) * (1 + scale) + shift
