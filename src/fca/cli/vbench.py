"""The command line of `fca vbench`. Quick to import: argparse alone."""

import argparse
from typing import Any


def add_vbench(step: Any) -> None:
    """Add the subcommand with `step` of `fca.cli.main`, which makes one with the options that all steps share."""
    command = step("vbench", run, "measure VBench of a variant, or of the truth, by the official package", "dataset")
    command.add_argument("row", metavar="variant", help="a variant of the configuration, or `truth` for the true clips")


def run(arguments: argparse.Namespace) -> None:
    """Do it."""
    from fca.cli.main import _config, _require

    config = _config(arguments)
    from fca.config.vbench import GROUND_TRUTH

    _require("variant", arguments.row, [*config.every_variant, GROUND_TRUTH])
    from fca.vbench.step import vbench

    print(vbench(config, arguments.dataset, arguments.row))
