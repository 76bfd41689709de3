"""`fca report` and `fca compare`: pages about results."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from fca.cli.common import PATH, Command, configured, dataset, variant
from fca.errors import did_you_mean

if TYPE_CHECKING:
    from fca.config import Config


EVIDENCE = "evidence"
"""The page about the records of `snakemake evidence`"""


class Comparison(click.ParamType):
    """A table or figure of the paper, or `evidence`; `click.Choice` would import them for every `fca --help`."""

    name = "comparison"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from fca.config.comparisons import COMPARISONS

        names = [*COMPARISONS, EVIDENCE]
        if value not in names:
            self.fail(f"{value!r} is not one of {', '.join(names)}{did_you_mean(value, names)}.", param, ctx)
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from fca.config.comparisons import COMPARISONS

        return [CompletionItem(name) for name in (*COMPARISONS, EVIDENCE) if name.startswith(incomplete)]


@click.command(cls=Command, example="fca report table3")
@configured
@click.argument("comparison", type=Comparison(), required=False,
                help="Write the page of table1 to table4, figure5 to figure7, or evidence.")  # fmt: skip
def report(config: "Config", comparison: str | None) -> None:
    """Write the HTML report.

    `fca report evidence` writes docs/evidence.md from the records in docs/evidence alone.
    """
    if comparison == EVIDENCE:
        from fca.report.evidence import evidence

        print(evidence(config))
        return
    from fca.report.page import report

    report(config, comparison)


@click.command(cls=Command, example="fca compare config/pocket.yaml config/mine.yaml")
@click.argument("a", type=PATH, help="Configuration of the first run.")
@click.argument("b", type=PATH, help="Configuration of the second run.")
@click.option(
    "--out", type=PATH, metavar="FOLDER", help="Folder for the page (default: compare, in the report folder of A)."
)
def compare(a: Path, b: Path, out: Path | None) -> None:
    """Write a page that compares two runs: scores, the same clips, different settings.

    Each run is given by its configuration. Scores have their intervals, and clips stand side by side. Scores of
    different protocols are refused.
    """
    from fca.config import load
    from fca.report.compare import compare

    print(compare(load(a), load(b), (a.as_posix(), b.as_posix()), out))


@click.command(cls=Command, example="fca export-lerobot ssv2 fca --out predictions")
@configured
@dataset
@variant
@click.option("--out", type=PATH, required=True, metavar="FOLDER", help="Folder to write; it must not exist.")
@click.option("--fps", type=click.IntRange(1, 240), default=8, help="Frames a second of the episodes.")
@click.option("--camera", default="observation.images.predicted", help="Name of the predictions' camera.")
@click.option("--ground-truth", is_flag=True, help="Add the clips themselves as observation.images.ground_truth.")
def export_lerobot(
    config: "Config", dataset: str, variant: str, out: Path, fps: int, camera: str, ground_truth: bool
) -> None:
    """Write a variant's predictions as a LeRobot dataset (v3.0).

    Each prediction is an episode with its caption as task. LeRobot opens the folder, and its visualiser plays it. There
    are no states and no actions: to train a policy, add them.
    """
    from fca.report.export_lerobot import export_lerobot

    print(f"{export_lerobot(config, dataset, variant, out, fps, ground_truth, camera)} episodes in {out}")
