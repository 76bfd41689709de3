"""Seer's temporal cast equals torch's trilinear interpolation for every length that a clip may have."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fca.video.frame_selection import cast, cast_plan, cast_positions


@pytest.mark.parametrize("frames", [12, 16])
def test_the_plan_is_torch_trilinear_for_all_lengths(frames: int) -> None:
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    for length in range(frames, 301):
        source = random.random((length, 2, 3, 3), dtype=np.float32)
        plan = cast_plan(length, frames)
        weight = np.asarray(plan.weight, dtype=np.float32).reshape(-1, 1, 1, 1)
        ours = source[list(plan.low)] * (1 - weight) + source[list(plan.high)] * weight
        volume = torch.from_numpy(source).double().permute(3, 0, 1, 2)[None]
        theirs = torch.nn.functional.interpolate(volume, size=(frames, 2, 3), mode="trilinear")[0]
        np.testing.assert_allclose(ours, theirs.permute(1, 2, 3, 0).numpy(), atol=1e-6, err_msg=f"length {length}")


@pytest.mark.parametrize("length", [17, 23, 48, 101])
def test_a_cast_clip_is_torch_trilinear_to_the_level(length: int) -> None:
    """The blend itself, with weights that aren't a half, frame by frame."""
    torch = pytest.importorskip("torch")
    source = np.random.default_rng(length).integers(0, 256, (length, 4, 6, 3), dtype=np.uint8)
    ours = cast(dict(enumerate(source)), cast_plan(length, 16), 6, 4, "stretch")
    volume = torch.from_numpy(source).double().permute(3, 0, 1, 2)[None]
    theirs = torch.nn.functional.interpolate(volume, size=(16, 4, 6), mode="trilinear")[0].permute(1, 2, 3, 0)
    assert np.abs(ours - theirs.numpy()).max() < 0.501


@given(length=st.integers(1, 5000), frames=st.integers(1, 64))
def test_every_plan_is_valid_and_small(length: int, frames: int) -> None:
    plan = cast_plan(length, frames)
    assert len(plan.low) == len(plan.high) == len(plan.weight) == min(length, frames)
    assert plan.grey == max(0, frames - length)
    assert len({*plan.low, *plan.high}) <= 2 * frames
    assert all(0 <= low <= high < length and high - low <= 1 for low, high in zip(plan.low, plan.high, strict=True))
    assert all(0 <= weight < 1 for weight in plan.weight)
    assert list(plan.low) == sorted(plan.low)


def test_the_positions_that_the_protocol_names() -> None:
    assert cast_positions(32, 16) == [2 * index + 0.5 for index in range(16)]
    assert cast_positions(48, 16) == [3.0 * index + 1 for index in range(16)]
    assert cast_positions(101, 16)[0] == pytest.approx(2.65625)
    assert cast_positions(16, 16) == list(range(16))
    assert cast_plan(3, 16).grey == 13


@pytest.mark.parametrize(("length", "frames"), [(0, 16), (-1, 16), (16, 0)])
def test_impossible_lengths_are_refused(length: int, frames: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        cast_plan(length, frames)


def test_a_blend_is_rounded_half_up_once() -> None:
    """Frames of 1 and 2 in halves are 1.5, stored as 2; a short clip ends in grey."""
    source = {index: np.full((4, 6, 3), index % 2 + 1, dtype=np.uint8) for index in range(8)}
    assert (cast(source, cast_plan(8, 4), 6, 4, "stretch") == 2).all()
    short = cast({0: source[0], 1: source[1]}, cast_plan(2, 4), 3, 2, "stretch")
    assert short.shape == (4, 2, 3, 3)
    assert [int(frame.max()) for frame in short] == [1, 2, 127, 127]
