"""A step that is killed under Snakemake: what its log and Snakemake's error say."""

import shutil
import sys

import pytest

from tests.workflow.project import ROOT

TARGET = "data/pocket/ssv2/latents/text/validation-0000.json"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux watches")
def test_the_log_of_a_killed_step_says_so_and_snakemake_shows_it(project) -> None:
    shutil.copy(ROOT / "src/fca/cli/main.py", project.folder / "src/fca/cli/main.py")
    step = "    from fca.encode.shard import encode\n"
    project.replace("src/fca/cli/steps.py", step, "    import os\n\n    os.kill(os.getpid(), 9)\n" + step)
    (project.folder / TARGET).unlink()
    run = project.snakemake("--cores", "1", "--show-failed-logs", TARGET)
    assert run.returncode != 0
    said = "fca encode: killed (SIGKILL), most likely for memory"
    log = (project.folder / "data/pocket/logs/encode/text-ssv2-validation-0000.log").read_text()
    assert said in log
    assert "lower encode.batch_size (now 8)" in log
    error = run.stdout + run.stderr
    assert error.count(said) == 2, "as it comes, and in the failed log"
    assert "exit code 137" in error or "exit status 137" in error
