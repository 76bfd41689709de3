"""List every step of a configuration with its jobs, bytes, hours and memory."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fca.config import BaseKind, Config, Layout
from fca.data.datasets.reader import reader_of
from fca.plan.disk import Disk
from fca.plan.memory import BYTES, Weights, weights
from fca.plan.networks import Networks, networks, numbers
from fca.plan.rates import Rates


@dataclass(frozen=True)
class Row:
    """One step for one dataset, split or variant."""

    step: str
    dataset: str
    of: str
    """Split, base or variant."""
    jobs: int
    disk: Mapping[str, int | None] = field(default_factory=dict)
    """Kind of file -> bytes; None: unknown."""
    gpu_hours: float | None = 0.0
    """Of all jobs, on all their GPUs; None: unknown; 0: no GPU is used."""
    rate: str = ""
    gpu_memory: int | None = None
    """Bytes on one GPU; None: not counted."""
    memory_of: str = ""


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


def plan(config: Config, ablations: bool = False, clips_per_second: dict[str, float] | None = None) -> Plan:
    """The steps of the target `all`, and with `ablations` those of the other variants."""
    return _Planner(config, ablations, clips_per_second or {}).plan()


class _Planner:
    def __init__(self, config: Config, ablations: bool, throughput: dict[str, float]) -> None:
        self.config, self.layout = config, Layout(config)
        self.variants = config.every_variant if ablations else config.variants
        self.disk, self.rates = Disk(config), Rates(config, throughput)
        kinds: dict[BaseKind, None] = {"text": None}
        kinds |= {own.base: None for own in self.variants.values() if own.prediction == "model"}
        self.networks: dict[BaseKind, Networks] = {kind: networks(config.base_called(kind)) for kind in kinds}
        self.weights: dict[str, Weights] = {
            name: weights(config, name, self.networks[own.base]) for name, own in self.variants.items() if own.trained
        }

    def plan(self) -> Plan:
        rows = [row for dataset in self.config.datasets for row in self._dataset(dataset)]
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
        jobs = len(self.layout.shards(dataset, "validation"))
        rows = [
            Row("fetch", dataset, "", 1, {"raw": raw}),
            Row("index", dataset, "", 1),
            Row("resample", dataset, "validation", jobs, {"clips": self.disk.clips(dataset, "validation")}),
        ]
        for kind in (kind for kind in self.networks if kind in bases):
            rows += [self._latents(dataset, split, kind) for split in ("train", "validation")]
        for name in variants:
            rows += self._variant(dataset, name)
        return [*rows, self._vae_roundtrip(dataset)]

    def _latents(self, dataset: str, split: str, kind: BaseKind) -> Row:
        own, clips = self.networks[kind], self.config.datasets[dataset].split(split).clips
        jobs, size = len(self.layout.shards(dataset, split)), {"latents": self.disk.latents(dataset, split, own)}
        memory = BYTES[self.config.encode.precision] * own.encoder_parameters, "weights of VAE, T5 and ViT"
        of = f"{split}, {kind}"
        return Row("encode", dataset, of, jobs, size, *self.rates.of_clips("encode", clips), *memory)

    def _variant(self, dataset: str, name: str) -> list[Row]:
        rows, settings = [], self.config.datasets[dataset]
        if self.config.variant(name).trained:
            count, train = self.weights[name], self.config.train
            hours, rate = self.rates.training(dataset, name)
            old = int((hours or 0.0) // train.keep_every_hours) if train.keep_every_hours else 0
            # Checkpoints at the end, and one more while the next is written: weights and AdamW's moments in float32.
            number = train.keep_checkpoints + train.keep_best + old + 1
            made = {"models": 4 * count.trained, "checkpoints": 12 * count.trained * number}
            kept = "activations" if count.counts_activations else "without activations"
            what = f"{count.trained / 1e6:,.1f} M trained, {count.frozen / 1e6:,.1f} M frozen, {kept}"
            rows.append(Row("train", dataset, name, 1, made, hours, rate, count.training, what))

        if kinds := self.layout.sample_kinds(dataset, name):
            edited = sum(map(len, settings.edited_captions.values()))
            jobs = sum(len(self.layout.sample_shards(dataset, kind)) for kind in kinds)
            clips = sum(edited if kind == "edited" else settings.validation.clips for kind in kinds)
            sizes = [self.disk.edited(dataset) if kind == "edited" else self.disk.samples(dataset) for kind in kinds]
            hours, rate = self.rates.sampling(name, clips)
            rows.append(Row("sample", dataset, name, jobs, {"samples": sum(sizes)}, hours, rate, *self._sampling(name)))
        return [*rows, Row("score", dataset, name, 1, {}, *self.rates.of_clips("score", settings.validation.clips))]

    def _sampling(self, name: str) -> tuple[int, str]:
        own = self.networks[self.config.variant(name).base]
        count = self.weights.get(name)
        denoiser = count.trained + count.frozen if count else numbers(own.transformer)
        return BYTES[self.config.sample.precision] * (denoiser + own.vae_parameters), "weights of denoiser and VAE"

    def _vae_roundtrip(self, dataset: str) -> Row:
        rate = self.rates.of_clips("vae-roundtrip", self.config.datasets[dataset].validation.clips)
        size = BYTES[self.config.encode.precision] * self.networks["text"].vae_parameters
        return Row("score-vae-roundtrip", dataset, "", 1, {}, *rate, size, "weights of the VAE")
