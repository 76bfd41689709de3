"""Stopping and going on: the same bytes; what has changed is refused by name; steps that are not finite."""

import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fca.artifacts.atomic import sha256_tree
from fca.artifacts.manifest import Manifest
from fca.artifacts.shards import Shard, write_shard
from fca.config import Layout
from fca.errors import INTERRUPTED, FcaError, Interrupted
from fca.runs.folder import Record, checkpoints, locked, read_lines
from fca.runs.stop import Stop
from fca.train.checkpoint import checkpoint_path, load_newest
from fca.train.loop import train
from fca.train.run import open_run
from fca.train.trainer import restore
from tests.conftest import encode_stored, small_config, write_clips
from tests.train.runs import identity, run_folder


class StopAfter(Stop):
    """Asks to stop after so many steps of one process."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    @property
    def reason(self) -> str | None:
        self.left -= 1
        return "the test" if self.left <= 0 else None


def stopped(config, steps: int, **arguments) -> None:
    with pytest.raises(Interrupted) as raised:
        train(config, "ssv2", "fca", StopAfter(steps), **arguments)
    assert raised.value.exit_status == INTERRUPTED == 75


def result(config) -> tuple[int, str]:
    """The exported files but their manifest, which holds times."""
    return sha256_tree(Layout(config).model("ssv2", "fca"))


def losses(config) -> list:
    return [(entry["step"], entry["loss"]) for entry in read_lines(run_folder(config, "ssv2", "fca") / "log.jsonl")]


@pytest.mark.parametrize("shape", [{"batch_size": 2}, {"batch_size": 1, "gradient_accumulation": 2}])
def test_two_n_steps_are_n_steps_a_stop_and_n_steps_bit_for_bit(encoded, tmp_path, random_base, shape):
    config = small_config(tmp_path, random_base, checkpoint_every=100, **shape)
    train(config, "ssv2", "fca")
    expected, whole = result(config), losses(config)
    run = run_folder(config, "ssv2", "fca")
    smoothed = load_newest(run)["smoothed"]
    shutil.rmtree(run)
    shutil.rmtree(Layout(config).model("ssv2", "fca"))
    stopped(config, 2)
    assert list(checkpoints(run)) == [2]
    assert Record.read(run).state == "interrupted"
    half = load_newest(run)["seconds"]
    with (run / "log.jsonl").open("a") as log:
        log.write('{"step": 3, "loss": 1.0}\n{"st')  # what a kill after the checkpoint leaves
    torch.manual_seed(99)  # the global generator has no part in it
    train(config, "ssv2", "fca")
    assert result(config) == expected
    assert losses(config) == whole, "no line is there twice"
    assert Record.read(run).state == "finished"
    assert load_newest(run)["smoothed"] == smoothed
    assert (
        load_newest(run)["seconds"]
        > half + sum(entry["seconds_per_step"] for entry in read_lines(run / "log.jsonl")[2:]) - 0.01
    )


def test_another_division_of_the_same_clips_continues_a_run(encoded, tmp_path, random_base):
    stopped(encoded, 2)  # batch 2
    other = small_config(
        tmp_path, random_base, batch_size=1, gradient_accumulation=2, log_every=2, keep_checkpoints=1, compile=False
    )
    assert run_folder(other, "ssv2", "fca") == run_folder(encoded, "ssv2", "fca")
    train(other, "ssv2", "fca")
    found = Manifest.read(Layout(other).model_manifest("ssv2", "fca"))
    assert found.extra["clips_per_step"] == {"batch_size": 1, "processes": 1, "gradient_accumulation": 2}
    assert [step for step, _ in losses(other)] == [1, 2, 4]
    four = small_config(tmp_path, random_base, batch_size=2, gradient_accumulation=2)
    assert run_folder(four, "ssv2", "fca") != run_folder(encoded, "ssv2", "fca")


def test_an_unfinished_run_of_other_settings_is_refused_by_name_and_can_be_continued(encoded, tmp_path, random_base):
    stopped(encoded, 2)
    run = run_folder(encoded, "ssv2", "fca")
    other = small_config(tmp_path, random_base, weight_decay=0.5, learning_rate=7e-4, schedule="constant_with_warmup")
    with pytest.raises(FcaError) as refused:
        train(other, "ssv2", "fca")
    text = str(refused.value)
    assert str(run) in text
    assert "step 2 of 4" in text
    assert "settings.train.weight_decay: 0.0001 then, 0.5 now" in text
    assert "--accept-changes" in text
    assert f"rm -r {run}" in text
    stopped(other, 1, accept_changes=True)
    assert not run.exists()
    state = load_newest(run_folder(other, "ssv2", "fca"))
    assert state["step"] == 3
    group = state["optimizer"]["param_groups"][0]
    assert group["weight_decay"] == 0.5, "the change has effect"
    assert group["lr"] == pytest.approx(other.learning_rate("fca"))
    train(other, "ssv2", "fca")
    [change] = Manifest.read(Layout(other).model_manifest("ssv2", "fca")).extra["changes"]
    assert change["step"] == 2
    assert change["keys"]["settings.train.weight_decay"] == [0.0001, 0.5]


def test_a_take_over_that_was_killed_half_way_is_not_silently_continued(encoded, tmp_path, random_base):
    stopped(encoded, 2)
    other = small_config(tmp_path, random_base, weight_decay=0.5)
    run_folder(encoded, "ssv2", "fca").rename(run_folder(other, "ssv2", "fca"))  # and then the kill
    with pytest.raises(FcaError, match=r"settings.train.weight_decay: 0.0001 then, 0.5 now"):
        train(other, "ssv2", "fca")
    train(other, "ssv2", "fca", accept_changes=True)
    [change] = Manifest.read(Layout(other).model_manifest("ssv2", "fca")).extra["changes"]
    assert change["step"] == 2
    assert list(change["keys"]) == ["settings.train.weight_decay"]


def test_a_run_without_checkpoints_does_not_hide_an_unfinished_one(encoded, tmp_path, random_base):
    other = small_config(tmp_path, random_base, weight_decay=0.5)
    with pytest.raises(ZeroDivisionError), open_run(other, "ssv2", "fca", identity(other)):
        raise ZeroDivisionError  # before its first checkpoint
    stopped(encoded, 2)
    with pytest.raises(FcaError, match="is an unfinished run at step 2 of 4"):
        train(other, "ssv2", "fca")


def test_an_unfinished_run_is_not_hidden_by_a_damaged_record(encoded, tmp_path, random_base):
    stopped(encoded, 2)
    (run_folder(encoded, "ssv2", "fca") / "run.json").write_text("{")
    with pytest.raises(FcaError, match=r"run\.json is missing or can't be read, and next to it are checkpoints"):
        train(small_config(tmp_path, random_base, weight_decay=0.5), "ssv2", "fca")
    train(encoded, "ssv2", "fca")  # its own checkpoints say what they belong to


def test_a_checkpoint_that_the_disk_does_not_give_is_named(encoded, monkeypatch):
    stopped(encoded, 2)

    def fails(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fca.train.checkpoint.load_checkpoint", fails)
    with pytest.raises(FcaError, match=r"checkpoint-0000002\.pt: Input/output error"):
        train(encoded, "ssv2", "fca")
    assert 2 in checkpoints(run_folder(encoded, "ssv2", "fca")), "it was not renamed"


def test_a_run_that_is_past_the_steps_it_is_now_to_have_is_no_result(encoded):
    stopped(encoded, 3)
    shorter = encoded.datasets["ssv2"].model_copy(update={"train_steps": 2})
    shorter = encoded.model_copy(update={"datasets": {"ssv2": shorter}})
    with pytest.raises(FcaError, match="is at step 3, but training now has only 2 steps"):
        train(shorter, "ssv2", "fca", accept_changes=True)
    assert list(checkpoints(run_folder(encoded, "ssv2", "fca"))) == [2, 3], "it is where it was"
    assert not Layout(shorter).model_manifest("ssv2", "fca").exists()


def test_why_a_run_ended_is_told_although_it_can_not_be_noted(encoded):
    def fail(folder) -> None:
        shutil.rmtree(folder)
        folder.touch()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), open_run(encoded, "ssv2", "fca", identity(encoded)) as (folder, _):
        fail(folder)


def test_the_manifest_names_the_latents_that_were_trained_on(encoded):
    before = [Manifest.read(path).sha256 for path in manifests(encoded)]

    class Meanwhile(Stop):
        @property
        def reason(self) -> None:
            for path in manifests(encoded):  # as if they were recomputed with other content
                path.write_text(path.read_text().replace(Manifest.read(path).sha256, "0" * 64))

    train(encoded, "ssv2", "fca", Meanwhile())
    assert [Manifest.read(path).sha256 for path in manifests(encoded)] == ["0" * 64] * 2
    assert list(Manifest.read(Layout(encoded).model_manifest("ssv2", "fca")).parents.values()) == before


def manifests(config) -> list:
    layout = Layout(config)
    return [layout.manifest(layout.latents("ssv2", "train", shard)) for shard in layout.shards("ssv2", "train")]


def test_an_unfinished_run_on_other_latents_or_other_code_is_refused(encoded, monkeypatch):
    stopped(encoded, 2)
    with monkeypatch.context() as patch:
        patch.setattr("fca.artifacts.fingerprint.code_hash", lambda step: "0" * 64)
        with pytest.raises(FcaError, match=r"code: .* then, 000000000000\.\.\. now"):
            train(encoded, "ssv2", "fca")
    write_clips(encoded, change=3)
    for shard in (0, 1):
        encode_stored(encoded, "train", shard)
    with pytest.raises(FcaError, match=r"latents\.0: "):
        train(encoded, "ssv2", "fca")


def test_a_checkpoint_of_another_run_is_refused(encoded, tmp_path, random_base):
    train(encoded, "ssv2", "fca")  # finished, so others may begin
    other = small_config(tmp_path, random_base, eps=1e-6)
    stopped(other, 2)
    run = run_folder(other, "ssv2", "fca")
    shutil.copy(checkpoint_path(run_folder(encoded, "ssv2", "fca"), 4), checkpoint_path(run, 3))
    with pytest.raises(FcaError, match=r"belongs to another run:\n  settings.train.eps: 1e-08 then, 1e-06 now"):
        train(other, "ssv2", "fca")


def test_two_trainings_of_one_model_at_a_time_are_refused(encoded, tmp_path):
    folder = Layout(encoded).run("ssv2", "fca")
    code = f"""
