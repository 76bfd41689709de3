"""Which settings a step depends on.

Every setting affects every step unless a table here says otherwise, so that a forgotten row costs time and never
leaves a stale result. Settings of earlier steps also reach a step through the manifests of its inputs.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from fca.config.dataset_formats import FORMATS
from fca.config.models import Config
from fca.config.names import RunName
from fca.config.settings import BaseKind, Settings
from fca.config.variant import ADAPTER_SIZES

STEPS = (
    *("fetch", "index", "verify", "resample", "encode", "train", "sample", "sample_edited"),
    *("score", "measure_vae_roundtrip", "score_vae_roundtrip", "vbench", "report", "preview"),
)
SAMPLE = ("sample", "sample_edited")
SCORE = ("score", "score_vae_roundtrip", "vbench")
VAE = ("measure_vae_roundtrip", "score_vae_roundtrip")

WHERE = "where files are, not what is in them"
CHECKED = "checks what is read; the weights' own hash is in the fingerprint"
OBTAINED = "where archives come from; the raw manifest has a hash of what was obtained"
ROUNDING = "clips processed together; changes rounding alone"
PACE = "when training saves, logs or stops; a resumed run gives the same model"
HARMLESS = {
    "scale": WHERE,
    "data_dir": WHERE,
    "run_dir": WHERE,
    "report_dir": WHERE,
    "base.sha256": CHECKED,
    "base.vision_sha256": CHECKED,
    "image_base.sha256": CHECKED,
    "image_base.vision_sha256": CHECKED,
    "features.sha256": CHECKED,
    "datasets.*.archives": OBTAINED,
    "datasets.*.urls": OBTAINED,
    "datasets.*.checksums": OBTAINED,
    "datasets.*.licence_accepted": OBTAINED,
    "datasets.*.download_workers": OBTAINED,
    "decode.seconds": "few clips ever meet this limit: raise it, then remove the shards that lost clips to it",
    "decode.decoder": "decord reads only videos whose packets prove that it gives the same pixels",
    "decode.processes": "clips are decoded one by one, each in a process",
    "encode.batch_size": ROUNDING,
    "sample.batch_size": ROUNDING,
    "score.batch_size": ROUNDING,
    "score.vbench.environment": "a folder; the results name the versions of its packages",
    "score.vbench.datasets": "which results are requested, not what is in them",
    "train.checkpointed_layers": "memory against time",
    "train.compile": "changes rounding alone",
    "train.loader_workers": "any number gives the same batches",
    "train.checkpoint_every": PACE,
    "train.keep_checkpoints": PACE,
    "train.keep_every_hours": PACE,
    "train.keep_best": PACE,
    "train.max_skipped": PACE,
    "train.hours": PACE,
    "train.margin_minutes": PACE,
    "train.log_every": PACE,
    "train.trackers": PACE,
    "evidence.folder": WHERE,
    "evidence.experiment": "which records the page shows",
    "evidence.same_code": "which records are kept, not what is in them",
    "variants.*.name": "the name of a file; part of every path",
}
"""Settings that change no result, each with its reason."""
AFFECTED: dict[str, tuple[str, ...]] = {
    "seed": ("fetch", "index", "train", *SAMPLE, *SCORE),
    "clip.frames": ("verify", "resample", "encode", "train", *SAMPLE, *SCORE, "measure_vae_roundtrip", "preview"),
    "clip": ("resample", "encode", "train", *SAMPLE, *SCORE, "measure_vae_roundtrip", "preview"),
    "base.model": ("encode", "train", *SAMPLE, *VAE),
    "base.revision": ("encode", "train", *SAMPLE, *VAE),
    "base.t_ref": ("train", *SAMPLE),
    "image_base.t_ref": ("train", *SAMPLE),
    "base": ("encode", "train", *SAMPLE),
    "image_base": ("encode", "train", *SAMPLE),
    "adapter": ("train",),
    "features": ("score", *VAE),
    "positions": ("score",),
    "encode.precision": ("encode", *SAMPLE, *VAE),
    "train.replicates": (),
    "train.lengths": (),
    "train": ("train",),
    "sample.precision": (*SAMPLE, *VAE),
    "sample": SAMPLE,
    "score.vbench": ("vbench",),
    "score": SCORE,
    "report": (),
    "datasets.*.root": ("fetch", "index"),
    "datasets.*.library": ("fetch", "verify", "sample", "score"),
    "datasets.*.validation_share": ("index",),
    "datasets.*.split_mode": STEPS[1:],
    "datasets.*.exclude": ("verify",),
    "datasets.*.edited_captions": ("sample_edited",),
    "datasets.*.initial_frames": ("encode", "train", *SAMPLE, *SCORE, "measure_vae_roundtrip", "preview"),
    "datasets.*.train": ("index", "resample", "encode", "preview"),
    "datasets.*.validation": ("index", "resample", "encode", "preview"),
    "datasets.*.train_steps": ("train",),
    "datasets.*.ablation_steps": ("train",),
    "variants.*.title": (),
    "variants.*.prediction": (*SAMPLE, "score", "vbench"),
    "variants.*.base": ("train", *SAMPLE, "score", "vbench"),
    "variants.*.adapter": ("train", *SAMPLE),
    "variants.*.opposite": ("score",),
    "variants.*.guidance_scale": SAMPLE,
    "variants.*.weights_of": SAMPLE,
    "variants.*.t_ref": ("train", *SAMPLE),
    "variants": ("train",),
}
"""The steps that a setting affects, in addition to the report, which shows all. The first matching row counts."""
THROUGH_A_VARIANT = (
    *("train.batch_size", "train.processes", "train.gradient_accumulation"),
    *("train.learning_rate", "train.ablation_learning_rate", "train.init_from"),
    *("datasets.*.train_steps", "datasets.*.ablation_steps", "variants.*.steps"),
)
"""Settings that affect training only through what they mean for a variant: see `_training`."""


def settings_of(
    config: Config, step: str, dataset: str | None = None, variant: str | None = None, base: BaseKind | None = None
) -> dict[str, Any]:
    """The settings that affect a step's result, by dotted name, for one dataset, variant and base or for all.

    Raises:
        ValueError: no such step.
    """
    if step not in STEPS:
        raise ValueError(f"no such step: {step!r}; steps are {', '.join(STEPS)}")
    names = {"datasets": dataset, "variants": variant and RunName.of(variant).variant}
    sizes = ADAPTER_SIZES.get(config.variant(variant).adapter, ()) if variant is not None else None
    base = base if variant is None else config.variant(variant).base
    other_base = {"text": "image_base", "image": "base"}[base] if base else None

    def of_this_job(group: str, name: str, part: str) -> bool:
        if group == "seed" and step == "index":
            return any(settings.seeded for key, settings in config.datasets.items() if dataset in (None, key))
        if group == "variants" and variant is None and step == "vbench":
            return False  # the ground truth is measured
        if group == "adapter" and sizes is not None:
            return name in sizes
        if group == "variants" and part in ("optimizer", "sizes", "t_ref", "guidance_scale") and variant is not None:
            return False  # they are in `train`, `adapter`, `base` and `sample`, as this variant has them
        return group != other_base and names.get(group) in (None, name)

    found = {}
    own = config if variant is None else config.of(variant)
    for path, kind, value in leaves(own):
        group, name, part, *_ = (*path.split("."), "", "")
        if step in affected(kind) and of_this_job(group, name, part) and kind not in THROUGH_A_VARIANT:
            found[path] = value
    if variant is not None and step == "train" and config.replicate(variant) > 1:
        found["train.replicate"] = config.replicate(variant)
    found |= _obtained(config, dataset) if step == "fetch" else {}
    return found | (_training(config, dataset, variant) if step in ("train", "report") else {})


def leaves(settings: Settings, above: str = "", kind: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every leaf setting: dotted name, the name with `*` for a dataset or variant, and value."""
    for name in type(settings).model_fields:
        if name == "ablations":
            continue
        value = settings.every_variant if name == "variants" and isinstance(settings, Config) else None
        value = getattr(settings, name) if value is None else value
        if isinstance(value, Settings):
            yield from leaves(value, f"{above}{name}.", f"{kind}{name}.")
        elif isinstance(value, Mapping) and any(isinstance(item, Settings) for item in value.values()):
            for key, item in value.items():
                yield from leaves(item, f"{above}{name}.{key}.", f"{kind}{name}.*.")
        else:
            yield f"{above}{name}", f"{kind}{name}", list(value) if isinstance(value, tuple) else value


