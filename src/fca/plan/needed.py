"""The memory that `fca plan` counts for one step, without counting the others."""

from fca.config import BaseKind, Config
from fca.plan.networks import networks
from fca.plan.steps import VBENCH_MEMORY
from fca.plan.work import encoding, round_trip, sampling, scoring, training


def needed_memory(
    config: Config, step: str, dataset: str, variant: str | None = None, base: BaseKind = "text"
) -> int | None:
    """Peak of bytes on one GPU, or of these on a machine without one, as in the step's `Row`; None: not counted."""
    if step == "vbench":
        return VBENCH_MEMORY
    if step == "score":
        return scoring(config).peak
    if variant is not None:
        base = config.variant(variant).base
    own = networks(config.base_called(base))
    match step, variant:
        case "encode", None:
            return encoding(config, own, config.datasets[dataset].initial_frames if base == "text" else 1).peak
        case "train", str():
            return training(config, variant, own).peak
        case "sample", str():
            return sampling(config, variant, own).peak
        case (("measure-vae-roundtrip" | "score-vae-roundtrip" | "score-floor"), None):
            return round_trip(config, own).peak + scoring(config).peak
    return None
