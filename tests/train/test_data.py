"""What training reads: order and draws that depend on nothing but their names."""

import shutil

import pytest
import torch

from fca.config import Layout
from fca.errors import FcaError
from fca.train.data import LatentClips, StepOrder, data_loader, lost_workers_named
from tests.conftest import encode_stored, write_clips


def places(steps: range, process: int = 0, processes: int = 1, batch_size: int = 4, accumulation: int = 1):
    order = StepOrder(10, 5, batch_size, accumulation, steps, process, processes)
    return list(order)


def clips_of_steps(passes) -> dict[int, list[int]]:
    by_step: dict[int, list[int]] = {}
    for batch in passes:
        for step, row in batch:
            by_step.setdefault(step, []).append(row)
    return {step: sorted(rows) for step, rows in by_step.items()}


def test_a_resumed_order_is_the_rest_of_the_whole_one():
    assert places(range(0, 20))[7:] == places(range(7, 20))


def test_every_epoch_shows_every_clip_once():
    rows = [row for batch in places(range(0, 5)) for _, row in batch]
    assert sorted(rows[:10]) == list(range(10))
    assert sorted(rows[10:20]) == list(range(10))
    assert rows[:10] != rows[10:20]


def test_a_step_sees_the_same_clips_however_its_batch_is_divided():
    whole = clips_of_steps(places(range(6), batch_size=8))
    for batch_size, processes, accumulation in [(1, 4, 2), (2, 2, 2), (4, 1, 2), (1, 8, 1)]:
        divided = [
            batch
            for process in range(processes)
            for batch in places(range(6), process, processes, batch_size, accumulation)
        ]
        assert clips_of_steps(divided) == whole


def test_an_item_depends_on_seed_step_and_clip_only(encoded):
    layout = Layout(encoded)
    paths = [layout.latents("ssv2", "train", shard) for shard in (0, 1)]
    clips, backwards = LatentClips(paths, seed=3), LatentClips(paths[::-1], seed=3)
    first, again = clips[(9, 4)], backwards[(9, 1)]  # the same clip, found at another row
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["noise"], clips[(10, 4)]["noise"])
    assert not torch.equal(first["noise"], LatentClips(paths, seed=4)[(9, 4)]["noise"])
    assert first["clean"].shape == (4, 16, 4, 6)
    assert first["initial"].shape == (1, 16, 4, 6)


def test_a_shard_without_clips_changes_nothing(project):
    write_clips(project, empty=[0])
    for shard in (0, 1):
        encode_stored(project, "train", shard)
    layout = Layout(project)
    none, some = (layout.latents("ssv2", "train", shard) for shard in (0, 1))
    clips = LatentClips([some], seed=3)
    for paths in ([none, some], [some, none]):
        both = LatentClips(paths, seed=3)
        assert [both.id_of(row) for row in range(len(both))] == ["clip3", "clip4"]
        for row in range(2):
            one, other = both[(9, row)], clips[(9, row)]
            assert all(torch.equal(one[name], other[name]) for name in other)


def test_batches_are_the_same_for_any_number_of_workers(encoded):
    """Also when this process has read the shards before its workers are forked."""
    layout = Layout(encoded)
    clips = LatentClips([layout.latents("ssv2", "train", shard) for shard in (0, 1)], seed=3)

    def batches(workers: int) -> list[dict]:
        return list(data_loader(clips, StepOrder(len(clips), 5, 2, 2, range(3)), workers))

    alone, one, two = batches(0), batches(1), batches(2)
    assert len(alone) == len(one) == len(two) == 6
    for expected, *others in zip(alone, one, two, strict=True):
        for other in others:
            assert list(other) == list(expected)
            assert all(torch.equal(other[name], expected[name]) for name in expected)


def test_a_damaged_shard_is_named_by_the_worker_that_reads_it(encoded):
    path = Layout(encoded).latents("ssv2", "train", 0)
    clips = LatentClips([path], seed=3)
    data = bytearray(path.read_bytes())
    mean = clips.shards[0]["mean"][:].tobytes()
    clips.shards[0].close()
    data[data.index(mean[:64]) + 5] ^= 4
    path.write_bytes(data)
    with pytest.raises(FcaError, match=r"train-0000\.h5 can't be used"):
        list(data_loader(clips, StepOrder(len(clips), 5, 3, 1, range(2)), workers=2))


def test_a_shard_that_was_copied_over_another_is_named(encoded):
    layout = Layout(encoded)
    one, other = (layout.latents("ssv2", "train", shard) for shard in (0, 1))
    for suffix in (".h5", ".json"):
        shutil.copy(one.with_suffix(suffix), other.with_suffix(suffix))
    with pytest.raises(FcaError, match=r"train-0001\.h5 and .*train-0000\.h5 both hold 'clip0'"):
        LatentClips([one, other], seed=3)


def test_other_errors_are_left_as_they_are():
    with pytest.raises(RuntimeError, match="of ours"), lost_workers_named():
        raise RuntimeError("of ours")
