"""The runner: each fault in a fresh copy of src/fca, its tests, and a table of which were killed."""

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.mutants.fault import FAULTS, PACKAGE, ROOT

LIMIT = 300.0
"""Seconds for the tests of one fault; a fault that makes them hang is noticed."""
PASSED, FAILED, BROKEN = 0, 1, 70  # the first two are pytest's
WORLD = multiprocessing.get_context("forkserver")  # imports torch once, and never fca
WORLD.set_forkserver_preload(["tests.mutants.preload"])


def main(names: Sequence[str]) -> int:
    """Run the chosen faults; 1 if one of them survives or no longer makes a program."""
    chosen = [fault for fault in FAULTS if not names or any(name in fault.name for name in names)]
    if not chosen:
        print(f"no fault's name contains {' or '.join(names)}")
        return 2
    sources = [fault.applied() for fault in chosen]  # all are applied before the first runs

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        package = copied(Path(folder))
        everything = dict.fromkeys(test for fault in chosen for test in fault.tests)
        print(f"without a fault: {len(everything)} test files", flush=True)
        code, seconds = outcome(package, everything, Path(folder) / "log", LIMIT * len(everything))
        if code != PASSED:
            print((Path(folder) / "log").read_text(errors="replace")[-4000:], "these tests fail without any fault")
            return 2
        print(f"passed in {seconds:.0f} s\n", flush=True)

        survivors = []
        for fault, text in zip(chosen, sources, strict=True):
            path = package / fault.file
            path.write_text(text, encoding="utf-8")
            code, seconds = outcome(package, fault.tests, Path(folder) / "log", LIMIT)
            shutil.copyfile(PACKAGE / fault.file, path)
            verdict = {FAILED: "killed", PASSED: "SURVIVED", None: "killed (time)"}.get(code, "BROKEN")
            print(f"{verdict:13} {seconds:5.0f} s  {fault.file:32} {fault.name}", flush=True)
            if verdict == "BROKEN":
                print((Path(folder) / "log").read_text(errors="replace")[-2000:])
            if verdict.isupper():
                survivors.append(fault)
    print(f"\n{len(chosen) - len(survivors)} of {len(chosen)} killed")
    return int(bool(survivors))


def copied(folder: Path) -> Path:
    """A copy of src/fca in a folder that otherwise links to the repository; return it."""
    package = folder / "src/fca"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    for item in ROOT.iterdir():
        if item.name not in ("src", "data", "runs", "reports"):
            (folder / item.name).symlink_to(item)
    return package


def outcome(package: Path, tests: Iterable[str], log: Path, limit: float) -> tuple[int | None, float]:
    """pytest's exit status with this copy of the package (None: it took longer than `limit`), and the seconds."""
    started = time.monotonic()
    process = WORLD.Process(target=run_tests, args=(str(package.parent), list(tests), str(log)))
    process.start()
    process.join(limit)
    code = process.exitcode
    if code is None:
        os.killpg(process.pid, 9)
        process.join()
    return code, time.monotonic() - started


def run_tests(source: str, tests: Sequence[str], log: str) -> None:
    """In a process of its own: import fca from `source` and run the tests with their output in `log`."""
    os.setsid()
    os.chdir(ROOT)
    sys.path.insert(0, source)
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": "1"}
    with open(log, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    code = BROKEN
    try:
        import pytest

        import fca

        if Path(fca.__file__).parents[1] == Path(source):
            code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *(f"tests/{test}" for test in tests)]))
        sys.stdout.flush()
    finally:
        os._exit(code)  # whatever a faulty test has left running


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only faults whose names contain one of these")
    sys.exit(main(parser.parse_args().names))
