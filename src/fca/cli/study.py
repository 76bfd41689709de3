"""`fca study`: a study with people who rate predictions."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fca.cli.common import PATH, Group, ManyValues, Name, configured

if TYPE_CHECKING:
    from fca.config import Config


@click.group(cls=Group)
def study() -> None:
    """Have people rate predictions, and make Figure 9 from their ratings."""


@study.command(example="fca study build --datasets ssv2 --variants fca base --clips 15 -o study")
@configured
@click.option("--datasets", cls=ManyValues, type=Name("dataset"), metavar="D...", help="Datasets (default: all).")
@click.option("--variants", cls=ManyValues, type=Name("variant"), metavar="V...",
              help="Variants to compare (default: those of the configuration without ablations).")  # fmt: skip
@click.option("--clips", type=int, default=15, show_default="15, as in the paper", metavar="N",
              help="Clips of each dataset, drawn by the seed.")  # fmt: skip
@click.option("--seed", type=int, default=42, metavar="N", help="Another seed draws other clips, names and orders.")
@click.option(
    "-o", "--out", type=PATH, required=True, metavar="FOLDER", help="Folder for page/index.html and study-key.json."
)
def build(
    config: "Config", datasets: tuple[str, ...], variants: tuple[str, ...], clips: int, seed: int, out: Path
) -> None:
    """Write the page for participants, and its key.

    The page is one file that needs no network. The key says which model made what. docs/study.md says how to run a
    study.
    """
    from fca.study.build import build

    page, key = build(config, datasets or list(config.datasets), variants or list(config.variants), clips, seed, out)
    print(f"{page}: for participants, {page.stat().st_size / 2**20:.1f} MiB")
    print(f"{key}: says which model made what; keep it, and don't give it to participants")


@study.command(example="fca study score study returned/anna.json returned/ben.json")
@click.argument(
    "key", type=PATH, metavar="FOLDER-OR-KEY", help="The folder written by `fca study build`, or its study-key.json."
)
@click.argument("ratings", nargs=-1, required=True, type=PATH, help="The files that participants handed in.")
@click.option("--partial", is_flag=True, help="Use the files of participants who didn't rate everything, too.")
@click.option(
    "-o", "--out", type=PATH, metavar="FOLDER", help="Folder for the results (default: results, next to the key)."
)
def score(key: Path, ratings: tuple[Path, ...], partial: bool, out: Path | None) -> None:
    """Check the participants' files, and make the table and the figure.

    Prints mean ratings with intervals; writes results.json, index.html and figure9.svg.
    """
    from fca.study.results import write_results

    print(write_results(key, ratings, partial, out), end="")
