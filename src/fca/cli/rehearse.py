"""`fca rehearse`: every step of a configuration at its real size, on a few clips."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fca.artifacts.cores import own_cores
from fca.cli.common import PATH, Command, ManyValues, configured
from fca.errors import FcaError, require_known

if TYPE_CHECKING:
    from fca.config import Config


@click.command(cls=Command, example="fca rehearse -c config/paper.yaml --random-weights weights/random --cores 2")
@configured
@click.option("--clips", type=click.IntRange(min=1), default=2, help="Clips of each dataset and split.")
@click.option("--steps", type=click.IntRange(min=1), default=2, help="Optimizer and denoising steps.")
@click.option("--variants", cls=ManyValues, metavar="NAME...",
              help="Variants and ablations to rehearse. Default: those of the target `all`.")  # fmt: skip
@click.option("--ablations", is_flag=True, help="Rehearse the variants below ablations, too.")
@click.option("--models-on", cls=ManyValues, metavar="NAME...",
              help="Datasets whose models are trained, sampled and scored, which takes the same time on each; "
              "the others end with their latents. Default: all.")  # fmt: skip
@click.option("--random-weights", type=PATH, metavar="FOLDER",
              help="Networks of random weights in the published layouts instead of the configuration's; "
              "written to this folder if they aren't there (18.5 GB).")  # fmt: skip
@click.option("--kill", is_flag=True, help="Kill the first training after a checkpoint, and let it resume.")
@click.option("--cores", type=click.IntRange(min=1), help="Cores of this machine. Default: all.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- SNAKEMAKE OPTIONS]",
                help="Options of Snakemake, such as `-- --profile slurm`.")  # fmt: skip
def rehearse(
    config: "Config",
    clips: int,
    steps: int,
    variants: tuple[str, ...],
    ablations: bool,
    models_on: tuple[str, ...],
    random_weights: Path | None,
    kill: bool,
    cores: int | None,
    arguments: tuple[str, ...],
) -> None:
    """Run every step at its real size on a few clips, and say what the full configuration needs here.

    The scale is called SCALE-rehearsal, and so are all its folders. Datasets that aren't here are stood in for by
    clips of the clip library in their own format. The results mean nothing; the times and the memory do: the table
    compares them with `fca plan`, which uses the rates from then on. To go on after an interruption, run the same
    command again.
    """
    from fca.rehearsal.rehearse import rehearse

    if kill and steps < 2:
        raise FcaError("--kill needs a checkpoint, which one step doesn't leave", "at least two steps", "--steps 2")
    for name in variants:
        require_known("variant", name, list(config.every_variant))
    chosen = list(variants) or list(config.variants)
    more = list(config.ablations) if ablations else []
    here = cores or own_cores()
    table = rehearse(config, clips, steps, chosen, more, random_weights, kill, here, arguments, list(models_on) or None)
    print(table)
