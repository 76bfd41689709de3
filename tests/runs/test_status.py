"""`fca status`: every run with its health, from its folder alone."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from fca.cli.main import main
from fca.config import load
from fca.runs.folder import LOG, RECORD, SKIPPED, Record
from fca.runs.status import COLUMNS, STALE, table
from tests.cli.test_main import POCKET

HOLD = """
import sys
from pathlib import Path
from fca.runs.folder import locked
run = Path(sys.argv[1])
with locked(run.parent, run):
    print("held", flush=True)
    input()
"""


def make(runs: Path, variant: str, state: str = "running", said: str = "", steps: int = 100) -> Path:
    folder = runs / "ssv2" / variant / "abc"
    folder.mkdir(parents=True)
    Record("ssv2", variant, steps, {}, None, state, said).write(folder)
    entries = [{"step": step, "loss": 2.0 / step, "seconds_per_step": 36.0} for step in (10, 20)]
    (folder / LOG).write_text("".join(json.dumps(entry) + "\n" for entry in entries) + '{"step": 3')
    (folder / SKIPPED).write_text('{"step": 7}\n')
    (folder / "checkpoint-0000015.pt").touch()
    return folder


def rows(runs: Path, now: float | None = None) -> dict[str, dict[str, str]]:
    found = [dict(zip(COLUMNS, row, strict=True)) for row in table(runs, now or time.time())]
    return {row["variant"]: row for row in found}


def test_all_runs_with_their_health(tmp_path):
    make(tmp_path, "a", "finished")
    make(tmp_path, "b", "interrupted", "stopped after step 20 of 100: SIGUSR1")
    make(tmp_path, "c", "failed", "no room")
    make(tmp_path, "d")  # nobody holds it
    held = make(tmp_path, "e")
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(held)], stdin=-1, stdout=-1, text=True)
    assert other.stdout.readline() == "held\n"
    found = rows(tmp_path)
    assert {variant: row["health"] for variant, row in found.items()} == {
        "a": "finished",
        "b": "interrupted: stopped after step 20 of 100: SIGUSR1",
        "c": "failed: no room",
        "d": "killed: run the same command again",
        "e": "running (1)",
    }
    assert found["e"]["step"] == "20/100"
    assert found["e"]["left"] == "00:48:00"
    assert found["e"]["loss"] == "0.1000"
    assert found["e"]["skipped"] == "1"
    assert found["e"]["checkpoint"].endswith(" ago")
    assert found["d"]["left"] == "-"
    for file in held.iterdir():
        os.utime(file, (0, 1e9))
    for quiet in (STALE, 1800):  # a line is due every 360 s
        assert rows(tmp_path, 1e9 + quiet)["e"]["health"] == "running (1)"
    assert rows(tmp_path, 1e9 + 2 * STALE + 1201)["e"]["health"].startswith("silent for 00:40:01")
    other.communicate("\n")
    assert rows(tmp_path)["e"]["health"] == "killed: run the same command again"


def test_the_command_prints_an_aligned_table_quickly(tmp_path, capsys):
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(load(POCKET, {"run_dir": str(tmp_path)}).model_dump(mode="json")))
    assert main(["status", "-c", str(file)]) == 0
    assert "no training has begun" in capsys.readouterr().out
    make(tmp_path / "pocket", "fca", "finished")
    assert main(["status", "-c", str(file)]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == list(COLUMNS)
    assert row.split()[:4] == ["ssv2", "fca", "abc", "20/100"]
    assert head.index("health") == row.index("finished")


def test_it_needs_no_torch():
    code = "import sys; import fca.runs.status, fca.train.launch, fca.runs.stop; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_folder_of_anything_else_is_passed_over(tmp_path):
    (tmp_path / "ssv2" / "fca" / "abc").mkdir(parents=True)
    (tmp_path / "ssv2" / "fca" / "abc" / "run.json").write_text("{")
    (tmp_path / "ssv2" / "notes.txt").touch()
    assert table(tmp_path, 0.0) == []


def test_a_run_whose_record_is_damaged_is_listed(tmp_path):
    (make(tmp_path, "a") / RECORD).write_text("{")
    assert rows(tmp_path)["a"]["step"] == "15/?"
    assert rows(tmp_path)["a"]["health"] == "run.json is missing or can't be read"


@pytest.mark.parametrize("text", ["", '{"st', '{"step": 9, "loss": 1.0, "seconds_per_step": 1.0}\n{"st', "\0\0\n"])
def test_a_log_that_is_being_written(tmp_path, text):
    folder = make(tmp_path, "a")
    (folder / LOG).write_text(text)
    assert rows(tmp_path)["a"]["step"] == "15/100"
