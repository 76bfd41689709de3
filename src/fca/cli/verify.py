"""`fca data verify`: what was found, for a person at a terminal. Quick to import."""

import argparse
from collections import Counter
from typing import TYPE_CHECKING, Any

from fca.cli.options import add_common
from fca.errors import FcaError

if TYPE_CHECKING:
    from fca.artifacts.manifest import Manifest
    from fca.data.datasets.reader import Breakdown

SHOWN = 20


def add_verify(looks: Any) -> None:
    """Add the action to those of `fca data`."""
    command = looks.add_parser(
        "verify",
        help="look at every clip, once `fca index` has run",
        description="Look at every clip: is it there, does it decode, is it as long as the index says. What can't be "
        "used is listed with the reason and a remedy, and left out by later steps; the exit status is then 1.",
    )
    command.set_defaults(function=run)
    add_common(command)
    command.add_argument("dataset", help="a dataset of the configuration, such as ssv2")
    command.add_argument("--quarantine", action="store_true",
                         help="exit status 0 all the same, as the workflow has it: go on without them")  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Verify, print, and fail where something is broken."""
    from fca.artifacts.quarantine import require_usable
    from fca.config import Layout, load
    from fca.data.datasets.reader import reader_of
    from fca.data.verify import verify

    config = load(arguments.config)
    manifest = verify(config, arguments.dataset)
    layout = Layout(config)
    folder = layout.verified(arguments.dataset).parent
    show(manifest, str(folder), reader_of(config.datasets[arguments.dataset]).breakdowns(manifest.extra))
    for split, usable in manifest.extra["sound"].items():
        require_usable(arguments.dataset, split, usable, manifest.quarantine)
    broken = [row for row in manifest.quarantine if row.step != "exclude"]
    problems = list(manifest.extra["problems"])
    if broken:
        total = manifest.count + len(manifest.quarantine)
        problems.append(f"{len(broken):,} of {total:,} clips of {arguments.dataset} can't be used")
    if problems and not arguments.quarantine:
        raise FcaError(
            "\n".join(problems),
            "the published lists, and media for every clip in use",
            f"{folder / 'unusable.tsv'} has a remedy for each clip; then run `fca fetch`, `fca index` and this again. "
            "Or go on: what is listed there is left out and named in the report",
        )


def show(manifest: "Manifest", folder: str, breakdowns: "list[Breakdown]") -> None:
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
    print(f"{manifest.count:,} clips are sound: {shown}{more}; {extra['padded']:,} will end in grey")
    if rows := manifest.quarantine:
        print(f"{len(rows):,} can't be used:")
        _print_table([("split", "id", "file", "reason"), *((r.split, r.id, r.file, r.reason) for r in rows[:SHOWN])])
        print(f"with remedies: {folder}/unusable.tsv" + (f" ({len(rows) - SHOWN:,} more)" if len(rows) > SHOWN else ""))


def _print_table(rows: list[tuple[object, ...]]) -> None:
    """Columns as wide as their widest text."""
    texts = [["".join(map(_shown, str(value))) for value in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    for row in texts:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _shown(letter: str) -> str:
    """Names come from archives: what would steer a terminal is written as its escape."""
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode()
