"""A fault and the tests that must notice it, and the list of all: `faults/*.toml`.

A part of a list has a file below src/fca, the tests (files or ids of pytest, below tests/), and by name what is there
and what takes its place.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src/fca"
LISTS = Path(__file__).parent / "faults"


@dataclass(frozen=True)
class Fault:
    """`old` becomes `new` in `file`."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self) -> str:
        """The text of the file with the fault.

        Raises:
            ValueError: `old` isn't there exactly once; the entry is out of date.
        """
        text = (PACKAGE / self.file).read_text(encoding="utf-8")
        if (found := text.count(self.old)) != 1:
            raise ValueError(f"{self.name}: {self.old!r} is {found} times in {self.file}, not once")
        return text.replace(self.old, self.new)


def read_faults() -> list[Fault]:
    """All faults, in the order of the lists."""
    return [
        Fault(name, part["file"], old, new, tuple(part["tests"]))
        for path in sorted(LISTS.glob("*.toml"))
        for part in tomllib.loads(path.read_text(encoding="utf-8"))["part"]
        for name, (old, new) in part["faults"].items()
    ]


FAULTS = read_faults()
