"""Where the numbers come from: configuration, cost of training, versions, and the command behind each number."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import yaml

from fca.config import Config, Layout
from fca.config.rehearsal import is_rehearsal
from fca.report.collect import DatasetResult, VariantResult
from fca.report.format import DASH


def configuration(config: Config) -> str:
    """The resolved configuration as YAML."""
    return str(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100))


def config_file(config: Config) -> str:
    """The path of the scale's configuration by the project's convention; of a rehearsal, the one that it wrote."""
    if is_rehearsal(config):
        return Layout(config).rehearsed.as_posix()
    path = f"config/{config.scale.replace('_', '-')}.yaml"
    return path if Path(path).is_file() else f"config/{config.scale}.yaml"


def scratch_file(config: Config) -> str:
    """The configuration that trains the same scale from scratch; empty if there is none."""
    path = f"config/{config.scale.replace('_', '-')}-scratch.yaml"
    return path if Path(path).is_file() else ""


def training_runs(datasets: Sequence[DatasetResult], run: str = "") -> list[dict[str, str]]:
    """Every training run that left a model manifest, as it is printed; `run` is its name if two are compared."""
    trained = [(dataset.name, result) for dataset in datasets for result in dataset.variants if result.model]
    return [_training_run(dataset, result, run) for dataset, result in trained]


def _training_run(dataset: str, result: VariantResult, run: str) -> dict[str, str]:
    """The values of the template; a dash if the manifest lacks one."""
    extra = result.model.extra if result.model else {}

    def number(key: str, write: str, unit: str = "", scale: float = 1.0) -> str:
        value = extra.get(key)
        return DASH if value is None else f"{float(value) * scale:{write}}{unit}"

    commit, dirty, _ = str(extra.get("git_commit") or DASH).partition("-dirty")
    return {
        "run": run,
        "dataset": dataset,
        "variant": result.variant.title,
        "steps": number("steps", ",.0f"),
        "start": str(extra.get("init_from") or "from scratch"),
        "trainable": number("trainable_parameters", ".2f", " M", 1e-6),
        "seconds_per_step": number("seconds_per_step", ".3g", " s"),
        "hours": _duration(extra.get("seconds")),
        "memory": number("peak_memory_gib", ".2f", " GiB"),
        "commit": commit[:12] + (", with changes" if dirty else ""),
    }


def _duration(seconds: object) -> str:
    """A duration in a readable unit."""
    if not isinstance(seconds, int | float):
        return DASH
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def versions(datasets: Sequence[DatasetResult]) -> list[tuple[str, str]]:
    """Names of the packages that trained the models, with all of their versions."""
    found: dict[str, dict[str, None]] = {}
    for dataset in datasets:
        for result in dataset.variants:
            recorded = result.model.extra.get("versions") if result.model else None
            for name, version in (recorded or {}).items():
                found.setdefault(str(name), {})[str(version)] = None
    return [(name, ", ".join(several)) for name, several in sorted(found.items())]


def continued(datasets: Sequence[DatasetResult], config: Config) -> list[str]:
    """The adapters that training continued from: those of manifests, or of the configuration before any training."""
    models = [result.model for dataset in datasets for result in dataset.variants if result.model]
    starts = [str(model.extra["init_from"]) for model in models if model.extra.get("init_from")]
    if not models:
        starts = [str(start) for name in config.variants if (start := config.init_from(name))]
    return sorted(set(starts))


def commands(config: Config, datasets: Sequence[DatasetResult]) -> list[dict[str, str]]:
    """For each scored variant the workflow's command, which creates missing files, and the single step."""
    layout, file = Layout(config), shlex.quote(config_file(config))
    scored = [(dataset.name, one.variant) for dataset in datasets for one in dataset.variants if one.scores]
    targets = [shlex.quote(layout.scores(dataset, variant.name).as_posix()) for dataset, variant in scored]
    return [
        {
            "what": f"{dataset}, {variant.title}",
            "workflow": f"snakemake {target} --cores 2 --configfile {file} --forcerun score_variant",
            "step": f"fca score --config {file} {dataset} {variant.name}",
        }
        for (dataset, variant), target in zip(scored, targets, strict=True)
    ]
