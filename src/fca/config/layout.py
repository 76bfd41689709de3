"""The path of every file of a scale: the only module that knows file names.

Paths are relative to the working directory, unless the configuration's folders are absolute. Names may be wildcards
such as `{dataset}`, so the workflow's rules use the same methods.
"""

from pathlib import Path

from fca.config.models import Config
from fca.config.settings import VAE_ROUNDTRIP, SampleKind

CARD = "README.md"
"""The model card in a model's folder. No step reads it, and no hash of a model contains it."""


def _number(shard: int | str) -> str:
    """A shard's number as four digits; a wildcard as it is."""
    return shard if isinstance(shard, str) else f"{shard:04d}"


class Layout:
    """The paths of one configuration."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.root = Path(config.data_dir) / config.scale
        self.runs = Path(config.run_dir) / config.scale
        self.report = Path(config.report_dir) / "index.html"
        self.report_assets = Path(config.report_dir) / "assets"
        self.metrics = Path(config.report_dir) / "metrics.json"

    def comparison(self, name: str) -> Path:
        """The report page of a comparison."""
        return self.report.parent / name / self.report.name

    def preview(self, dataset: str) -> Path:
        """The page with contact sheets of a dataset."""
        return self.report.parent / "preview" / f"{dataset}.html"

    @staticmethod
    def manifest(path: Path) -> Path:
        """The manifest next to a shard, an index, a raw folder or an exported model."""
        return path.with_suffix(".json")

    def raw(self, dataset: str) -> Path:
        return self.root / dataset / "raw"

    def raw_manifest(self, dataset: str) -> Path:
        return self.manifest(self.raw(dataset))

    def index(self, dataset: str) -> Path:
        return self.root / dataset / "index.jsonl"

    def index_manifest(self, dataset: str) -> Path:
        return self.manifest(self.index(dataset))

    def verified(self, dataset: str) -> Path:
        """Manifest of the findings of `fca data verify`, with the full tables next to it as .tsv."""
        return self.root / dataset / "verified.json"

    def clips(self, dataset: str, split: str, shard: int | str) -> Path:
        return self.root / dataset / "clips" / f"{split}-{_number(shard)}.h5"

    def latents(self, dataset: str, split: str, shard: int | str, base: str = "text") -> Path:
        """A shard of clips encoded with the networks of `base` or `image_base`."""
        return self.root / dataset / "latents" / base / f"{split}-{_number(shard)}.h5"

    def run(self, dataset: str, variant: str) -> Path:
        """Checkpoints and log of a training; no rule's output, so that a killed training can be resumed."""
        return self.runs / dataset / variant

    @property
    def rehearsal(self) -> Path:
        """The table of a rehearsal."""
        return self.runs / "rehearsal.json"

    @property
    def rehearsed(self) -> Path:
        """The configuration of a rehearsal's models, which the rehearsal writes."""
        return self.root / "models.yaml"

    def measured(self, dataset: str) -> Path:
        """The folder of what each job took: see `fca.artifacts.measured`."""
        return self.runs / dataset / "measured"

    def model(self, dataset: str, variant: str) -> Path:
        """A variant's weights, or those of the variant that it borrows them from."""
        return self.root / dataset / "models" / self.config.weights_name(variant)

    def model_manifest(self, dataset: str, variant: str) -> Path:
        return self.manifest(self.model(dataset, variant))

    def samples(self, dataset: str, variant: str, kind: str, shard: int | str) -> Path:
        return self.root / dataset / "samples" / variant / f"{kind}-{_number(shard)}.h5"

    def feature_cache(self, dataset: str, name: str, shard: int | str) -> Path:
        """Features of a shard of the ground truth or of a variant's predictions, kept by `fca score`."""
        return self.root / dataset / "features" / f"{name}-{_number(shard)}.h5"

    def scores(self, dataset: str, variant: str) -> Path:
        return self.root / dataset / "scores" / f"{variant}.json"

    def replicates_scores(self, dataset: str, variant: str) -> Path:
        """Scores of a variant's trainings together."""
        return self.root / dataset / "scores" / f"{variant}.replicates.json"

    def final_scores(self, dataset: str, variant: str) -> Path:
        """The scores that count: of all trainings if there are several."""
        several = len(self.config.replicates(variant)) > 1
        return self.replicates_scores(dataset, variant) if several else self.scores(dataset, variant)

    def differences(self, dataset: str, comparison: str) -> Path:
        """Differences between the variants of a comparison."""
        return self.root / dataset / "differences" / f"{comparison}.json"

    def evidence(self, dataset: str, name: str) -> Path:
        """The record of a training that is kept in the repository."""
        return Path(self.config.evidence.folder) / self.config.scale / dataset / f"{name}.json"

    def recorded(self, dataset: str, name: str) -> Path:
        """The same, as the workflow's result."""
        return self.root / dataset / "evidence" / f"{name}.json"

    @property
    def evidence_page(self) -> Path:
        """The page that is made from the records."""
        return Path(self.config.evidence.folder).with_suffix(".md")

    def vae_roundtrip_shard(self, dataset: str, shard: int | str) -> Path:
        """What a shard of the VAE's round trips was measured to be."""
        return self.root / dataset / "scores" / VAE_ROUNDTRIP / f"{_number(shard)}.h5"

    def vae_roundtrip(self, dataset: str) -> Path:
        """Scores of the VAE's round trip of the validation clips, the VAE reconstruction bound."""
        return self.scores(dataset, VAE_ROUNDTRIP)

    def executed(self, dataset: str) -> Path:
        """Whether the simulator did its task along the path of each prediction; written by `make executed`."""
        return self.root / dataset / "executed.json"

    def vbench(self, dataset: str, row: str) -> Path:
        """VBench of a variant or of the ground truth."""
        return self.root / dataset / "vbench" / f"{row}.json"

    def vbench_shard(self, dataset: str, row: str, shard: int | str) -> Path:
        """VBench of each clip of a shard; no rule's output, so that a killed run can be resumed."""
        return self.runs / dataset / "vbench" / row / f"{_number(shard)}.json"

    def shards(self, dataset: str, split: str) -> range:
        """Numbers of the shards of a split."""
        return range(self.config.datasets[dataset].split(split).shards)

    def shard_rows(self, dataset: str, split: str, shard: int) -> range:
        """Positions of a shard's clips in the index of the split."""
        settings = self.config.datasets[dataset].split(split)
        first = shard * settings.shard_clips
        return range(first, min(first + settings.shard_clips, settings.clips))

    def sample_kinds(self, dataset: str, variant: str) -> tuple[SampleKind, ...]:
        """The captions that a variant predicts from: the clips' own, opposite ones, edited ones.

        There are none for `prediction: repeat`, which needs no model. Opposite captions are known of the
        library's clips only. Edited captions are for trained variants that aren't ablations, as in Figure 11.
        """
        variant_settings, dataset_settings = self.config.variant(variant), self.config.datasets[dataset]
        if variant_settings.prediction == "repeat":
            return ()
        kinds: list[SampleKind] = ["validation"]
        if variant_settings.opposite and dataset_settings.source == "library":
            kinds.append("opposite")
        if dataset_settings.edited_captions and variant_settings.trained and variant in self.config.variants:
            kinds.append("edited")
        return tuple(kinds)

    def sample_shards(self, dataset: str, kind: SampleKind) -> range:
        """Numbers of the shards of a kind of samples; all edited captions are in one."""
        return range(1) if kind == "edited" else self.shards(dataset, "validation")
