"""The scale of a rehearsal: the same networks and sizes, a few clips and steps; see `fca.rehearsal`."""

from collections.abc import Sequence

from fca.config.models import Config
from fca.errors import FcaError, require_known

SUFFIX = "-rehearsal"


def rehearsal_of(config: Config) -> Config:
    """The configuration under the name of its rehearsal's scale, to find that one's files; otherwise unchanged."""
    return config.model_copy(update={"scale": config.scale.removesuffix(SUFFIX) + SUFFIX})


def is_rehearsal(config: Config) -> bool:
    """Whether results of this scale are a rehearsal's, which mean nothing."""
    return config.scale.endswith(SUFFIX)


def rehearsal(
    config: Config,
    clips: int = 2,
    steps: int = 2,
    variants: Sequence[str] | None = None,
    ablations: Sequence[str] = (),
    devices: int = 0,
) -> Config:
    """A configuration with `clips` clips of each dataset and split and `steps` optimizer and denoising steps.

    Args:
        variants: of those that every dataset gets; None: all.
        ablations: that are made, too, on datasets with steps for them.
        devices: GPUs here. A training takes no more processes; without a GPU, it doesn't accumulate gradients.

    Raises:
        FcaError: only ablations are chosen, or ablations that no dataset trains.
    """
    values = config.model_dump(mode="json")
    values["scale"] = rehearsal_of(config).scale
    values["report_dir"] = f"{config.report_dir}/rehearsal"
    for dataset in values["datasets"].values():
        few = {"clips": clips, "shard_clips": clips}
        dataset |= {"train": few, "validation": few, "train_steps": steps, "edited_captions": {}}
        if dataset.get("ablation_steps") is not None:
            dataset["ablation_steps"] = steps
    chosen = list(config.variants) if variants is None else list(variants)
    if not set(chosen) & set(config.variants):
        raise FcaError(
            f"{', '.join(chosen)}: no variant that every dataset gets",
            f"one of {', '.join(config.variants)} among them",
        )
    if (set(chosen) | set(ablations)) & set(config.ablations) and all(
        own.ablation_steps is None for own in config.datasets.values()
    ):
        raise FcaError("no dataset has ablation_steps", "one to train ablations on", "add ablation_steps to one")

    everything = {name: own.model_dump(mode="json") for name, own in config.every_variant.items()}
    values["variants"] = {name: everything[name] for name in chosen if name in config.variants}
    values["ablations"] = {name: everything[name] for name in (*chosen, *ablations) if name in config.ablations}
    values["train"] |= {
        "replicates": 1,
        "lengths": [],
        "processes": max(1, min(config.train.processes, devices)),
        "warmup_steps": min(config.train.warmup_steps, 1),
        "checkpoint_every": 1,
        "log_every": 1,
        "keep_checkpoints": 1,
        "keep_every_hours": None,
        "keep_best": False,
    }
    if not devices:
        values["train"]["gradient_accumulation"] = 1
        values["train"]["loader_workers"] = 0  # on a CPU a fork keeps all weights that the optimizer changes
    for step in ("encode", "score"):  # so that `fca plan` counts the batch that there is
        values[step]["batch_size"] = min(values[step]["batch_size"], clips)
    values["sample"]["steps"] = steps
    values["report"]["clips"] = min(config.report.clips, clips)
    return Config.model_validate(values)


def with_models_on(small: Config, datasets: Sequence[str]) -> Config:
    """The part of a rehearsal with models: these datasets alone, in the configuration's order.

    Raises:
        FcaError: a dataset isn't in the configuration, or ablations are chosen and none of these trains them.
    """
    for name in datasets:
        require_known("dataset", name, list(small.datasets))
    values = small.model_dump(mode="json")
    values["datasets"] = {name: own for name, own in values["datasets"].items() if name in datasets}
    if (vbench := values["score"].get("vbench")) and vbench.get("datasets"):
        vbench["datasets"] = [name for name in vbench["datasets"] if name in datasets]
    part = Config.model_validate(values)
    if part.ablations and all(own.ablation_steps is None for own in part.datasets.values()):
        raise FcaError(
            f"{', '.join(datasets)}: no dataset has ablation_steps",
            "one to train ablations on",
            "name one that has them, or add ablation_steps",
        )
    return part
