"""The folded frame-wise mask against a dense one, one query at a time."""

import pytest
import torch

from fca.model.attention import FCAAttention
from tests.model.reference import slow_fca_attention

BATCH, TEXT, FRAMES, TOKENS, INITIAL, QUERIES, WIDTH, HEADS = 2, 5, 4, 6, 6, 3, 24, 2


def inputs(frame_wise: bool) -> dict[str, torch.Tensor | None]:
    random = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=random, dtype=torch.float64).requires_grad_()

    return {
        "text": normal(BATCH, TEXT, WIDTH),
        "video": normal(BATCH, FRAMES * TOKENS, WIDTH),
        "initial": normal(BATCH, INITIAL, WIDTH),
        "frames": normal(BATCH, FRAMES, QUERIES, WIDTH) if frame_wise else None,
    }


def layer() -> FCAAttention:
    torch.manual_seed(1)
    attention = FCAAttention(WIDTH, HEADS, initial_scale=0.7).double()
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return attention


def folded(attention: FCAAttention, tensors: dict, mask: bool = True) -> torch.Tensor:
    frames = None if tensors["frames"] is None else attention.keys_values(tensors["frames"].flatten(1, 2))
    initial = attention.keys_values(tensors["initial"])
    text, video = attention(tensors["text"], tensors["video"], initial, frames, FRAMES if mask else None)
    return torch.cat([text, video], dim=1)


def slow(attention: FCAAttention, tensors: dict, mask: bool = True) -> torch.Tensor:
    return torch.stack(
        [
            slow_fca_attention(
                attention,
                tensors["text"][row],
                tensors["video"][row],
                tensors["initial"][row],
                None if tensors["frames"] is None else tensors["frames"][row],
                FRAMES,
                mask,
            )
            for row in range(BATCH)
        ]
    )


@pytest.mark.parametrize("frame_wise, mask", [(True, True), (True, False), (False, True)])
def test_attention_equals_the_dense_mask_in_outputs_and_gradients(frame_wise, mask):
    attention, tensors = layer(), inputs(frame_wise)
    sources = [tensor for tensor in tensors.values() if tensor is not None] + list(attention.parameters())
    weights = torch.randn(BATCH, TEXT + FRAMES * TOKENS, WIDTH, dtype=torch.float64)
    fast, reference = folded(attention, tensors, mask), slow(attention, tensors, mask)
    torch.testing.assert_close(fast, reference, rtol=1e-10, atol=1e-12)
    for mine, theirs in zip(
        torch.autograd.grad((fast * weights).sum(), sources),
        torch.autograd.grad((reference * weights).sum(), sources),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("frame", range(FRAMES))
def test_a_frames_text_block_changes_only_that_frames_video_tokens_and_the_text(frame):
    attention, tensors = layer(), inputs(True)
    before = folded(attention, tensors)
    frames = tensors["frames"].detach().clone()
    frames[:, frame] += 1.0
    change = (folded(attention, tensors | {"frames": frames}) - before).abs().amax(dim=(0, 2))
    video = change[TEXT:].reshape(FRAMES, TOKENS)
    assert (video[frame] > 1e-6).all()
    assert (video[[other for other in range(FRAMES) if other != frame]] == 0).all()
    assert (change[:TEXT] > 1e-6).all()  # text queries are not masked


def test_every_query_sees_the_initial_frames_and_the_text():
    attention, tensors = layer(), inputs(True)
    before = folded(attention, tensors)
    moved = folded(attention, tensors | {"initial": tensors["initial"] + 0.5})
    assert ((moved - before).abs().amax(dim=(0, 2)) > 1e-9).all()
    text = tensors["text"].detach().clone()
    text[:, 0] += 1.0  # one key among many: every other token must notice
    changed = (folded(attention, tensors | {"text": text}) - before).abs().amax(dim=(0, 2))
    assert (changed > 1e-9).all()


def test_without_the_mask_every_video_token_sees_every_block():
    attention, tensors = layer(), inputs(True)
    before = folded(attention, tensors, mask=False)
    frames = tensors["frames"].detach().clone()
    frames[:, 2] += 1.0
    change = (folded(attention, tensors | {"frames": frames}, mask=False) - before).abs().amax(dim=(0, 2))
    assert (change > 1e-6).all()


def test_with_rotary_positions_only_their_distance_counts():
    """Turning queries and the initial frames' keys by the same angle changes nothing between them."""
    attention, tensors = layer(), inputs(False)
    angles = torch.linspace(0, 3, TOKENS, dtype=torch.float64)[:, None].repeat(1, WIDTH // HEADS)

    def attended(shift: float) -> torch.Tensor:
        turned = [(torch.cos(angles + shift), torch.sin(angles + shift)) for _ in range(2)]
        video = tuple(part.repeat(FRAMES, 1) for part in turned[0])
        queries = attention.queries(tensors["video"], video)
        keys, _ = attention.keys_values(tensors["initial"], turned[1])
        return queries @ keys.transpose(2, 3)

    torch.testing.assert_close(attended(0.0), attended(1.3), rtol=1e-5, atol=1e-5)
    plain = attention.queries(tensors["video"]) @ attention.keys_values(tensors["initial"])[0].transpose(2, 3)
    assert not torch.allclose(attended(0.0), plain, atol=1e-3)


def test_the_scale_starts_as_asked_and_a_width_that_does_not_divide_is_refused():
    assert FCAAttention(24, 2).scale.item() == pytest.approx(0.1)
    with pytest.raises(ValueError, match="multiple of the number of heads"):
        FCAAttention(25, 2)
