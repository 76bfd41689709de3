"""Rehearse a configuration: make what is missing, run every step, and compare what it took with the plan."""

from collections.abc import Sequence
from pathlib import Path

import torch

from fca.artifacts.atomic import require_space
from fca.config import Config, Layout
from fca.config.rehearsal import rehearsal, with_models_on
from fca.plan import plan
from fca.plan.disk import readable
from fca.pretrained.load import release_memory
from fca.rehearsal.datasets import stand_ins
from fca.rehearsal.run import run_rehearsal
from fca.rehearsal.table import as_text, lines, plans, table_path, unmeasured, write
from fca.rehearsal.weights import random_files, sizes, write_random_weights
from fca.report.format import join
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
        FcaError: the disk has no room for it, or a step failed; the error names it and the remedy.
    """
    absent = stand_ins(config, clips, clips)
    if absent:
        print(f"rehearse: simulated clips stand in for {', '.join(absent)}", flush=True)
    ready = config.model_copy(update={"datasets": config.datasets | absent})
    if absent and not any(own.source == "library" for own in config.datasets.values()):
        ready = _without_opposite(ready)

    def derived(of: Config) -> tuple[Config, Config]:
        """The rehearsal, and its part with models."""
        small = rehearsal(of, clips, steps, variants, ablations, torch.cuda.device_count())
        return small, with_models_on(small, list(small.datasets) if models_on is None else models_on)

    small, part = derived(ready)
    if random_weights is not None:
        image = any(config.variant(name).base == "image" for name in (*variants, *ablations))
        files = sizes(random_files(config, image))
        missing = sum(size for name, size in files.items() if not (random_weights / name).is_file())
        print(f"rehearse: random weights in {random_weights}, {readable(sum(files.values()))} in all", flush=True)
        _require_room(small, part, missing)
        small, part = derived(write_random_weights(ready, random_weights, image))
    else:
        _require_room(small, part)
    release_memory()  # of the counting; the steps need all there is
    run_rehearsal(small, part, cores, arguments, kill)
    of_small, full, published = plans(config, small)
    found = lines(small, of_small, full, published, config.train.processes)
    write(table_path(small), found)
    report(part)
    folders = [str(folder) for folder in (Layout(small).root, random_weights) if folder is not None]
    kept = f"{join(folders)} can be removed; the rates are in {Layout(small).runs}."
    return f"{as_text(found, unmeasured(found, of_small, list(part.datasets)))}\n\n{kept}"


def _without_opposite(config: Config) -> Config:
    """Without predictions from opposite captions, which stand-ins have and the datasets themselves haven't."""
    changes = {
        kind: {name: own.model_copy(update={"opposite": False}) for name, own in getattr(config, kind).items()}
        for kind in ("variants", "ablations")
    }
    return config.model_copy(update=changes)


def _require_room(small: Config, part: Config, more: int = 0) -> None:
    """Refuse to start what ends with a full disk hours later; what an interrupted rehearsal wrote counts as written.

    A training's checkpoints go when it ends, so those of one that hasn't ended count, which is enough on one machine.
    Stand-ins' archives and the latents of datasets without models are small. `more` is for weights.
    """
    layout, rows = Layout(small), plan(part, bool(part.ablations)).rows
    kept = sum(size or 0 for row in rows for kind, size in row.disk.items() if kind not in ("raw", "checkpoints"))
    checkpoints = [
        row.disk.get("checkpoints") or 0
        for row in rows
        if row.step == "train" and not layout.model_manifest(row.dataset, row.of).is_file()
    ]
    raw = [layout.raw(dataset) for dataset in small.datasets]  # unpacked archives, which `kept` doesn't have either
    written = sum(
        path.stat().st_size
        for folder in (layout.root, layout.runs)
        for path in folder.rglob("*")
        if path.is_file() and not any(path.is_relative_to(other) for other in raw)
    )
    needed = more + max(0, kept + max(checkpoints, default=0) - written)
    print(f"rehearse: {readable(needed)} of disk space are needed", flush=True)
    require_space(layout.root, needed)
