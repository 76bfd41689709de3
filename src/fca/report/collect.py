"""Gather the results that the report shows: scores, manifests and quarantine rows at once, frames on demand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fca.artifacts.check import changed_parents
from fca.artifacts.manifest import Manifest
from fca.artifacts.quarantine import Quarantine
from fca.artifacts.shards import Shard
from fca.artifacts.text import sha256
from fca.config import Config, Dataset, Layout, SampleKind
from fca.config.variant import Variant
from fca.report.score_file import ScoreFile, read_round_trips, read_scores

VAE_BOUND = "VAE reconstruction bound"
"""Title of the scores of the ground truth, encoded and decoded, which no prediction can be expected to surpass."""

KINDS: dict[SampleKind, str] = {"validation": "", "opposite": ", opposite captions", "edited": ", edited captions"}


class StoredClips(dict[str, tuple[Path, int]]):
    """Where the frames and captions of many clips are stored: id -> (shard, row)."""

    def read(self, clip_id: str) -> tuple[np.ndarray, str]:
        """The clip's frames (F, H, W, 3) uint8 and its caption."""
        path, row = self[clip_id]
        with Shard(path) as shard:
            return np.asarray(shard.frames[row]), str(shard.captions[row])


@dataclass(frozen=True)
class VariantResult:
    """The results of one variant on one dataset; those that don't exist are None or empty."""

    variant: Variant
    scores: ScoreFile | None
    model: Manifest | None
    samples: StoredClips
    opposite: StoredClips
    edited: StoredClips

    @property
    def log(self) -> list[Mapping[str, Any]]:
        """The ticks of the training log, oldest first."""
        return list(self.model.extra.get("log") or []) if self.model else []


@dataclass(frozen=True)
class Artifact:
    """One artifact that the numbers come from, for the table of content hashes."""

    label: str
    path: str
    count: int
    sha256: str

    @classmethod
    def of(cls, label: str, path: Path, manifests: list[Manifest]) -> "Artifact":
        """One line for one or several manifests; several are hashed together, in order."""
        hashes = [manifest.sha256 for manifest in manifests]
        combined = hashes[0] if len(hashes) == 1 else sha256("\n".join(hashes))
        return cls(label, path.as_posix(), sum(manifest.count for manifest in manifests), combined)


@dataclass(frozen=True)
class DatasetResult:
    """The results of one dataset."""

    name: str
    settings: Dataset
    variants: list[VariantResult]
    truth: StoredClips
    quarantine: list[Quarantine]
    artifacts: list[Artifact]
    round_trips: Mapping[str, ScoreFile]
    """Scores of the ground truth after the VAE, by the number of frames that it encoded."""
    vae_bound: ScoreFile | None
    """The round trip of clips of the configured length, if it was measured."""
    outdated: list[str]
    """Scores that were measured on files that have changed since, in sentences."""

    def variant(self, name: str) -> VariantResult | None:
        """The result of the variant called `name`, if the configuration has it."""
        return next((result for result in self.variants if result.variant.name == name), None)

    @property
    def lead(self) -> VariantResult | None:
        """The scored variant that the report is about: the first with FCA, else the first trained, else the first."""
        scored = [result for result in self.variants if result.scores]
        scored.sort(key=lambda result: (result.variant.adapter != "fca", not result.variant.trained))
        return scored[0] if scored else None


def collect(config: Config) -> list[DatasetResult]:
    """The results of every dataset of the configuration, in its order.

    Raises:
        FcaError: a file is damaged.
    """
    layout = Layout(config)
    return [_dataset(config, layout, name) for name in config.datasets]


def _dataset(config: Config, layout: Layout, name: str) -> DatasetResult:
    """One dataset: each manifest is read once, as an artifact and for its quarantine rows."""
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
        samples = {
            kind: _shards(layout.samples(name, variant.name, kind, shard) for shard in layout.sample_shards(name, kind))
            for kind in KINDS
        }
        folder = layout.samples(name, variant.name, "validation", 0).parent
        parts.append((f"model, {variant.name}", layout.model(name, variant.name), model))
        parts += [
            (f"predictions, {variant.name}{captions}", folder, list(samples[kind].values()))
            for kind, captions in KINDS.items()
        ]
        scores = read_scores(layout.final_scores(name, variant.name))
        stored = (_stored(samples[kind]) for kind in ("validation", "opposite", "edited"))
        variants.append(VariantResult(variant, scores, model[0] if model else None, *stored))

    round_trips = read_round_trips(layout.vae_roundtrip(name))
    bound = round_trips.get(str(config.clip.frames))
    rows = {row for _, _, manifests in parts for manifest in manifests for row in manifest.quarantine}
    rows |= {row for result in variants if result.scores for row in result.scores.quarantine}
    return DatasetResult(
        name=name,
        settings=config.datasets[name],
        variants=variants,
        truth=_stored(clips),
        quarantine=sorted(rows, key=lambda row: (row.dataset, row.split, row.id, row.step, row.file, row.reason)),
        artifacts=[Artifact.of(f"{name}: {label}", path, manifests) for label, path, manifests in parts if manifests],
        round_trips=round_trips,
        vae_bound=bound,
        outdated=[
            f"The scores of {title} were measured on files that have changed since ({why}); run the workflow again."
            for title, scores in (*((own.variant.title, own.scores) for own in variants), (VAE_BOUND, bound))
            if scores and (why := changed_parents(layout, scores.parents))
        ],
    )


def _existing(path: Path) -> list[Manifest]:
    """The manifest at `path`, or nothing if that step has not run."""
    return [Manifest.read(path)] if path.exists() else []


def _shards(paths: Iterable[Path]) -> dict[Path, Manifest]:
    """Shards that exist (their manifest is written last) with their manifests."""
    return {path: manifest for path in paths for manifest in _existing(Layout.manifest(path))}


def _stored(shards: Mapping[Path, Manifest]) -> StoredClips:
    found = ((name, (path, row)) for path, manifest in shards.items() for row, name in enumerate(manifest.ids))
    return StoredClips(found)
