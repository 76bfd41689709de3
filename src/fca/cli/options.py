"""Command lines of `fca data check`, `fca score-floor` and `fca plan`. Quick to import: argparse and errors alone."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fca.errors import FcaError

if TYPE_CHECKING:
    from fca.config import Config


def add_check(actions: Any) -> None:
    """Add `check` to the actions of `fca data`."""
    check = actions.add_parser(
        "check",
        help="read every shard again and compare it with its manifest",
        description="Read every shard of clips, latents and samples again and compare its content's hash, and what it "
        "was made from, with its manifest. Exit status 1 where something is missing, damaged or stale.",
    )
    check.set_defaults(function=_check)
    add_common(check)
    check.add_argument("dataset", nargs="?", help="a dataset of the configuration (default: all)")
    check.add_argument("--workers", type=positive, metavar="N", help="processes that read (default: one for each core)")


def add_floor(commands: Any) -> None:
    """Add `score-floor` to the steps."""
    floor = commands.add_parser(
        "score-floor",
        help="score what the VAE alone makes of the validation clips",
        description="Encode and decode the validation clips with the VAE and score the result: no prediction that goes "
        "through it can be better.",
    )
    floor.set_defaults(function=_floor)
    add_common(floor)
    floor.add_argument("dataset", help="a dataset of the configuration, such as ssv2")


def add_plan(commands: Any) -> None:
    """Add `plan`."""
    plan = commands.add_parser(
        "plan",
        help="print jobs, disk, GPU hours and memory of each step, before anything runs",
        description="Print the jobs, disk, GPU hours and memory that the steps of a configuration will take. "
        "Reads no data and no weights.",
    )
    plan.set_defaults(function=_plan)
    add_common(plan)
    plan.add_argument(
        "--ablations", action="store_true", help="the variants below ablations too, not only those of all"
    )
    plan.add_argument("--clips-per-second", action="append", type=_rate, default=[], metavar="STEP=RATE",
                      help="what one GPU gets done; STEP: encode, train, sample, score or floor")  # fmt: skip
    plan.add_argument("--json", action="store_true", help="print JSON, in bytes and hours")


def _check(arguments: argparse.Namespace) -> None:
    config = _loaded(arguments)
    from fca.artifacts.check import check, remedy, table
    from fca.config import Layout

    datasets = [arguments.dataset] if arguments.dataset else list(config.datasets)
    checked, bad = check(config, datasets, arguments.workers)
    print(table(Layout(config), checked, bad))
    if bad:
        raise FcaError(
            f"{len(bad)} of the files above can't be relied on",
            "every shard as its manifest says, made from what is there now",
            remedy(bad),
        )


def _floor(arguments: argparse.Namespace) -> None:
    config = _loaded(arguments)
    from fca.score.vae_roundtrip import score_vae_roundtrip

    score_vae_roundtrip(config, arguments.dataset)


def _plan(arguments: argparse.Namespace) -> None:
    config = _loaded(arguments)
    from fca.plan import as_text, plan

    planned = plan(config, arguments.ablations, dict(arguments.clips_per_second))
    print(json.dumps(planned.as_json(), indent=1) if arguments.json else as_text(planned))


def _loaded(arguments: argparse.Namespace) -> "Config":
    """The configuration, in which the dataset must be."""
    from fca.config import load

    config = load(arguments.config)
    dataset = vars(arguments).get("dataset")
    if dataset is not None and dataset not in config.datasets:
        problem = f"there is no dataset {dataset!r} in the configuration"
        raise FcaError(problem, f"one of {', '.join(config.datasets)}")
    return config


def add_common(command: argparse.ArgumentParser) -> None:
    """The options that every step has."""
    command.add_argument("-c", "--config", type=Path, metavar="FILE", default=Path("config/pocket.yaml"),
                         help="configuration (default: %(default)s)")  # fmt: skip
    command.add_argument("--debug", action="store_true", help="show a traceback with an error")


def positive(text: str) -> int:
    """For `type=`: a whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _rate(text: str) -> tuple[str, float]:
    step, _, number = text.partition("=")
    try:
        rate = float(number)
    except ValueError:
        rate = 0.0
    if step not in ("encode", "train", "sample", "score", "floor") or not 0 < rate < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not STEP=RATE, such as encode=2.5")
    return step, rate