from pathlib import Path
from fca.runs.folder import locked
with locked(Path({str(folder)!r}), Path("there")):
    print("held", flush=True)
    input()
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True)
    assert other.stdout.readline() == "held\n"
    with pytest.raises(FcaError, match=f"process {other.pid} on .* trains there"):
        train(encoded, "ssv2", "fca")
    other.kill()
    other.communicate()
    with locked(folder, folder / "mine"):
        pass  # a kill lets go of it


def spoil(config, rows: slice) -> None:
    """Latents that are not finite, in some rows of each shard."""
    layout = Layout(config)
    for shard in layout.shards("ssv2", "train"):
        path = layout.latents("ssv2", "train", shard)
        with Shard(path) as source:
            arrays = {name: source[name][:] for name in source.names if name not in ("id", "caption")}
            arrays["mean"][rows] = np.float16(np.nan)
            arrays["caption"] = source.captions
            write_shard(path, "latents", arrays, source.ids, {}, {}, meta=source.meta)


def test_steps_that_are_not_finite_are_skipped_counted_and_listed(encoded, tmp_path, random_base):
    spoil(encoded, slice(0, 1))
    config = small_config(tmp_path, random_base, batch_size=1, checkpoint_every=1)
    steps = config.datasets["ssv2"].model_copy(update={"train_steps": 10})
    config = config.model_copy(update={"datasets": {"ssv2": steps}})
    stopped(config, 5)
    train(config, "ssv2", "fca")
    skipped = read_lines(run_folder(config, "ssv2", "fca") / "skipped.jsonl")
    assert [entry["ids"][0] for entry in skipped].count("clip0") == 2  # two epochs of five clips, each clip once
    assert [entry["ids"][0] for entry in skipped].count("clip3") == 2
    assert len(skipped) == 4
    assert all(entry["clips_not_finite"] == entry["ids"] for entry in skipped)
    model = Manifest.read(Layout(config).model_manifest("ssv2", "fca"))
    assert model.extra["skipped_steps"] == [entry["step"] for entry in skipped]
    weights = load_newest(run_folder(config, "ssv2", "fca"))["trained"]
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert "NaN" not in (run_folder(config, "ssv2", "fca") / "log.jsonl").read_text()


