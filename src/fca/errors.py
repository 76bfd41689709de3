"""The exception that users read, the exit status of an interrupted step, and text for errors."""

import shlex
from collections.abc import Iterable
from pathlib import Path

INTERRUPTED = 75
"""Exit status of a step that stopped on request and saved its state: a scheduler should queue the same command again
(EX_TEMPFAIL of sysexits.h)."""
KILLED = 137
"""Exit status of a step that was killed (SIGKILL), or of which a process was: 128 + 9, as in a shell."""


def remake(*paths: Path | str) -> str:
    """For a remedy: the command that rebuilds lost files.

    It names them, because Snakemake rebuilds an intermediate file whose results exist only on request.
    """
    return f"`snakemake --cores 2 {shlex.join(map(str, paths))}` (and this scale's --configfile)"


class FcaError(Exception):
    """A problem that a user can fix: what happened, what was expected, and what to do about it.

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
    """A step stopped early on request, and nothing is lost."""

    exit_status = INTERRUPTED


class Killed(FcaError):
    """A process that a step had started was killed (SIGKILL). The parent of the step adds what it saw of its memory."""

    exit_status = KILLED


def first_line(error: BaseException) -> str:
    """The first line of an error's text; the name of its class if it has no text."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A suggestion, in parentheses, if one of the known words is close."""
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def require_known(kind: str, name: str, known: Iterable[str]) -> None:
    """Check that a name is in the configuration.

    Raises:
        FcaError: it is not among the `known` ones.
    """
    known = list(known)
    if name not in known:
        problem = f"there is no {kind} {name!r} in the configuration{did_you_mean(name, known)}"
        raise FcaError(problem, f"one of {', '.join(known)}")
