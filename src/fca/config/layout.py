"""Where every file of a scale lies: the only place that knows file names.

Paths are relative to the working directory unless the configuration's own folders are absolute. Names may be
wildcards such as `{dataset}`, so the workflow's rules are written with the same methods.
"""

from pathlib import Path

from fca.config.models import Config
from fca.config.settings import FLOOR, SampleKind


def _number(shard: int | str) -> str:
    """A shard's number as four digits; a string (a wildcard) is left as it is."""
    return shard if isinstance(shard, str) else f"{shard:04d}"


class Layout:
    """File names of one configuration."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.root = Path(config.data_dir) / config.scale
        self.runs = Path(config.run_dir) / config.scale
        self.report = Path(config.report_dir) / "index.html"
        self.report_assets = Path(config.report_dir) / "assets"
        self.metrics = Path(config.report_dir) / "metrics.json"

    def comparison(self, name: str) -> Path:
        """The page of one of the paper's tables or figures."""
        return self.report.parent / name / self.report.name

    def preview(self, dataset: str) -> Path:
        """The page of contact sheets of a dataset."""
        return self.report.parent / "preview" / f"{dataset}.html"

    @staticmethod
    def manifest(path: Path) -> Path:
        """The small JSON file beside a shard, an index, a raw folder or an exported model."""
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
        """Manifest of what `fca data verify` found; the whole tables lie beside it, as .tsv."""
        return self.root / dataset / "verified.json"

    def clips(self, dataset: str, split: str, shard: int | str) -> Path:
        return self.root / dataset / "clips" / f"{split}-{_number(shard)}.h5"

    def latents(self, dataset: str, split: str, shard: int | str, base: str = "text") -> Path:
        """What the networks of `base` (or `image_base`) make of a shard of clips."""
        return self.root / dataset / "latents" / base / f"{split}-{_number(shard)}.h5"

    def run(self, dataset: str, variant: str) -> Path:
        """Checkpoints and log of a training run; no rule's output, so that a killed run can be resumed."""
        return self.runs / dataset / variant

    def model(self, dataset: str, variant: str) -> Path:
        return self.root / dataset / "models" / variant

    def model_manifest(self, dataset: str, variant: str) -> Path:
        return self.manifest(self.model(dataset, variant))

    def samples(self, dataset: str, variant: str, kind: str, shard: int | str) -> Path:
        return self.root / dataset / "samples" / variant / f"{kind}-{_number(shard)}.h5"

    def features(self, dataset: str, name: str) -> Path:
        """Cached features of the ground truth or of a variant's predictions, written by `fca score`."""
        return self.root / dataset / "features" / f"{name}.h5"

    def scores(self, dataset: str, variant: str) -> Path:
        return self.root / dataset / "scores" / f"{variant}.json"

    def vae_roundtrip(self, dataset: str) -> Path:
        """Scores of the VAE's round trip of the validation clips, the VAE reconstruction bound."""
        return self.scores(dataset, FLOOR)

    def vbench(self, dataset: str, row: str) -> Path:
        """VBench of a variant, or of the truth."""
        return self.root / dataset / "vbench" / f"{row}.json"

    def vbench_shard(self, dataset: str, row: str, shard: int | str) -> Path:
        """The same of one shard, a row a clip; no rule's output, so that a killed run goes on from it."""
        return self.runs / dataset / "vbench" / row / f"{_number(shard)}.json"

    def shards(self, dataset: str, split: str) -> range:
        """Numbers of the shards of a split, known from the configuration alone."""
        return range(self.config.datasets[dataset].split(split).shards)

    def shard_rows(self, dataset: str, split: str, shard: int) -> range:
        """Positions, within the split's index, of the clips of a shard."""
        settings = self.config.datasets[dataset].split(split)
        first = shard * settings.shard_clips
        return range(first, min(first + settings.shard_clips, settings.clips))

    def sample_kinds(self, dataset: str, variant: str) -> tuple[SampleKind, ...]:
        """What is predicted with a variant: from the captions as they are, from opposite ones, from edited ones.

        Nothing for `prediction: repeat`, which needs no model; opposite captions only exist on the tabletop; edited
        ones are for trained variants that aren't ablations, as in Figure 11.
        """
        settings, place = self.config.variant(variant), self.config.datasets[dataset]
        if settings.prediction == "repeat":
            return ()
        kinds: list[SampleKind] = ["validation"]
        if settings.opposite and place.source == "tabletop":
            kinds.append("opposite")
        if place.edited_captions and settings.trained and variant in self.config.variants:
            kinds.append("edited")
        return tuple(kinds)

    def sample_shards(self, dataset: str, kind: SampleKind) -> range:
        """Numbers of the shards of a kind of samples: those of the validation clips; one for all edited captions."""
        return range(1) if kind == "edited" else self.shards(dataset, "validation")
