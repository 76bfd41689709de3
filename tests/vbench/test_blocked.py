"""What the official package may not do while it runs."""

import subprocess
import sys

from fca.vbench.step import SCRIPT


def test_no_program_may_run_but_the_list_of_libraries() -> None:
    """A CUDA build of torch looks for its libraries when it is imported."""
    script = """
import ctypes.util, os, subprocess, sys
sys.path.insert(0, sys.argv[1])
import official
official.block_network()
subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True)
assert ctypes.util.find_library("c")
for command in (["/bin/true"], ["/sbin/ldconfig", "-p", "-N"], "/sbin/ldconfig -p"):
    try:
        subprocess.run(command, shell=isinstance(command, str))
    except RuntimeError as error:
        print(error)
"""
    folder = SCRIPT.parent
    run = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("may not use the network or other programs") == 3
