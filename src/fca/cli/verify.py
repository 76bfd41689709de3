"""What `fca data verify` prints for a person at a terminal."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fca.artifacts.manifest import Manifest
    from fca.data.datasets.reader import Breakdown

SHOWN = 20


def show(manifest: "Manifest", folder: str, breakdowns: "Sequence[Breakdown]") -> None:
    """Print counts, the rows of the format's own tables that differ, and the first unusable clips."""
    extra = manifest.extra
    for problem in extra["problems"]:
        print(problem)
    for split, count in extra["listed"].items():
        print(f"{split}: {count:,} clips listed, {extra['expected'][split]:,} expected")
    for table in breakdowns:
        print(table.summary)
        if table.differing:
            _print_table([tuple(table.columns), *map(tuple, table.differing)])
            print(f"all of them: {folder}/{table.file}")

    sizes = Counter(extra["sizes"]).most_common(5)
    shown = ", ".join(f"{size} ({count:,})" for size, count in sizes)
    more = f" and {len(extra['sizes']) - len(sizes)} other sizes" if len(extra["sizes"]) > len(sizes) else ""
    print(f"{manifest.count:,} clips are sound: {shown}{more}; {extra['padded']:,} will be padded with grey")
    if rows := manifest.quarantine:
        print(f"{len(rows):,} are unusable:")
        _print_table([("split", "id", "file", "reason"), *((r.split, r.id, r.file, r.reason) for r in rows[:SHOWN])])
        print(f"with remedies: {folder}/unusable.tsv" + (f" ({len(rows) - SHOWN:,} more)" if len(rows) > SHOWN else ""))


def _print_table(rows: Sequence[tuple[object, ...]]) -> None:
    """Print columns as wide as their widest text."""
    texts = [["".join(map(_shown, str(value))) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _shown(letter: str) -> str:
    """Names come from archives: characters that would control a terminal are escaped."""
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode()
