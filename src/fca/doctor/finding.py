"""What `fca doctor` finds, and how it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fca.errors import FcaError


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    found: str
    problem: str = ""
    """Why it can't be used; empty: it can"""
    remedy: str = ""
    """With a problem what to do about it, without one what it would be good for"""

    @classmethod
    def of(cls, name: str, error: FcaError) -> "Finding":
        """A check that failed."""
        problem = error.problem + (f" (expected: {error.expected})" if error.expected else "")
        return cls(name, "can't be used", problem, error.remedy)


Sections = Mapping[str, Sequence[Finding]]
"""Title -> what was found, in the order of the page."""


def problems(sections: Sections) -> int:
    """How many findings are problems."""
    return sum(bool(one.problem) for found in sections.values() for one in found)


def as_text(sections: Sections) -> str:
    """One line for each finding, and below it the problem and the remedy."""
    width = max(len(one.name) for found in sections.values() for one in found)
    lines = []
    for title, found in sections.items():
        lines.append(title)
        for one in found:
            lines.append(f"{'!' if one.problem else ' '} {one.name.ljust(width)}  {one.found}")
            told = [("problem", one.problem), ("remedy" if one.problem else "note", one.remedy)]
            for word, text in told:
                lines += [f"    {word}: {' '.join(text.split())}"] if text else []
    count = problems(sections)
    end = f"{count} problem{'s' if count > 1 else ''}, marked with !" if count else "no problem found"
    return "\n".join([*lines, "", end])


def as_json(sections: Sections) -> dict[str, Any]:
    """The same as plain JSON values; problem and remedy are null if there are none."""
    return {
        "problems": problems(sections),
        "sections": {
            title: [
                {"name": one.name, "found": one.found, "problem": one.problem or None, "remedy": one.remedy or None}
                for one in found
            ]
            for title, found in sections.items()
        },
    }
