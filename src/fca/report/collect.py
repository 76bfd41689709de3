"""Gather what the report shows: scores, manifests and quarantine rows now, frames when they are asked for."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fca.artifacts.check import changed_parents
from fca.artifacts.manifest import Manifest
from fca.artifacts.quarantine import Quarantine
from fca.artifacts.shards import Shard
from fca.config import Config, Dataset, Layout, SampleKind, Variant
from fca.report.score_file import ScoreFile, read_scores

FLOOR = "The VAE alone: the truth, encoded and decoded"
"""What no prediction can be expected to beat."""


@dataclass(frozen=True)
class Frames:
    """Where the frames and captions of many clips lie: id -> (shard, row)."""

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
    edited: Frames

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
    floor: ScoreFile | None = None
    """Scores of the truth after the VAE, where they were measured."""
    outdated: list[str] = field(default_factory=list)
    """Scores that were measured on other files than there are now, in sentences."""

    def variant(self, name: str) -> VariantResult | None:
        """The result of the variant called `name`, where the config has it."""
        return next((result for result in self.variants if result.variant.name == name), None)

    @property
    def lead(self) -> VariantResult | None:
        """The variant that the report is about: of those with scores the first with FCA, else trained, else any."""
        scored = [result for result in self.variants if result.scores]
        scored.sort(key=lambda result: (result.variant.adapter != "fca", not result.variant.trained))
        return scored[0] if scored else None


def collect(config: Config) -> list[DatasetResult]:
    """The results of every dataset of the config, in the config's order; `FcaError` for a damaged file."""
    layout = Layout(config)
    return [_dataset(config, layout, name) for name in config.datasets]


def _dataset(config: Config, layout: Layout, name: str) -> DatasetResult:
    """One dataset: every manifest once, as a source and for its quarantine rows."""
    clips = _shards(layout.clips(name, "validation", shard) for shard in layout.shards(name, "validation"))
    latents = _shards(layout.latents(name, "train", shard) for shard in layout.shards(name, "train"))
    parts: list[tuple[str, Path, list[Manifest]]] = [
        ("index", layout.index(name), _existing(layout.index_manifest(name))),
        ("latents, train", layout.latents(name, "train", 0).parent, list(latents.values())),
        ("clips, validation", layout.clips(name, "validation", 0).parent, list(clips.values())),
    ]
    variants = []
    for variant in config.variants.values():
        model = _existing(layout.model_manifest(name, variant.name)) if variant.trained else []
        samples = _shards(_sample_paths(layout, name, variant.name, "validation"))
        opposite = _shards(_sample_paths(layout, name, variant.name, "opposite"))
        edited = _shards(_sample_paths(layout, name, variant.name, "edited"))
        folder = layout.samples(name, variant.name, "validation", 0).parent
        parts += [
            (f"model, {variant.name}", layout.model(name, variant.name), model),
            (f"predictions, {variant.name}", folder, list(samples.values())),
            (f"predictions, {variant.name}, opposite captions", folder, list(opposite.values())),
            (f"predictions, {variant.name}, edited captions", folder, list(edited.values())),
        ]
        variants.append(
            VariantResult(
                variant=variant,
                scores=read_scores(layout.scores(name, variant.name)),
                model=model[0] if model else None,
                samples=_frames(samples),
                opposite=_frames(opposite),
                edited=_frames(edited),
            )
        )
    floor = read_scores(layout.scores(name, "vae_floor"), str(config.clip.frames))
    rows = {row for _, _, manifests in parts for manifest in manifests for row in manifest.quarantine}
    rows |= {row for result in variants if result.scores for row in result.scores.quarantine}
    return DatasetResult(
        name=name,
        settings=config.datasets[name],
        variants=variants,
        truth=_frames(clips),
        quarantine=sorted(rows, key=lambda row: (row.dataset, row.split, row.id, row.step, row.file, row.reason)),
        sources=[_source(f"{name}: {label}", path, manifests) for label, path, manifests in parts if manifests],
        floor=floor,
        outdated=[
            f"The scores of {title} are of other files than there are now ({why}); run the workflow again."
            for title, scores in (*((own.variant.title, own.scores) for own in variants), (FLOOR, floor))
            if scores and (why := changed_parents(layout, scores.parents))
        ],
    )


def _sample_paths(layout: Layout, dataset: str, variant: str, kind: SampleKind) -> list[Path]:
    return [layout.samples(dataset, variant, kind, shard) for shard in layout.sample_shards(dataset, kind)]


def _existing(path: Path) -> list[Manifest]:
    """The manifest at `path`, or nothing where that step has not run."""
    return [Manifest.read(path)] if path.exists() else []


def _shards(paths: Iterable[Path]) -> dict[Path, Manifest]:
    """Shards that exist (their manifest is written last) with their manifests."""
    return {path: manifest for path in paths for manifest in _existing(Layout.manifest(path))}


def _frames(shards: Mapping[Path, Manifest]) -> Frames:
    rows: dict[str, tuple[Path, int]] = {}
    for path, manifest in shards.items():
        rows |= {clip_id: (path, row) for row, clip_id in enumerate(manifest.ids)}
    return Frames(rows)


def _source(label: str, path: Path, manifests: list[Manifest]) -> Source:
    """One line for one or many manifests; many are hashed together, in order."""
    hashes = [manifest.sha256 for manifest in manifests]
    combined = hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    return Source(label, path.as_posix(), sum(manifest.count for manifest in manifests), combined)