@cache
def affected(kind: str) -> tuple[str, ...]:
    """The steps that a setting affects, by its name with `*`."""
    if _covers(HARMLESS, kind):
        return ()
    return next(((*steps, "report") for row, steps in AFFECTED.items() if _covers([row], kind)), STEPS)


def _covers(rows: Iterable[str], kind: str) -> bool:
    return any(f"{kind}.".startswith(f"{row}.") for row in rows)


def _obtained(config: Config, dataset: str | None) -> dict[str, Any]:
    """What decides which files are downloaded of a dataset of which only those of the chosen clips are."""
    return {
        f"obtained.{name}": {"urls": list(own.urls), "clips": own.clips, "validation_share": own.validation_share}
        for name, own in config.datasets.items()
        if dataset in (None, name) and own.urls and FORMATS[own.format].partial
    }


def _training(config: Config, dataset: str | None, variant: str | None) -> dict[str, Any]:
    """A variant's steps, learning rate, start and clips per step; how those clips are divided is left out."""
    trained = [name for name, settings in config.variants.items() if settings.trained]
    found: dict[str, Any] = {"train.clips_per_step": config.train.clips_per_step}
    for name in trained if variant is None else [variant]:
        start = config.init_from(name)
        for corpus in config.datasets if dataset is None else [dataset]:
            found |= {
                f"training.{corpus}.{name}.steps": config.train_steps(corpus, name),
                f"training.{corpus}.{name}.learning_rate": config.learning_rate(name),
                f"training.{corpus}.{name}.init_from": start and str(start),
            }
    return found
