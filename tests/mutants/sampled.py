"""Mechanical changes by cosmic-ray's operators, as many as a time allows: a number, an operator, a condition, ...

They are made in the files of the curated faults and run against the same tests. Some survivors are equal to the code
(a bound that is never reached) and some say little (a message), so they are printed and judged by a person.
"""

import difflib
import random
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from tests.mutants.fault import FAULTS, PACKAGE
from tests.mutants.running import LIMIT, Copy

DULL = ("raise ", "FcaError(", "ClipError(", '"""', " -> ", "| None", "import ")
"""What a changed line must not hold: errors, docstrings and annotations."""


def run_sample(seconds: float, seed: int) -> None:
    """Run changes in an order drawn from `seed` until the time is over, and print survivors and the score."""
    tests: dict[str, dict[str, None]] = {}
    for fault in FAULTS:
        tests.setdefault(fault.file, {}).update(dict.fromkeys(fault.tests))
    changes = [(file, change) for file in tests for change in places(file)]
    random.Random(seed).shuffle(changes)
    print(f"{len(changes)} changes are possible in {len(tests)} files", flush=True)

    killed, ran, end = 0, 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Copy(Path(folder))
        for file, (operator, occurrence) in changes:
            if time.monotonic() > end:
                break
            text = changed(file, operator, occurrence)
            if text is None:
                continue
            with copy.changed(file, text):
                verdict, _ = copy.verdict(tests[file], LIMIT)
            if verdict != "BROKEN":  # nothing could be imported: no program
                ran, killed = ran + 1, killed + verdict.startswith("killed")
            if verdict == "SURVIVED":
                print(f"SURVIVED {file} {operator}: {difference(file, text)}", flush=True)
    print(f"{killed} of {ran} killed, {killed / max(ran, 1):.0%}")


def places(file: str) -> Iterator[tuple[str, int]]:
    """Every change of a file: an operator's name and which of its places."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    nodes = list(ast_nodes(get_ast((PACKAGE / file).read_text(encoding="utf-8"))))
    for name in operator_names():
        if not get_operator(name).arguments():
            count = sum(len(list(get_operator(name)().mutation_positions(node))) for node in nodes)
            yield from ((name, occurrence) for occurrence in range(count))


def changed(file: str, operator: str, occurrence: int) -> str | None:
    """The text of the file with the change; None if it is none of interest."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    code = (PACKAGE / file).read_text(encoding="utf-8")
    text = mutate_code(code, get_operator(operator)(), occurrence)
    if text is None or text == code:
        return None
    lines = {line[1:] for line in difflib.ndiff(code.splitlines(), text.splitlines()) if line[:1] in "+-"}
    with warnings.catch_warnings(action="ignore"):
        try:
            compile(text, file, "exec")
        except SyntaxError:
            return None
    return None if any(word in line for line in lines for word in DULL) else text


def difference(file: str, text: str) -> str:
    """The changed line before and after."""
    code = (PACKAGE / file).read_text(encoding="utf-8").splitlines()
    pairs = [(one.strip(), other.strip()) for one, other in zip(code, text.splitlines(), strict=False) if one != other]
    return " -> ".join(pairs[0]) if pairs else "a line is gone"
