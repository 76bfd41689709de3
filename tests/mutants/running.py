"""Tests on a copy of src/fca with one file changed."""

import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.fault import PACKAGE, ROOT

LIMIT = 300.0
"""Seconds for the tests of one change; one that makes them hang is noticed."""
PYTEST = 100  # added to pytest's exit status, so that a crash isn't taken for a test that failed
VERDICTS = {PYTEST: "SURVIVED", PYTEST + 1: "killed", None: "killed (time)"}
WORLD = multiprocessing.get_context("forkserver")  # imports torch once, and never fca
WORLD.set_forkserver_preload(["tests.mutants.preload"])


class Copy:
    """A copy of src/fca in a folder that otherwise links to the repository."""

    def __init__(self, folder: Path) -> None:
        self.package, self.log = folder / "src/fca", folder / "log"
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("__pycache__"))
        for item in ROOT.iterdir():
            if item.name not in ("src", "data", "runs", "reports"):
                (folder / item.name).symlink_to(item)

    @contextmanager
    def changed(self, file: str, text: str) -> Iterator[None]:
        """Another text in one of its files."""
        path = self.package / file
        path.write_text(text, encoding="utf-8")
        yield
        shutil.copyfile(PACKAGE / file, path)

    def verdict(self, tests: Iterable[str], limit: float = LIMIT) -> tuple[str, float]:
        """What the tests say, and the seconds that they took: `killed`, `SURVIVED`, or `BROKEN` if none could run."""
        started = time.monotonic()
        process = WORLD.Process(target=_run_tests, args=(str(self.package.parent), list(tests), str(self.log)))
        process.start()
        process.join(limit)
        code = process.exitcode
        if code is None:
            os.killpg(process.pid, 9)
            process.join()
        return VERDICTS.get(code, "BROKEN"), time.monotonic() - started

    def said(self) -> str:
        """The end of what the tests printed last."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-3000:]


def _run_tests(source: str, tests: Sequence[str], log: str) -> None:
    """In a process of its own: import fca from `source` and run the tests with their output in `log`."""
    os.setsid()
    os.chdir(ROOT)
    sys.path.insert(0, source)
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": "1"}
    with open(log, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    code = 1
    try:
        import pytest

        import fca

        if Path(fca.__file__).parents[1] == Path(source):
            options = ["-x", "-q", "-p", "no:cacheprovider"]
            code = PYTEST + int(pytest.main([*options, *(f"tests/{test}" for test in tests)]))
        sys.stdout.flush()
    finally:
        os._exit(code)  # whatever a faulty test has left running
