"""Commands that read raw videos, and those that look at a dataset: `fca fetch`, `index`, `resample`, `data ...`."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from fca.cli.common import SPLIT, Command, Group, Name, configured, dataset, shard, split
from fca.errors import FcaError

if TYPE_CHECKING:
    from fca.artifacts.manifest import Manifest
    from fca.config import Config
    from fca.data.datasets.reader import Breakdown

SHOWN = 20  # unusable clips


@click.command(cls=Command, example="fca fetch ssv2")
@configured
@dataset
def fetch(config: "Config", dataset: str) -> None:
    """Pack and unpack clips of the clip library, or download, unpack and check a licensed dataset."""
    from fca.data.fetch import fetch

    fetch(config, dataset)


@click.command(cls=Command, example="fca index ssv2")
@configured
@dataset
def index(config: "Config", dataset: str) -> None:
    """List the clips of a dataset: split, caption, files."""
    from fca.data.index import build_index

    build_index(config, dataset)


@click.command(cls=Command, example="fca resample ssv2 validation --shard 0")
@configured
@dataset
@split
@shard
def resample(config: "Config", dataset: str, split: str, shard: int) -> None:
    """Decode a shard of clips to one length and size."""
    from fca.data.resample import resample

    resample(config, dataset, split, shard)


@click.group(cls=Group)
def data() -> None:
    """Look at a dataset before training on it; check the files made from it."""


@data.command(example="fca data preview ssv2 --split validation --clips 24")
@configured
@dataset
@click.option("--split", type=SPLIT, help="Only this split (default: both).")
@click.option(
    "--clips", type=click.IntRange(min=1), default=12, metavar="N", help="Clips shown of each split, evenly spaced."
)
def preview(config: "Config", dataset: str, split: str | None, clips: int) -> None:
    """Write a page of contact sheets, after `fca index`."""
    from fca.report.preview import preview

    print(preview(config, dataset, [split] if split else ["train", "validation"], clips))


@data.command(example="fca data verify ssv2")
@configured
@dataset
@click.option("--quarantine", is_flag=True, help="Exit with status 0 all the same and go on without unusable clips.")
def verify(config: "Config", dataset: str, quarantine: bool) -> None:
    """Open every clip, after `fca index`.

    Does it exist, does it decode, is it as long as the index says? Unusable clips are listed with the reason and a
    remedy, and left out by later steps; the exit status is then 1.
    """
    from fca.artifacts.quarantine import require_usable
    from fca.config import Layout
    from fca.data.datasets.reader import reader_of
    from fca.data.verify import verify

    manifest = verify(config, dataset)
    folder = Layout(config).verified(dataset).parent
    _show(manifest, str(folder), reader_of(config.datasets[dataset]).breakdowns(manifest.extra))

    for name, usable in manifest.extra["sound"].items():
        require_usable(dataset, name, usable, manifest.quarantine)
    broken = [row for row in manifest.quarantine if row.step != "exclude"]
    problems = list(manifest.extra["problems"])
    if broken:
        total = manifest.count + len(manifest.quarantine)
        problems.append(f"{len(broken):,} of {total:,} clips of {dataset} are unusable")
    if problems and not quarantine:
        raise FcaError(
            "\n".join(problems),
            "the published lists, and media for every clip in use",
            f"{folder / 'unusable.tsv'} has a remedy for each clip; then run `fca fetch`, `fca index` and this again. "
            "Or go on: the clips listed there are left out and named in the report",
        )


@data.command(example="fca data check ssv2")
@configured
@click.argument("dataset", type=Name("dataset"), required=False, help="A dataset (default: all).")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Reading processes (default: one a core).")
def check(config: "Config", dataset: str | None, workers: int | None) -> None:
    """Read every shard again and compare it with its manifest.

    The hash of the content of clips, latents and samples, and what they were made from, must be those of the manifest.
    The exit status is 1 if something is missing, damaged or stale.
    """
    from fca.artifacts.check import check, remedy, table
    from fca.config import Layout

    checked, bad = check(config, [dataset] if dataset else list(config.datasets), workers)
    print(table(Layout(config), checked, bad))
    if bad:
        raise FcaError(
            f"{len(bad)} of the files above can't be relied on",
            "every shard as its manifest says, made from what is there now",
            remedy(bad),
        )


def _show(manifest: "Manifest", folder: str, breakdowns: "Sequence[Breakdown]") -> None:
    """Print counts, the rows of the format's own tables that differ, and the first unusable clips."""
    extra = manifest.extra
    for problem in extra["problems"]:
        print(problem)
    for name, count in extra["listed"].items():
        print(f"{name}: {count:,} clips listed, {extra['expected'][name]:,} expected")
    for table in breakdowns:
        print(table.summary)
        if table.differing:
            _print_table([tuple(table.columns), *map(tuple, table.differing)])
            print(f"all of them: {folder}/{table.file}")

    sizes = Counter(extra["sizes"]).most_common(5)
    shown = ", ".join(f"{size} ({count:,})" for size, count in sizes)
    more = f" and {len(extra['sizes']) - len(sizes)} other sizes" if len(extra["sizes"]) > len(sizes) else ""
    print(f"{manifest.count:,} clips are sound: {shown}{more}; {extra['padded']:,} will be padded with grey")
    if rows := manifest.quarantine:
        print(f"{len(rows):,} are unusable:")
        _print_table([("split", "id", "file", "reason"), *((r.split, r.id, r.file, r.reason) for r in rows[:SHOWN])])
        print(f"with remedies: {folder}/unusable.tsv" + (f" ({len(rows) - SHOWN:,} more)" if len(rows) > SHOWN else ""))


def _print_table(rows: Sequence[tuple[object, ...]]) -> None:
    """Print columns as wide as their widest text."""
    texts = [["".join(map(_escaped, str(value))) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _escaped(letter: str) -> str:
    """Names come from archives: characters that would control a terminal are escaped."""
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode()