def test_too_many_consecutive_skips_end_the_run_with_a_diagnosis(encoded, tmp_path, random_base):
    spoil(encoded, slice(0, None))
    config = small_config(tmp_path, random_base, max_skipped=3)
    with pytest.raises(FcaError) as raised:
        train(config, "ssv2", "fca")
    text = str(raised.value)
    assert "not finite in 3 consecutive steps, up to step 3" in text
    assert "loss nan" in text
    assert "first weight with a non-finite gradient: adapter." in text
    assert "encode them again" in text
    run = run_folder(config, "ssv2", "fca")
    assert json.loads((run / "skipped.jsonl").read_text().splitlines()[-1])["loss"] == "nan"
    assert Record.read(run).state == "failed"
    assert not Layout(config).model_manifest("ssv2", "fca").exists()


def test_consecutive_skipped_steps_count_on_after_an_interruption(encoded, tmp_path, random_base):
    spoil(encoded, slice(0, None))
    config = small_config(tmp_path, random_base, max_skipped=3)
    stopped(config, 2)
    with pytest.raises(FcaError, match="not finite in 3 consecutive steps, up to step 3"):
        train(config, "ssv2", "fca")


def test_a_run_that_learned_nothing_is_no_result(encoded):
    spoil(encoded, slice(0, None))
    with pytest.raises(FcaError, match="4 consecutive steps"):
        train(encoded, "ssv2", "fca")
    assert not Layout(encoded).model_manifest("ssv2", "fca").exists()


