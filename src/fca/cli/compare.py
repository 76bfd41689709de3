"""The command line of `fca compare`. Quick to import: argparse alone."""

import argparse
from pathlib import Path
from typing import Any


def add_compare(commands: Any) -> None:
    """Add the subcommand to those of `fca`."""
    command = commands.add_parser(
        "compare",
        help="write a page about two runs: scores, the same clips, what is different",
        description="Compare two runs, each given by its configuration: their scores with intervals, the same clips "
        "side by side, and the settings that differ. Scores of different protocols are refused.",
    )
    command.set_defaults(function=run)
    command.add_argument("a", type=Path, metavar="A", help="configuration of the first run")
    command.add_argument("b", type=Path, metavar="B", help="configuration of the second run")
    command.add_argument("--out", type=Path, metavar="FOLDER",
                         help="where the page is written (default: compare, in A's report folder)")  # fmt: skip
    command.add_argument("--debug", action="store_true", help="show a traceback with an error")


def run(arguments: argparse.Namespace) -> None:
    """Do it, and print the page's path."""
    from fca.config import load
    from fca.report.compare import compare

    files = (arguments.a.as_posix(), arguments.b.as_posix())
    print(compare(load(arguments.a), load(arguments.b), files, arguments.out))
