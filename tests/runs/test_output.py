"""What happens when nobody reads what a command prints, or when there is no room for it."""

import os
import subprocess
import sys

import pytest

from fca.errors import INTERRUPTED

PRINTS = """
import importlib
import sys
main = importlib.import_module("fca.cli.main")

def run(call):
    print("printed, and still in the buffer")
    {then}

main._run = run
sys.exit(main.main([]))
"""


BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
UNBUFFERED = BUFFERED | {"PYTHONUNBUFFERED": "1"}


def run(then: str, stdout: int, env: dict[str, str] = BUFFERED) -> tuple[int, str]:
    """Run a command that prints and goes on with `then`; give its exit status and what it wrote to standard error."""
    command = [sys.executable, "-c", PRINTS.format(then=then)]
    done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=env)
    return done.returncode, done.stderr


@pytest.fixture
def unread():
    """The end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize("status", [0, 1, INTERRUPTED])
def test_the_status_is_that_of_the_work_although_nobody_reads(status, unread):
    assert run(f"return {status}", unread) == (status, "")


@pytest.mark.parametrize("env", [BUFFERED, UNBUFFERED], ids=["buffered", "unbuffered"])
def test_a_command_whose_reader_leaves_ends_quietly(env, unread):
    assert run("sys.stdout.flush()", unread, env) == (1, "")


def test_a_broken_pipe_to_another_process_is_an_error():
    status, said = run("raise BrokenPipeError('of a worker')", subprocess.DEVNULL)
    assert status == 1
    assert "of a worker" in said


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_output_that_does_not_fit_on_the_disk_is_no_success():
    with open("/dev/full", "w") as full:
        status, said = run("return 0", full.fileno())
    assert status == 1
    assert "what it prints: No space left on device" in said
