"""List every step of a configuration with its jobs, bytes, hours and memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any

from fca.config import BaseKind, Config, Layout
from fca.config.rehearsal import is_rehearsal
from fca.config.settings import Split
from fca.config.vbench import GROUND_TRUTH
from fca.data.datasets.reader import reader_of
from fca.plan.disk import Disk
from fca.plan.networks import Networks, networks
from fca.plan.rates import CHECKED_CLIP, REPORTED_CLIP, RESAMPLED_CLIP, START, Rate, Rates
from fca.plan.work import encoding, round_trip, sampling, scoring, training

VBENCH_MEMORY = 8 * 2**30
"""An upper bound that is assumed: 2.5 GB of weights, and the activations of one clip."""

Sizes = Mapping[str, int | None]
"""Kind of file -> bytes; None: unknown"""


@dataclass(frozen=True)
class Row:
    """One step for one dataset, split or variant."""

    step: str
    dataset: str
    of: str
    """Split, base or variant."""
    jobs: int
    disk: Sizes = field(default_factory=dict)
    gpu_hours: float | None = 0.0
    """Of all jobs, on all their GPUs; None: unknown; 0: no GPU is used."""
    job_hours: float | None = None
    """Wall hours of the longest job on one GPU, or on one core if it uses none; None: unknown. Of a training, which is
    resumed, the hours between two checkpoints."""
    rate: str = ""
    gpu_memory: int | None = None
    """Peak of bytes on one GPU; None: no GPU is used."""
    memory_of: str = ""
    host_memory: int = 0
    """Bytes next to these that stay on the host."""


@dataclass(frozen=True)
class Plan:
    """All rows, and the assumptions."""

    scale: str
    folder: str
    rows: list[Row]
    assumed: list[str]

    def disk(self) -> dict[str, int]:
        """Known bytes by kind."""
        total: Counter[str] = Counter()
        for row in self.rows:
            total.update({kind: size for kind, size in row.disk.items() if size is not None})
        return dict(total)

    def as_json(self) -> dict[str, Any]:
        """Everything, in bytes and hours."""
        known = [row.gpu_hours for row in self.rows if row.gpu_hours is not None]
        unknown = sorted({row.step for row in self.rows if row.gpu_hours is None})
        totals = {"disk": self.disk(), "gpu_hours": sum(known), "without_a_rate": unknown}
        rows = [asdict(row) for row in self.rows]
        return {"scale": self.scale, "rows": rows, "total": totals, "assumed": self.assumed}


def plan(
    config: Config, ablations: bool = False, clips_per_second: dict[str, float] | None = None, measured: bool = True
) -> Plan:
    """The steps of the target `all`, and with `ablations` those of the other variants.

    `measured`: whether rates measured here take the place of published ones.
    """
    return _Planner(config, ablations, Rates(config, clips_per_second or {}, measured)).plan()


class _Planner:
    def __init__(self, config: Config, ablations: bool, rates: Rates) -> None:
        self.config, self.layout = config, Layout(config)
        self.variants = config.every_variant if ablations else config.variants
        self.disk, self.rates = Disk(config), rates
        kinds: dict[BaseKind, None] = {"text": None}
        kinds |= {own.base: None for own in self.variants.values() if own.prediction == "model"}
        self.networks: dict[BaseKind, Networks] = {kind: networks(config.base_called(kind)) for kind in kinds}
        self.features, self.vae = scoring(config), round_trip(config, self.networks["text"])
        self.encoding = cache(lambda kind, frames: encoding(config, self.networks[kind], frames))
        used = {name: self.networks[own.base] for name, own in self.variants.items() if own.prediction == "model"}
        self.samplings = {name: sampling(config, name, own) for name, own in used.items()}
        self.trainings = {
            name: training(config, name, own) for name, own in used.items() if config.variant(name).trains
        }

    def plan(self) -> Plan:
        rows = [row for dataset in self.config.datasets for row in self._dataset(dataset)]
        shown = self.config.report.clips * len(self.config.datasets) * len(self.config.variants)
        rows.append(self._on_cores("report", "all", "", shown, REPORTED_CLIP))
        assumed = [note for own in self.networks.values() for note in own.assumed]
        notes = list(dict.fromkeys([*assumed, *sorted(self.disk.assumed)]))
        return Plan(self.config.scale, self.config.data_dir, rows, notes)

    def _dataset(self, dataset: str) -> list[Row]:
        settings = self.config.datasets[dataset]
        raw = reader_of(settings).publication.bytes if settings.source == "archive" else None
        # Ablations are trained on datasets that have steps for them.
        ablations = settings.ablation_steps is not None
        variants = [name for name in self.variants if name in self.config.variants or ablations]
        bases = {self.config.variant(name).base for name in variants} | {"text"}

        # Only validation clips are stored; training clips go from pixels to latents in memory.
        every, jobs = settings.train.clips + settings.validation.clips, len(self.layout.shards(dataset, "validation"))
        stored = {"clips": self.disk.clips(dataset, "validation")}
        rows = [
            self._on_cores("fetch", dataset, "", every, CHECKED_CLIP, disk={"raw": raw}),
            self._on_cores("index", dataset, "", every, CHECKED_CLIP),
            self._on_cores("verify", dataset, "", every, CHECKED_CLIP),
            self._on_cores("resample", dataset, "validation", self._shard(dataset), RESAMPLED_CLIP, jobs, stored),
        ]
        for kind in (kind for kind in self.networks if kind in bases):
            rows += [self._latents(dataset, split, kind) for split in ("train", "validation")]
        for name in variants:
            rows += self._variant(dataset, name)
        return [*rows, *self._vae_roundtrip(dataset), *self._vbench(dataset)]

    def _shard(self, dataset: str, split: Split = "validation") -> int:
        """Clips of the longest shard."""
        return len(self.layout.shard_rows(dataset, split, 0))

    @staticmethod
    def _on_cores(
        step: str, dataset: str, of: str, clips: int, seconds: float, jobs: int = 1, disk: Sizes | None = None
    ) -> Row:
        """A step without a GPU, of so many clips in a job, each of so many core seconds."""
        return Row(step, dataset, of, jobs, disk or {}, job_hours=(START + clips * seconds) / 3600)

    @staticmethod
    def _on_gpu(
        step: str, dataset: str, of: str, jobs: int, clips: tuple[int, int], rate: Rate, memory: tuple[int, str],
        disk: Sizes | None = None,
    ) -> Row:  # fmt: skip
        """`clips`: of all jobs, and of the longest."""
        hours = None if rate.seconds is None else (START + clips[1] * rate.seconds) / 3600
        return Row(step, dataset, of, jobs, disk or {}, rate.hours(clips[0]), hours, rate.source, *memory)

    def _latents(self, dataset: str, split: Split, kind: BaseKind) -> Row:
        settings, own = self.config.datasets[dataset], self.networks[kind]
        work = self.encoding(kind, settings.initial_frames if kind == "text" else 1)
        clips = settings.split(split).clips, self._shard(dataset, split)
        jobs, size = len(self.layout.shards(dataset, split)), {"latents": self.disk.latents(dataset, split, own)}
        memory = work.peak, "the largest of VAE, ViT and T5, which are loaded one after the other, with its activations"
        return self._on_gpu(
            "encode", dataset, f"{split}, {kind}", jobs, clips, self.rates.encoding(kind, work), memory, size
        )

    def _kept(self, hours: float | None) -> int:
        """Number of checkpoints at the end of a training of so many hours by the clock."""
        settings = self.config.train
        old = int((hours or 0.0) // settings.keep_every_hours) if settings.keep_every_hours else 0
        return settings.keep_checkpoints + settings.keep_best + old

    def _variant(self, dataset: str, name: str) -> list[Row]:
        """A variant's steps, those of all its trainings in one row each."""
        names = self.config.replicates(name)
        rows = [_summed(same) for same in zip(*(self._run(dataset, name, run) for run in names), strict=True)]
        lengths = [length for run in names for length in self.config.lengths(run)]
        if lengths:
            on_the_way = [self._predicted(dataset, name, length) for length in lengths]
            rows += [replace(_summed(same), of=f"{name}, lengths") for same in zip(*on_the_way, strict=True)]
        if len(names) == 1:
            return rows
        clips, seconds = self.config.datasets[dataset].validation.clips, len(names) * self.rates.bootstrap()
        return [*rows, self._on_cores("score-replicates", dataset, name, clips, seconds)]

    def _run(self, dataset: str, name: str, run: str) -> list[Row]:
        """The steps of one training `run` of a variant."""
        rows = [self._training(dataset, name)] if self.config.variant(name).trains else []
        return rows + self._predicted(dataset, name, run)

    def _predicted(self, dataset: str, name: str, run: str) -> list[Row]:
        """Samples and scores of a model of a variant."""
        rows: list[Row] = []
        if kinds := self.layout.sample_kinds(dataset, run):
            settings, work = self.config.datasets[dataset], self.samplings[name]
            edited = sum(map(len, settings.edited_captions.values()))
            jobs = sum(len(self.layout.sample_shards(dataset, kind)) for kind in kinds)
            clips = sum(edited if kind == "edited" else settings.validation.clips for kind in kinds)
            sizes = [self.disk.edited(dataset) if kind == "edited" else self.disk.samples(dataset) for kind in kinds]
            longest = max(self._shard(dataset), edited if "edited" in kinds else 0)
            memory = work.peak, "weights of denoiser and VAE, and activations of the larger"
            rate, made = self.rates.sampling(name, work), {"samples": sum(sizes)}
            rows.append(self._on_gpu("sample", dataset, name, jobs, (clips, longest), rate, memory, made))
        return [*rows, self._score(dataset, name)]

    def _training(self, dataset: str, name: str) -> Row:
        settings, work = self.config.train, self.trainings[name]
        rate, steps = self.rates.training(dataset, name, work), self.config.train_steps(dataset, name)
        hours = rate.hours(steps * settings.clips_per_step)
        wall = None if hours is None else hours / settings.processes
        between = None if wall is None else wall * min(1.0, settings.checkpoint_every / steps)
        # Weights and AdamW's moments in float32; one checkpoint more while the next is written. The last of a rehearsal
        # isn't written (`fca.train.loop`).
        lengths = len(self.config.lengths(name))
        written = -(-steps // settings.checkpoint_every) - is_rehearsal(self.config)
        kept = min(self._kept(wall) + 1, written) + lengths
        made = {"models": 4 * work.trained * (1 + lengths), "checkpoints": 12 * work.trained * kept}
        what = f"{work.trained / 1e6:,.1f} M trained, {work.frozen / 1e6:,.1f} M frozen, with all that a step needs"
        return Row("train", dataset, name, 1, made, hours, between, rate.source, work.peak, what)

    def _score(self, dataset: str, name: str) -> Row:
        settings = self.config.datasets[dataset]
        rate = self.rates.scoring(self.features, self.config.clip.frames - settings.initial_frames)
        clips = settings.validation.clips
        memory = self.features.peak, "the feature network and a batch's activations"
        row = self._on_gpu("score", dataset, name, 1, (clips, clips), rate, memory)
        return replace(row, host_memory=self.features.host)

    def _vae_roundtrip(self, dataset: str) -> list[Row]:
        """Each shard measured on a GPU, and the scores of all, which need none."""
        settings, rate = self.config.datasets[dataset], self.rates.round_trip(self.vae, self.features)
        clips, jobs = (settings.validation.clips, self._shard(dataset)), len(self.layout.shards(dataset, "validation"))
        memory = self.vae.peak + self.features.peak, "VAE and feature network, each with its activations"
        measured = self._on_gpu("measure-vae-roundtrip", dataset, "validation", jobs, clips, rate, memory)
        scores = self._on_cores("score-vae-roundtrip", dataset, "", clips[0], 2 * self.rates.bootstrap())
        return [measured, scores]

    def _vbench(self, dataset: str) -> list[Row]:
        """Of the variants of the target `all`, whether or not VBench is installed yet."""
        settings, clips = self.config.score.vbench, self.config.datasets[dataset].validation.clips
        if settings is None or not settings.measures(dataset):
            return []
        memory, rate = (VBENCH_MEMORY, "assumed, not counted"), self.rates.vbench()
        of = (*self.config.variants, GROUND_TRUTH)
        return [self._on_gpu("vbench", dataset, row, 1, (clips, clips), rate, memory) for row in of]


def _summed(rows: Sequence[Row]) -> Row:
    """The same step of several trainings as one row."""
    first, *others = rows
    if not others:
        return first
    hours = None if first.gpu_hours is None else sum(row.gpu_hours or 0.0 for row in rows)
    disk = {kind: None if size is None else sum(row.disk.get(kind) or 0 for row in rows)
            for kind, size in first.disk.items()}  # fmt: skip
    return replace(first, jobs=sum(row.jobs for row in rows), gpu_hours=hours, disk=disk)
