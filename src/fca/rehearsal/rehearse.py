"""Rehearse a configuration: make what is missing, run every step, and compare what it took with the plan."""

from collections.abc import Sequence
from pathlib import Path

import torch

from fca.config import Config
from fca.config.rehearsal import rehearsal, with_models_on
from fca.plan.disk import readable
from fca.rehearsal.datasets import stand_ins
from fca.rehearsal.run import run_rehearsal
from fca.rehearsal.table import as_text, lines, plans, table_path, write
from fca.rehearsal.weights import random_files, sizes, write_random_weights
from fca.report.page import report


def rehearse(
    config: Config,
    clips: int,
    steps: int,
    variants: Sequence[str],
    ablations: Sequence[str],
    random_weights: Path | None,
    kill: bool,
    cores: int,
    arguments: Sequence[str] = (),
    models_on: Sequence[str] | None = None,
) -> str:
    """Rehearse a configuration with Snakemake; return the table, which the report of the rehearsal has, too.

    Args:
        random_weights: a folder for networks of random weights, which are written first if they aren't there.
        models_on: the datasets with models; the others end with their latents. None: all.

    The other arguments are those of `fca.config.rehearsal.rehearsal` and `fca.rehearsal.run.run_rehearsal`.

    Raises:
        FcaError: a step failed; the error names it and the remedy.
    """
    absent = stand_ins(config, clips, clips)
    if absent:
        print(f"rehearse: simulated clips stand in for {', '.join(absent)}", flush=True)
    ready = config.model_copy(update={"datasets": config.datasets | absent})
    if random_weights is not None:
        image = any(config.variant(name).base == "image" for name in (*variants, *ablations))
        size = sum(sizes(random_files(config, image)).values())
        print(f"rehearse: random weights in {random_weights}, {readable(size)} in all", flush=True)
        ready = write_random_weights(ready, random_weights, image)

    small = rehearsal(ready, clips, steps, variants, ablations, torch.cuda.device_count())
    part = with_models_on(small, list(small.datasets) if models_on is None else models_on)
    run_rehearsal(small, part, cores, arguments, kill)
    found = lines(small, *plans(config, small))
    write(table_path(small), found)
    report(part)
    return as_text(found)
