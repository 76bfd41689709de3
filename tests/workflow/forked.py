"""Runs Snakemake in new processes that are forked from one that has imported it, which saves half of a dry run.

As a script it is that process: it reads calls, a line of JSON each, and answers with exit statuses.
"""

import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path


class Forked:
    """Calls of `python -m snakemake`, one at a time."""

    def __init__(self) -> None:
        command = [sys.executable, __file__]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )

    def run(self, arguments: list[str], cwd: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run`, with the output as text."""
        with tempfile.TemporaryDirectory() as folder:
            call = {
                "arguments": arguments,
                "cwd": str(cwd),
                "environment": dict(environment),
                "output": [f"{folder}/stdout", f"{folder}/stderr"],
            }
            assert self._process.stdin
            assert self._process.stdout
            print(json.dumps(call), file=self._process.stdin, flush=True)
            status = int(self._process.stdout.readline())
            return subprocess.CompletedProcess(arguments, status, *(Path(path).read_text() for path in call["output"]))


def serve() -> None:
    """Fork for each line, and become `python -m snakemake` there."""
    del sys.path[0]  # this folder
    import snakemake.cli  # noqa: F401

    assert "fca" not in sys.modules, "that comes from each project's own folder"
    for line in sys.stdin:
        call = json.loads(line)
        child = os.fork()
        if child == 0:
            become_snakemake(call)
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def become_snakemake(call: dict) -> None:
    """What a new interpreter would find: its folder, environment, path, arguments and files."""
    from snakemake.workflow import Workflow

    os.chdir(call["cwd"])
    Workflow._rundir = call["cwd"]  # all that Snakemake's modules note of where and how they are imported
    os.environ.clear()
    os.environ.update(call["environment"])
    given = call["environment"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [call["cwd"], *given]
    sys.argv = ["snakemake", *call["arguments"]]
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, path in enumerate(call["output"], start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    runpy.run_module("snakemake", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve()
