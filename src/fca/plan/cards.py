"""`fca plan --cards`: what one GPU of a given size trains and predicts, with which settings."""

from dataclasses import asdict, dataclass
from typing import Any

from fca.config import Config
from fca.errors import FcaError
from fca.plan.networks import networks
from fca.plan.rates import Rate, Rates
from fca.plan.work import Work, predicting, sampling, training

GIB = 2**30
CARDS = {12: 11.6, 16: 15.6, 24: 23.6, 40: 39.4, 80: 79.1, 141: 139.0}
"""GB of a card as sold -> about as many GiB as torch finds; an A10 or L4 of 24 GB with ECC has 22."""
WORKSPACE = 3.0
"""GiB for kernels' workspaces, the context and the allocator's reserve, which no count contains."""
NEVER = "nothing fits"


@dataclass(frozen=True)
class Cards:
    """Counted peaks in bytes, the least of the measures that fits each card, and times."""

    what: str
    training: dict[str, int]
    """Setting -> peak, from the fastest."""
    prediction: dict[str, int]
    """Measure -> peak, from the quickest that changes no pixel."""
    fits: dict[int, tuple[str, str]]
    """GB of a card -> the first setting and the first measure that fit."""
    rates: list[str]

    def as_json(self) -> dict[str, Any]:
        """Everything, in bytes."""
        return asdict(self)


def cards(config: Config, clips_per_second: dict[str, float] | None = None) -> Cards:
    """Count the first trained variant of the configuration on its first dataset, with one process.

    Raises:
        FcaError: no variant is trained.
    """
    variant = next((name for name in config.variants if config.variant(name).trains), None)
    if variant is None:
        raise FcaError("no variant is trained", "a variant with an adapter", "add one to variants")
    dataset, own = next(iter(config.datasets)), networks(config.base_of(variant))

    # Training: all clips of a step through one GPU, and the fewest checkpointed layers that fit.
    layers, clips = len(own.transformer.transformer_blocks), config.train.clips_per_step
    alone = {"processes": 1, "gradient_accumulation": clips // config.train.batch_size}
    works: dict[str, Work] = {}
    for checkpointed in sorted({0, layers // 3, 2 * layers // 3, layers}):
        train = config.train.model_copy(update=alone | {"checkpointed_layers": checkpointed})
        name = f"checkpointed_layers: {checkpointed}"
        works[name] = training(config.model_copy(update={"train": train}), variant, own)
    trained = {name: work.peak for name, work in works.items()}

    # Prediction: what changes no pixel first.
    whole, tiled = (predicting(config, dataset, variant, own, tiling) for tiling in (False, True))
    predicted = {
        "all networks on it": whole.together(),
        "CPU offload": whole.offloaded(),
        "CPU offload and VAE tiling": tiled.offloaded(),
        "the same, captions encoded on the CPU": tiled.offloaded(captions=False),
        "all networks on it, VAE tiling": tiled.together(),
    }
    fits = {card: (_first(trained, gib), _first(predicted, gib)) for card, gib in CARDS.items()}

    rates, steps = Rates(config, clips_per_second or {}), config.train_steps(dataset, variant)
    alone_config = config.model_copy(update={"train": config.train.model_copy(update=alone)})
    of_training = Rates(alone_config, clips_per_second or {}).training(dataset, variant, works[name])
    of_prediction = rates.sampling(variant, sampling(config, variant, own))
    told = [
        _told(f"training, {steps:,} steps of {clips} clips", of_training, steps * clips),
        _told("prediction, a clip", of_prediction, 1),
    ]
    return Cards(f"{config.scale}: {variant} on {dataset}", trained, predicted, fits, told)


def cards_as_text(found: Cards) -> str:
    """The peaks, a line for each card, and where the times come from."""
    width = max(map(len, (*found.training, *found.prediction)))
    lines = [f"{found.what}, on one GPU; GiB at most at a time"]
    for title, peaks in (("training, a clip at a time", found.training), ("fca predict", found.prediction)):
        lines += [title, *(f"  {name:{width}}  {size / GIB:5.1f}" for name, size in peaks.items())]
    lines += ["", f"{'card':>7}  {'training':{width}}  fca predict"]
    lines += [f"{card:>4} GB  {train:{width}}  {predict}" for card, (train, predict) in found.fits.items()]
    usable = ", ".join(f"{gib:g}" for gib in CARDS.values())
    return "\n".join([
        *lines,
        "",
        f"A card fits what leaves {WORKSPACE:g} GiB of those that torch finds ({usable}) for kernels' workspaces, the",
        "context and the allocator's reserve. VAE tiling changes pixels a little; the others change none.",
        *found.rates,
        "Rates are not those of the cards above: add --clips-per-second train=RATE or sample=RATE, measured on yours.",
    ])  # fmt: skip


def _first(peaks: dict[str, int], gib: float) -> str:
    return next((name for name, peak in peaks.items() if peak / GIB + WORKSPACE <= gib), NEVER)


def _told(what: str, rate: Rate, clips: int) -> str:
    hours = rate.hours(clips)
    if hours is None:
        return f"{what}: {rate.source}"
    return f"{what}: {hours:,.4g} h ({rate.source})" if clips > 1 else f"{what}: {rate.source}"
