"""Predictions with their ground truth: clip and sample shards of one variant, matched by id."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fca.artifacts.shards import Shard
from fca.config import Config, Layout, SampleKind
from fca.config.rehearsal import is_rehearsal
from fca.errors import FcaError, remake

Clips = NDArray[np.uint8]


@dataclass(frozen=True)
class PairBatch:
    """Some clips: ids, captions of the predictions, and pixels (b, F, H, W, 3) uint8."""

    ids: list[str]
    captions: list[str]
    truth: Clips
    prediction: Clips
    """As the model made it, including the initial frames."""


class Pairs:
    """All predictions of a kind with their ground truth. Opening checks that they belong together.

    The copy-last-frame baseline (`prediction: repeat`) has no samples: it is computed from the ground truth. Without a
    `variant` the ground truth itself is the prediction. If `shards` are given, only these are opened, however few clips
    they contain.
    """

    def __init__(
        self, config: Config, dataset: str, variant: str | None, kind: SampleKind, shards: Sequence[int] | None = None
    ) -> None:
        layout = Layout(config)
        self.initial_frames = config.datasets[dataset].initial_frames
        self.frame_shape = (config.clip.frames, config.clip.height, config.clip.width, 3)
        self.truth_parents: dict[str, str] = {}
        self.parents: dict[str, str] = {}
        self.quarantine: list[Any] = []
        self._parts: list[tuple[Shard, Shard | None, list[tuple[int, int]]]] = []
        self._repeats = variant is not None and config.variant(variant).prediction == "repeat"
        model = None if self._repeats else variant
        for number in layout.shards(dataset, "validation") if shards is None else shards:
            truth = Shard(layout.clips(dataset, "validation", number), kind="clips")
            samples = Shard(layout.samples(dataset, model, kind, number), kind="samples") if model else None
            for shard in (truth, samples) if samples else (truth,):
                self._check_frames(shard)
                self.parents[shard.path.relative_to(layout.root).as_posix()] = shard.manifest.sha256
            self.truth_parents[truth.path.relative_to(layout.root).as_posix()] = truth.manifest.sha256
            self._parts.append((truth, samples, _matches(truth, samples, kind)))

            # The chain of parents from samples over latents to clips.
            if samples and model:
                source = layout.latents(dataset, "validation", number, config.variant(model).base)
                if Layout.manifest(source).exists():  # latents may be removed to save space
                    latents = Shard(source, kind="latents")
                    require_made_of(samples, layout, latents)
                    require_made_of(latents, layout, truth)
            self.quarantine += (samples or truth).manifest.quarantine
        if shards is None:
            require_enough(config, dataset, len(self))

    def __len__(self) -> int:
        return sum(len(matches) for _, _, matches in self._parts)

    @property
    def ids(self) -> list[str]:
        """The ids of all pairs, in the order of the dataset's list."""
        return [truth.ids[row] for truth, _, matches in self._parts for row, _ in matches]

    def batches(self, size: int, only: Container[str] | None = None) -> Iterator[PairBatch]:
        """All pairs (or `only` those with these ids) in the order of the dataset's list, at most `size` at a time."""
        for truth, samples, every in self._parts:
            matches = [match for match in every if only is None or truth.ids[match[0]] in only]
            with truth:
                for start in range(0, len(matches), size):
                    chosen = matches[start : start + size]
                    pixels = np.stack([truth.frames[row] for row, _ in chosen])
                    prediction = copy_last_frame(pixels, self.initial_frames) if self._repeats else pixels
                    if samples is not None:
                        prediction = np.stack([samples.frames[row] for _, row in chosen])
                    captions = [(samples or truth).captions[row] for _, row in chosen]
                    yield PairBatch([truth.ids[row] for row, _ in chosen], captions, pixels, prediction)
            if samples is not None:
                samples.close()

    def _check_frames(self, shard: Shard) -> None:
        frames = shard.frames
        if frames.shape[1:] != self.frame_shape or frames.dtype != np.uint8:
            raise FcaError(
                f"{shard.path} contains clips {frames.shape[1:]} of {frames.dtype}",
                f"{self.frame_shape} of uint8, from clip.frames, clip.height and clip.width",
                "run the workflow again, which rebuilds everything that an edit of `clip` has outdated",
            )


def _matches(truth: Shard, samples: Shard | None, kind: SampleKind) -> list[tuple[int, int]]:
    """Rows (in truth, in samples) of every clip that is in both, in the order of the ground truth."""
    if samples is None:
        return [(row, row) for row in range(len(truth))]
    remedy = f"remove {samples.path} and its manifest, and run `fca sample` for this shard again"

    # Every clip needs exactly one prediction, unless it is quarantined or has no opposite caption.
    rows = {name: row for row, name in enumerate(samples.ids)}
    quarantined = {row.id for row in samples.manifest.quarantine}
    missing = [name for name in truth.ids if name not in rows and name not in quarantined and kind != "opposite"]
    surplus = sorted(set(rows) - set(truth.ids))
    if missing or surplus or len(rows) != len(samples.ids):
        raise FcaError(
            f"{samples.path} does not belong to {truth.path}: "
            f"{len(missing)} clips without a prediction ({', '.join(missing[:3])}), "
            f"{len(surplus)} predictions without a clip ({', '.join(surplus[:3])})",
            "one prediction for each clip",
            remedy,
        )

    # Both must be about the same caption, or about opposite ones.
    matches = [(row, rows[name]) for row, name in enumerate(truth.ids) if name in rows]
    for row, other in matches:
        same = truth.captions[row] == samples.captions[other]
        if same != (kind == "validation"):
            raise FcaError(
                f"{samples.path}: clip {truth.ids[row]} was predicted from {samples.captions[other]!r}",
                f"{'the caption' if kind == 'validation' else 'the opposite of'} {truth.captions[row]!r}",
                remedy,
            )
    return matches


def require_enough(config: Config, dataset: str, clips: int) -> None:
    """`FcaError` unless there are two clips, as a distance needs, or one in a rehearsal, which then has no distance."""
    least = 1 if is_rehearsal(config) else 2
    if clips < least:
        raise FcaError(
            f"{dataset} validation has {clips} clips to score",
            f"at least {least}",
            f"raise datasets.{dataset}.validation.clips, or repair the unusable clips: "
            f"`fca data verify {dataset}` lists them with remedies",
        )


def require_made_of(shard: Shard, layout: Layout, parent: Shard) -> None:
    """`FcaError` unless a shard was made from the current content of its parent."""
    name = parent.path.relative_to(layout.root).as_posix()
    made_of = shard.manifest.parents.get(name)
    if made_of != parent.manifest.sha256:
        raise FcaError(
            f"{shard.path} was not made from the current {parent.path}",
            f"{parent.manifest.sha256[:12]} among its parents, not {(made_of or 'nothing')[:12]}",
            f"remove {shard.path} and its manifest, then {remake(Layout.manifest(shard.path))}",
        )


def with_initial_frames(prediction: Clips, truth: Clips, initial_frames: int) -> Clips:
    """The prediction (b, F, H, W, 3) with its initial frames replaced by the ground truth, as in Seer's eval.py."""
    return np.concatenate([truth[:, :initial_frames], prediction[:, initial_frames:]], axis=1)


def copy_last_frame(truth: Clips, initial_frames: int) -> Clips:
    """The copy-last-frame baseline: the initial frames, then copies of the last of them."""
    still = np.repeat(truth[:, initial_frames - 1 : initial_frames], truth.shape[1] - initial_frames, axis=1)
    return np.concatenate([truth[:, :initial_frames], still], axis=1)
