"""Which settings each step depends on; a rule's `settings` parameter and a manifest's config hash are these.

What only changes how fast a step runs (batch sizes, processes, logging, folders) is left out. Of training, the clips
that an optimizer step sees count, which change what is learned, and not how they are divided. So is the time limit of
decoding left out, which few clips ever meet: raise it, then remove the manifests of the shards that lost clips to it;
and where archives come from: a raw manifest's hash says what came. Earlier steps' settings reach a step through their
manifests.
"""

from typing import Any

from fca.config.models import Config
from fca.config.settings import BaseKind
from fca.config.variant import ADAPTER_SETTINGS, ADAPTER_SIZES

NOT_THE_SAME_FOR_ALL = ("learning_rate", "ablation_learning_rate", "init_from")
"""Settings of `train` that reach a training through `Config.learning_rate` and `init_from`."""
HOW_IT_RUNS = (
    *("batch_size", "processes", "gradient_accumulation", "compile", "checkpointed_layers"),
    *("checkpoint_every", "keep_checkpoints", "keep_every_hours", "keep_best", "max_skipped"),
    *("loader_workers", "log_every", "trackers", "hours", "margin_minutes"),
)
"""Settings of `train` that decide no more than rounding; of the first three, only the product counts."""
STEPS = (
    *("fetch", "index", "verify", "resample", "encode"),
    *("train", "sample", "sample_edited", "score", "score_floor", "vbench", "report", "preview"),
)


def part(
    config: Config,
    step: str,
    dataset: str | None = None,
    variant: str | None = None,
    base: BaseKind | None = None,
) -> dict[str, Any]:
    """The settings that decide what a step makes, for one dataset, variant and base or for all, as plain values."""

    def datasets(*fields: str) -> dict[str, Any]:
        chosen = config.datasets if dataset is None else {dataset: config.datasets[dataset]}
        return {name: settings.model_dump(mode="json", include=set(fields)) for name, settings in chosen.items()}

    def variants(*fields: str) -> dict[str, Any]:
        chosen = config.variants if variant is None else {variant: config.variant(variant)}
        return {name: settings.model_dump(mode="json", include=set(fields)) for name, settings in chosen.items()}

    def group(name: str, *without: str) -> dict[str, Any]:
        return getattr(config, name).model_dump(mode="json", exclude=set(without))

    def seeded_splits() -> dict[str, Any]:
        chosen = config.datasets if dataset is None else {dataset: config.datasets[dataset]}
        seeded = {name: settings.own for name, settings in chosen.items() if settings.seeded}
        return {"seed": config.seed, "own": seeded} if seeded else {}

    def bases() -> dict[str, Any]:
        kind = config.variant(variant).base if variant is not None else base
        chosen = {"text": config.base, "image": config.image_base}
        return {  # hashes check what is read and change nothing
            name: settings.model_dump(mode="json", exclude={"sha256", "vision_sha256"})
            for name, settings in chosen.items()
            if settings and kind in (None, name)
        }

    def trainings() -> dict[str, Any]:
        """What is trained, how long, at which rate and from where: settings of other variants don't count."""
        names = [name for name, settings in config.variants.items() if settings.trained]
        return {
            f"{place} {name}": {
                "steps": config.train_steps(place, name),
                "learning_rate": config.learning_rate(name),
                "init_from": str(config.init_from(name)),
                "sizes": config.adapter.model_dump(include=set(ADAPTER_SIZES[config.variant(name).adapter])),
                "variant": config.variant(name).model_dump(
                    include={"base", "adapter", *ADAPTER_SETTINGS.get(config.variant(name).adapter, ())}
                ),
            }
            for place in (config.datasets if dataset is None else [dataset])
            for name in (names if variant is None else [variant])
        }

    match step:
        case "fetch":
            return {"seed": config.seed, "datasets": datasets("format", "source", "root", "tabletop", "media")}
        case "index":
            own = datasets("format", "source", "root", "train", "validation", "split_mode", "media")
            return {"datasets": own, **seeded_splits()}
        case "verify":
            return {"frames": config.clip.frames, "datasets": datasets("format", "source", "tabletop", "exclude")}
        case "resample":
            return {"clip": group("clip"), "datasets": datasets("format", "train", "validation")}
        case "encode":
            return {
                "clip": group("clip"),
                "base": bases(),
                "encode": group("encode", "batch_size"),
                "datasets": datasets("initial_frames"),
            }
        case "train":
            return {
                "seed": config.seed,
                "base": bases(),
                "train": group("train", *NOT_THE_SAME_FOR_ALL, *HOW_IT_RUNS)
                | {"clips_per_step": config.train.clips_per_step},
                "trainings": trainings(),
            }
        case "sample" | "sample_edited":
            edited = {"datasets": datasets("edited_captions")}
            return {
                "seed": config.seed,
                "base": bases(),
                "sample": group("sample", "batch_size"),
                "precision": config.encode.precision,  # of opposite and edited captions, which latents don't hold
                "variants": variants("prediction", "base", "adapter"),
                **(edited if step == "sample_edited" else {}),
            }
        case "score":
            return {
                "seed": config.seed,
                "features": group("features"),
                "score": group("score", "batch_size", "vbench"),
                "datasets": datasets("format", "source", "media", "initial_frames"),
                "variants": variants("prediction"),
            }
        case "score_floor":
            return {
                "seed": config.seed,
                "base": config.base.model_dump(mode="json", include={"model", "revision"}),
                "precision": [config.encode.precision, config.sample.precision],
                "features": group("features"),
                "score": group("score", "batch_size", "vbench"),
                "datasets": datasets("format", "source", "media", "initial_frames"),
            }
        case "vbench":
            return {
                "seed": config.seed,
                "score": group("score", "batch_size", "vbench"),
                "vbench": config.score.vbench and config.score.vbench.model_dump(exclude={"environment", "datasets"}),
                "datasets": datasets("initial_frames"),
                "variants": variants("prediction") if variant else {},
            }
        case "report":
            return {
                "report": group("report"),
                "datasets": datasets("format", "source", "initial_frames", "edited_captions"),
                "variants": {name: settings.title for name, settings in config.every_variant.items()},
            }
        case "preview":
            return {"clip": group("clip"), "datasets": datasets("format", "initial_frames")}
    raise ValueError(f"no such step: {step!r}; steps are {', '.join(STEPS)}")
