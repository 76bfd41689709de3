"""What `fca data verify` prints for a person at a terminal."""

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fca.artifacts.manifest import Manifest

SHOWN = 20


def show(manifest: "Manifest", folder: str) -> None:
    """Print counts, Seer's tasks that differ, and the first unusable clips."""
    from fca.data.verify import TASK_COLUMNS, task_table

    extra = manifest.extra
    for problem in extra["problems"]:
        print(problem)
    for split, count in extra["listed"].items():
        print(f"{split}: {count:,} clips listed, {extra['expected'][split]:,} expected")
    tasks = task_table(extra.get("tasks", {}))
    if differing := [row for row in tasks if row[3]]:
        missing = sum(-row[3] for row in differing if row[3] < 0)
        print(f"{len(differing)} of {len(tasks)} tasks have more or fewer views than listed, {missing:,} are missing:")
        _print_table([TASK_COLUMNS, *differing])
        print(f"all tasks: {folder}/tasks.tsv")
    elif tasks:
        print(f"all {len(tasks)} tasks have as many views as the list")
    sizes = Counter(extra["sizes"]).most_common(5)
    shown = ", ".join(f"{size} ({count:,})" for size, count in sizes)
    more = f" and {len(extra['sizes']) - len(sizes)} other sizes" if len(extra["sizes"]) > len(sizes) else ""
    print(f"{manifest.count:,} clips are sound: {shown}{more}; {extra['padded']:,} will be padded with grey")
    if rows := manifest.quarantine:
        print(f"{len(rows):,} are unusable:")
        _print_table([("split", "id", "file", "reason"), *((r.split, r.id, r.file, r.reason) for r in rows[:SHOWN])])
        print(f"with remedies: {folder}/unusable.tsv" + (f" ({len(rows) - SHOWN:,} more)" if len(rows) > SHOWN else ""))


def _print_table(rows: list[tuple[object, ...]]) -> None:
    """Print columns as wide as their widest text."""
    texts = [["".join(map(_shown, str(value))) for value in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    for row in texts:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _shown(letter: str) -> str:
    """Names come from archives: characters that would control a terminal are escaped."""
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode()
