"""A network that was dropped isn't in memory any more when the next one is loaded."""

import subprocess
import sys
from pathlib import Path

from fca.config.shipped import located

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


MAPPED = """
import sys
from pathlib import Path
import torch
from fca.model.adapter import FCAAdapter
from fca.pretrained.load import load_pretrained

shipped, exported = map(Path, sys.argv[1:])
load_pretrained(FCAAdapter, shipped, torch.float32).save_pretrained(exported)
adapter = load_pretrained(FCAAdapter, exported, torch.bfloat16)
scales = {value.dtype for name, value in adapter.named_parameters() if name.endswith("scale")}
print(*scales, str(exported) in open("/proc/self/maps").read())
"""


def test_a_network_in_another_precision_holds_no_file(tmp_path: Path) -> None:
    """The scale stays in float32, as a view of the file, and would keep all of it in memory: 3.3 GiB at full size."""
    command = [sys.executable, "-c", MAPPED, str(located("config/pocket-base/adapter")), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["torch.float32", "False"]
