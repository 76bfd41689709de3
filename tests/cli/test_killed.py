"""A step that is killed, as by the kernel for memory: its parent says so, and what to do."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

import psutil
import pytest
import yaml

from fca.cli.killed import ON_CORES, SETTINGS, _remedy, watched_command
from fca.cli.main import main
from fca.config import Config, load
from fca.data.fetch import fetch
from fca.data.index import build_index
from fca.errors import KILLED
from fca.plan import plan
from fca.plan.needed import needed_memory
from tests.cli.test_main import POCKET

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux watches")


def started(config: Config, step: str, *arguments: str) -> subprocess.Popen:
    """`fca STEP` in a process of its own."""
    file = Path(config.data_dir).parent / "config.yaml"
    file.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    command = [sys.executable, "-m", "fca.cli", step, "-c", str(file), *arguments]
    environment = os.environ | {"SLURM_MEM_PER_NODE": "7000", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


def of(process: subprocess.Popen) -> Iterator[psutil.Process]:
    """What a process has started, as it comes, until it ends."""
    while process.poll() is None:
        yield from psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.02)


def test_a_killed_step_is_explained(project) -> None:
    """Cause, memory, limits, settings with their values, and last what `fca plan` counts for it."""
    process = started(project, "encode", "ssv2", "validation", "--shard", "0")
    work = next(each for each in of(process) if each.memory_info().rss > 100e6)
    work.kill()
    _, said = process.communicate(timeout=300)
    assert process.returncode == KILLED
    first, *lines = said[said.index("fca encode: ") :].splitlines()
    assert first.startswith("fca encode: killed (SIGKILL), most likely for memory")
    peak = re.fullmatch(r"  memory: up to ([\d.]+) GiB so far", lines[0])
    assert peak
    assert 100e6 / 2**30 < float(peak[1]) + 0.001 < 2
    assert re.fullmatch(r"  the machine has [\d.]+ GiB; at the lowest, [\d.]+ GiB of them were left", lines[1])
    assert "  limit of the Slurm job (SLURM_MEM_PER_NODE): 6.84 GiB" in lines
    [remedy] = [line for line in lines if line.startswith("  remedy: ")]
    assert "set encode.precision (now fp32) to bf16, lower encode.batch_size (now 8), lower decode.processes" in remedy
    assert any("mem_mb" in line for line in lines)
    size = needed_memory(project, "encode", "ssv2") / 2**30
    assert lines[-1].startswith(f"  `fca plan` counts {size:.3g} GiB for networks and activations")
    assert "Traceback" not in said


@pytest.mark.slow
def test_killed_decoding_processes_are_named_and_end_the_step(tmp_path, random_base) -> None:
    from tests.conftest import small_config

    config = small_config(tmp_path, random_base)
    fetch(config, "ssv2")
    build_index(config, "ssv2")
    process = started(config, "resample", "ssv2", "validation", "--shard", "0")
    for each in of(process):
        try:
            if "spawn_main" in " ".join(each.cmdline()):
                each.kill()
        except psutil.Error:
            continue
    said = process.stderr.read()
    assert process.returncode == KILLED
    assert "(SIGKILL), most likely for memory: another one makes its call" in said
    assert re.search(r"^fca resample: a (decoding process|process for decoding) .*\(SIGKILL\)$", said, re.MULTILINE)
    assert "fca resample: a process of this step was killed (SIGKILL, see above), most likely for memory" in said
    assert "lower decode.processes (now null)" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("encode ssv2 train --shard 0", "encode"),
        ("--debug train ssv2 fca", "train"),
        ("data verify ssv2", "data verify"),
        ("predict --frames a.png --prompt encode --out b.mp4", "predict"),
        ("data check ssv2", ""),
        ("report", ""),
        ("encode --help", ""),
        ("train -h", ""),
        ("--version", ""),
        ("", ""),
    ],
)
def test_heavy_commands_are_watched(line, command) -> None:
    assert watched_command(line.split()) == command


def test_a_call_from_python_starts_no_process(monkeypatch) -> None:
    monkeypatch.setattr("os.fork", lambda: pytest.fail("a process was started"))
    assert main(["encode", "ssv2", "train", "--shard", "999", "-c", POCKET]) == 1


def test_every_setting_that_is_named_exists() -> None:
    config = load(POCKET)
    for names in SETTINGS.values():
        for name in names:
            assert name.startswith("--") or attrgetter(name)(config) is not Ellipsis


@pytest.mark.parametrize(
    ("command", "parameters", "remedy"),
    [
        ("encode", {}, "remedy: set encode.precision to bf16, lower encode.batch_size, lower decode.processes"),
        ("predict", {"precision": "fp32"}, "remedy: set --precision to bf16"),
        ("predict", {"precision": "bf16"}, "remedy: give it more memory: mem_mb in the profile"),
        ("vbench", {}, "remedy: give it more memory: mem_mb in the profile"),
    ],
)
def test_what_is_low_already_is_not_named(command, parameters, remedy) -> None:
    assert next(_remedy(command, parameters)).startswith(remedy)


def test_settings_are_named_as_they_are() -> None:
    config = load(POCKET)
    train = config.train.model_copy(update={"batch_size": 1, "loader_workers": 2, "processes": 1})
    remedy = next(_remedy("train", {"config": config.model_copy(update={"train": train})}))
    assert remedy == "remedy: raise train.checkpointed_layers (now 0), lower train.loader_workers (now 2)"


@pytest.mark.slow
def test_what_is_counted_for_a_step_is_its_row_of_the_plan() -> None:
    config = load(POCKET)
    rows = {(row.step, row.of): row.gpu_memory for row in plan(config).rows if row.dataset == "ssv2"}
    for step, of_row in (("encode", "train, text"), ("measure-vae-roundtrip", "validation")):
        assert needed_memory(config, step, "ssv2") == rows[step, of_row]
    for step in ("train", "sample", "score"):
        assert needed_memory(config, step, "ssv2", "fca") == rows[step, "fca"]
    assert {step for step in SETTINGS if needed_memory(config, step, "ssv2") is None} >= {*ON_CORES}
