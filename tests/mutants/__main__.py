"""Run faults and print which are killed; see `tests.mutants`."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.fault import FAULTS
from tests.mutants.running import LIMIT, Copy
from tests.mutants.sampled import run_sample


def run_faults(names: Sequence[str]) -> int:
    """Run the faults whose names contain one of `names`, or all; 1 if one isn't killed, 2 if nothing could be run."""
    chosen = [fault for fault in FAULTS if not names or any(name in fault.name for name in names)]
    if not chosen:
        print(f"no fault's name contains {' or '.join(names)}")
        return 2
    texts = [fault.applied() for fault in chosen]  # all are known to fit before the first runs
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy, every = Copy(Path(folder)), dict.fromkeys(test for fault in chosen for test in fault.tests)
        verdict, seconds = copy.verdict(every, LIMIT * len(every))
        if verdict != "SURVIVED":
            print(copy.said(), "These tests don't pass without any fault.", sep="\n")
            return 2
        print(f"the {len(every)} test files of {len(chosen)} faults pass without any, in {seconds:.0f} s", flush=True)

        alive = 0
        for fault, text in zip(chosen, texts, strict=True):
            with copy.changed(fault.file, text):
                verdict, seconds = copy.verdict(fault.tests)
            print(f"{verdict:13} {seconds:4.0f} s  {fault.file:30} {fault.name}", flush=True)
            alive += verdict.isupper()
            if verdict == "BROKEN":
                print(copy.said())
    print(f"{len(chosen) - alive} of {len(chosen)} killed")
    return int(alive > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only faults whose names contain one of these")
    parser.add_argument("--sample", type=float, metavar="SECONDS", help="mechanical changes for so long instead")
    parser.add_argument("--seed", type=int, default=0, help="of the order of the sample")
    given = parser.parse_args()
    if given.sample is not None:
        sys.exit(run_sample(given.sample, given.seed))
    sys.exit(run_faults(given.names))
