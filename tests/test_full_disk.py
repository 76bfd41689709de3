"""A full disk at any write: a clear error, what was there intact, and the same command goes on once there is room."""

import os
import subprocess
from pathlib import Path

import pytest
import torch

from fca.artifacts.atomic import sha256_tree
from fca.config import Layout
from fca.encode.shard import encode
from fca.errors import FcaError
from fca.runs.folder import checkpoints
from fca.sample import sample
from fca.train.checkpoint import load_newest, save_checkpoint
from fca.train.export import MANIFEST
from fca.train.loop import train
from tests.train.runs import run_folder

MIB = 2**20


@pytest.fixture
def small_disk(tmp_path):
    """Mounts small disks (tmpfs) where this machine lets it."""
    mounted = []

    def mount(folder: Path, mib: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("nothing can be mounted here")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """A file that leaves so many bytes on a small disk."""
    path = folder / "filler"
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize - leave)
    return path


def left_overs(folder: Path) -> list[Path]:
    return list(folder.rglob(".aside-*"))


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(small_disk, tmp_path):
    disk = tmp_path / "disk"
    small_disk(disk, 8)
    values = {"seconds": 0.0, "smoothed": None, "value": torch.ones(MIB // 4 * 3)}
    save_checkpoint(disk, values | {"step": 1})
    save_checkpoint(disk, values | {"step": 2})
    with pytest.raises(FcaError, match=r"no room to write .*checkpoint-0000003\.pt"):
        save_checkpoint(disk, values | {"step": 3})
    assert list(checkpoints(disk)) == [1, 2]
    assert load_newest(disk)["step"] == 2
    assert left_overs(disk) == []


def test_training_meets_a_full_disk_at_any_write_and_goes_on_to_the_same_bytes(encoded, small_disk):
    """Room for ever less: the checkpoint fails, then the log, then what a run begins with."""
    layout = Layout(encoded)
    train(encoded, "ssv2", "fca")
    model = layout.model("ssv2", "fca")
    expected, run = sha256_tree(model), run_folder(encoded, "ssv2", "fca")
    size = checkpoints(run)[4].stat().st_size
    subprocess.run(["rm", "-r", str(layout.runs), str(model), str(layout.model_manifest("ssv2", "fca"))], check=True)
    small_disk(layout.runs, 4 * size // MIB + 4)
    run.mkdir(parents=True)
    for leave in (int(1.5 * size), size // 2, 8192, 0):  # the first holds the checkpoint of step 2, and not of step 4
        filler = fill(layout.runs, leave)
        before = {path: path.read_bytes() for path in checkpoints(run).values()}
        with pytest.raises(Exception) as raised:
            train(encoded, "ssv2", "fca")
        assert "no room to write" in str(raised.value) or "No space left" in str(raised.value)
        assert all(path.read_bytes() == content for path, content in before.items())
        assert left_overs(layout.runs) == []
        assert not layout.model_manifest("ssv2", "fca").exists()
        filler.unlink()
    assert load_newest(run)["step"] == 2
    train(encoded, "ssv2", "fca")
    assert sha256_tree(model) == expected


def test_an_export_that_does_not_fit_leaves_the_model_before(encoded, small_disk):
    layout = Layout(encoded)
    model = layout.model("ssv2", "fca")
    models = model.parent
    small_disk(models, 32)
    train(encoded, "ssv2", "fca")
    expected = sha256_tree(model)
    (run_folder(encoded, "ssv2", "fca") / MANIFEST).unlink()  # otherwise a complete model is not exported again
    fill(models, 100_000)
    with pytest.raises(FcaError, match="no room to write"):
        train(encoded, "ssv2", "fca")
    assert sha256_tree(model) == expected
    assert layout.model_manifest("ssv2", "fca").exists()
    assert left_overs(models) == []
    (models / "filler").unlink()
    train(encoded, "ssv2", "fca")
    assert sha256_tree(model) == expected


@pytest.mark.slow
@pytest.mark.parametrize("leave", [0, 60_000])
def test_shards_that_do_not_fit_leave_what_was_there(project, small_disk, leave):
    layout = Layout(project)
    latents, samples = layout.latents("ssv2", "validation", 0), layout.samples("ssv2", "base", "validation", 0)
    precision = project.encode.model_copy(update={"precision": "bf16"})
    steps = project.sample.model_copy(update={"steps": project.sample.steps + 1})
    for path, make, change in [
        (latents, lambda config: encode(config, "ssv2", "validation", 0), {"encode": precision}),
        (samples, lambda config: sample(config, "ssv2", "base", "validation", 0), {"sample": steps}),
    ]:
        small_disk(path.parent, 8)
        make(project)
        files = [path, path.with_suffix(".json")]
        expected = [file.read_bytes() for file in files]
        filler = fill(path.parent, leave)
        changed = project.model_copy(update=change)  # otherwise the shard would be reused
        with pytest.raises(FcaError, match="no room to write"):
            make(changed)
        assert [file.read_bytes() for file in files] == expected
        assert left_overs(path.parent) == []
        filler.unlink()
        make(changed)
        assert [file.read_bytes() for file in files] != expected
        make(project)
        assert [file.read_bytes() for file in files] == expected
