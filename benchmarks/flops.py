"""Floating-point operations of the model, in closed form: what docs/performance.md derives, checked in tests.

Counted are matrix products, convolutions and the two products of attention, a multiply-add as two operations, as
`torch.utils.flop_counter` does. Norms, softmax, GELU, gates, biases and the optimizer are not: below one percent at
the 2B's size. "Model FLOPs" hold no operation that is done twice to save memory (checkpointed layers, flash kernels).
"""

from dataclasses import dataclass
from typing import Self

from diffusers import CogVideoXTransformer3DModel

from fca.model.adapter import FCAAdapter


@dataclass(frozen=True)
class Sizes:
    """What decides the cost of a clip with the paper's adapter (`layer_wise`, masked, pre-norm). Letters: the docs.

    Of the transformer: layers L, width d, time_width e, patch_values (numbers of a patch, C p^2), prompt_width; text l,
    frames f and frame_tokens s are its tokens. Of the adapter: queries q for each frame; in gamma text_width w,
    caption_tokens m, vision_width, vision_tokens.
    """

    layers: int
    width: int
    time_width: int
    patch_values: int
    prompt_width: int
    text: int
    frames: int
    frame_tokens: int
    queries: int
    text_width: int
    caption_tokens: int
    vision_width: int
    vision_tokens: int

    @classmethod
    def of(
        cls,
        transformer: CogVideoXTransformer3DModel,
        adapter: FCAAdapter,
        latent: tuple[int, int],
        text: int,
        caption_tokens: int,
        vision_tokens: int,
    ) -> Self:
        """For networks like CogVideoX-2B and a latent of `latent` = (height, width)."""
        base, own = transformer.config, adapter.config
        return cls(
            layers=base.num_layers,
            width=own.width,
            time_width=base.time_embed_dim,
            patch_values=base.in_channels * base.patch_size**2,
            prompt_width=base.text_embed_dim,
            text=text,
            frames=own.latent_frames,
            frame_tokens=(latent[0] // base.patch_size) * (latent[1] // base.patch_size),
            queries=own.queries_per_frame,
            text_width=own.text_width,
            caption_tokens=caption_tokens,
            vision_width=own.vision_width,
            vision_tokens=vision_tokens,
        )

    @property
    def video(self) -> int:
        """v = f s, the video tokens of a clip."""
        return self.frames * self.frame_tokens

    @property
    def frame_queries(self) -> int:
        """n = f q, the tokens of y_frames."""
        return self.frames * self.queries


def linear(inner: int, outer: int, rows: int) -> int:
    """A matrix product: `rows` vectors of `inner` numbers to `outer`."""
    return 2 * inner * outer * rows


def attention(width: int, queries: int, keys: int) -> int:
    """Scores and weighted sum of attention whose heads have `width` numbers together."""
    return 4 * width * queries * keys


def block(sizes: Sizes, video: int) -> int:
    """One frozen block on `video` video tokens: attention, feed-forward of 4 d, two adaptive norms."""
    d, tokens = sizes.width, sizes.text + video
    return linear(d, 12 * d, tokens) + attention(d, tokens, tokens) + 2 * linear(sizes.time_width, 6 * d, 1)


def transformer(sizes: Sizes, video: int) -> int:
    """The frozen transformer on `video` video tokens."""
    d = sizes.width
    into = linear(sizes.patch_values, d, video) + linear(sizes.prompt_width, d, sizes.text)
    out = linear(sizes.time_width, 2 * d, 1) + linear(d, sizes.patch_values, video)
    return sizes.layers * block(sizes, video) + into + time_embedding(sizes) + out


def time_embedding(sizes: Sizes) -> int:
    """The embedding of the noise level."""
    return linear(sizes.width, sizes.time_width, 1) + linear(sizes.time_width, sizes.time_width, 1)


def conditioning(sizes: Sizes) -> int:
    """gamma of one layer: y_frames."""
    w, n, m, u = sizes.text_width, sizes.frame_queries, sizes.caption_tokens, sizes.vision_tokens
    self_attention = linear(w, 2 * w, n) + linear(w, 2 * w, n + m) + attention(w, n, n + m)
    cross_attention = linear(w, 2 * w, n) + linear(sizes.vision_width, 2 * w, u) + attention(w, n, u)
    feed_forward = linear(w, 8 * w, n)
    return self_attention + cross_attention + feed_forward + linear(w, sizes.width, n)


def prepare(sizes: Sizes) -> int:
    """`FCA.prepare`: what is done once for a video and branch: X_init, its keys and values, y_frames."""
    own = linear(sizes.width, 2 * sizes.width, sizes.frame_tokens) + conditioning(sizes)
    return transformer(sizes, sizes.frame_tokens) + sizes.layers * own


def fca_scores(sizes: Sizes, folded: bool = True) -> int:
    """FCA's attention in one layer: folded by frames, or dense over all keys, the masked ones computed as well."""
    shared, n = sizes.text + sizes.frame_tokens, sizes.frame_queries
    seen = shared + (sizes.queries if folded else n)
    return attention(sizes.width, sizes.text, shared + n) + attention(sizes.width, sizes.video, seen)


def fca_layer(sizes: Sizes, folded: bool = True) -> int:
    """FCA in one layer of one call: queries and outputs, keys and values of y and y_frames, pre-norm, attention."""
    d = sizes.width
    queries_outputs = linear(d, 2 * d, sizes.text + sizes.video)
    keys_values = linear(d, 2 * d, sizes.text + sizes.frame_queries)
    return queries_outputs + keys_values + linear(sizes.time_width, 2 * d, 1) + fca_scores(sizes, folded)


def denoise(sizes: Sizes, folded: bool = True) -> int:
    """`denoise`: one call of the adapted transformer, for one clip and branch."""
    return transformer(sizes, sizes.video) + time_embedding(sizes) + sizes.layers * fca_layer(sizes, folded)


def backward(sizes: Sizes, folded: bool = True) -> int:
    """The backward pass of one clip.

    A product costs its own operations again for the gradient of its input, if that is needed, and once more for
    that of its weight, if it is trained; attention costs its own twice. Nothing is needed of the reference pass,
    of the transformer's first block in front of FCA's output, of T5's, ViT's and the time embedding's numbers.
    """
    d, tokens = sizes.width, sizes.text + sizes.video
    ends = linear(d, sizes.patch_values, sizes.video)
    frozen_attention = linear(d, 4 * d, tokens) + 2 * attention(d, tokens, tokens)
    frozen = sizes.layers * linear(d, 8 * d, tokens) + (sizes.layers - 1) * frozen_attention
    trained = linear(d, 2 * d, tokens) + linear(d, 2 * d, sizes.text + sizes.frame_queries)
    own = 2 * trained + 2 * fca_scores(sizes, folded) + linear(d, 2 * d, sizes.frame_tokens)
    own += linear(sizes.time_width, 2 * d, 1)
    inputs_of_first = linear(d, d, tokens) + linear(d, 2 * d, sizes.text)  # of W_q, and of W_k and W_v of y
    vision = linear(sizes.vision_width, 2 * sizes.text_width, sizes.vision_tokens)
    gamma = 2 * conditioning(sizes) - vision
    return ends + frozen + sizes.layers * (own + gamma) - inputs_of_first


def recomputed(sizes: Sizes, layers: int) -> int:
    """What `layers` checkpointed layers recompute in the backward pass: all of their forward pass."""
    return min(layers, sizes.layers) * (block(sizes, sizes.video) + fca_layer(sizes))


def training(sizes: Sizes) -> int:
    """Forward and backward of one clip."""
    return prepare(sizes) + denoise(sizes) + backward(sizes)


def sampling(sizes: Sizes, steps: int, branches: int = 2) -> int:
    """Latents of one clip: two branches with guidance, one without."""
    return branches * (prepare(sizes) + steps * denoise(sizes))


def naive_sampling(sizes: Sizes, steps: int, branches: int = 2) -> int:
    """The same with a dense mask, and the conditions recomputed in every step."""
    return branches * steps * (prepare(sizes) + denoise(sizes, folded=False))
