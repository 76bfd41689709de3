"""A network that was dropped isn't in memory any more when the next one is loaded."""

import subprocess
import sys

CODE = """
import torch
from fca.pretrained.load import loading_network

def resident():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024

before = resident()
weights = [torch.ones(25_000) for _ in range(3_000)]  # 100 kB each: from the heap, not mapped
last = weights[-1]
del weights
dropped = resident() - before
with loading_network():
    print(dropped, resident() - before)
"""


def test_a_dropped_network_is_gone_before_the_next_one_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    dropped, left = map(float, done.stdout.split())
    assert dropped > 200, "glibc keeps it: otherwise this test shows nothing"
    assert left < 30
