"""Checkpoints: whole or not at all, damage found, the right ones kept."""

import json
import random

import pytest
import torch

from fca.errors import FcaError
from fca.runs.folder import checkpoints
from fca.train.checkpoint import (
    DAMAGED,
    CheckpointInfo,
    Retention,
    checkpoint_path,
    load_checkpoint,
    load_newest,
    save_checkpoint,
)


def state(step: int, loss: float | None = None, hours: float = 0.0) -> dict:
    values = torch.randn(100, generator=torch.Generator().manual_seed(step))
    return {"step": step, "seconds": 3600 * hours, "smoothed": loss, "value": values, "name": "a name"}


def steps(run) -> list[int]:
    return list(checkpoints(run))


def test_the_newest_are_kept(tmp_path):
    for step in range(1, 6):
        save_checkpoint(tmp_path, state(step))
    assert steps(tmp_path) == [4, 5]


def test_the_best_is_kept_however_old_it_is_until_there_is_a_better_one(tmp_path):
    kept = Retention(newest=1, best=True)
    for step, loss in enumerate([3.0, 1.0, 2.0, 2.0, 1.0], start=1):
        save_checkpoint(tmp_path, state(step, loss), kept)
    assert steps(tmp_path) == [2, 5]  # of equal ones the first
    save_checkpoint(tmp_path, state(6, 0.5), kept)
    save_checkpoint(tmp_path, state(7, 0.9), kept)
    assert steps(tmp_path) == [6, 7]


def test_one_of_every_so_many_hours_of_training_is_kept(tmp_path):
    kept = Retention(newest=1, every_hours=10)
    for step in range(1, 21):  # two hours each
        save_checkpoint(tmp_path, state(step, hours=2.0 * step), kept)
    assert steps(tmp_path) == [5, 10, 15, 20]
    (tmp_path / "checkpoints.json").write_text("[{")  # a damaged note costs no checkpoint
    save_checkpoint(tmp_path, state(21, hours=42.0), kept)
    assert steps(tmp_path) == [5, 10, 15, 20, 21]


def test_a_best_checkpoint_written_just_before_a_kill_is_kept(tmp_path):
    kept = Retention(newest=1, best=True)
    save_checkpoint(tmp_path, state(1, 2.0), kept)
    note = (tmp_path / "checkpoints.json").read_bytes()
    save_checkpoint(tmp_path, state(2, 1.0), kept)
    (tmp_path / "checkpoints.json").write_bytes(note)  # the kill came before the note
    for step in (3, 4):
        save_checkpoint(tmp_path, state(step, 3.0), kept)
    assert steps(tmp_path) == [2, 4]


def test_what_is_kept_is_a_function_of_the_infos_in_any_order():
    infos = [CheckpointInfo(step, 1000.0 * step, float(step % 7)) for step in range(1, 50)]
    kept = Retention(newest=3, every_hours=1.5, best=True)
    shuffled = random.Random(1).sample(infos, len(infos))
    assert kept.steps(infos) == kept.steps(shuffled)
    assert {47, 48, 49, 7} <= kept.steps(infos)


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before_loudly(tmp_path, capsys):
    for step in (1, 3):
        save_checkpoint(tmp_path, state(step))
    path = checkpoint_path(tmp_path, 3)
    path.write_bytes(path.read_bytes()[:100])
    assert load_newest(tmp_path)["step"] == 1
    assert f"DAMAGED: {path}" in capsys.readouterr().out
    save_checkpoint(tmp_path, state(2), Retention(newest=1))
    assert steps(tmp_path) == [2], "the damaged one is not counted among the newest"
    checkpoint_path(tmp_path, 2).write_bytes(b"not a checkpoint")
    for _ in range(2):  # it stays refused: training never silently starts anew
        with pytest.raises(FcaError, match="none of the 1 checkpoints"):
            load_newest(tmp_path)


def test_what_is_not_the_files_fault_damages_no_checkpoint(tmp_path):
    for step in (1, 2):
        save_checkpoint(tmp_path, state(step))
    checkpoint_path(tmp_path, 2).unlink()
    checkpoint_path(tmp_path, 2).mkdir()
    with pytest.raises(FcaError, match=r"checkpoint-0000002\.pt: Is a directory"):
        load_newest(tmp_path)
    assert steps(tmp_path) == [1, 2]


def test_no_flipped_bit_changes_what_is_loaded(tmp_path):
    """torch.load alone hands out altered tensors for about half of these."""
    save_checkpoint(tmp_path, state(1))
    path = checkpoint_path(tmp_path, 1)
    whole, chance = path.read_bytes(), random.Random(2)
    found = 0
    for _ in range(300):
        content = bytearray(whole)
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        try:
            loaded = load_checkpoint(path)
        except (*DAMAGED, OSError):
            found += 1
        else:
            assert torch.equal(loaded.pop("value"), state(1)["value"])
            assert loaded == {name: value for name, value in state(1).items() if name != "value"}
    assert found > 100


def test_a_checkpoint_that_would_run_code_is_not_loaded(tmp_path, capsys):
    class Harmful:
        def __reduce__(self):
            return (print, ("code was run",))

    torch.save({"step": 1, "harm": Harmful()}, checkpoint_path(tmp_path, 1))
    with pytest.raises(FcaError):
        load_newest(tmp_path)
    assert "code was run\n" not in capsys.readouterr().out


def test_infos_are_plain_json(tmp_path):
    save_checkpoint(tmp_path, state(3, 0.5, 1.0))
    assert json.loads((tmp_path / "checkpoints.json").read_text()) == [{"step": 3, "seconds": 3600.0, "loss": 0.5}]