def test_more_processes_than_run_are_refused(encoded, tmp_path, random_base):
    with pytest.raises(FcaError, match="1 processes are training"):
        train(small_config(tmp_path, random_base, processes=2), "ssv2", "fca")


def test_weights_in_another_order_are_refused_since_the_optimizer_knows_them_by_position():
    state = {"a": torch.zeros(2), "b": torch.ones(2)}
    trained = {name: torch.nn.Parameter(state[name].clone()) for name in ("b", "a")}
    with pytest.raises(FcaError, match="in another order"):
        restore(trained, state)


def test_the_time_limit_saves_and_ends(encoded, tmp_path, random_base):
    config = small_config(tmp_path, random_base, hours=1e-9, checkpoint_every=100)
    with pytest.raises(Interrupted, match="after step 1 of 4: the limit of 1e-09 hours"):
        train(config, "ssv2", "fca")
    assert list(checkpoints(run_folder(config, "ssv2", "fca"))) == [1]


def test_tensorboard_shows_each_step_once_after_an_interruption(encoded, tmp_path, random_base):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    config = small_config(tmp_path, random_base, trackers=["tensorboard"])
    stopped(config, 3)
    checkpoint_path(run_folder(config, "ssv2", "fca"), 3).unlink()  # as if killed: step 3 was shown and is done again
    train(config, "ssv2", "fca")
    events = accumulator.EventAccumulator(str(run_folder(config, "ssv2", "fca") / "tracked"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [
        (step, pytest.approx(loss)) for step, loss in losses(config)
    ]


def test_a_tracker_that_is_not_installed_is_refused(encoded, tmp_path, random_base):
    with pytest.raises(FcaError, match="trackers names crystal_ball"):
        train(small_config(tmp_path, random_base, trackers=["crystal_ball"]), "ssv2", "fca")
