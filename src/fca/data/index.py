"""Raw files of a dataset -> the index: one ClipRecord a line, and which of them can't be used."""

import logging
from collections import Counter

from fca.artifacts.atomic import sha256_file
from fca.artifacts.manifest import Manifest, made_by
from fca.artifacts.quarantine import Quarantine, require_usable
from fca.config import Config, Dataset, Layout
from fca.data.clip import ClipRecord, Listing, read_records, write_records
from fca.data.datasets.reader import reader_of
from fca.data.exclude import excluded_sha256
from fca.errors import FcaError

log = logging.getLogger(__name__)


def build_index(config: Config, dataset: str) -> Manifest:
    """Write the index of a dataset and its manifest (counts, quarantine, notes), and return the manifest.

    Raises `FcaError` for a dataset that the config hasn't, annotations that can't be read or have fewer clips
    than the config asks for, ids that repeat, or when not one clip of a split can be used.
    """
    settings = dataset_settings(config, dataset)
    layout = Layout(config)
    raw = Manifest.read(layout.raw_manifest(dataset))
    counts = settings.clips
    listing = reader_of(settings).index(layout.raw(dataset), dataset, settings, config.seed)
    _check_counts(listing, dataset, counts)
    for split in counts:
        _check_split(listing, dataset, split)
    for row in listing.quarantine[:5]:
        log.warning("%s %s: %s can't be used: %s: %s", dataset, row.split, row.id, row.file, row.reason)
    if listing.quarantine:
        log.warning("%s: %d of %d clips are quarantined", dataset, len(listing.quarantine), len(listing.records))

    path = layout.index(dataset)
    write_records(path, listing.records)
    manifest = Manifest(
        kind="index",
        count=len(listing.records),
        ids=[],
        sha256=sha256_file(path),
        parents={layout.raw_manifest(dataset).relative_to(layout.root).as_posix(): raw.sha256},
        made_by=made_by(config, "index", dataset),
        quarantine=listing.quarantine,
        extra={
            "splits": counts,
            "captions": len({record.caption for record in listing.records}),
            **listing.notes,
        },
    )
    manifest.write(layout.index_manifest(dataset))
    return manifest


def read_index(layout: Layout, dataset: str) -> tuple[Manifest, list[ClipRecord]]:
    """The index of a dataset and its manifest; `FcaError` where it is missing or not what `fca index` wrote."""
    path = layout.index(dataset)
    records, manifest = read_records(path), Manifest.read(layout.index_manifest(dataset))
    if (found := sha256_file(path)) != manifest.sha256:
        raise FcaError(
            f"{path} was changed since it was made: its sha256 is {found[:12]}",
            f"{manifest.count} clips with sha256 {manifest.sha256[:12]}",
            "run `fca index` again; clips are left out with `exclude`, and captions are mended in the raw annotations",
        )
    return manifest, records


def unusable(layout: Layout, dataset: str) -> list[Quarantine]:
    """What is known of clips that can't be used: by `fca data verify` where it has run, else by the index.

    `FcaError` where the index, or the list of clips that are excluded by hand, has changed since.
    """
    index = Manifest.read(layout.index_manifest(dataset))
    path, excluded = layout.verified(dataset), excluded_sha256(layout.config.datasets[dataset])
    if not path.exists():
        if excluded is None:
            return list(index.quarantine)
        raise FcaError(
            f"there is no {path}, which has the clips of datasets.{dataset}.exclude",
            remedy=f"run `fca data verify` for {dataset}",
        )
    verified = Manifest.read(path)
    if verified.extra.get("excluded") != excluded:
        raise FcaError(
            f"{path} was made with another list of excluded clips",
            f"what datasets.{dataset}.exclude names now",
            f"run `fca data verify` for {dataset} again",
        )
    if sha256_file(layout.index_manifest(dataset)) not in verified.parents.values():
        raise FcaError(
            f"{path} was made from another index",
            f"the present {layout.index_manifest(dataset)} among its parents",
            f"run `fca data verify` for {dataset} again, or remove {path}",
        )
    return list(verified.quarantine)


def dataset_settings(config: Config, dataset: str) -> Dataset:
    """The settings of a dataset; `FcaError` lists the known ones."""
    try:
        return config.datasets[dataset]
    except KeyError:
        known = ", ".join(sorted(config.datasets))
        raise FcaError(
            f"there is no dataset {dataset!r}", f"one of {known}", "write its settings there first"
        ) from None


def _check_counts(listing: Listing, dataset: str, expected: dict[str, int]) -> None:
    found = {split: sum(record.split == split for record in listing.records) for split in expected}
    wrong = [split for split in expected if found[split] != expected[split]]
    if wrong:
        raise FcaError(
            "\n".join(f"the annotations of {dataset} {split} have {found[split]} clips" for split in wrong),
            ", ".join(f"{expected[split]} (datasets.{dataset}.{split}.clips)" for split in wrong),
            "get the complete annotations, or write the number of clips that there are: "
            + ", ".join(f"datasets.{dataset}.{split}.clips: {found[split]}" for split in wrong),
        )


def _check_split(listing: Listing, dataset: str, split: str) -> None:
    records = [record for record in listing.records if record.split == split]
    identifier, times = Counter(record.id for record in records).most_common(1)[0]
    if times > 1:
        raise FcaError(f"{dataset} {split}: the id {identifier} is there {times} times", "ids that are unique")
    bad = [row for row in listing.quarantine if row.split == split]
    require_usable(dataset, split, len(records) - len(bad), bad)
