"""The command line of `fca study`. Quick to import: argparse alone."""

import argparse
from pathlib import Path
from typing import Any


def add_study(commands: Any) -> None:
    """Add the subcommand to those of `fca`."""
    study = commands.add_parser("study", help="have people rate predictions, and make Figure 9 of their ratings")
    study.set_defaults(debug=False)
    actions = study.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser(
        "build",
        help="write the page for participants, and its key",
        description="Write the page on which people rate predictions, in one file that needs no network, and the key "
        "that says which model made what. docs/study.md says how to run a study.",
    )
    build.set_defaults(function=_build)
    build.add_argument("-c", "--config", type=Path, metavar="FILE", default=Path("config/pocket.yaml"),
                       help="configuration (default: %(default)s)")  # fmt: skip
    build.add_argument("--datasets", nargs="+", metavar="D", help="datasets (default: all of the configuration)")
    build.add_argument("--variants", nargs="+", metavar="V",
                       help="variants to compare (default: those of the configuration without ablations)")  # fmt: skip
    build.add_argument("--clips", type=int, default=15, metavar="N",
                       help="clips of each dataset, drawn by the seed (default: %(default)s, the paper's)")  # fmt: skip
    build.add_argument("--seed", type=int, default=42, metavar="N",
                       help="another seed draws other clips, names and orders (default: %(default)s)")  # fmt: skip
    build.add_argument("-o", "--out", type=Path, required=True, metavar="FOLDER",
                       help="where page/index.html and study-key.json go")  # fmt: skip
    score = actions.add_parser(
        "score",
        help="check the participants' files, and make the table and figure",
        description="Check the participants' files, print mean ratings with intervals, and write results.json, "
        "index.html and figure9.svg.",
    )
    score.set_defaults(function=_score)
    score.add_argument("key", type=Path, metavar="FOLDER-OR-KEY",
                       help="the folder that `fca study build` made, or its study-key.json")  # fmt: skip
    score.add_argument("ratings", nargs="+", type=Path, metavar="RATINGS", help="the files that participants handed in")
    score.add_argument(
        "--partial", action="store_true", help="use files of participants who didn't rate everything, too"
    )
    score.add_argument("-o", "--out", type=Path, metavar="FOLDER",
                       help="where the results go (default: results, beside the key)")  # fmt: skip
    for command in (build, score):
        command.add_argument("--debug", action="store_true", help="show a traceback with an error")


def _build(arguments: argparse.Namespace) -> None:
    from fca.config import load
    from fca.study.build import build

    config = load(arguments.config)
    datasets = arguments.datasets or list(config.datasets)
    variants = arguments.variants or list(config.variants)
    page, key = build(config, datasets, variants, arguments.clips, arguments.seed, arguments.out)
    print(f"{page}: for participants, {page.stat().st_size / 2**20:.1f} MiB")
    print(f"{key}: says which model made what; keep it, and don't give it to participants")


def _score(arguments: argparse.Namespace) -> None:
    from fca.study.results import write_results

    print(write_results(arguments.key, arguments.ratings, arguments.partial, arguments.out), end="")
