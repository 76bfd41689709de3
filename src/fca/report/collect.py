"""Gather what the report shows: scores, manifests and quarantine rows at once, frames only when they are asked for."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fca.config import Config, Layout
from fca.config.models import Dataset, Variant
from fca.data.manifest import Manifest
from fca.data.quarantine import Quarantine
from fca.data.shards import Shard
from fca.report.score_file import ScoreFile, read_scores


@dataclass(frozen=True)
class Frames:
    """Where the frames and captions of many clips lie: id -> (shard, row). Nothing is read before it is asked for."""

    rows: Mapping[str, tuple[Path, int]]

    def __contains__(self, clip_id: str) -> bool:
        return clip_id in self.rows

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, clip_id: str) -> tuple[np.ndarray, str]:
        """The clip's frames (F, H, W, 3) uint8 and its caption."""
        path, row = self.rows[clip_id]
        with Shard(path) as shard:
            return np.asarray(shard.frames[row]), str(shard.captions[row])


@dataclass(frozen=True)
class VariantResult:
    """Everything there is about one variant on one dataset; what was not made is None or empty."""

    variant: Variant
    scores: ScoreFile | None
    model: Manifest | None
    samples: Frames
    opposite: Frames

    @property
    def log(self) -> list[Mapping[str, Any]]:
        """The ticks of the training log, oldest first."""
        return list(self.model.extra.get("log") or []) if self.model else []


@dataclass(frozen=True)
class Source:
    """One artefact that the numbers come from, for the table of content hashes."""

    label: str
    path: str
    count: int
    sha256: str


@dataclass(frozen=True)
class DatasetResult:
    """Everything there is about one dataset."""

    name: str
    settings: Dataset
    variants: list[VariantResult]
    truth: Frames
    quarantine: list[Quarantine]
    sources: list[Source] = field(default_factory=list)

    def variant(self, name: str) -> VariantResult | None:
        """The result of the variant called `name`, where the config has it."""
        return next((result for result in self.variants if result.variant.name == name), None)

    @property
    def lead(self) -> VariantResult | None:
        """The variant that the report is about: the first trained one with scores, else the first with scores."""
        scored = [result for result in self.variants if result.scores]
        return next((result for result in scored if result.variant.trained), scored[0] if scored else None)


def collect(config: Config) -> list[DatasetResult]:
    """The results of every dataset of the config, in the config's order; `FcaError` for a damaged file."""
    layout = Layout(config)
    return [_dataset(config, layout, name) for name in config.datasets]


def _dataset(config: Config, layout: Layout, name: str) -> DatasetResult:
    clip_shards = list(_manifests(layout, _clip_paths(layout, name, "validation")))
    index = _manifest(layout.index_manifest(name))
    found: list[Manifest] = [index] if index else []
    found += [manifest for _, manifest in _manifests(layout, _clip_paths(layout, name, "train"))]
    found += [manifest for _, manifest in clip_shards]
    sources = [_source(f"{name}: index", layout.index(name), [index])] if index else []
    sources += [_source(f"{name}: clips, {split}", layout.root / name / "clips", shards)
                for split in ("train", "validation")
                if (shards := [manifest for _, manifest in _manifests(layout, _clip_paths(layout, name, split))])]
    variants = []
    for variant in config.variants.values():
        shards_by_kind = {
            kind: list(_manifests(layout, _sample_paths(layout, name, variant.name, kind)))
            for kind in ("validation", "opposite")
        }
        model = _manifest(layout.model_manifest(name, variant.name)) if variant.trained else None
        if model:
            found.append(model)
            sources.append(_source(f"{name}: model, {variant.name}", layout.model(name, variant.name), [model]))
        for kind, shards in shards_by_kind.items():
            found += [manifest for _, manifest in shards]
            if shards:
                label = f"{name}: predictions, {variant.name}" + (", opposite captions" * (kind == "opposite"))
                sources.append(_source(label, shards[0][0].parent, [manifest for _, manifest in shards]))
        variants.append(
            VariantResult(
                variant=variant,
                scores=read_scores(layout.scores(name, variant.name)),
                model=model,
                samples=_frames(shards_by_kind["validation"]),
                opposite=_frames(shards_by_kind["opposite"]),
            )
        )
    rows = {row for manifest in found for row in manifest.quarantine}
    rows |= {row for result in variants if result.scores for row in result.scores.quarantine}
    order = sorted(rows, key=lambda row: (row.dataset, row.split, row.id, row.step, row.file, row.reason))
    return DatasetResult(name, config.datasets[name], variants, _frames(clip_shards), order, sources)


def _clip_paths(layout: Layout, dataset: str, split: str) -> list[Path]:
    return [layout.clips(dataset, split, shard) for shard in layout.shards(dataset, split)]


def _sample_paths(layout: Layout, dataset: str, variant: str, kind: str) -> list[Path]:
    return [layout.samples(dataset, variant, kind, shard) for shard in layout.shards(dataset, "validation")]


def _manifest(path: Path) -> Manifest | None:
    """The manifest at `path`, or None where that step has not run."""
    return Manifest.read(path) if path.exists() else None


def _manifests(layout: Layout, paths: Iterable[Path]) -> Iterator[tuple[Path, Manifest]]:
    """Shards that exist (their manifest is written last) with their manifests."""
    for path in paths:
        if manifest := _manifest(layout.manifest(path)):
            yield path, manifest


def _frames(shards: Iterable[tuple[Path, Manifest]]) -> Frames:
    return Frames({clip_id: (path, row) for path, manifest in shards for row, clip_id in enumerate(manifest.ids)})


def _source(label: str, path: Path, manifests: list[Manifest]) -> Source:
    """One line for one or many manifests; many are hashed together, in order."""
    hashes = [manifest.sha256 for manifest in manifests]
    combined = hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    return Source(label, path.as_posix(), sum(manifest.count for manifest in manifests), combined)
