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


def folded(attention: FCAAttention, given: dict) -> torch.Tensor:
    text, video = attention(
        given["text"], given["video"], attention.keys_values(given["initial"]), given["frames"], FRAMES
    )
    return torch.cat([text, video], dim=1)


def slow(attention: FCAAttention, given: dict) -> torch.Tensor:
    return torch.stack(
        [
            slow_fca_attention(
                attention,
                given["text"][row],
                given["video"][row],
                given["initial"][row],
                None if given["frames"] is None else given["frames"][row],
                FRAMES,
            )
            for row in range(BATCH)
        ]
    )


@pytest.mark.parametrize("frame_wise", [True, False])
def test_folded_attention_equals_the_dense_mask_in_outputs_and_gradients(frame_wise):
    attention, given = layer(), inputs(frame_wise)
    sources = [tensor for tensor in given.values() if tensor is not None] + list(attention.parameters())
    weights = torch.randn(BATCH, TEXT + FRAMES * TOKENS, WIDTH, dtype=torch.float64)
    fast, reference = folded(attention, given), slow(attention, given)
    torch.testing.assert_close(fast, reference, rtol=1e-10, atol=1e-12)
    for mine, theirs in zip(
        torch.autograd.grad((fast * weights).sum(), sources),
        torch.autograd.grad((reference * weights).sum(), sources),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("frame", range(FRAMES))
def test_a_frames_text_block_changes_only_that_frames_video_tokens_and_the_text(frame):
    attention, given = layer(), inputs(True)
    before = folded(attention, given)
    frames = given["frames"].detach().clone()
    frames[:, frame] += 1.0
    change = (folded(attention, given | {"frames": frames}) - before).abs().amax(dim=(0, 2))
    video = change[TEXT:].reshape(FRAMES, TOKENS)
    assert (video[frame] > 1e-6).all()
    assert (video[[other for other in range(FRAMES) if other != frame]] == 0).all()
    assert (change[:TEXT] > 1e-6).all()  # text queries are not masked


def test_every_query_sees_the_initial_frames_and_the_text():
    attention, given = layer(), inputs(True)
    before = folded(attention, given)
    moved = folded(attention, given | {"initial": given["initial"] + 0.5})
    assert ((moved - before).abs().amax(dim=(0, 2)) > 1e-9).all()
    text = given["text"].detach().clone()
    text[:, 0] += 1.0  # one key among many: every other token must notice
    changed = (folded(attention, given | {"text": text}) - before).abs().amax(dim=(0, 2))
    assert (changed > 1e-9).all()


def test_the_scale_starts_as_asked_and_a_width_that_does_not_divide_is_refused():
    assert FCAAttention(24, 2).scale.item() == pytest.approx(0.1)
    with pytest.raises(ValueError, match="multiple of the number of heads"):
        FCAAttention(25, 2)
