"""`fca data check`: read every shard and compare its hash, and those of its parents, with the manifests."""

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path

from tqdm import tqdm

from fca.artifacts.cores import own_cores
from fca.artifacts.manifest import Manifest
from fca.artifacts.shards import Shard
from fca.config import Config, Layout
from fca.config.comparisons import COMPARISONS
from fca.config.settings import VAE_ROUNDTRIP
from fca.config.vbench import GROUND_TRUTH
from fca.errors import FcaError, remake


@dataclass(frozen=True)
class Bad:
    """A file that can't be relied on."""

    path: Path
    state: str
    """missing, damaged (its content differs from its manifest) or stale (its parents have changed since)."""
    why: str


def check(config: Config, datasets: Sequence[str], workers: int | None = None) -> tuple[int, list[Bad]]:
    """Read all existing shards of clips, latents and samples; return their number and the bad files, sorted by path.

    `workers` processes read at once (None: one for each core of this process). Models, indexes and scores are not read,
    but they are reported if their parents have changed. A shard that was never computed is not bad; a manifest without
    its shard is.
    """
    layout = Layout(config)
    shards = [path for dataset in datasets for path in shards_of(layout, dataset)]
    others = [path for dataset in datasets for path in _other_manifests(layout, dataset)]
    bad = [found for path in (*map(Layout.manifest, shards), *others) for found in _stale(layout, path)]
    bad += [found for dataset in datasets for found in _stale_scores(layout, dataset)]

    # Read the largest shards first, so that no process is left alone with one at the end.
    sizes = {path: path.stat().st_size for path in shards if path.is_file()}
    absent = [path for path in shards if path not in sizes]
    bad += [Bad(path, "missing", "its manifest exists, the file does not") for path in absent]
    workers = min(workers or own_cores(), max(1, len(sizes)))
    bar = tqdm(total=sum(sizes.values()), desc="check", unit="B", unit_scale=True, disable=None)
    with bar, _readers(workers) as pool:
        jobs = {pool.submit(damage, path): path for path in sorted(sizes, key=sizes.__getitem__, reverse=True)}
        for job in as_completed(jobs):
            path = jobs[job]
            if (why := job.result()) is not None:
                bad.append(Bad(path, "damaged", why))
            bar.update(sizes[path])
    return len(shards), sorted(bad, key=lambda row: (row.path, row.state))


@contextmanager
def _readers(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that read. If one is killed, the others end too, even one that was being started at that moment.

    The pool forgets that one and would wait for it for ever.
    """
    others = active_children()
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        try:
            try:
                yield pool
            except (OSError, ValueError):  # a pool that breaks closes its pipes, even while a reader is being started
                with suppress(OSError, ValueError):
                    pool.submit(int)  # if that was it, this says so
                raise
        except BrokenProcessPool as error:
            for reader in active_children():
                if reader not in others:
                    reader.kill()
            raise FcaError(
                "a process that reads shards ended, as if it had been killed",
                "every process to live",
                "if memory is short, take fewer of them (--workers); then run the same command again",
            ) from error


def shards_of(layout: Layout, dataset: str) -> Iterator[Path]:
    """Every shard of a dataset that has a file or a manifest, in the order of the steps."""
    config = layout.config
    rows = [(split, number) for split in ("train", "validation") for number in layout.shards(dataset, split)]
    made = [layout.clips(dataset, *row) for row in rows]
    made += [layout.latents(dataset, *row, base) for base in ("text", "image") for row in rows]
    made += [
        layout.samples(dataset, variant, kind, number)
        for variant in config.every_replicate
        for kind in layout.sample_kinds(dataset, variant)
        for number in layout.sample_shards(dataset, kind)
    ]
    return (path for path in made if path.exists() or Layout.manifest(path).exists())


def damage(path: Path) -> str | None:
    """What is wrong with a shard's file or manifest, found by reading all of it; None if nothing is."""
    try:
        with Shard(path) as shard:
            shard.verify()
    except FcaError as error:
        return error.problem.removeprefix(f"{path} can't be used: ")
    return None


def table(layout: Layout, checked: int, bad: Sequence[Bad]) -> str:
    """A summary line, and a table of the bad files."""
    states = ", ".join(f"{count} {state}" for state, count in sorted(Counter(row.state for row in bad).items()))
    lines = [f"{checked} shards below {layout.root} were read: {states or 'all good'}"]
    names = {row: row.path.relative_to(layout.root).as_posix() for row in bad}
    width = max(map(len, names.values()), default=0)
    lines += [f"  {row.state:8}  {names[row]:{width}}  {row.why}" for row in bad]
    return "\n".join(lines)


def remedy(bad: Sequence[Bad]) -> str:
    """The commands that rebuild the bad files."""
    files = list(dict.fromkeys(str(path) for row in bad for path in (row.path, Layout.manifest(row.path))))
    made = dict.fromkeys(Layout.manifest(row.path) for row in bad)
    return f"`rm -rf {shlex.join(files)}`, then {remake(*made)}, and last `snakemake all` for what depends on it"


def _other_manifests(layout: Layout, dataset: str) -> Iterator[Path]:
    """Manifests of the index and the models, which are no shards and have parents."""
    paths = [layout.index_manifest(dataset)]
    trained = [name for name in layout.config.every_run if layout.config.variant(name).trained]
    paths += [layout.model_manifest(dataset, name) for name in trained]
    return (path for path in paths if path.exists() or path.with_suffix("").is_dir())


def _stale(layout: Layout, manifest: Path) -> Iterator[Bad]:
    """One row if a parent now has another hash."""
    shard = manifest.with_suffix(".h5")
    try:
        if why := changed_parents(layout, Manifest.read(manifest).parents):
            yield Bad(shard if shard.exists() else manifest, "stale", why)
    except FcaError as error:
        if not shard.exists():  # else it is reported when the shard is read
            yield Bad(manifest, "damaged", error.problem)


def _stale_scores(layout: Layout, dataset: str) -> Iterator[Bad]:
    """A row for every file of scores that is damaged or whose parents have changed."""
    config = layout.config
    paths = [layout.scores(dataset, variant) for variant in (*config.every_run, VAE_ROUNDTRIP)]
    paths += [layout.replicates_scores(dataset, variant) for variant in config.every_variant]
    paths += [layout.differences(dataset, comparison) for comparison in COMPARISONS]
    paths += [layout.vbench(dataset, row) for row in (*config.every_variant, GROUND_TRUTH)]
    for path in filter(Path.exists, paths):
        try:
            why = changed_parents(layout, dict(json.loads(path.read_text(encoding="utf-8"))["parents"]))
        except (ValueError, TypeError, KeyError) as error:
            yield Bad(path, "damaged", f"it is not a file of scores ({type(error).__name__}: {error})")
            continue
        if why:
            yield Bad(path, "stale", why)


def changed_parents(layout: Layout, parents: Mapping[str, str]) -> str:
    """Which of the `parents` (path below the data folder -> sha256) have changed; an empty string if none has.

    Parents that were removed, or whose manifest can't be read, are left out.
    """
    changed = []
    for name, sha256 in parents.items():
        parent = Layout.manifest(layout.root / name)
        try:
            now = Manifest.read(parent).sha256 if parent.exists() else sha256  # removed to save space
        except FcaError:
            continue  # it has a row of its own
        if now != sha256:
            changed.append(f"{name} {sha256[:12]}, which is {now[:12]} now")
    more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
    return f"made from {changed[0]}{more}" if changed else ""
