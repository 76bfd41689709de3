"""The one exception that users are meant to read, and the status of a step that stopped to go on later."""

import shlex
from pathlib import Path

INTERRUPTED = 75
"""Exit status of a step that was asked to stop, saved what it had, and goes on when the same command is run again
(EX_TEMPFAIL of sysexits.h): a scheduler should queue it again."""


def remake(*paths: Path | str) -> str:
    """For a remedy: the command that makes lost files again.

    They are named in it, because Snakemake misses a file in the middle, whose results are there, only when asked for.
    """
    return f"`snakemake --cores 2 {shlex.join(map(str, paths))}` (and this scale's --configfile)"


class FcaError(Exception):
    """A problem that a user can mend: what happened, what was expected instead, and what to do about it.

    The `fca` command prints `str(error)` without a traceback and exits with `exit_status`.
    """

    exit_status = 1

    def __init__(self, problem: str, expected: str = "", remedy: str = "") -> None:
        super().__init__(problem, expected, remedy)
        self.problem = problem
        self.expected = expected
        self.remedy = remedy

    def __str__(self) -> str:
        lines = [self.problem]
        if self.expected:
            lines.append(f"expected: {self.expected}")
        if self.remedy:
            lines.append(f"remedy: {self.remedy}")
        return "\n".join(lines)


class Interrupted(FcaError):
    """A step stopped early because it was asked to, and nothing is lost."""

    exit_status = INTERRUPTED
